"""Filters of the role singularity: the command line of mconfig, the choice of Go, files without their content."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

from ansible_collections.slipway.node.plugins.module_utils.singularity import config_values


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: (1, 25, 9) for go1.25.9."""
    found = re.match(r"(?:go)?([0-9]+(?:\.[0-9]+)*)", version)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def mconfig(inputs: dict[str, Any]) -> list[str]:
    """Return the arguments of mconfig, those that the flavour's version knows.

    :param inputs: flavor, version, prefix, profile, setuid, network, seccomp, libsubid, localstatedir, extra.
    """
    apptainer, version = inputs["flavor"] == "apptainer", numbers(inputs["version"])
    arguments = [f"--prefix={inputs['prefix']}", "-P", inputs["profile"]]
    if inputs["localstatedir"]:
        arguments.append(f"--localstatedir={inputs['localstatedir']}")
    # Apptainer's own default is without the setuid program, SingularityCE's is with it.
    if not inputs["setuid"]:
        arguments.append("--without-suid")
    elif apptainer:
        arguments.append("--with-suid")
    arguments += [f"--without-{name}" for name in ("network", "seccomp") if not inputs[name]]
    if not inputs["libsubid"] and version >= ((1, 3) if apptainer else (4, 3)):
        arguments.append("--without-libsubid")
    return arguments + list(inputs["extra"])


def toolchain(found: list[str], needed: str, wanted: str = "") -> str:
    """Return the folder of the newest Go that suffices, or an empty string.

    :param found: lines of folder and version, such as ``/usr/local/go go1.26.8``.
    :param needed: the version in the ``go`` line of go.mod.
    :param wanted: a version that must be had exactly; empty for any.
    """
    pairs = [line.rpartition(" ")[::2] for line in found if " " in line]
    fitting = [
        (numbers(version), folder)
        for folder, version in pairs
        if numbers(version) >= numbers(needed) and (not wanted or version.removeprefix("go") == wanted)
    ]
    return max(fitting, key=lambda pair: (pair[0], -len(pair[1])))[1] if fitting else ""


def oldest(versions: list[str], needed: str) -> str:
    """Return the version nearest above what is needed: the newest patch of the lowest sufficient release."""
    fitting = [version for version in versions if numbers(version) >= numbers(needed)]
    if not fitting:
        return ""
    release = min(numbers(version)[:2] for version in fitting)
    return max((version for version in fitting if numbers(version)[:2] == release), key=numbers)


def file_sums(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return files with the sum of their content in place of it, which may be secret."""
    return [
        {
            **{key: value for key, value in one.items() if key != "content"},
            "sha256": hashlib.sha256(one["content"].encode()).hexdigest(),
        }
        for one in files
    ]


def config_text(text: str, wanted: dict[str, Any]) -> str:
    """Return the text of singularity.conf with keys as wanted, at the place where the key was, and all else as it is.

    :param wanted: a value or a list of values for each key; no line is left of a key with an empty list.
    """
    lines = text.splitlines()
    for key, value in wanted.items():
        places = [index for index, line in enumerate(lines) if key_of(line) == key]
        comments = [index for index, line in enumerate(lines) if key_of(line.lstrip("# ")) == key]
        place = places[0] if places else comments[-1] + 1 if comments else len(lines)
        fresh = [f"{key} = {one}" for one in config_values(value)]
        rest = [line for index, line in enumerate(lines[place:], place) if index not in places]
        lines = lines[:place] + fresh + rest
    return "".join(f"{line}\n" for line in lines)


def key_of(line: str) -> str:
    """Return the key that a line of singularity.conf sets, or an empty string."""
    key, equals, _ = line.partition("=")
    return key.strip() if equals else ""


def auths(accounts: dict[str, dict[str, str]]) -> str:
    """Return registries' credentials as the text of a file in the format of Docker's config.json."""
    tokens = {
        registry: {"auth": base64.b64encode(f"{one['username']}:{one['password']}".encode()).decode()}
        for registry, one in sorted(accounts.items())
    }
    return json.dumps({"auths": tokens}, indent=2) + "\n"


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "singularity_mconfig": mconfig,
            "singularity_toolchain": toolchain,
            "singularity_oldest": oldest,
            "singularity_file_sums": file_sums,
            "singularity_auths": auths,
            "singularity_config_text": config_text,
            "singularity_config_values": config_values,
        }
