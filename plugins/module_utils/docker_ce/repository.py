"""The files of the package repository: what they are to hold, which is defined here alone, and what is read in them.

Pure.
"""

import configparser
import re
from typing import Any, Dict, List, Optional

_HEADER = "# Written by Slipway (slipway.node.docker_ce). The next run overwrites changes made here.\n"


def repository_files(want: Dict[str, Any], mirror: str) -> Dict[str, Optional[str]]:
    """Return the files that make a package manager use a mirror: path to content, ``None`` for one not to be there."""
    base = "%s/%s" % (mirror.rstrip("/"), want["path"])
    if want["manager"] == "apt":
        fields = [
            ("Types", "deb"),
            ("URIs", base),
            ("Suites", want["release"]),
            ("Components", want["channel"]),
            ("Architectures", want["architecture"]),
            ("Signed-By", want["key_file"]),
        ]
        host = mirror.split("/")[2].split(":")[0]
        scopes = ['Acquire::%s::Proxy::%s "%s";\n' % (scheme, host, want["proxy"]) for scheme in ("http", "https")]
        return {
            want["repository_file"]: _HEADER + "".join("%s: %s\n" % field for field in fields),
            want["proxy_file"]: ("//" + _HEADER[1:] + "".join(scopes)) if want["proxy"] else None,
        }
    options = [
        ("name", "Docker CE %s" % want["channel"]),
        ("baseurl", "%s/%s/$basearch/%s" % (base, want["release"], want["channel"])),
        ("enabled", "1"),
        ("gpgcheck", "1"),
        ("gpgkey", "file://%s" % want["key_file"]),
        # Enterprise Linux 8's container-tools module would hide containerd.io.
        ("module_hotfixes", "1"),
    ]
    if want["proxy"]:
        options.append(("proxy", want["proxy"]))
    if want["hold"]:
        options.append(("excludepkgs", " ".join(want["packages"])))
    text = _HEADER + "[docker-ce-%s]\n" % want["channel"] + "".join("%s=%s\n" % option for option in options)
    return {want["repository_file"]: text}


def mirror_of(content: str, path: str) -> str:
    """Return the root of the mirror that a repository file points at, or an empty string."""
    match = re.search(r"(?mi)^(?:URIs|baseurl)\s*[:=]\s*(\S+?)/%s(?:/\S*)?\s*$" % re.escape(path), content)
    return match.group(1) if match else ""


def public(text: str) -> str:
    """Return a repository's file without the passwords that somebody else put there."""
    return re.sub(r"(?mi)(//)[^/@\s]+(@)|^(password\s*=).*", r"\1\3***\2", text)


def excluded(content: str, *names: str) -> List[str]:
    """Return what the sections of a dnf file exclude."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(content)
    except configparser.Error:
        return []
    values = [parser[section].get(name, "") for section in parser.sections() for name in names or ("excludepkgs",)]
    return re.split(r"[\s,]+", " ".join(values).strip()) if any(values) else []


def without_hold(content: Optional[str]) -> Optional[str]:
    return content and re.sub(r"(?m)^excludepkgs=.*\n", "", content)
