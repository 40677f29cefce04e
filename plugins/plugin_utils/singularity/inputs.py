"""Inputs of the role ``singularity``: what a specification cannot say, and what only the controller knows."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
from pathlib import Path
from typing import Any

from ansible_collections.slipway.node.plugins.module_utils.singularity.build import numbers
from ansible_collections.slipway.node.plugins.module_utils.singularity.credentials import (
    AUTH_FILE,
    AUTH_VARIABLES,
    pbkdf2_sum,
)
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import COLLECTION, Site, load
from jinja2 import Environment, StrictUndefined

REMOVAL_INPUTS = ("state", "root", "prefix", "commands_dir", "modulefiles", "tree_host")

# By flavour: the newest version that the role knows, the oldest that it builds, where releases are, the command's name.
FLAVORS = {
    "singularity-ce": {
        "newest": "4.5.1",
        "oldest": "3.8.0",
        "repository": "sylabs/singularity",
        "name": "singularity",
        "title": "SingularityCE",
    },
    "apptainer": {
        "newest": "1.4.5",
        "oldest": "1.0.0",
        "repository": "apptainer/apptainer",
        "name": "apptainer",
        "title": "Apptainer",
    },
}
PROFILES = {
    "/etc/profile.d/slipway-singularity.sh": "profile.sh.j2",
    "/etc/profile.d/slipway-singularity.csh": "profile.csh.j2",
    # Debian's csh reads a folder of its own; the file is wanted where that exists.
    "/etc/csh/login.d/slipway-singularity": "profile.csh.j2",
}

_VERSION = re.compile(r"[0-9]+[.][0-9]+[.][0-9]+([-+][A-Za-z0-9.]+)?")
_PATH = re.compile(r"(/[A-Za-z0-9_.+-]+)+")


def prepare(inputs: dict[str, Any], site: Site) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs that the node needs, and what is wrong with them."""
    flavor = FLAVORS[inputs["flavor"]]
    version = inputs["version"] or flavor["newest"]
    release = f"https://github.com/{flavor['repository']}/releases/download/v{{version}}/{inputs['flavor']}-{{version}}.tar.gz"
    api = f"https://api.github.com/repos/{flavor['repository']}/releases/tags/v{{version}}"
    members = site.variable("user_groups_members") if "user_groups" in site.roles else None
    completed = {
        **inputs,
        "version": version,
        "prefix": inputs["prefix"] or f"{inputs['root']}/{version}",
        "mirrors": [release] if inputs["mirrors"] is None else inputs["mirrors"],
        "release_api": api if inputs["release_api"] is None else inputs["release_api"],
        "setuid": inputs["flavor"] == "singularity-ce" if inputs["setuid"] is None else inputs["setuid"],
        "name": flavor["name"],
        "writes": inputs["tree_host"] in ("", site.host),
        # Those that user_groups makes before, in the same run.
        "made_groups": sorted(members) if isinstance(members, dict) else [],
    }
    problems = _problems(completed, flavor)
    if problems:
        return {}, problems
    # Of the credentials the node gets a sum alone, and the text where it has to be written.
    auths = completed.pop("registry_auths")
    completed["mirrors"] = [url.replace("{version}", version) for url in completed["mirrors"]]
    completed["release_api"] = completed["release_api"].replace("{version}", version)
    completed["cache_dir"] = os.path.join(os.path.expanduser(site.settings.get("cache_dir") or ""), "singularity")
    completed["kept_sum"] = f"{completed['cache_dir']}/sums/{inputs['flavor']}-{version}.sha256"
    completed["known_sum"] = inputs["archive_checksum"] or _known_sum(inputs["flavor"], version, completed["kept_sum"])
    completed["files"] = _files(completed, auths) if inputs["state"] == "present" else []
    completed["unwanted_files"] = [
        path for path in (*PROFILES, AUTH_FILE) if path not in {one["path"] for one in completed["files"]}
    ]
    texts = _modulefiles(completed, auths) if inputs["modulefiles"] else {}
    completed["modulefiles"] = {"folder": inputs["modulefiles"], "texts": texts}
    # One profile for every version below the root, and for one elsewhere.
    elsewhere = [] if os.path.dirname(completed["prefix"]) == inputs["root"] else [completed["prefix"]]
    completed["apparmor"] = {
        "path": "/etc/apparmor.d/slipway-singularity",
        "profile": "slipway-singularity",
        "mode": "0644",
        "group": "root",
        "content": _render("apparmor.j2", trees=[f"{inputs['root']}/*", *elsewhere]),
    }
    return completed, []


def secrets_for_acting(inputs: dict[str, Any], site: Site) -> dict[str, str]:
    """Return what the phases alone need: the credentials, and the script that tries a version."""
    return {
        "singularity_auths": auths(inputs["registry_auths"]),
        "singularity_trial": site.role_file("singularity", "try.sh"),
    }


def auths(accounts: dict[str, dict[str, str]]) -> str:
    """Return registries' credentials as the text of a file in the format of Docker's config.json."""
    tokens = {
        registry: {"auth": base64.b64encode(f"{one['username']}:{one['password']}".encode()).decode()}
        for registry, one in sorted(accounts.items())
    }
    return json.dumps({"auths": tokens}, indent=2) + "\n"


def _problems(inputs: dict[str, Any], flavor: dict[str, str]) -> list[str]:
    """Return what is wrong with the inputs, each sentence with its remedy."""
    problems = []
    version = inputs["version"]
    if not _VERSION.fullmatch(version) or numbers(version) < numbers(flavor["oldest"]):
        problems.append(
            f'singularity_version is "{version}"; give a release\'s three numbers in quotes, as in '
            f'"{flavor["newest"]}", from {flavor["oldest"]} on.'
        )
    for name in ("root", "prefix", "localstatedir", "build_dir", "commands_dir", "modulefiles", "tmpdir", "cachedir"):
        if inputs[name] and not _PATH.fullmatch(inputs[name]):
            problems.append(
                f'singularity_{name} is "{inputs[name]}"; give an absolute path of letters, digits and ._+- without a '
                "slash at its end."
            )
    if inputs["prefix"] in (inputs["root"], f"{inputs['root']}/current"):
        problems.append(
            f'singularity_prefix is "{inputs["prefix"]}", where other versions or the link are; give a folder of its '
            f'own, as in "{inputs["root"]}/{version}".'
        )
    unusable = [url for url in inputs["mirrors"] if not re.match("(https?|file)://", url)]
    if unusable or not inputs["mirrors"]:
        problems.append(
            f"singularity_mirrors has {', '.join(unusable) or 'no URL'}; give URLs of release archives that begin with "
            "https://, http:// or file://, with {version} for the version."
        )
    if not re.fullmatch("([0-9a-f]{64})?", inputs["archive_checksum"]):
        problems.append(
            f'singularity_archive_checksum is "{inputs["archive_checksum"]}"; give a SHA-256 sum of 64 hexadecimal '
            "digits in lower case, or leave it out."
        )
    for key, value in inputs["config"].items():
        if isinstance(value, dict) or value is None:
            problems.append(
                f"singularity_config has no usable value of {key}; give a value or a list of values for each key, as "
                "in {mount home: true, bind path: [/data]}."
            )
    problems += _account_problems(inputs)
    for name, one in inputs["remotes"].items():
        host = one.get("uri") if isinstance(one, dict) else None
        if not re.fullmatch("[A-Za-z0-9_.-]+", str(name)) or not re.fullmatch(r"[A-Za-z0-9][^\s/]*", str(host or "")):
            problems.append(
                f"singularity_remotes cannot have {name}; give names of letters, digits and ._- with a host each, "
                "without https:// and path, as in {campus: {uri: cloud.example.org}}."
            )
    first, limit = inputs["fakeroot_first"], inputs["fakeroot_limit"]
    if first < 65536 or limit > 4294967295 or limit - first < 65536:
        problems.append(
            f"singularity_fakeroot_first is {first} and singularity_fakeroot_limit {limit}; give a first id from "
            "65536 on, and a limit at least 65536 above it and below 4294967296."
        )
    if inputs["keep_versions"] < -1:
        problems.append(
            f"singularity_keep_versions is {inputs['keep_versions']}; give a number from 0 on, or -1 for all."
        )
    return problems


def _account_problems(inputs: dict[str, Any]) -> list[str]:
    accounts = inputs["registry_auths"]
    if not all(
        isinstance(one, dict) and isinstance(one.get("username"), str) and isinstance(one.get("password"), str)
        for one in accounts.values()
    ):
        return [
            "singularity_registry_auths lacks a user name or a password; give both as texts in quotes, as in "
            '{registry.example.org: {username: "hpc", password: "secret"}}.'
        ]
    if accounts and inputs["flavor"] == "singularity-ce" and numbers(inputs["version"]) < (4, 1):
        return [
            f"singularity_registry_auths has no effect with SingularityCE {inputs['version']}; give "
            "singularity_version 4.1.0 or newer, or leave the credentials out."
        ]
    return []


def _files(inputs: dict[str, Any], accounts: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Return the files that the node is to have, of the credentials their sum in place of the content."""
    values = {
        "link": f"{inputs['root']}/current",
        "name": inputs["name"],
        **_variables(inputs, inputs["flavor"], accounts),
    }
    files: list[dict[str, Any]] = []
    if inputs["profile"]:
        texts = {template: _render(template, **values) for template in set(PROFILES.values())}
        for path, template in PROFILES.items():
            files.append({"path": path, "mode": "0644", "group": "root", "content": texts[template]})
        files[-1]["only_with"] = "/etc/csh/login.d"
    if accounts:
        salt = secrets.token_hex(16)
        files.append(
            {
                "path": AUTH_FILE,
                "mode": "0640",
                "group": inputs["registry_auth_group"],
                "salt": salt,
                "secret": "singularity_auths",
                "sum": pbkdf2_sum(auths(accounts).encode(), salt),
            }
        )
    if inputs["remotes"]:
        text = _render("remote.yaml.j2", remotes=inputs["remotes"])
        path = f"{inputs['prefix']}/etc/{inputs['name']}/remote.yaml"
        files.append({"path": path, "mode": "0644", "group": "root", "content": text})
    return files


def _variables(inputs: dict[str, Any], flavor: str, accounts: dict[str, Any]) -> dict[str, Any]:
    """Return what users' environments get of a flavour: folders by variable, and the file of credentials."""
    name = FLAVORS[flavor]["name"].upper()
    return {
        "folders": {f"{name}_{key.upper()}": inputs[key] for key in ("tmpdir", "cachedir") if inputs[key]},
        "auth_variable": AUTH_VARIABLES[flavor] if accounts else "",
        "auth_file": AUTH_FILE,
    }


def _modulefiles(inputs: dict[str, Any], accounts: dict[str, Any]) -> dict[str, str]:
    """Return by flavour the text of a version's modulefile, of which the node knows the version and its folder."""
    root = inputs["root"]
    return {
        flavor: _render("modulefile.j2", root=root, title=about["title"], **_variables(inputs, flavor, accounts))
        for flavor, about in FLAVORS.items()
    }


def _known_sum(flavor: str, version: str, kept: str) -> str:
    """Return the sum of a release: the role's, or what the release API once said; empty where none is known."""
    known = load(COLLECTION / "roles/singularity/files/checksums.yml")[flavor].get(version, "")
    if known or not os.path.exists(kept):
        return str(known)
    return Path(kept).read_text(encoding="ascii").strip()


def _render(template: str, **values: Any) -> str:
    text = (COLLECTION / "roles/singularity/templates" / template).read_text(encoding="utf-8")
    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    return environment.from_string(text).render(values)
