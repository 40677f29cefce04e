"""The wanted state of ``golang``: the inputs, and the files to install from on an architecture."""

from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import (
    GO_ARCHITECTURES,
    InputProblem,
    Platform,
)

# MiB that a toolchain takes beside its archive, and one that is compiled with its source and what compiles it.
_ROOM = {"archive": 350, "source": 1000}
# Debian's csh reads a folder of its own, which others have not.
_PROFILES = {
    "/etc/profile.d/slipway-golang.sh": "sh",
    "/etc/profile.d/slipway-golang.csh": "csh",
    "/etc/csh/login.d/slipway-golang": "csh",
}


def want(inputs: Dict[str, Any], platform: Platform) -> Dict[str, Any]:
    """Return the wanted state: the inputs, and the files to install from on this architecture.

    :raises InputProblem: Go has no archive for it.
    """
    architecture = GO_ARCHITECTURES.get(platform.architecture, "")
    version, source = inputs["version"], inputs["install_method"] == "source"
    if inputs["state"] == "present" and not source and not architecture:
        raise InputProblem(
            "golang knows no archive of Go for the architecture %s, only for: %s. Take golang out of this host's "
            "slipway_roles, or compile Go with a toolchain that the host has, by golang_install_method: source."
            % (platform.architecture, ", ".join(sorted(GO_ARCHITECTURES)))
        )
    work = "%s/.slipway-go-%s" % (inputs["root"], version)
    kind = "src" if source else "linux-%s" % architecture
    wanted = dict(
        inputs,
        tree=tree_path(inputs, version),
        work=work,
        file=_file(inputs, work, version, kind, inputs["archive_checksum"].lower() or inputs["sums"].get(kind, "")),
        profile_files=dict((path, inputs["profiles"][shell]) for path, shell in _PROFILES.items()),
        bootstrap={},
        need=_ROOM[inputs["install_method"]],
    )
    if source and inputs["bootstrap"]:
        kind = "linux-%s" % architecture
        older = inputs["bootstrap"]["files"].get(kind, {"version": "", "checksum": ""})
        wanted["bootstrap"] = dict(
            _file(inputs, work, older["version"], kind, older["checksum"]),
            oldest=inputs["bootstrap"]["oldest"],
        )
    return dict((name, value) for name, value in wanted.items() if name not in ("mirrors", "profiles", "sums"))


def tree_path(want: Dict[str, Any], version: str) -> str:
    return "%s/go-%s" % (want["root"], version)


def _file(inputs: Dict[str, Any], work: str, version: str, kind: str, checksum: str) -> Dict[str, Any]:
    """Return a file of Go: where it is fetched from and to. Go calls them go<version>.<kind>.tar.gz."""
    name = "go%s.%s.tar.gz" % (version, kind)
    urls = ["%s/%s" % (mirror, name) for mirror in inputs["mirrors"]]
    return {"name": name, "version": version, "path": "%s/%s" % (work, name), "urls": urls, "checksum": checksum}
