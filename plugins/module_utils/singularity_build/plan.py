"""What a build still lacks, and what stands in its way. Once the archive is there, nothing."""

import re
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Plan, action
from ansible_collections.slipway.node.plugins.module_utils.singularity_build.toolchain import newest, to_fetch


def plan(want: Dict[str, Any], observed: Dict[str, Any]) -> Plan:
    """Return what is to be done."""
    if archive(want, observed):
        return {}
    unpacked, needed = is_unpacked(want, observed), observed["go_needed"]
    return {
        "install_build_packages": [
            action(name, "not installed", "installed")
            for name, installed in sorted(observed["packages"].items())
            if not installed
        ],
        "fetch_source": [] if unpacked else [action(want["source"], "missing", "unpacked")],
        # Which Go is needed is said by the sources.
        "install_go": [action("Go", "too old or missing", to_fetch(want, needed))]
        if unpacked and not _has_go(want, observed)
        else [],
        "build_archive": [action(want["task"], "missing", "compiled")],
    }


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed."""
    is_another, needed = observed["task"] != want["task"], observed["go_needed"]
    if archive(want, observed):
        return []
    if is_another and observed["is_running"]:
        return [
            "The build host is compiling another version in %s. Wait until it has ended, then run again."
            % want["folder"]
        ]
    # A build that has begun takes its room bit by bit.
    if is_another and observed["free"] < want["room"]:
        return [
            "%s on the build host has %d MiB free, and compiling needs %d MiB. Make room there, or set "
            "singularity_build_dir to a folder on a larger disk. Nothing was changed; what is installed stays in "
            "service." % (want["dir"], observed["free"], want["room"])
        ]
    if is_unpacked(want, observed) and not _has_go(want, observed) and not to_fetch(want, needed):
        found = ", ".join(sorted(set(observed["toolchains"].values()))) or "none"
        asked = "singularity_go_version is %s" % want["go_version"] if want["go_version"] else ""
        return [
            "%s needs Go %s or newer; the build host has %s at /usr/local/go*, and %s. Install one there with "
            "golang_version and golang_archive_checksum%s."
            % (
                want["stem"],
                needed,
                found,
                asked or "the role golang knows none that suffices",
                ", or leave singularity_go_version empty" if asked else "",
            )
        ]
    return []


def facts(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return what the controller is to take, and which paths are then to go."""
    name = archive(want, observed)
    made = ["%s/%s%s" % (want["folder"], name, end) for end in (".tar.gz", ".json")]
    # The manifest comes last, since an archive without it is not taken for one.
    fetch = [{"src": path, "dest": want["cache_dir"] + "/"} for path in made]
    if observed["told_sum"] and not want["known_sum"]:
        fetch.insert(0, {"src": want["sum_file"], "dest": want["kept_sum"]})
    leftovers = [want["folder"] + "/stage"] + made if want["keep"] else [want["dir"]]
    return {"archive": name, "fetch": fetch, "leftovers": leftovers}


def archive(want: Dict[str, Any], observed: Dict[str, Any]) -> str:
    """Return the name of the archive that is there, without its ending."""
    return next((name for name in reversed(observed["archives"]) if re.match(want["archive_pattern"], name)), "")


def is_unpacked(want: Dict[str, Any], observed: Dict[str, Any]) -> bool:
    """Tell whether the sources are there: by their sum where one is known, else those that this build unpacked."""
    checksum = want["known_sum"] or observed["told_sum"]
    return observed["source"] == checksum if checksum else bool(observed["source"]) and is_this(want, observed)


def _has_go(want: Dict[str, Any], observed: Dict[str, Any]) -> bool:
    return any(newest(observed["toolchains"], observed["go_needed"], want["go_version"]))


def is_this(want: Dict[str, Any], observed: Dict[str, Any]) -> bool:
    """Tell whether it is this build that has begun in the folder."""
    return bool(observed["task"] == want["task"])
