"""What differs of Go from what is wanted, what stands in the way, and what is to be done."""

import fnmatch
import os
from functools import partial
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine.host import drift_entry

_entry = partial(drift_entry, "golang")


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    path, found = want["tree"], observed["toolchains"].get(want["version"])
    drift = []
    if want["state"] == "present":
        drift += [_entry("install_toolchain", path, is_, "Go %s" % want["version"]) for is_ in _faults(want, found)]
        for name, value in sorted(observed["environment"].items()):
            now = found["environment"].get(name) if found else None
            if now != value:
                drift.append(_entry("configure_environment", "%s in %s/go.env" % (name, path), now or "not set", value))
    for name, target in sorted(observed["wanted_links"].items()):
        found = observed["links"][name]
        if target is None or found["target"] != os.path.normpath(target):
            is_ = (
                "link to %s" % found["target"] if found["target"] else "not Slipway's" if found["exists"] else "missing"
            )
            wanted = "absent" if target is None else "link to %s" % os.path.normpath(target)
            drift.append(_entry("switch_links", name, is_, wanted))
    for name, content in sorted(observed["wanted_files"].items()):
        if observed["files"][name] != content:
            missing = observed["files"][name] is None
            is_ = "missing" if missing else "edited" if content else "present"
            drift.append(_entry("write_profile", name, is_, "as Slipway writes it" if content else "absent"))
    return drift + [_entry("remove_toolchains", name, "present", "absent") for name in observed["remove"]]


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed."""
    refused = []
    if want["unmanaged"] == "fail":
        refused += [
            "%s is not Slipway's. Move it away, set golang_unmanaged: set_aside to have it renamed to %s, or choose "
            "another golang_root, golang_link or golang_commands_dir." % pair
            for pair in sorted(observed["unmanaged_paths"].items())
        ]
    for path, value in sorted(observed["goroot"].items()):
        refused.append(
            "%s sets GOROOT to %s, with which every other Go fails, %s too. Take it out there, since Go finds its own "
            "folder; or leave users that one, by golang_profile: false and without golang_commands_dir."
            % (path, value, want["link"] or want["tree"])
        )
    fetched = want["bootstrap"] and not observed["bootstrap"]
    if fetched and not want["bootstrap"]["version"] and _faults(want, observed["toolchains"].get(want["version"])):
        refused.append(
            "Nothing on this host compiles Go %s, and golang knows no archive for its architecture that could. Install "
            "Go %s or newer as /usr/local/go." % (want["version"], want["bootstrap"]["oldest"])
        )
    return refused


def wanted_links(want: Dict[str, Any], links: Dict[str, Dict[str, Any]]) -> Dict[str, Optional[str]]:
    """Return where links are to lead, ``None`` for one of Slipway's that is not to be there."""
    present, link = want["state"] == "present", want["link"]
    wanted = {}  # type: Dict[str, Optional[str]]
    if link and (present or links[link]["managed"]):
        wanted[link] = want["tree"] if present else None
    for path, found in links.items():
        folder, name = os.path.split(path)
        # The dot marks links as Slipway's: nobody else writes it.
        target = "%s/./bin/%s" % (link, name)
        if path != link and present and folder == want["commands_dir"]:
            wanted[path] = target
        elif path != link and found["text"] == target:
            wanted[path] = None
    return wanted


def is_kept(want: Dict[str, Any], version: str) -> bool:
    patterns = [want["version"]] + want["keep_versions"]
    return any(fnmatch.fnmatchcase(version, pattern) for pattern in patterns)


def _faults(want: Dict[str, Any], found: Optional[Dict[str, Any]]) -> List[str]:
    """Return why the wanted toolchain has to be installed anew; the first few reasons are enough."""
    if found is None or not found["managed"]:
        return ["missing" if found is None else "not Slipway's"]
    if found["damage"]:
        more = len(found["damage"]) - 1
        return [found["damage"][0] + (" and %d more" % more if more else "")]
    about, checksum = found["about"], want["file"]["checksum"]
    if about["method"] != want["install_method"]:
        return ["from %s" % about["method"]]
    if checksum and about["checksum"] != checksum:
        return ["from a file of sha256 %s" % about["checksum"]]
    return []


def wanted_environment(want: Dict[str, Any], found: Optional[Dict[str, Any]]) -> Dict[str, str]:
    """Return what the environment file is to hold; nothing wanted means what Go ships, if this is known."""
    shipped = found["shipped"] if found else {}
    values = dict((name, value or shipped.get(name, "")) for name, value in want["environment"].items())
    return dict((name, value) for name, value in values.items() if value)


def facts(_want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, str]:
    """Return what reports show."""
    return {"go": (observed["link"] or {}).get("target", "").rpartition("/go-")[2]}
