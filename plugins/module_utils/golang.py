"""The section ``golang`` of the probe: Go toolchains side by side, the link to one of them, profile, environment file.

A toolchain that Slipway made holds a manifest, which says so and how its programs looked when they were made;
others are never deleted. ``observe`` reads a host, ``compare`` says how it drifts from the wanted state, the mapping
``__golang_want`` in the role's ``vars/main.yml``. ``plant`` puts a new toolchain in its place.
"""

import contextlib
import fnmatch
import json
import os
import re
import stat
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.slipway.node.plugins.module_utils import versions
from ansible_collections.slipway.node.plugins.module_utils.host import Host, drift_entry

_entry = partial(drift_entry, "golang")

MANIFEST = ".slipway.json"
# Programs are compared by size, mode and time: a toolchain has fifteen thousand files, and sums of them take seconds.
_PROGRAMS = ("bin", "pkg/tool")
_HEADER = "# Written by Slipway (slipway.node.golang). The next run overwrites changes made here.\n"
_SH = """case ":$PATH:" in
  *:{bin}:*) ;;
  *) export PATH="{bin}:$PATH" ;;
esac
"""
_CSH = 'if ( ":${{PATH}}:" !~ *:{bin}:* ) setenv PATH "{bin}:${{PATH}}"\n'
# Where distributions and others keep toolchains that can compile Go itself.
_BOOTSTRAPS = ("/usr/local/go", "/usr/lib/go-*", "/usr/lib/go", "/usr/lib/golang")


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs. Changes nothing."""
    toolchains = {}
    for path in host.glob(_tree(want, "*")):
        version = os.path.basename(path)[len("go-") :]
        if version == want["version"] or version[:1].isdigit():
            toolchains[version] = _toolchain(host, path)
    wanted = profile_files(want, host) if want["state"] == "present" else {}
    files = dict((path, host.read(path)) for path in want["profile_files"])
    link = _link(host, want["link"]) if want["link"] else None
    return {
        "toolchains": toolchains,
        "link": link,
        "in_the_way": in_the_way(want, toolchains, link),
        "files": files,
        "wanted_files": wanted,
        "bootstrap": _bootstrap(host, want) if want["method"] == "source" else "",
    }


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    if want["state"] == "absent":
        return _compare_absent(want, observed)
    path, found = _tree(want, want["version"]), observed["toolchains"].get(want["version"])
    drift = [_entry("install_toolchain", path, is_, "Go %s" % want["version"]) for is_ in _faults(want, found)]
    drift += _compare_environment(want, found)
    link = observed["link"]
    if link and link["target"] != path:
        is_ = "link to %s" % link["target"] if link["target"] else "not Slipway's" if link["exists"] else "missing"
        drift.append(_entry("switch_link", want["link"], is_, "a link to %s" % path))
    for name, content in sorted(observed["wanted_files"].items()):
        if observed["files"][name] != content:
            missing = observed["files"][name] is None
            is_ = "missing" if missing else "edited" if content else "present"
            drift.append(_entry("write_profile", name, is_, "Slipway's content" if content else "absence"))
    for version in surplus(want, observed):
        drift.append(_entry("remove_versions", _tree(want, version), "present", "absence"))
    return drift


def in_the_way(want: Dict[str, Any], toolchains: Dict[str, Any], link: Optional[Dict[str, Any]]) -> Dict[str, str]:
    """Return what is somebody else's and stands where Slipway's is to go, with a name to set it aside under."""
    path, found = _tree(want, want["version"]), toolchains.get(want["version"])
    paths = [path] if found and not found["managed"] else []
    if link and link["exists"] and not link["managed"] and link["target"] != path:
        paths.append(want["link"])
    return dict((name, _free(name)) for name in paths)


def surplus(want: Dict[str, Any], observed: Dict[str, Any]) -> List[str]:
    """Return the versions of Slipway's that are neither wanted nor to be kept."""
    return sorted(
        version
        for version, found in observed["toolchains"].items()
        if found["managed"]
        and version != want["version"]
        and not any(fnmatch.fnmatchcase(version, str(pattern)) for pattern in want["keep_versions"])
    )


def profile_files(want: Dict[str, Any], host: Host) -> Dict[str, Optional[str]]:
    """Return what the files of login shells are to hold, ``None`` for one that is not to be there."""
    folder = "%s/bin" % (want["link"] or _tree(want, want["version"]))
    has_csh = bool(host.glob("/bin/csh", "/bin/tcsh", "/usr/bin/tcsh"))
    files = {}  # type: Dict[str, Optional[str]]
    for path in want["profile_files"]:
        is_sh = path.endswith(".sh")
        # Debian's csh reads a folder of its own, which others have not.
        if want["profile"] and (is_sh or (has_csh and os.path.isdir(os.path.dirname(path)))):
            files[path] = _HEADER + (_SH if is_sh else _CSH).format(bin=folder)
        elif _is_of(want, host.read(path)):
            files[path] = None
    return files


def _is_of(want: Dict[str, Any], content: Optional[str]) -> bool:
    """Tell whether a file of login shells is Slipway's and of this link, not of one that another run looks after."""
    folder = "%s/bin" % want["link"] if want["link"] else _tree(want, "")
    return content is not None and content.startswith(_HEADER) and folder in content


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
    return "%s/go-%s" % (want["root"].rstrip("/"), version)


def _compare_absent(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    phase, link = "remove_toolchains", observed["link"]
    drift = []
    if link and link["managed"]:
        drift.append(_entry(phase, want["link"], "link to %s" % link["target"], "absence"))
    for name, content in sorted(observed["files"].items()):
        if _is_of(want, content):
            drift.append(_entry(phase, name, "present", "absence"))
    for version, found in sorted(observed["toolchains"].items()):
        if found["managed"]:
            drift.append(_entry(phase, _tree(want, version), "present", "absence"))
    return drift


def _faults(want: Dict[str, Any], found: Optional[Dict[str, Any]]) -> List[str]:
    """Return why the wanted toolchain has to be installed anew; the first few reasons are enough."""
    if found is None or not found["managed"]:
        return ["missing" if found is None else "not Slipway's"]
    if found["damage"]:
        more = len(found["damage"]) - 1
        return [found["damage"][0] + (" and %d more" % more if more else "")]
    about = found["about"]
    if about["method"] != want["method"]:
        return ["from %s" % about["method"]]
    if want["checksum"] and about["checksum"] != want["checksum"]:
        return ["from a file of sha256 %s" % about["checksum"]]
    return []


def _compare_environment(want: Dict[str, Any], found: Optional[Dict[str, Any]]) -> List[Dict[str, str]]:
    path, drift = "%s/go.env" % _tree(want, want["version"]), []
    shipped = found["shipped"] if found else {}
    is_ = found["environment"] if found else {}
    for name in sorted(want["environment"]):
        # Nothing wanted means what Go ships, if this is known.
        wanted = want["environment"][name] or shipped.get(name, "")
        if wanted and is_.get(name, "") != wanted:
            now = is_.get(name) or "not set"
            drift.append(_entry("configure_environment", "%s in %s" % (name, path), now, wanted))
    return drift


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


def _link(host: Host, path: str) -> Dict[str, Any]:
    """Return where the link leads; it is Slipway's to change if it leads to a toolchain of its own, or nowhere."""
    target = os.path.normpath(os.path.join(path, "..", os.readlink(path))) if os.path.islink(path) else ""
    managed = bool(target) and (_about(host, target)[1] or not os.path.exists(path))
    return {"exists": os.path.lexists(path), "target": target, "managed": managed}


def _free(path: str) -> str:
    """Return a name that nothing has, to set something aside under."""
    name, number = path + ".before-slipway", 1
    while os.path.lexists(name):
        number += 1
        name = "%s.before-slipway-%d" % (path, number)
    return name


def _bootstrap(host: Host, want: Dict[str, Any]) -> str:
    """Return a toolchain of the host that is new enough to compile the wanted one, the newest if there are more."""
    newest, version = "", want["bootstrap"]
    for path in host.glob(_tree(want, "*"), *_BOOTSTRAPS):
        match = re.match(r"go(1(?:\.[0-9]+)+)\s", (host.read(path + "/VERSION") or "") + "\n")
        runs = all(os.access("%s/bin/%s" % (path, name), os.X_OK) for name in ("go", "gofmt"))
        own = os.path.realpath(path) == _tree(want, want["version"])
        if match and runs and not own and versions.compare(match.group(1), version) >= 0:
            newest, version = path, match.group(1)
    return newest
