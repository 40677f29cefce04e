"""The section ``singularity`` of the probe: versions and their files, the link, configuration, profile, ranges.

A version is a tree below one root. It holds ``.slipway.json``, the manifest of the archive that it was unpacked from; a
tree without one is somebody else's. ``observe`` reads a host, ``compare`` says the drift, ``refusals`` what stands in
the way. The wanted state is the mapping ``__singularity_want`` in the role's ``vars/main.yml``.
"""

import hashlib
import json
import os
import re
import stat
from functools import cmp_to_key, partial
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

from ansible_collections.slipway.node.plugins.module_utils import versions
from ansible_collections.slipway.node.plugins.module_utils.host import Host, drift_entry, existing, free_bytes

_entry = partial(drift_entry, "singularity")

MANIFEST = ".slipway.json"
# Damaged files that are named one by one; the rest is a number.
NAMED = 10
# A range has as many ids as a container expects of a system.
RANGE = 65536
RESTRICTED = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
NAMESPACES = {"user.max_user_namespaces": "15000", "kernel.unprivileged_userns_clone": "1"}

Range = Tuple[str, int, int]


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs. Changes nothing."""
    tree = want["tree"]
    places = sorted({os.path.dirname(path) for path in host.glob(os.path.join(want["root"], "*", MANIFEST))} | {tree})
    trees = dict((place, _tree(host, place, want)) for place in places)
    candidates = [place for place in places if trees[place]["manifest"]]
    accounts = _accounts(host, want)
    files = {"subuid": host.read("/etc/subuid") or "", "subgid": host.read("/etc/subgid") or ""}
    observed = {
        "trees": dict((place, one) for place, one in trees.items() if one["exists"]),
        "link": _link(want["link"]) if want["link"] else "",
        "config": parse_config(host.read(want["config_file"]) or ""),
        "packages": _installed(host, want),
        "files": dict((one["path"], _file(host, one)) for one in want["files"]),
        "strays": host.glob(*want["strays"]),
        "directories": dict((one["path"], _mode(one["path"])) for one in want["directories"]),
        "accounts": accounts,
        "subid": dict((name, parse_ranges(text)) for name, text in files.items()),
        "subid_text": files if accounts else {},
        "busy": _busy(candidates),
        "nosuid": _nosuid(want["root"]),
        "free": min(free_bytes(want["root"]) // 2**20, want["need"]),
        "sysctl": dict((name, (host.read(_proc(name)) or "").strip()) for name in NAMESPACES),
        "restricted": (host.read(RESTRICTED) or "").strip() == "1",
        "apparmor_file": _file(host, want["apparmor"]),
        "apparmor_loaded": want["apparmor"]["profile"] in (host.read("/sys/kernel/security/apparmor/profiles") or ""),
    }
    observed["subid_new"] = subid_files(want, observed)
    observed["refused"] = refusals(want, observed)
    observed["version"] = _version(want, observed)
    # The ranges of thousands of users are of no interest to who reads the result.
    del observed["subid_text"]
    return observed


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    if want["state"] == "absent":
        return _absence(want, observed)
    drift = []
    for name, installed in sorted(observed["packages"].items()):
        if not installed:
            drift.append(_entry("install_packages", name, "not installed", "installed"))
    for name, value in sorted(observed["sysctl"].items()):
        if value == "0":
            drift.append(_entry("allow_namespaces", name, "0", NAMESPACES[name]))
    tree = observed["trees"].get(want["tree"])
    drift += _tree_drift(want, tree)
    for key, value in sorted(want["config"].items()):
        found = observed["config"].get(key, []) if tree else None
        if found != config_values(value):
            drift.append(_entry("set_config", "%s: %s" % (os.path.basename(want["config_file"]), key), _said(found),
                                _said(config_values(value))))  # fmt: skip
    for one in want["directories"]:
        if observed["directories"][one["path"]] != one["mode"]:
            is_ = observed["directories"][one["path"]] or "missing"
            drift.append(_entry("write_files", one["path"], is_, "directory with mode %s" % one["mode"]))
    drift += [
        entry for one in want["files"] for entry in _file_drift("write_files", one, observed["files"][one["path"]])
    ]
    if observed["restricted"]:
        drift += _file_drift("allow_namespaces", want["apparmor"], observed["apparmor_file"])
        if not observed["apparmor_loaded"]:
            item = "AppArmor profile %s" % want["apparmor"]["profile"]
            drift.append(_entry("allow_namespaces", item, "not loaded", "loaded"))
    for user, names in sorted(lacking(observed).items()):
        for name in names:
            drift.append(_entry("give_ranges", "/etc/%s: %s" % (name, user), "no range", "%d ids" % RANGE))
    if want["link"] and observed["link"] != want["tree"]:
        drift.append(_entry("switch_version", want["link"], observed["link"] or "missing", "link to %s" % want["tree"]))
    for place in observed["strays"] + superfluous(want, observed):
        drift.append(_entry("remove_versions", place, "present", "absence"))
    return drift


def refusals(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return why nothing may be changed, each sentence with the remedy."""
    refused = []
    for place in _doomed(want, observed):
        if observed["busy"].get(place):
            refused.append(
                "%s cannot be removed, since programs run from it: %s. Wait until they end, or end them."
                % (place, ", ".join(observed["busy"][place]))
            )
    if want["state"] == "absent":
        return refused
    tree = observed["trees"].get(want["tree"])
    if tree and tree["manifest"] is None and not tree["empty"]:
        refused.append(
            "%s was not made by Slipway%s. Move it away, or choose another singularity_prefix."
            % (want["tree"], " (%s)" % tree["error"] if tree["error"] else "")
        )
    if want["setuid"] and observed["nosuid"]:
        refused.append(
            "%s is on a file system that is mounted nosuid (or NFS that squashes root), where the setuid program "
            "starter-suid cannot work. Mount it without nosuid, choose a singularity_prefix on a local file system, or "
            "set singularity_setuid: false." % want["root"]
        )
    if observed["free"] < want["need"] and _tree_drift(want, tree):
        refused.append(
            "%s has %d MiB free, and a version needs %d MiB. Make room (singularity_versions_absent removes "
            "old versions), or choose another singularity_prefix." % (want["root"], observed["free"], want["need"])
        )
    if observed["link"] == "not a link":
        refused.append("%s is no link, so it is not Slipway's. Move it away." % want["link"])
    missing = [name for name, account in sorted(observed["accounts"].items()) if account is None]
    if missing:
        refused.append(
            "singularity_fakeroot_users or singularity_fakeroot_groups names who does not exist: %s. Correct it, or "
            "make the host know them (`getent passwd %s` must answer)." % (", ".join(missing), missing[0])
        )
    elif observed["subid_new"] is None:
        refused.append(
            "from singularity_fakeroot_first on there are not enough free ranges of %d ids in /etc/subuid and "
            "/etc/subgid. Set it lower, or remove ranges of users who are gone." % RANGE
        )
    return refused


def superfluous(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the trees to remove: those that are no longer wanted, but for old ones that are in use."""
    doomed = _doomed(want, observed)
    if want["state"] == "present" and want["keep"]:
        older = sorted(
            (place for place in _managed(observed) if place != want["tree"]), key=_order(observed), reverse=True
        )
        doomed += [place for place in older[want["keep"] :] if place not in doomed and not observed["busy"].get(place)]
    return sorted(doomed)


def damage(files: List[Dict[str, Any]], found: Dict[str, Optional[Dict[str, Any]]]) -> List[Tuple[str, str, str]]:
    """Return what differs of a tree's files from its manifest: path, how it is, how it should be.

    Files of configuration are edited, so their size is free.
    """
    damaged = []
    for one in files:
        path, is_ = one["path"], found.get(one["path"])
        if is_ is None:
            damaged.append((path, "missing", "a %s" % one["type"]))
        elif is_["type"] != one["type"]:
            damaged.append((path, "a %s" % is_["type"], "a %s" % one["type"]))
        elif is_["owner"] != "0:0":
            damaged.append((path, "owned by %s" % is_["owner"], "owned by 0:0"))
        elif one["type"] != "link" and is_["mode"] != one["mode"]:
            damaged.append((path, "mode %s" % is_["mode"], "mode %s" % one["mode"]))
        elif one["type"] == "link" and is_["target"] != one["target"]:
            damaged.append((path, "a link to %s" % is_["target"], "a link to %s" % one["target"]))
        elif one["type"] == "file" and not one["config"] and is_["size"] != one["size"]:
            damaged.append((path, "%d bytes" % is_["size"], "%d bytes" % one["size"]))
    return damaged


def describe(path: str) -> Optional[Dict[str, Any]]:
    """Return type, mode, owner, size and target of a file, as a manifest has them; ``None`` where there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    kind = "link" if stat.S_ISLNK(status.st_mode) else "folder" if stat.S_ISDIR(status.st_mode) else "file"
    return {
        "type": kind,
        "mode": "%04o" % stat.S_IMODE(status.st_mode),
        "owner": "%d:%d" % (status.st_uid, status.st_gid),
        "size": status.st_size,
        "target": os.readlink(path) if kind == "link" else "",
    }


def parse_manifest(text: str) -> Tuple[Optional[Dict[str, Any]], str]:
    """Read a manifest; return it, or ``None`` and why it cannot be read."""
    try:
        data = json.loads(text)
        if not isinstance(data["archive"], str) or not all(isinstance(one["path"], str) for one in data["files"]):
            raise ValueError("a name is not a string")
    except (ValueError, KeyError, TypeError) as error:
        return None, "%s is broken: %s %s" % (MANIFEST, type(error).__name__, error)
    return data, ""


def parse_config(text: str) -> Dict[str, List[str]]:
    """Read singularity.conf: the values of each key, in their order."""
    config = {}  # type: Dict[str, List[str]]
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.lstrip().startswith("#"):
            config.setdefault(key.strip(), []).append(value.strip())
    return config


def config_values(value: Any) -> List[str]:
    """Return the values that a key of singularity.conf is to have."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def parse_ranges(text: str) -> List[Range]:
    """Read ``/etc/subuid`` or ``/etc/subgid``: name or number, first id, count."""
    fields = [line.strip().split(":") for line in text.splitlines()]
    return [
        (one[0], int(one[1]), int(one[2])) for one in fields if len(one) == 3 and one[1].isdigit() and one[2].isdigit()
    ]


def lacking(observed: Dict[str, Any]) -> Dict[str, List[str]]:
    """Return the wanted users who lack a range of 65536 ids or more, with the files that lack it."""
    missing = {}
    for user, uid in observed["accounts"].items():
        names = [
            name
            for name in ("subuid", "subgid")
            if uid is not None
            and not any(one[0] in (user, str(uid)) and one[2] >= RANGE for one in observed["subid"][name])
        ]
        if names:
            missing[user] = names
    return missing


def allot(users: Dict[str, int], taken: Iterable[Tuple[int, int]], first: int, limit: int) -> Optional[Dict[str, int]]:
    """Return the first id of a new range for each user, or ``None`` where there is no room. Pure.

    A user's place follows from the uid alone, so that it is the same on every host; where the place is taken, it is the
    next free one.

    :param users: uid by name.
    :param taken: first id and count of the ranges that exist.
    :param first: the first id to give; ``limit`` is the one after the last.
    """
    slots = (limit - first) // RANGE
    used: Set[int] = set()
    for start, count in taken:
        if start < limit and start + count > first and count > 0:
            used.update(range(max(0, (start - first) // RANGE), min(slots, (start + count - 1 - first) // RANGE + 1)))
    given = {}
    for user, uid in sorted(users.items(), key=lambda item: (item[1], item[0])):
        if len(used) >= slots:
            return None
        slot = uid % slots
        while slot in used:
            slot = (slot + 1) % slots
        used.add(slot)
        given[user] = first + slot * RANGE
    return given


def subid_files(want: Dict[str, Any], observed: Dict[str, Any]) -> Optional[Dict[str, str]]:
    """Return the new text of ``/etc/subuid`` and ``/etc/subgid``, where it changes; ``None`` without room."""
    missing = lacking(observed)
    if not missing:
        return {}
    taken = [(one[1], one[2]) for ranges in observed["subid"].values() for one in ranges]
    users = dict((user, observed["accounts"][user]) for user in missing)
    given = allot(users, taken, want["fakeroot_first"], want["fakeroot_limit"])
    if given is None:
        return None
    texts = {}
    for name in ("subuid", "subgid"):
        lines = ["%s:%d:%d\n" % (user, given[user], RANGE) for user in sorted(missing) if name in missing[user]]
        if lines:
            old = observed["subid_text"][name]
            texts["/etc/" + name] = old + ("\n" if old and not old.endswith("\n") else "") + "".join(lines)
    return texts


def _absence(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    items = [want["link"]] if want["link"] and observed["link"] else []
    items += [one["path"] for one in want["files"] if observed["files"][one["path"]]["exists"]]
    items += observed["strays"] + ([want["apparmor"]["path"]] if observed["apparmor_file"]["exists"] else [])
    return [_entry("remove_versions", item, "present", "absence") for item in items + superfluous(want, observed)]


def _tree_drift(want: Dict[str, Any], tree: Optional[Dict[str, Any]]) -> List[Dict[str, str]]:
    wanted = "%s %s" % (want["flavor"], want["version"])
    if tree is None or tree["empty"]:
        return [_entry("install_tree", want["tree"], "missing", wanted)]
    if tree["manifest"] is None:
        return [_entry("install_tree", want["tree"], "not Slipway's", wanted)]
    if not re.match(want["archive_pattern"], tree["manifest"]["archive"]):
        return [
            _entry(
                "install_tree", want["tree"], "made from %s" % tree["manifest"]["archive"], "%s as described" % wanted
            )
        ]
    damaged = tree["damage"]
    drift = [_entry("install_tree", os.path.join(want["tree"], path), is_, wish) for path, is_, wish in damaged[:NAMED]]
    if len(damaged) > NAMED:
        more = "%d more files of %s" % (len(damaged) - NAMED, want["tree"])
        drift.append(_entry("install_tree", more, "damaged", "as installed"))
    return drift


def _file_drift(phase: str, want: Dict[str, Any], found: Dict[str, Any]) -> List[Dict[str, str]]:
    if not found["exists"]:
        return [_entry(phase, want["path"], "missing", "Slipway's content")] if found["wanted"] else []
    if found["sha256"] != want["sha256"]:
        return [_entry(phase, want["path"], "edited", "Slipway's content")]
    if found["mode"] != want["mode"]:
        return [_entry(phase, want["path"], "mode %s" % found["mode"], "mode %s" % want["mode"])]
    return []


def _doomed(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the trees whose removal was asked for."""
    if want["state"] == "absent":
        return _managed(observed)
    named = [os.path.join(want["root"], version) for version in want["versions_absent"]]
    return [place for place in _managed(observed) if place in named and place != want["tree"]]


def _managed(observed: Dict[str, Any]) -> List[str]:
    return sorted(place for place, tree in observed["trees"].items() if tree["manifest"])


def _order(observed: Dict[str, Any]) -> Any:
    by_version = cmp_to_key(versions.compare)
    return lambda place: by_version(str(observed["trees"][place]["manifest"]["version"]))


def _version(want: Dict[str, Any], observed: Dict[str, Any]) -> str:
    """Return flavour and version of the tree that is the default, for reports."""
    manifest = (observed["trees"].get(observed["link"] or want["tree"]) or {}).get("manifest")
    return "%s %s" % (manifest["flavor"], manifest["version"]) if manifest else ""


def _said(values: Optional[List[str]]) -> str:
    return "missing" if values is None else ", ".join(values) if values else "unset"


def _tree(host: Host, place: str, want: Dict[str, Any]) -> Dict[str, Any]:
    text = host.read(os.path.join(place, MANIFEST))
    manifest, error = parse_manifest(text) if text is not None else (None, "")
    tree = {
        "exists": os.path.lexists(place),
        "empty": os.path.isdir(place) and not os.listdir(place),
        "manifest": None,
        "error": error,
        "damage": [],
    }  # type: Dict[str, Any]
    if manifest:
        tree["manifest"] = dict((key, value) for key, value in manifest.items() if key != "files")
        if place == want["tree"]:
            paths = [one["path"] for one in manifest["files"]]
            tree["damage"] = damage(
                manifest["files"], dict((path, describe(os.path.join(place, path))) for path in paths)
            )
    return tree


def _link(path: str) -> str:
    if os.path.islink(path):
        return os.path.join(os.path.dirname(path), os.readlink(path))
    return "not a link" if os.path.exists(path) else ""


def _file(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    data = host.read_bytes(want["path"])
    return {
        "exists": data is not None,
        "sha256": hashlib.sha256(data).hexdigest() if data is not None else "",
        "mode": _mode(want["path"]),
        "wanted": not want.get("only_with") or bool(host.glob(want["only_with"])),
    }


def _mode(path: str) -> str:
    found = describe(path)
    return found["mode"] if found else ""


def _installed(host: Host, want: Dict[str, Any]) -> Dict[str, bool]:
    names = want["packages"] if want["state"] == "present" else []
    if not names:
        return {}
    if want["manager"] == "apt":
        _rc, out = host.run("dpkg-query", "-W", "-f", "${Package}\\t${db:Status-Abbrev}\\n", *names)
        found = [line.split("\t")[0] for line in out.splitlines() if line.split("\t")[1][1:2] == "i"]
        return dict((name, name in found) for name in names)
    return dict((name, host.run("rpm", "-q", "--whatprovides", name)[0] == 0) for name in names)


def _accounts(host: Host, want: Dict[str, Any]) -> Dict[str, Optional[int]]:
    """Return the uid of each user who is to have ranges, ``None`` for one who does not exist."""
    if want["state"] == "absent":
        return {}
    names, missing = set(want["fakeroot_users"]), []
    for group in want["fakeroot_groups"]:
        rc, out = host.run("getent", "group", group)
        if rc:
            missing.append("group %s" % group)
        else:
            names.update(name for name in out.strip().split(":")[3].split(",") if name)
    accounts = dict((name, None) for name in sorted(names) + missing)  # type: Dict[str, Optional[int]]
    if names:
        for line in host.run("getent", "passwd", *sorted(names))[1].splitlines():
            fields = line.split(":")
            if fields[0] in accounts and len(fields) >= 7:
                accounts[fields[0]] = int(fields[2])
    return accounts


def _busy(places: List[str]) -> Dict[str, List[str]]:
    """Return the programs that run from each tree, with their process ids."""
    busy = dict((place, []) for place in places)  # type: Dict[str, List[str]]
    for pid in os.listdir("/proc") if places else []:
        if pid.isdigit():
            try:
                program = os.readlink("/proc/%s/exe" % pid)
            except OSError:
                continue
            for place in places:
                if program.startswith(place + "/"):
                    busy[place].append("%s (process %s)" % (os.path.basename(program.replace(" (deleted)", "")), pid))
    return dict((place, sorted(programs)) for place, programs in busy.items() if programs)


def _nosuid(path: str) -> bool:
    return bool(os.statvfs(existing(path)).f_flag & os.ST_NOSUID)


def _proc(name: str) -> str:
    return "/proc/sys/" + name.replace(".", "/")
