"""Inputs of the role ``docker_ce``: what a specification cannot say, mirrors by region, and signing keys as text."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from pathlib import Path
from typing import Any

from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import Site

# The key file counts too, for a key that RPM imported.
REMOVAL_INPUTS = ("state", "source", "packages", "key_file", "purge_data")

MIRRORS = {
    "global": [
        "https://download.docker.com",
        "https://mirrors.aliyun.com/docker-ce",
        "https://mirrors.tuna.tsinghua.edu.cn/docker-ce",
    ],
    "cn": [
        "https://mirrors.aliyun.com/docker-ce",
        "https://mirrors.tuna.tsinghua.edu.cn/docker-ce",
        "https://mirrors.ustc.edu.cn/docker-ce",
        "https://mirrors.tencent.com/docker-ce",
        "https://mirrors.huaweicloud.com/docker-ce",
        "https://mirrors.nju.edu.cn/docker-ce",
        "https://mirror.sjtu.edu.cn/docker-ce",
        "https://mirrors.pku.edu.cn/docker-ce",
        "https://mirrors.zju.edu.cn/docker-ce",
        "https://mirrors.163.com/docker-ce",
        "https://mirror.azure.cn/docker-ce",
        "https://mirror.iscas.ac.cn/docker-ce",
        "https://mirrors.cqupt.edu.cn/docker-ce",
        "https://download.docker.com",
    ],
}
# Docker's keys by package manager, files of the role.
KEYS = {"apt": "docker-ce-deb.asc", "dnf": "docker-ce-rpm.asc"}

_VERSION = re.compile(r"[0-9]+([.][0-9]+)*|[0-9]+:[0-9].*|[0-9][0-9.]*[-~].*")
_MIRROR = re.compile(r"https?://[^/@\s]+(/\S*)?")
_PROXY = re.compile(r"https?://[^@/\s\"]+/?")
_ARMOR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*?\n(?:\S+:.*\n)*\s*\n?([A-Za-z0-9+/=\s]+?)\s*(?:\n=[A-Za-z0-9+/]{4}\s*)?"
    r"\n-----END PGP PUBLIC KEY BLOCK-----"
)


class KeyProblem(Exception):
    """Why a file is no usable signing key."""


def prepare(inputs: dict[str, Any], site: Site) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs that the node needs, and what is wrong with them."""
    problems = []
    version = inputs["version"]
    if version and not _VERSION.fullmatch(version):
        problems.append(
            f'docker_ce_version is {version}; give the first numbers of a version, as in "28.3" or "28.3.3", or leave '
            "it empty for the newest."
        )
    elif version and inputs["source"] != "mirrors":
        problems.append(
            f"docker_ce_version is {version}, but with docker_ce_source: distribution the distribution decides; leave "
            "it empty."
        )
    problems += [
        f"docker_ce_package_versions has a number for {name}, {value}, which may have lost digits; write it in quotes."
        for name, value in inputs["package_versions"].items()
        if not isinstance(value, str)
    ]
    if inputs["packages"] is not None and not inputs["packages"]:
        problems.append("docker_ce_packages is an empty list; name packages, or leave it out for the usual ones.")
    mirrors = inputs["mirrors"]
    if mirrors is None:
        mirrors = MIRRORS[site.settings.get("region") or "global"]
    problems += _check_mirrors(mirrors)
    if inputs["proxy"] and not _PROXY.fullmatch(inputs["proxy"]):
        problems.append(
            f"docker_ce_proxy is {_masked(inputs['proxy'])}; give a URL such as http://proxy.example.org:3128, without "
            "a user or password, since every user of the host can read the package manager's files."
        )
    keys = {}
    for manager, name in KEYS.items():
        try:
            keys[manager] = read_key(_key_bytes(inputs["key_file"], site, name))
        except KeyProblem as problem:
            if inputs["state"] == "present":
                problems.append(f"docker_ce_key_file is {inputs['key_file']}, {problem}.")
                break
    hold = bool(version) if inputs["hold"] is None else inputs["hold"]
    mirrors = [mirror.rstrip("/") for mirror in mirrors]
    return {**inputs, "mirrors": mirrors, "hold": hold, "keys": keys}, list(dict.fromkeys(problems))


def read_key(data: bytes) -> dict[str, str]:
    """Return a public key as armored text, and its fingerprint.

    :raises KeyProblem: it is something else, with the remedy.
    """
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    if "BEGIN PGP PRIVATE" in text:
        raise KeyProblem("which holds a private key; give the public one, as `gpg --armor --export KEY` prints it")
    if "-----BEGIN" in text:
        match = _ARMOR.search(text)
        try:
            packets = base64.b64decode("".join(match.group(1).split()), validate=True) if match else b""
        except binascii.Error:
            packets = b""
    else:
        packets, text = data, armor(data)
    body = _first_packet(packets)
    if body[:1] != b"\x04":
        raise KeyProblem("which is no OpenPGP public key; give one as `gpg --armor --export KEY` prints it")
    digest = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False)
    return {"text": text if text.endswith("\n") else f"{text}\n", "fingerprint": digest.hexdigest().upper()}


def armor(packets: bytes) -> str:
    """Return a binary key as text (RFC 9580, 6.2); RPM wants the checksum."""
    crc = 0xB704CE
    for byte in packets:
        crc ^= byte << 16
        for _bit in range(8):
            crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
    lines = re.findall(".{1,64}", base64.b64encode(packets).decode())
    check = base64.b64encode((crc & 0xFFFFFF).to_bytes(3, "big")).decode()
    head, tail = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "-----END PGP PUBLIC KEY BLOCK-----\n"
    return "\n".join([head, *lines, f"={check}", tail])


def _first_packet(packets: bytes) -> bytes:
    """Return the body of the first packet where that is a public key (RFC 9580, 4.2); else it is empty."""
    first, second, length = packets[:1], packets[1:2], 0
    if first in (b"\x98", b"\x99"):
        size = first[0] - 0x97
        length = int.from_bytes(packets[1 : 1 + size], "big")
        return packets[1 + size : 1 + size + length]
    if first == b"\xc6" and second < b"\xc0":
        return packets[2 : 2 + second[0]]
    if first == b"\xc6" and second < b"\xe0":
        return packets[3 : 3 + ((second[0] - 192) << 8) + packets[2] + 192]
    return b""


def _key_bytes(path: str | None, site: Site, name: str) -> bytes:
    if not path:
        return site.role_file("docker_ce", name).encode()
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise KeyProblem(f"which the controller cannot read ({reason}); give the path of a key file there") from error


def _check_mirrors(mirrors: list[str]) -> list[str]:
    shown = ", ".join(_masked(mirror) for mirror in mirrors) or "an empty list"
    if any("@" in mirror.split("//")[-1].split("/")[0] for mirror in mirrors):
        return [
            f"docker_ce_mirrors is {shown}; give URLs without a user or password, since every user of the host can "
            "read the package manager's files."
        ]
    good = mirrors and all(_MIRROR.fullmatch(one) and not re.search(r"/linux(/|$)", one) for one in mirrors)
    if good:
        return []
    return [
        f"docker_ce_mirrors is {shown}; give roots of mirrors as http:// or https:// URLs without the part that begins "
        "at /linux, as in https://download.docker.com or https://mirrors.aliyun.com/docker-ce."
    ]


def _masked(url: str) -> str:
    return re.sub(r"//[^/\s]*@", "//***@", url)
