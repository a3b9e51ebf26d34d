"""The certificate that a server shows to this device, and whether the device trusts it."""

import os
import socket
import ssl
import subprocess
import sys
import time

from muster_output import write_bool, write_date_time, write_string, write_uint32


def trusted(host: str, port: int) -> bool:
    """Whether this device trusts the server's certificate for its name; why not, on standard error."""
    try:
        plain = socket.create_connection((host, port), timeout=15)
        with plain, ssl.create_default_context().wrap_socket(plain, server_hostname=host):
            return True
    except ssl.SSLCertVerificationError as error:
        print(f"not trusted: {error.verify_message}", file=sys.stderr)
        return False


def facts(certificate: str) -> tuple[int, str]:
    """When a certificate (PEM) expires, in seconds since 1970, and who issued it."""
    command = ["openssl", "x509", "-noout", "-enddate", "-issuer", "-nameopt", "oneline,-esc_msb"]
    done = subprocess.run(command, input=certificate.encode(), capture_output=True, check=True, timeout=15)
    said = dict(line.split("=", 1) for line in done.stdout.decode("utf-8", "replace").splitlines() if "=" in line)
    return int(ssl.cert_time_to_seconds(said["notAfter"])), said["issuer"].strip()


def main() -> None:
    host, port = os.environ.get("MUSTER_INPUT_HOST", ""), os.environ.get("MUSTER_INPUT_PORT", "443")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        sys.exit("give the name of a server and a port from 1 to 65535")
    write_string("host", host)
    try:
        write_bool("valid", trusted(host, int(port)))
        expires, issuer = facts(ssl.get_server_certificate((host, int(port)), timeout=15))
    except (OSError, KeyError, ValueError, subprocess.SubprocessError) as error:
        sys.exit(f"{host}:{port} cannot be checked: {error}")
    write_date_time("valid_until", expires)
    write_uint32("days_left", max(0, int(expires - time.time()) // 86_400))
    write_string("issuer", issuer)


main()
