"""Accounts of registries: their files, and the marks by which it is known of what password a hash was made."""

import hashlib
from typing import Any, Dict, List, Optional, Tuple

MARK = "# slipway "


def parse_htpasswd(text: str) -> List[Tuple[str, str, str]]:
    """Return the accounts of a file of accounts: name, hash, and Slipway's mark that stands before it."""
    entries, mark = [], ""
    for line in text.splitlines():
        if line.startswith(MARK):
            mark = line[len(MARK) :].strip()
        elif ":" in line and not line.startswith("#"):
            name, _, hashed = line.strip().partition(":")
            entries.append((name, hashed, mark))
            mark = ""
    return entries


def mark(fingerprint: str, name: str, hashed: str) -> str:
    """Return what stands before an account: that this hash was made from the password of this fingerprint."""
    return hashlib.sha256("\0".join((fingerprint, name, hashed)).encode("utf-8")).hexdigest()


def accounts(found: Tuple[Optional[str], str], wanted: Dict[str, str]) -> Dict[str, Any]:
    """Return each account in a file of accounts with whether it has the wanted password, and the file's mode."""
    text, mode = found
    return {
        "accounts": dict(
            (name, bool(wanted.get(name)) and noted == mark(wanted[name], name, hashed))
            for name, hashed, noted in parse_htpasswd(text or "")
        ),
        "mode": mode,
    }
