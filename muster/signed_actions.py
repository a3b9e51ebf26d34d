"""Signing the actions of a folder, and handing signatures in.

In: a path as `muster actions sign` takes it, an author's key. Out: what is signed, `signature.json` beside each
manifest, and the portal's word for what it took. Invariant: what is shown before signing is read from the same bytes
that are signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muster import manifests, signing
from muster.api import Api, segment
from muster.errors import UsageError


@dataclass(frozen=True, slots=True)
class Found:
    """An action on the disk: its folder and what a signature of it covers."""

    folder: Path
    form: signing.Form


def found(path: Path) -> list[Found]:
    """The actions at a path: one folder, or a folder of folders. Raises UsageError."""
    if path.is_file():
        raise UsageError(f"{path} is a file.", "Give the action's folder: the signature is laid into it.")
    folders = (
        [path] if (path / manifests.NAME).is_file() else sorted(p.parent for p in path.glob(f"*/{manifests.NAME}"))
    )
    if not folders:
        raise UsageError(f"There is no action at {path}.", f"Give a folder with a {manifests.NAME}, or one of such.")
    return [Found(folder, signing.form_of(next(iter(manifests.manifests(folder))))) for folder in folders]


def shown(one: Found) -> Iterator[str]:
    """What a signature would cover, in lines for the author to read."""
    manifest = one.form.manifest
    yield f"{manifest.nql_id}  {manifest.name}"
    yield f"  version   {one.form.version}"
    for platform, script in manifest.scripts.items():
        yield f"  script    {platform}: {script.language}, {len(script.text.encode())} bytes"
    yield f"  runs as   {manifest.run_as}, at most {manifest.timeout} s"
    for item in manifest.inputs:
        values = ", ".join(map(repr, item.allowed)) or "any value"
        yield f"  input     {item.name}: {values}{', or any other' if item.allowed and item.custom else ''}"
    if manifest.secrets:
        yield f"  secrets   {', '.join(manifest.secrets)}"


def signed(one: Found, key: Ed25519PrivateKey) -> signing.Signature | None:
    """This author's good signature of this very version, if it lies beside the manifest. Raises UsageError."""
    beside = signing.read(one.folder, one.form)
    return next((signature for signature in beside if signing.genuine(one.form, signature, key)), None)


def sign(one: Found, key: Ed25519PrivateKey, *, now: int) -> signing.Signature:
    """Sign an action and lay the signature beside its manifest. Raises UsageError."""
    signature = signing.sign(key, one.form, now=now)
    signing.write(one.folder, one.form, signature)
    return signature


def push(portal: Api, one: Found, signatures: Sequence[signing.Signature]) -> list[dict[str, Any]]:
    """Hand signatures in; what the portal says of each. Raises RefusedError."""
    path = f"/actions/{segment(one.form.manifest.nql_id)}/signatures"
    return [portal.post(path, signing.said(one.form, signature)) for signature in signatures]
