"""`muster authors`: who may write what devices run: make a key, trust its public half, vouch for another, remove.

In: names and key files; a passphrase from a file or a prompt. Out: key files, and a portal that knows the public half.
Invariant: a private key is made and used here and never sent; a passphrase is never an option.
"""

from __future__ import annotations

import base64
import getpass
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import authors as author_files
from agent import statements
from muster import signing
from muster.api import segment
from muster.errors import UsageError
from muster.options import Options, Parser, add_json, add_portal, api, print_rows, tell, verbs

DESCRIPTION = "Authors: whose scripts devices run. Their private keys stay with them, outside the portal."
EXAMPLES = """\
examples:
  muster authors create anna --key-file ~/.config/muster/author.key      (also writes author.key.pub)
  muster authors add ~/.config/muster/author.key.pub                     (before devices enroll, or endorse it after)
  muster authors endorse ben.key.pub --key-file ~/.config/muster/author.key
  muster authors list
  muster authors remove 0123456789abcdef

then: muster actions sign DIR --key-file ~/.config/muster/author.key"""
LISTED = {
    "name": "name",
    "fingerprint": "fingerprint",
    "endorsed_by": "endorsed by",
    "added_at": "added",
    "added_by": "by",
    "removed_at": "removed",
}


def arguments(parser: Parser) -> None:
    """The options."""
    verb = verbs(parser)
    create = verb("create", "make an author key in a file of its own")
    create.add_argument("name", help="the author's name, for people")
    create.add_argument("--locked", action="store_true", help="lock the key with a passphrase")
    add, listing = verb("add", "have the portal trust an author"), verb("list", "all authors")
    add.add_argument("file", type=Path, metavar="FILE.pub", help="the author's public key")
    remove = verb("remove", "trust an author no more, for good")
    remove.add_argument("id", help="the fingerprint that `list` shows")
    endorse = verb("endorse", "vouch for another author, so that devices that are enrolled already trust it")
    endorse.add_argument("file", type=Path, metavar="FILE.pub", help="the other author's public key")
    for one in (create, endorse):
        add_key(one)
    for one in (add, listing, remove, endorse):
        add_portal(one)
    for one in (create, add, listing, remove, endorse):
        add_json(one)


def add_key(parser: Parser) -> None:
    """--key-file and --passphrase-file."""
    parser.add_argument("--key-file", type=Path, required=True, metavar="FILE", help="the author's private key")
    parser.add_argument(
        "--passphrase-file", metavar="FILE", help="file with the key's passphrase, - for standard input (else: asked)"
    )


def run(options: Options) -> None:
    """Do what the verb says."""
    match options.verb:
        case "create":
            _create(options)
        case "list":
            found = api(options).get("/authors")["authors"]
            print_rows(
                found, LISTED, as_json=options.json, empty="There are no authors: `muster authors add FILE.pub`."
            )
        case "add":
            key, name = _public(options.file)
            body = {"name": name or options.file.stem, "key": base64.b64encode(key).decode()}
            made = api(options).post("/authors", body)["author"]
            tell(options, f"{made['name']} is trusted now: {made['fingerprint']}", made)
        case "remove":
            api(options).delete(f"/authors/{segment(options.id)}")
            tell(options, f"{options.id} is trusted no more", {"id": options.id, "removed": True})
        case "endorse":
            _endorse(options)


def private_key(options: Options) -> Ed25519PrivateKey:
    """The key that the options name. Raises UsageError."""
    locked = signing.is_locked(options.key_file)
    return signing.load_key(options.key_file, passphrase(options, twice=False) if locked else None)


def passphrase(options: Options, *, twice: bool) -> bytes:
    """The passphrase of a file or a prompt. Raises UsageError."""
    if options.passphrase_file == "-":
        text = sys.stdin.readline()
    elif options.passphrase_file is not None:
        try:
            text = Path(options.passphrase_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{options.passphrase_file} cannot be read: {error}.") from error
    elif sys.stdin.isatty():
        text = getpass.getpass("Passphrase: ")
        if twice and getpass.getpass("Once more: ") != text:
            raise UsageError("The two passphrases differ.", "Try again.")
    else:
        raise UsageError("The key is locked and there is no passphrase.", "Give --passphrase-file FILE.")
    if not text.strip():
        raise UsageError("The passphrase is empty.")
    return text.strip().encode()


def _create(options: Options) -> None:
    asked = options.locked or options.passphrase_file is not None
    key, beside = signing.make_key(options.key_file, options.name, passphrase(options, twice=True) if asked else None)
    mark = statements.fingerprint(signing.public(key))
    said = {"name": options.name, "fingerprint": mark, "key_file": str(options.key_file), "public_file": str(beside)}
    tell(options, f"{mark}\nprivate  {options.key_file}  (keep it, and keep it to yourself)\npublic   {beside}", said)


def _endorse(options: Options) -> None:
    other, name = _public(options.file)
    key = private_key(options)
    signature = key.sign(statements.endorsement_bytes(other))
    body = {"by": _text(signing.public(key)), "signature": _text(signature)}
    made = api(options).post(f"/authors/{statements.fingerprint(other)}/endorsement", body)["author"]
    tell(options, f"{made['name'] or name} is vouched for by {made['endorsed_by']}", made)


def _public(path: Path) -> tuple[bytes, str]:
    try:
        return author_files.read(path)
    except author_files.AuthorFileError as error:
        raise UsageError(f"{error}.") from error


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
