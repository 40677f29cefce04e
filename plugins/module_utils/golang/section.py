"""The section ``golang`` of the probe: Go toolchains side by side, links, profile, environment file.

A toolchain that Slipway made holds a manifest, which says so and how its programs looked when they were made;
others are never deleted. ``want`` makes the wanted state of the inputs, ``observe`` reads a host, ``compare`` says how
it drifts. ``plant`` puts a new toolchain in its place.
"""

import contextlib
import fnmatch
import json
import os
import re
import stat
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine import versions
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, drift_entry
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import (
    GO_ARCHITECTURES,
    InputProblem,
    Platform,
)

_entry = partial(drift_entry, "golang")

MANIFEST = ".slipway.json"
# Programs are compared by size, mode and time: a toolchain has fifteen thousand files, and sums of them take seconds.
_PROGRAMS = ("bin", "pkg/tool")
# Debian's csh reads a folder of its own, which others have not.
_PROFILES = {
    "/etc/profile.d/slipway-golang.sh": "sh",
    "/etc/profile.d/slipway-golang.csh": "csh",
    "/etc/csh/login.d/slipway-golang": "csh",
}
# Where distributions and others keep toolchains that can compile Go itself.
_BOOTSTRAPS = ("/usr/local/go", "/usr/lib/go-*", "/usr/lib/go", "/usr/lib/golang")
_COMMANDS = ("go", "gofmt")
# Folders on everyone's PATH that an earlier run may have been asked to put links into.
_COMMAND_FOLDERS = ("/usr/local/bin", "/usr/bin")
# What gives all users their environment.
_SETTINGS = (
    "/etc/environment",
    "/etc/environment.d/*.conf",
    "/etc/security/pam_env.conf",
    "/etc/profile",
    "/etc/profile.d/*sh",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/zsh*",
    "/etc/zsh/*",
    "/etc/csh.*",
    "/etc/csh/*.d/*",
)
_GOROOT = re.compile(r"(?:^|[\s;&])(?:GOROOT(?:[ \t]+DEFAULT)?=|setenv[ \t]+GOROOT[ \t]+)([^\s;]+)")


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
        tree=_tree(inputs, version),
        work=work,
        file=_file(inputs, work, version, kind, inputs["archive_checksum"].lower() or inputs["sums"].get(kind, "")),
        profile_files=dict((path, inputs["profiles"][shell]) for path, shell in _PROFILES.items()),
        bootstrap={},
    )
    if source and inputs["bootstrap"]:
        kind = "linux-%s" % architecture
        older = inputs["bootstrap"]["files"].get(kind, {"version": "", "checksum": ""})
        wanted["bootstrap"] = dict(
            _file(inputs, work, older["version"], kind, older["checksum"]),
            oldest=inputs["bootstrap"]["oldest"],
            version=older["version"],
        )
    return dict((name, value) for name, value in wanted.items() if name not in ("mirrors", "profiles", "sums"))


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs. Changes nothing."""
    toolchains = {}
    for path in host.glob(_tree(want, "*")):
        version = os.path.basename(path)[len("go-") :]
        if version == want["version"] or version[:1].isdigit():
            toolchains[version] = _toolchain(host, path)
    present = want["state"] == "present"
    users_get_it = present and (want["profile"] or (want["link"] and want["commands_dir"]))
    links = dict((path, _link(host, path)) for path in _link_paths(want))
    wanted = wanted_links(want, links)
    way = in_the_way(want, toolchains, links, wanted) if present else {}
    observed = {
        "toolchains": toolchains,
        "link": links.get(want["link"]),
        "links": links,
        "wanted_links": wanted,
        "in_the_way": way,
        "missing_folders": sorted(
            {os.path.dirname(path) for path in wanted if not os.path.isdir(os.path.dirname(path))}
        ),
        "files": dict((path, host.read(path)) for path in want["profile_files"]),
        "wanted_files": profile_files(want, host),
        "environment": _environment(want, toolchains.get(want["version"])),
        "goroot": _goroot(host, want) if users_get_it else {},
        "bootstrap": _bootstrap(host, want) if present and want["bootstrap"] else "",
    }
    observed["remove"] = [
        _tree(want, version)
        for version, found in sorted(toolchains.items())
        if found["managed"] and not (present and _is_kept(want, version))
    ]
    return observed


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
            for pair in sorted(observed["in_the_way"].items())
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


def in_the_way(
    want: Dict[str, Any],
    toolchains: Dict[str, Any],
    links: Dict[str, Dict[str, Any]],
    wanted: Dict[str, Optional[str]],
) -> Dict[str, str]:
    """Return what is somebody else's and stands where Slipway's is to go, with a name to set it aside under."""
    found = toolchains.get(want["version"])
    paths = [want["tree"]] if found and not found["managed"] else []
    for path, target in wanted.items():
        link = links[path]
        if target and link["exists"] and not link["managed"] and link["target"] != os.path.normpath(target):
            paths.append(path)
    return dict((name, _free(name)) for name in paths)


def profile_files(want: Dict[str, Any], host: Host) -> Dict[str, Optional[str]]:
    """Return what the files of login shells are to hold, ``None`` for one that is not to be there."""
    wanted = want["state"] == "present" and want["profile"]
    has_csh = bool(host.glob("/bin/csh", "/bin/tcsh", "/usr/bin/tcsh"))
    files = {}  # type: Dict[str, Optional[str]]
    for path, text in want["profile_files"].items():
        if wanted and (path.endswith(".sh") or (has_csh and os.path.isdir(os.path.dirname(path)))):
            files[path] = text.replace("@BIN@", "%s/bin" % (want["link"] or want["tree"]))
        elif _is_of(want, text, host.read(path)):
            files[path] = None
    return files


def _is_of(want: Dict[str, Any], text: str, content: Optional[str]) -> bool:
    """Tell whether a file of login shells is Slipway's and of this link, not of one that another run looks after."""
    folder = "%s/bin" % want["link"] if want["link"] else _tree(want, "")
    return content is not None and content.startswith(text.splitlines()[0]) and folder in content


def manifest(tree: str, about: Dict[str, Any]) -> Dict[str, Any]:
    """Return what is written into a new toolchain: what it is, its programs, and the environment that Go ships."""
    environment = ""
    with contextlib.suppress(FileNotFoundError), open(os.path.join(tree, "go.env")) as file:
        environment = file.read()
    return dict(about, programs=programs(tree), environment=read_environment(environment))


def programs(tree: str) -> Dict[str, List[int]]:
    """Return size, mode and time of a toolchain's programs, by path."""
    found = {}
    for top in _PROGRAMS:
        for folder, _folders, names in os.walk(os.path.join(tree, top)):
            for name in names:
                path = os.path.join(folder, name)
                status = os.lstat(path)
                looks = [status.st_size, stat.S_IMODE(status.st_mode), int(status.st_mtime)]
                found[os.path.relpath(path, tree)] = looks
    return found


def damage(recorded: Dict[str, List[int]], found: Dict[str, List[int]]) -> List[str]:
    """Return how programs differ from those of the manifest; one more than there were does no harm."""
    faults = []
    for path in sorted(recorded):
        if path not in found:
            faults.append("%s missing" % path)
        elif found[path][0] != recorded[path][0]:
            faults.append("%s of %d bytes instead of %d" % (path, found[path][0], recorded[path][0]))
        elif found[path][1] != recorded[path][1]:
            faults.append("%s of mode %04o instead of %04o" % (path, found[path][1], recorded[path][1]))
        elif found[path][2] != recorded[path][2]:
            faults.append("%s written to" % path)
    return faults


def read_environment(text: str) -> Dict[str, str]:
    """Read an environment file of Go: NAME=VALUE lines."""
    lines = [line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#")]
    return dict((name.strip(), value.strip()) for name, mark, value in lines if mark)


def plant(fresh: str, path: str, aside: str, remove: Callable[[str], None]) -> None:
    """Put a finished tree in its place; what was there goes when the new one stands, or is kept under a new name.

    :raises ValueError: what was there is somebody else's, and is not to be set aside.
    """
    old = aside or "%s/.%s.old" % os.path.split(path)
    if not aside:
        remove(old)
        if os.path.lexists(path) and not os.path.isfile(os.path.join(path, MANIFEST)):
            raise ValueError("%s is not Slipway's, and is left as it is" % path)
    if os.path.lexists(path):
        os.rename(path, old)
    os.rename(fresh, path)
    if not aside:
        remove(old)


def unpacked_size(archive: str) -> int:
    """Return about how much space the content of a gzip file takes, by the length that its end tells."""
    with open(archive, "rb") as file:
        file.seek(-4, os.SEEK_END)
        length = int.from_bytes(file.read(4), "little")
    # Files take whole blocks.
    return length + length // 8


def _tree(want: Dict[str, Any], version: str) -> str:
    return "%s/go-%s" % (want["root"], version)


def _file(inputs: Dict[str, Any], work: str, version: str, kind: str, checksum: str) -> Dict[str, Any]:
    """Return a file of Go: where it is fetched from and to. Go calls them go<version>.<kind>.tar.gz."""
    name = "go%s.%s.tar.gz" % (version, kind)
    urls = ["%s/%s" % (mirror, name) for mirror in inputs["mirrors"]]
    return {"name": name, "path": "%s/%s" % (work, name), "urls": urls, "checksum": checksum}


def _is_kept(want: Dict[str, Any], version: str) -> bool:
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


def _environment(want: Dict[str, Any], found: Optional[Dict[str, Any]]) -> Dict[str, str]:
    """Return what the environment file is to hold; nothing wanted means what Go ships, if this is known."""
    shipped = found["shipped"] if found else {}
    values = dict((name, value or shipped.get(name, "")) for name, value in want["environment"].items())
    return dict((name, value) for name, value in values.items() if value)


def _toolchain(host: Host, path: str) -> Dict[str, Any]:
    about, managed = _about(host, path)
    return {
        "managed": managed,
        "about": dict((name, about.get(name, "")) for name in ("version", "method", "checksum", "url")),
        "damage": damage(about.get("programs", {}), programs(path)) if managed else [],
        "shipped": about.get("environment", {}),
        "environment": read_environment(host.read(path + "/go.env") or ""),
    }


def _about(host: Host, path: str) -> Tuple[Dict[str, Any], bool]:
    """Return a toolchain's manifest, and whether there is one at all: a broken one is Slipway's still."""
    text = host.read("%s/%s" % (path, MANIFEST))
    try:
        data = json.loads(text or "")
    except ValueError:
        data = None
    if isinstance(data, dict) and isinstance(data.get("programs"), dict):
        return data, True
    return {"programs": {"a readable %s" % MANIFEST: [0, 0, 0]}}, text is not None


def _link_paths(want: Dict[str, Any]) -> List[str]:
    """Return where links of Slipway's are to be, or may be from an earlier run."""
    folders = {folder for folder in _COMMAND_FOLDERS + (want["commands_dir"],) if folder}
    commands = sorted("%s/%s" % (folder, name) for folder in folders for name in _COMMANDS)
    return [want["link"]] + commands if want["link"] else []


def _link(host: Host, path: str) -> Dict[str, Any]:
    """Return where a link leads; it is Slipway's to change if it leads to a toolchain of its own, or nowhere."""
    text = os.readlink(path) if os.path.islink(path) else ""
    target = os.path.normpath(os.path.join(path, "..", text)) if text else ""
    managed = bool(text) and ("/./bin/" in text or _about(host, target)[1] or not os.path.exists(path))
    return {"exists": os.path.lexists(path), "text": text, "target": target, "managed": managed}


def _goroot(host: Host, want: Dict[str, Any]) -> Dict[str, str]:
    """Return which files give all users a GOROOT that is not the wanted toolchain, and which."""
    found = {}
    for path in host.glob(*_SETTINGS):
        for line in (host.read(path) or "").splitlines():
            match = None if line.lstrip().startswith("#") else _GOROOT.search(line)
            value = match.group(1).strip("\"'").rstrip("/") if match else ""
            # What a command answers is not known, and is that of the Go in use where the command is its `go env`.
            told = value and "`" not in value and "$(" not in value
            if told and value != want["link"] and os.path.realpath(value) != want["tree"]:
                found[path] = value
    return found


def _free(path: str) -> str:
    """Return a name that nothing has, to set something aside under."""
    name, number = path + ".before-slipway", 1
    while os.path.lexists(name):
        number += 1
        name = "%s.before-slipway-%d" % (path, number)
    return name


def _bootstrap(host: Host, want: Dict[str, Any]) -> str:
    """Return a toolchain of the host that is new enough to compile the wanted one, the newest if there are more."""
    newest, version = "", want["bootstrap"]["oldest"]
    for path in host.glob(_tree(want, "*"), *_BOOTSTRAPS):
        match = re.match(r"go(1(?:\.[0-9]+)+)\s", (host.read(path + "/VERSION") or "") + "\n")
        runs = all(os.access("%s/bin/%s" % (path, name), os.X_OK) for name in ("go", "gofmt"))
        own = os.path.realpath(path) == want["tree"]
        if match and runs and not own and versions.compare(match.group(1), version) >= 0:
            newest, version = path, match.group(1)
    return newest
