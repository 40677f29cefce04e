"""OpenPGP keys and signatures, as far as a package repository needs them.

Fingerprints are read here, so that a key can be checked on a node that has no gpg. Signatures are
verified by the package manager's own verifier: ``gpgv`` (GnuPG) or ``sqv`` (Debian 13's apt).
Sources: RFC 9580 sections 4.2 (packets), 5.5.4 (fingerprints) and 6 (armor).
"""

import base64
import binascii
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from typing import Iterator, List, Optional, Tuple

_ARMOR = re.compile(rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)
_CLEARTEXT = re.compile(
    rb"\A-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:Hash: [^\n]*\n)*\r?\n(.*?)\r?\n-----BEGIN PGP SIGNATURE-----",
    re.DOTALL,
)
_PUBLIC_KEY = 6


class OpenPGPError(Exception):
    """A key that cannot be read, or a signature that does not hold."""


def dearmor(data: bytes) -> bytes:
    """Return the binary form of a public key file; a file that is binary already is returned as it is.

    :raises OpenPGPError: an armored block that is not base64.
    """
    blocks = _ARMOR.findall(data)
    if not blocks:
        return data
    try:
        return b"".join(_dearmor_block(block) for block in blocks)
    except binascii.Error as error:
        raise OpenPGPError("the key is not readable: %s" % error)


def _dearmor_block(block: bytes) -> bytes:
    lines = [line.strip() for line in block.splitlines()]
    body = lines[lines.index(b"") + 1 :] if b"" in lines else lines
    # A line that begins with "=" is the checksum, which is optional and protects from nothing.
    return base64.b64decode(b"".join(line for line in body if not line.startswith(b"=")), validate=True)


def fingerprints(data: bytes) -> List[str]:
    """Return the fingerprints (40 or 64 upper-case hex digits) of the primary keys in a key file or keyring.

    :raises OpenPGPError: the data holds no public key.
    """
    found = []
    for tag, body in _packets(dearmor(data)):
        if tag == _PUBLIC_KEY:
            if body[:1] == b"\x04":
                found.append(hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper())
            else:
                found.append(hashlib.sha256(b"\x9b" + len(body).to_bytes(4, "big") + body).hexdigest().upper())
    if not found:
        raise OpenPGPError("it holds no OpenPGP public key")
    return found


def _packets(data: bytes) -> Iterator[Tuple[int, bytes]]:
    position = 0
    while position < len(data):
        header = data[position]
        if not header & 0x80 or position + 1 >= len(data):
            return
        position += 1
        if header & 0x40:
            tag, first = header & 0x3F, data[position]
            size = 1 if first < 192 else 2 if first < 224 else 5
            field = data[position : position + size]
            if size == 1:
                length = first
            elif size == 2:
                length = ((first - 192) << 8) + field[-1] + 192
            else:
                length = int.from_bytes(field[1:], "big")
        else:
            tag, kind = (header >> 2) & 0x0F, header & 0x03
            if kind == 3:
                return
            size = (1, 2, 4)[kind]
            length = int.from_bytes(data[position : position + size], "big")
        position += size
        yield tag, data[position : position + length]
        position += length


def verify_detached(key: bytes, signature: bytes, data: bytes) -> None:
    """Check a detached signature of ``data`` against the keys in ``key``.

    :raises OpenPGPError: the signature is missing, bad, or by another key; or no verifier is installed.
    """
    _verify(key, data, signature)


def verify_cleartext(key: bytes, message: bytes) -> bytes:
    """Check a cleartext-signed message (apt's InRelease) and return the text that was signed.

    :raises OpenPGPError: as :func:`verify_detached`, and where the message is not one signed text alone.
    """
    match = _CLEARTEXT.match(message)
    if not match or message.count(b"-----BEGIN PGP SIGNED MESSAGE-----") != 1:
        raise OpenPGPError("it is not a cleartext-signed message")
    _verify(key, message, None)
    return re.sub(rb"(?m)^- ", b"", match.group(1))


def _verify(key: bytes, data: bytes, signature: Optional[bytes]) -> None:
    gpgv, sqv = shutil.which("gpgv"), shutil.which("sqv")
    if not gpgv and not sqv:
        raise OpenPGPError(
            "neither gpgv nor sqv is installed to check its signature; install the package gpgv or gnupg2"
        )
    with tempfile.TemporaryDirectory(prefix="slipway-") as directory:
        paths = {}
        for name, content in (("key", dearmor(key)), ("data", data), ("sig", signature)):
            if content is not None:
                paths[name] = os.path.join(directory, name)
                with open(paths[name], "wb") as file:
                    file.write(content)
        if gpgv:
            command = [gpgv, "--keyring", paths["key"]] + ([paths["sig"]] if signature else []) + [paths["data"]]
        elif signature:
            command = [str(sqv), "--keyring", paths["key"], "--signature-file", paths["sig"], paths["data"]]
        else:
            command = [str(sqv), "--keyring", paths["key"], "--output", os.path.join(directory, "out")]
            command += ["--cleartext", paths["data"]]
        process = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ, LC_ALL="C"), timeout=30
        )
    if process.returncode:
        signer = re.search(rb"using \w+ key(?: ID)? ([0-9A-F]+)|key ([0-9A-F]{16,})", process.stdout)
        by = " (signed by %s)" % (signer.group(1) or signer.group(2)).decode() if signer else ""
        raise OpenPGPError("its signature is not by the expected key%s" % by)
