"""Inputs of the role ``golang``: presets, known sums, and what a specification cannot say."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import GO_ARCHITECTURES
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import Site
from ansible_collections.slipway.node.plugins.plugin_utils.golang.versions import (
    go_bootstrap,
    go_checksum,
    go_minor,
    go_newest,
    known,
)

REMOVAL_INPUTS = ("state", "root", "link", "commands_dir", "tree_host")

MIRRORS = {
    "global": ["https://dl.google.com/go", "https://go.dev/dl", "https://mirrors.aliyun.com/golang"],
    "cn": [
        "https://golang.google.cn/dl",
        "https://mirrors.aliyun.com/golang",
        "https://mirrors.nju.edu.cn/golang",
        "https://mirrors.hust.edu.cn/golang",
        "https://dl.google.com/go",
    ],
}
# Those in China check Go's sums too, so GOSUMDB need not be another.
GOPROXY = {"global": "", "cn": "https://goproxy.cn,https://mirrors.aliyun.com/goproxy/,direct"}

# Up to 1.20 the first release of a minor version has two numbers, from 1.21 on three.
_VERSION = re.compile(r"1\.(1?[0-9]|20)((\.[0-9]+)|(rc|beta)[0-9]+)?|1\.(2[1-9]|[3-9][0-9])(\.[0-9]+|rc[0-9]+)")
_PATH = re.compile(r"(/[A-Za-z0-9._+@-]+)+")
_MIRROR = re.compile(r"(https?|file)://.*(?<!\.tar\.gz)")
_TOOLCHAIN = re.compile(r"auto|path|(local|go1\.[0-9][0-9A-Za-z.-]*)(\+(auto|path))?")


def prepare(inputs: dict[str, Any], site: Site) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs that the node needs, and what is wrong with them."""
    region = site.settings.get("region") or "global"
    inputs = {
        **inputs,
        "link": f"{inputs['root']}/go" if inputs["link"] is None else inputs["link"],
        "mirrors": MIRRORS[region] if inputs["mirrors"] is None else inputs["mirrors"],
        "goproxy": GOPROXY[region] if inputs["goproxy"] is None else inputs["goproxy"],
        "writes": inputs["tree_host"] in ("", site.host),
        "newest": go_newest("1"),
        "profiles": {shell: site.role_file("golang", f"profile.{shell}") for shell in ("sh", "csh")},
    }
    problems = _wrong_paths(inputs)
    if inputs["state"] == "present":
        problems = [*_wrong_version(inputs), *problems, *_wrong_files(inputs), *_wrong_environment(inputs)]
    if problems:
        return {}, problems
    environment = {"GOPROXY": "goproxy", "GOSUMDB": "gosumdb", "GOTOOLCHAIN": "gotoolchain"}
    inputs["mirrors"] = [mirror.rstrip("/") for mirror in inputs["mirrors"]]
    # The host's architecture is not known here, so the sums are those for all.
    inputs["sums"] = known().get(inputs["version"], {}) if inputs["state"] == "present" else {}
    inputs["bootstrap"] = _bootstrap(inputs) if inputs["install_method"] == "source" else {}
    # Older ones have no file for it.
    has_environment = go_minor(inputs["version"]) > 20
    inputs["environment"] = {name: inputs[key] for name, key in environment.items()} if has_environment else {}
    return {name: value for name, value in inputs.items() if name not in environment.values()}, []


def _bootstrap(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the oldest version that compiles the wanted one, and which to fetch on each of Go's architectures."""
    oldest = go_bootstrap(inputs["version"])
    minor = ".".join([*oldest.split("."), "0"][:2])
    files = {}
    for architecture in GO_ARCHITECTURES.values():
        kind = f"linux-{architecture}"
        version = inputs["bootstrap_version"] or go_newest(minor, kind) or go_newest(minor) or "1.17.13"
        files[kind] = {"version": version, "checksum": go_checksum(version, kind)}
    return {"oldest": oldest, "files": files}


def _wrong_version(inputs: dict[str, Any]) -> list[str]:
    problems = []
    for name in ("version", "bootstrap_version"):
        value = inputs[name]
        if not _VERSION.fullmatch(value) and (value or name == "version"):
            newest = go_newest(value) or go_newest("1")
            problems.append(f'golang_{name} is "{value}"; give an exact version in quotes, such as "{newest}".')
    return problems


def _wrong_paths(inputs: dict[str, Any]) -> list[str]:
    problems = []
    for name, may_be_empty in (("root", False), ("link", True), ("commands_dir", True)):
        value = inputs[name]
        follows_root = name == "link" and value == f"{inputs['root']}/go"
        if not _PATH.fullmatch(value) and not follows_root and (value or not may_be_empty):
            problems.append(
                f'golang_{name} is "{value}"; give an absolute path of letters, digits and ._+@-, without a slash at '
                f"the end, as in /opt/go{', or nothing for none' if may_be_empty else ''}."
            )
    link, tree = inputs["link"], f"{inputs['root']}/go-{inputs['version']}"
    if inputs["commands_dir"].startswith(tuple(f"{one}/" for one in (tree, link) if one)):
        problems.append(
            f"golang_commands_dir is {inputs['commands_dir']}, which is in the toolchain itself; give a folder on "
            "everyone's PATH, as in /usr/local/bin, or nothing for none."
        )
    if link in (inputs["root"], tree):
        problems.append(
            f"golang_link is {link}, where toolchains are; give a path of its own, as in {inputs['root']}/go."
        )
    return problems


def _wrong_files(inputs: dict[str, Any]) -> list[str]:
    problems, mirrors = [], inputs["mirrors"]
    if not mirrors or not all(_MIRROR.fullmatch(mirror) for mirror in mirrors):
        problems.append(
            f"golang_mirrors is {json.dumps(mirrors)}; give folders that hold Go's files as http://, https:// or "
            "file:// URLs, as in https://dl.google.com/go."
        )
    if inputs["mirror_timeout"] <= 0:
        problems.append(f"golang_mirror_timeout is {inputs['mirror_timeout']:g}; give seconds, as in 20.")
    if not re.fullmatch("([0-9A-Fa-f]{64})?", inputs["archive_checksum"]):
        kind = "src" if inputs["install_method"] == "source" else "linux-..."
        problems.append(
            f'golang_archive_checksum is "{inputs["archive_checksum"]}"; give the 64 hexadecimal digits that sha256sum '
            f"prints for go{inputs['version']}.{kind}.tar.gz."
        )
    return problems


def _wrong_environment(inputs: dict[str, Any]) -> list[str]:
    problems = []
    for name, pattern, example in (
        ("goproxy", re.compile(r"\S*"), "https://goproxy.cn,direct"),
        ("gosumdb", re.compile(r".*"), "sum.golang.google.cn"),
        ("gotoolchain", re.compile(f"({_TOOLCHAIN.pattern})?"), "local"),
    ):
        if not pattern.fullmatch(inputs[name]):
            problems.append(f'golang_{name} is "{inputs[name]}"; give one line as `go env` prints it, as in {example}.')
    # It never had a GOTOOLCHAIN, and GOPROXY may follow the region.
    if inputs["gosumdb"] and _VERSION.fullmatch(inputs["version"]) and go_minor(inputs["version"]) < 21:
        problems.append(
            f"Go {inputs['version']} has no file for golang_gosumdb; give a golang_version of 1.21 or newer, or "
            "leave it out."
        )
    return problems
