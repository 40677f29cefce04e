"""Package sources that point at Docker's repository, found by what they hold, whatever the file is called. Pure."""

import base64
import re
from typing import List, Optional

# Keys that apt trusts for all sources.
TRUSTED_KEYRING = "/etc/apt/trusted.gpg"

_LINUX = re.compile(r"/linux/(?:debian|ubuntu|raspbian|centos|rhel|fedora)(?:/|$)")
_LINE = re.compile(r"\s*deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?(\S+)")
_URIS = re.compile(r"(?mi)^URIs\s*:(.*(?:\n[ \t].*)*)")
_OFF = re.compile(r"(?mi)^Enabled\s*:\s*(?:no|false|0|off|without|disable)\s*$")


def is_docker(uri: str, mirrors: List[str]) -> bool:
    """Tell whether a URI is Docker's repository: by its name, or since it is on one of the wanted mirrors."""
    named = "dockerproject.org" in uri or ("docker" in uri and _LINUX.search(uri))
    return bool(named or any(uri.startswith(mirror + "/linux/") for mirror in mirrors))


def is_key(data: Optional[bytes], key: str) -> bool:
    """Tell whether a file is a key and nothing else, as a text or as gpg keeps it.

    :param key: the key as a text (RFC 4880, ASCII armour).
    """
    try:
        return bool(data and key) and _packets(data) == _packets(key.encode("utf-8"))
    except ValueError:
        # A damaged file of somebody's.
        return False


def _packets(data: Optional[bytes]) -> bytes:
    armour = re.search(
        rb"-----BEGIN [^\n]*\n(?:[^\n]+: [^\n]*\n)*\s*\n(.*?)(?:\n=[^\n]*)?\n-----END", data or b"", re.S
    )
    return base64.b64decode(armour.group(1)) if armour else data or b""


def is_bare(path: str, text: str) -> bool:
    """Tell whether a source file has nothing left that is in force."""
    if path.endswith(".repo"):
        sections = re.findall(r"(?m)^\[(?!main\])", text)
        return len(sections) == len(re.findall(r"(?mi)^enabled\s*=\s*(?:0|no|false|off)\s*$", text))
    return path != "/etc/apt/sources.list" and not re.search(r"(?m)^\s*[^#\s]", text)


def without_docker(path: str, text: str, mirrors: List[str]) -> Optional[str]:
    """Return the text of a source file with Docker's active entries switched off; ``None`` where it has none."""
    switch_off = _lines if path.endswith(".list") else _stanzas if path.endswith(".sources") else _sections
    changed = switch_off(text, mirrors)
    return None if changed == text else changed


def _lines(text: str, mirrors: List[str]) -> str:
    lines = []
    for line in text.splitlines(True):
        match = _LINE.match(line)
        lines.append("# " + line if match and is_docker(match.group(1), mirrors) else line)
    return "".join(lines)


def _stanzas(text: str, mirrors: List[str]) -> str:
    parts = re.split(r"(\n[ \t]*\n)", text)
    for index, stanza in enumerate(parts):
        bare = re.sub(r"(?m)^#.*\n?", "", stanza)
        uris = [uri for found in _URIS.findall(bare) for uri in found.split()]
        if any(is_docker(uri, mirrors) for uri in uris) and not _OFF.search(bare):
            parts[index] = re.sub(r"(?m)^(?!#)(?=.)", "# ", stanza)
    return "".join(parts)


def _sections(text: str, mirrors: List[str]) -> str:
    # Python 3.6 does not split where nothing is matched.
    starts = [match.start() for match in re.finditer(r"(?m)^\[", text)]
    parts = [text[start:end] for start, end in zip([0] + starts, starts + [len(text)])]
    for index, section in enumerate(parts):
        uris = re.findall(r"(?m)^(?:baseurl|mirrorlist|metalink)\s*=\s*(\S+)", section)
        if any(is_docker(uri, mirrors) for uri in uris) and not re.search(
            r"(?mi)^enabled\s*=\s*(0|no|false|off)\s*$", section
        ):
            bare = re.sub(r"(?m)^enabled\s*=.*\n?", "", section)
            parts[index] = re.sub(r"^(\[[^\]]*\][^\n]*\n)", r"\1enabled=0\n", bare)
    return "".join(parts)
