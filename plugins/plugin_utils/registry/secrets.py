"""What the controller keeps secret of registries: passwords of accounts, with their fingerprints, and the authority."""

from __future__ import annotations

import datetime
import fcntl
import hashlib
import re
import string
import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import choice
from typing import Any

from ansible_collections.slipway.node.plugins.module_utils.engine import files
from ansible_collections.slipway.node.plugins.module_utils.registry.accounts import MARK, mark
from ansible_collections.slipway.node.plugins.plugin_utils.registry.instances import complete_instances, needs_tls

try:
    import bcrypt
except ImportError:
    # A site without accounts does without it.
    bcrypt = None  # type: ignore[assignment]
ACCOUNT = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
# What bcrypt looks at; the rest of a longer password would count for nothing.
BCRYPT_LIMIT = 72


def secrets(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the controller keeps: the secret, each account's password and fingerprint, and the authority.

    What is not made yet is empty, and so are the fingerprints without a secret.
    """
    folder = Path(inputs["secrets_dir"])
    secret = read_text(folder / "secret").rstrip("\n")
    passwords = {
        account["name"]: account["password"] or read_text(folder / "passwords" / account["name"]).rstrip("\n")
        for account in inputs["accounts"]
    }
    authority = Path(inputs["certificate_authority"] if inputs["certificate"] else folder / "ca.crt")
    return {
        "secret": secret,
        "passwords": passwords,
        # What stands for a password where it may be seen.
        "fingerprints": {
            name: digest(f"{secret}\0{name}\0{password}") if secret and password else ""
            for name, password in passwords.items()
        },
        "authority": read_text(authority),
    }


def missing(inputs: Mapping[str, Any], credentials: Mapping[str, Any]) -> list[str]:
    """Return what is to be made on the controller: paths below the folder of secrets, and ``authority``."""
    made = {"secret": credentials["secret"]}
    made.update({f"passwords/{name}": password for name, password in credentials["passwords"].items()})
    if needs_tls(complete_instances(inputs)) and not inputs["certificate"]:
        made["authority"] = credentials["authority"]
    return [name for name, content in made.items() if not content]


def make(inputs: Mapping[str, Any]) -> None:
    """Make what is missing, one run of the controller at a time: the second finds what the first made.

    :raises ValueError: the authority's key is there and cannot be read, which is no reason for another authority.
    """
    folder = Path(inputs["secrets_dir"])
    (folder / "passwords").mkdir(parents=True, exist_ok=True)
    for one in (folder, folder / "passwords"):
        one.chmod(0o700)
    with open(folder / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in missing(inputs, secrets(inputs)):
            if name == "authority":
                _make_authority(folder, inputs["ca_passphrase"] or "")
            else:
                text = "".join(choice(string.ascii_letters + string.digits) for _one in range(32))
                files.replace(str(folder / name), f"{text}\n", files.PRIVATE)


def _make_authority(folder: Path, passphrase: str) -> None:
    # Which Ansible brings; a list of what is there does not ask for it.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key: Any
    path = folder / "ca.key"
    if path.exists():
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), passphrase.encode() or None)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} cannot be read with registry_ca_passphrase") from error
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        cipher = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else None
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        pem = key.private_bytes(*form, cipher or serialization.NoEncryption())
        files.replace(str(path), pem.decode(), files.PRIVATE)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Slipway registry authority")])
    now = datetime.datetime.now(datetime.UTC)
    kinds = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    usage = dict.fromkeys((*kinds, "encipher_only", "decipher_only"), False)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(3650))
    builder = builder.add_extension(x509.BasicConstraints(True, 0), True)
    builder = builder.add_extension(x509.KeyUsage(key_cert_sign=True, crl_sign=True, **usage), True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    files.replace(str(folder / "ca.crt"), pem.decode(), 0o644)


def htpasswd(inputs: Mapping[str, Any], cost: int = 10) -> str:
    """Return a file of accounts, with a mark before each by which the host knows of what password a hash was made."""
    credentials = secrets(inputs)
    lines = []
    for name, password in credentials["passwords"].items():
        if not credentials["fingerprints"][name]:
            # A registry without accounts makes one up.
            raise ValueError(f"there is no password for {name} yet")
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()
        lines += [MARK + mark(credentials["fingerprints"][name], name, hashed), f"{name}:{hashed}"]
    return "".join(f"{line}\n" for line in lines)


def account_problems(inputs: Mapping[str, Any]) -> list[str]:
    problems = []
    for account in inputs["accounts"]:
        name = account["name"]
        if not ACCOUNT.fullmatch(name):
            problems.append(f"{name!r} cannot name an account: use letters, digits, dots, dashes, underscores and @.")
        if len((account["password"] or "").encode()) > BCRYPT_LIMIT:
            problems.append(
                f"The password of {name} is longer than {BCRYPT_LIMIT} bytes, which bcrypt cannot tell apart: "
                "give a shorter one."
            )
    names = [account["name"] for account in inputs["accounts"]]
    problems += [
        f"Account {name} is listed twice: remove one."
        for name in sorted({one for one in names if names.count(one) > 1})
    ]
    problems += [
        f"{one['name']} has no account: list some in registry_accounts, or say accounts: false for it, and "
        "everyone may push and delete."
        for one in complete_instances(inputs)
        if one["accounts"] and not names
    ]
    if bcrypt is None and any(one["accounts"] for one in complete_instances(inputs)):
        problems.append(
            "Accounts of registries need the Python package bcrypt on the controller, beside Ansible: install it there "
            f"with {sys.executable} -m pip install bcrypt."
        )
    return problems


def number_problems(site: Any) -> list[str]:
    """Return a problem for each password that is a number, of which a zero in front is lost."""
    found = []
    for name, keys in (("registry_accounts", ("password",)), ("registry_instances", ("upstream", "password"))):
        given = site.variable(name)
        for one in [one for one in (given if isinstance(given, list) else []) if isinstance(one, Mapping)]:
            value: Any = one
            for key in keys:
                value = value.get(key) if isinstance(value, Mapping) else None
            if isinstance(value, (int, float)):
                found.append(f"The password of {one.get('name')} in {name} is a number: write it in quotes.")
    return found


def derive(secret: str, purpose: str) -> str:
    return digest(f"{secret}\0{purpose}") if secret else ""


def digest(text: str) -> str:
    """Return a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
