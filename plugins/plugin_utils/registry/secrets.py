"""What the controller keeps secret of registries: passwords of accounts, with their fingerprints, and the authority."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.slipway.node.plugins.module_utils.registry.accounts import MARK, mark
from ansible_collections.slipway.node.plugins.plugin_utils.registry.instances import complete_instances

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
