"""What differs of Go from what is wanted, what stands in the way, and what is to be done."""

import fnmatch
import os
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.engine import trees
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action, Plan, action
from ansible_collections.slipway.node.plugins.module_utils.golang.want import tree_path


def plan(want: Dict[str, Any], observed: Dict[str, Any]) -> Plan:
    """Return what differs, and how it is mended where a call does it."""
    path, found = want["tree"], observed["toolchains"].get(want["version"])
    install, environment = [], []
    if want["state"] == "present":
        install = [action(path, is_, "Go %s" % want["version"]) for is_ in _faults(want, found)]
        for name, value in sorted(wanted_environment(want, found).items()):
            now = found["environment"].get(name) if found else None
            if now != value:
                environment.append(action("%s in %s/go.env" % (name, path), now or "not set", value))
    phases = {
        "install_toolchain": install,
        "configure_environment": environment,
        "switch_links": _links(want, observed),
        "write_profile": _profile(want, observed),
        "remove_toolchains": [
            action(tree, "present", "absent", ["remove", tree])
            for tree in _surplus(want, observed) + observed["remains"]
        ],
    }
    return trees.of_this_host(want, phases, (want["root"] + "/",), ("install_toolchain", "configure_environment"))


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed."""
    if want["state"] == "absent":
        return trees.busy_refusals(_to_remove(want, observed["toolchains"]), observed["running"])
    faults = _faults(want, observed["toolchains"].get(want["version"]))
    refused = trees.disk_refusals(want, observed["disk"], "golang", bool(faults))
    if want["unmanaged"] == "fail":
        refused += [
            "%s is not Slipway's. Move it away, set golang_unmanaged: set_aside to have it renamed to %s, or choose "
            "another golang_root, golang_link or golang_commands_dir." % pair
            for pair in sorted(unmanaged_paths(want, observed).items())
        ]
    users_get_it = want["profile"] or (want["link"] and want["commands_dir"])
    for path, name, value, target in observed["settings"] if users_get_it else []:
        if name == "GOROOT" and value != want["link"] and target != want["tree"]:
            refused.append(
                "%s sets GOROOT to %s, with which every other Go fails, %s too. Take it out there, since Go finds its "
                "own folder; or leave users that one, by golang_profile: false and without golang_commands_dir."
                % (path, value, want["link"] or want["tree"])
            )
    fetched = want["bootstrap"] and not observed["bootstrap"]
    if fetched and not want["bootstrap"]["version"] and faults:
        refused.append(
            "Nothing on this host compiles Go %s, and golang knows no archive for its architecture that could. Install "
            "Go %s or newer as /usr/local/go." % (want["version"], want["bootstrap"]["oldest"])
        )
    return refused


def notes(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return what an admin should know: what outweighs the role's settings, and what is left for later."""
    if want["state"] == "absent":
        return []
    said = [
        "%s sets %s to %s, which outweighs golang_%s: %s. Take it out there." % (path, name, value, name.lower(), wish)
        for path, name, value, _target in observed["settings"]
        for wish in [want["environment"].get(name)]
        if wish and wish != value
    ]
    foreign = [path for path, found in observed["links"].items() if found["exists"] and not found["managed"]]
    said += trees.foreign_commands(want["commands_dir"], foreign)
    return said + [
        "%s stays for now, since programs run from it: %s." % (tree, ", ".join(observed["running"][tree]))
        for tree in _to_remove(want, observed["toolchains"])
        if observed["running"].get(tree)
    ]


def facts(_want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, str]:
    """Return what reports show."""
    return {"go": (observed["link"] or {}).get("target", "").rpartition("/go-")[2]}


def unmanaged_paths(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, str]:
    """Return what is somebody else's and stands where Slipway's is to go, with a name to set it aside under."""
    if want["state"] == "absent":
        return {}
    found, links = observed["toolchains"].get(want["version"]), observed["links"]
    paths = {want["tree"]: found["aside"]} if found and not found["managed"] else {}
    for path, target in _wanted_links(want, links).items():
        link = links[path]
        if target and link["exists"] and not link["managed"] and not _leads_to(link, target):
            paths[path] = link["aside"]
    return paths


def wanted_environment(want: Dict[str, Any], found: Optional[Dict[str, Any]]) -> Dict[str, str]:
    """Return what the environment file is to hold; nothing wanted means what Go ships, if this is known."""
    shipped = found["shipped"] if found else {}
    values = dict((name, value or shipped.get(name, "")) for name, value in want["environment"].items())
    return dict((name, value) for name, value in values.items() if value)


def _links(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    """Return the links that lead elsewhere; the one to the toolchain is first, as the others lead through it."""
    wanted, aside = _wanted_links(want, observed["links"]), unmanaged_paths(want, observed)
    actions = []
    for path in sorted(wanted, key=lambda path: (path != want["link"], path)):
        target, found = wanted[path], observed["links"][path]
        is_ = "link to %s" % found["target"] if found["target"] else "not Slipway's" if found["exists"] else "missing"
        if target is None:
            actions.append(action(path, is_, "absent", ["remove", path]))
        elif not _leads_to(found, target):
            move = [["command", ["mv", "--no-target-directory", path, aside[path]]]] if path in aside else []
            leads = "link to %s" % os.path.normpath(target)
            actions.append(action(path, is_, leads, *(move + [["link", path, target]])))
    return actions


def _wanted_links(want: Dict[str, Any], links: Dict[str, Dict[str, Any]]) -> Dict[str, Optional[str]]:
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


def _leads_to(found: Dict[str, Any], target: str) -> bool:
    return bool(found["target"] == os.path.normpath(target))


def _profile(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Action]:
    """Return the files of login shells that are not as wanted."""
    wanted = want["state"] == "present" and want["profile"]
    actions = []
    for path, template in sorted(want["profile_files"].items()):
        found = observed["files"][path]
        if wanted and (path.endswith(".sh") or (observed["has_csh"] and found["has_folder"])):
            text = template.replace("@BIN@", "%s/bin" % (want["link"] or want["tree"]))
            if found["text"] != text:
                is_ = "missing" if found["text"] is None else "edited"
                actions.append(action(path, is_, "as Slipway writes it", ["write", path, text]))
        elif _is_own_profile(want, template, found["text"]):
            actions.append(action(path, "present", "absent", ["remove", path]))
    return actions


def _is_own_profile(want: Dict[str, Any], template: str, text: Optional[str]) -> bool:
    """Tell whether a file of login shells is Slipway's and of this link, not of one that another run looks after."""
    folder = "%s/bin" % want["link"] if want["link"] else tree_path(want, "")
    return text is not None and text.startswith(template.splitlines()[0]) and folder in text


def _surplus(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the toolchains of Slipway's that are not to be there, and from which nothing runs."""
    return [tree for tree in _to_remove(want, observed["toolchains"]) if not observed["running"].get(tree)]


def _to_remove(want: Dict[str, Any], toolchains: Dict[str, Dict[str, Any]]) -> List[str]:
    # Where hosts share the root, nobody knows what runs on the others.
    keep = ["*"] if want["tree_host"] else want["keep_versions"]
    kept = [want["version"]] + keep if want["state"] == "present" else []
    return [
        tree_path(want, version)
        for version, found in sorted(toolchains.items())
        if found["managed"] and not any(fnmatch.fnmatchcase(version, pattern) for pattern in kept)
    ]


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
