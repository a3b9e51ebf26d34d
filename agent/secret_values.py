"""The secrets of a job: opened on this device alone, handed to its script in memory alone.

In: sealed values of an order, the device's private X25519 key. Out: plain values; a file without a name, in memory,
from which the script reads them. Invariants: a value is sealed to one device for one run, attempt and name, and opens
for no other; it is never written to a disk, an argument or an environment: these carry only the descriptor's number.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from agent import statements
from agent.orders import Job

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class SecretError(Exception):
    """A secret cannot be used; the text says which, and never its value."""


def opened(job: Job, key: X25519PrivateKey | None) -> dict[str, bytes]:
    """The plain values of the secrets that the job's action names. Raises SecretError."""
    values = {}
    for name in job.content.secrets:
        if key is None:
            raise SecretError("this device has no key to open secrets with")
        try:
            info = statements.secret_bytes(job.run, job.attempt, name)
            values[name] = SUITE.decrypt(job.secrets[name], key, info)
        except (InvalidTag, ValueError, KeyError):
            raise SecretError(f"the secret {name} is not sealed for this device and run") from None
    return values


def memory_file(values: Mapping[str, bytes]) -> int:
    """A descriptor of a file in memory: name and value in turn, each ended by NUL. Raises OSError,
    SecretError."""
    if not hasattr(os, "memfd_create"):
        raise SecretError("this system has no files in memory to hand secrets over in")
    descriptor = os.memfd_create("secrets", os.MFD_CLOEXEC)
    try:
        data = b"".join(name.encode() + b"\0" + value + b"\0" for name, value in values.items())
        while data:
            data = data[os.write(descriptor, data) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
