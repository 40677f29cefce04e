"""The section ``docker_ce`` of the probe: package repository, key, packages, hold, service.

``observe`` reads a host, ``compare`` says how it drifts from the wanted state, ``repository_files``
is the one definition of what the repository's files hold. The wanted state is the mapping
``__docker_ce_want`` in the role's ``vars/main.yml``.
"""

import configparser
import json
import re
from functools import partial
from typing import Any, Dict, List, Optional

from ansible_collections.slipway.node.plugins.module_utils import openpgp, versions
from ansible_collections.slipway.node.plugins.module_utils.host import Host, drift_entry

_entry = partial(drift_entry, "docker_ce")

ENGINE_PACKAGES = ("docker-ce", "docker.io", "moby-engine")
_HEADER = "# Written by Slipway (slipway.node.docker_ce). The next run overwrites changes made here.\n"
_DOCKER_SOURCE = re.compile(r"https?://\S*/linux/(?:debian|ubuntu|raspbian)\b")
_DOCKER_HOST = re.compile(r"download\.docker\.com|docker-ce|apt\.dockerproject\.org|dockerproject")


def repository_files(want: Dict[str, Any], mirror: str) -> Dict[str, Optional[str]]:
    """Return the files that make a package manager use a mirror: path to content, ``None`` for one not to be there."""
    base = "%s/%s" % (mirror.rstrip("/"), want["path"])
    if want["manager"] == "apt":
        fields = [
            ("Types", "deb"),
            ("URIs", base),
            ("Suites", want["release"]),
            ("Components", want["channel"]),
            ("Architectures", want["architecture"]),
            ("Signed-By", want["key_file"]),
        ]
        host = mirror.split("/")[2].split(":")[0]
        scopes = ['Acquire::%s::Proxy::%s "%s";\n' % (scheme, host, want["proxy"]) for scheme in ("http", "https")]
        return {
            want["repository_file"]: _HEADER + "".join("%s: %s\n" % field for field in fields),
            want["proxy_file"]: ("//" + _HEADER[1:] + "".join(scopes)) if want["proxy"] else None,
        }
    options = [
        ("name", "Docker CE %s" % want["channel"]),
        ("baseurl", "%s/%s/$basearch/%s" % (base, want["release"], want["channel"])),
        ("enabled", "1"),
        ("gpgcheck", "1"),
        ("gpgkey", "file://%s" % want["key_file"]),
        # Enterprise Linux 8's container-tools module would hide containerd.io.
        ("module_hotfixes", "1"),
    ]
    if want["proxy"]:
        options.append(("proxy", want["proxy"]))
    if want["hold"]:
        options.append(("excludepkgs", " ".join(want["packages"])))
    text = _HEADER + "[docker-ce-%s]\n" % want["channel"] + "".join("%s=%s\n" % option for option in options)
    return {want["repository_file"]: text}


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`compare` needs. Changes nothing."""
    names = sorted(set(want["packages"]) | set(want["conflicting"]) | set(want["engine_packages"]))
    packages = _packages(host, want["manager"], names)
    files = dict((path, host.read(path)) for path in (want["repository_file"], want["proxy_file"]) if path)
    mirror = _mirror(files[want["repository_file"]] or "", want["path"])
    observed = {
        "packages": packages,
        "engine": next(
            (versions.upstream(packages[name]["version"]) for name in ENGINE_PACKAGES if name in packages), ""
        ),
        "files": files,
        "mirror": mirror,
        "wanted_files": repository_files(want, mirror) if mirror in _roots(want) else {},
        "key": _fingerprints(host.read_bytes(want["key_file"])),
        "leftovers": _leftovers(host, want),
        "services": _services(host, want["services"]),
        "in_use": [],
    }
    careful = [name for name in want["careful"] if name in packages]
    if careful and want["state"] == "present":
        observed["in_use"] = _in_use(
            host, want["manager"], careful, [name for name in want["conflicting"] if name in packages]
        )
    if want["state"] == "absent":
        observed["imported_keys"] = _imported_keys(host, want)
        observed["data"] = [path for path in _data_roots(host) if host.glob(path + "/*")]
    return observed


def compare(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    """Return the drift of what is observed from what is wanted, in the order in which it is mended."""
    if want["state"] == "absent":
        return _compare_absent(want, observed)
    drift = [_entry("clean_leftovers", item["what"], "present", "absence") for item in observed["leftovers"]]
    drift += [
        _entry(
            "remove_conflicting",
            name,
            "%s installed" % versions.upstream(observed["packages"][name]["version"]),
            "absence",
        )
        for name in want["conflicting"]
        if name in observed["packages"]
    ]
    drift += _compare_repository(want, observed)
    drift += _compare_packages(want, observed["packages"])
    drift += _compare_hold(want, observed)
    drift += _compare_services(want, observed["services"])
    return drift


def _compare_absent(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    drift = [
        _entry("remove_packages", name, "%s installed" % versions.upstream(package["version"]), "absence")
        for name, package in sorted(observed["packages"].items())
        if name in want["packages"] or name in want["engine_packages"]
    ]
    present = [path for path, content in observed["files"].items() if content is not None]
    present += [want["key_file"]] if observed["key"] is not None else []
    drift += [_entry("remove_repository", path, "present", "absence") for path in present]
    drift += [
        _entry("remove_repository", "RPM key %s" % one, "imported", "absence") for one in observed["imported_keys"]
    ]
    if want["purge_data"]:
        drift += [_entry("purge_data", path, "holds data", "an empty folder") for path in observed["data"]]
    return drift


def _compare_repository(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    phase, key_file, key = "configure_repository", want["key_file"], observed["key"]
    if want["source"] != "mirrors":
        present = [path for path, content in observed["files"].items() if content is not None]
        present += [key_file] if key is not None else []
        return [_entry(phase, path, "present", "absence (source is %s)" % want["source"]) for path in present]
    drift = []
    roots = _roots(want)
    wanted = roots[0] if len(roots) == 1 else "one of %d mirrors" % len(roots)
    if observed["files"][want["repository_file"]] is None:
        drift.append(_entry(phase, want["repository_file"], "missing", wanted))
    elif not observed["wanted_files"]:
        drift.append(_entry(phase, want["repository_file"], "at %s" % (observed["mirror"] or "no mirror"), wanted))
    for path, content in observed["wanted_files"].items():
        is_ = observed["files"][path]
        if _without_hold(is_) != _without_hold(content):
            found = "missing" if is_ is None else "present" if content is None else "edited"
            drift.append(_entry(phase, path, found, "absence" if content is None else "Slipway's content"))
    expected = "key %s" % " or ".join(want["fingerprints"])
    if key is None:
        drift.append(_entry(phase, key_file, "missing", expected))
    elif not key or set(key) - set(want["fingerprints"]):
        drift.append(_entry(phase, key_file, "holds %s" % (", ".join(key) or "no OpenPGP key"), expected))
    return drift


def _compare_packages(want: Dict[str, Any], packages: Dict[str, Dict[str, Any]]) -> List[Dict[str, str]]:
    drift = []
    for name in want["packages"]:
        wish = str(want["versions"].get(name, ""))
        if name not in packages:
            drift.append(_entry("install_packages", name, "not installed", wish or "the newest"))
        elif packages[name]["broken"]:
            drift.append(_entry("install_packages", name, "half installed", wish or "a whole installation"))
        elif not versions.satisfies(wish, packages[name]["version"]):
            installed = versions.upstream(packages[name]["version"])
            drift.append(_entry("install_packages", name, "%s installed" % installed, wish))
    return drift


def _compare_hold(want: Dict[str, Any], observed: Dict[str, Any]) -> List[Dict[str, str]]:
    if want["manager"] == "apt":
        held = [name for name in want["packages"] if observed["packages"].get(name, {}).get("held")]
    else:
        held = _excluded(observed["files"][want["repository_file"]] or "")
    if want["hold"]:
        return [_entry("hold_packages", name, "not held", "a hold") for name in want["packages"] if name not in held]
    return [_entry("hold_packages", name, "held", "no hold") for name in held]


def _compare_services(want: Dict[str, Any], observed: Dict[str, Dict[str, str]]) -> List[Dict[str, str]]:
    drift = []
    for unit in want["services"]:
        is_ = observed.get(unit, {})
        enabled, active = is_.get("UnitFileState", "") == "enabled", is_.get("ActiveState", "") == "active"
        if is_.get("LoadState") == "masked" or is_.get("UnitFileState") == "masked":
            drift.append(_entry("manage_service", unit, "masked", "not masked"))
        elif enabled != want["service_enabled"]:
            is_enabled = "enabled" if enabled else "not enabled"
            drift.append(
                _entry("manage_service", unit, is_enabled, "enabled" if want["service_enabled"] else "not enabled")
            )
        if active != (want["service_state"] == "started"):
            wanted = "running" if want["service_state"] == "started" else "stopped"
            drift.append(_entry("manage_service", unit, is_.get("ActiveState") or "inactive", wanted))
    return drift


def _packages(host: Host, manager: str, names: List[str]) -> Dict[str, Dict[str, Any]]:
    if manager == "apt":
        _rc, out = host.run("dpkg-query", "-W", "-f", "${Package}\\t${db:Status-Abbrev}\\t${Version}\\n", *names)
    else:
        _rc, out = host.run("rpm", "-q", "--qf", "%{NAME}\\tii\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\n", *names)
    return parse_packages(out)


def parse_packages(out: str) -> Dict[str, Dict[str, Any]]:
    """Read lines of name, dpkg status and version. The status' letters: wanted (h: hold), is (i: installed)."""
    packages = {}
    for line in out.splitlines():
        fields = line.split("\t")
        # n: not installed, c: removed, its configuration left.
        if len(fields) == 3 and fields[1][1:2] not in ("n", "c", ""):
            version = fields[2][2:] if fields[2].startswith("0:") else fields[2]
            packages[fields[0]] = {"version": version, "held": fields[1][0] == "h", "broken": fields[1][1] != "i"}
    return packages


def _mirror(content: str, path: str) -> str:
    """Return the root of the mirror that a repository file points at, or an empty string."""
    match = re.search(r"(?mi)^(?:URIs|baseurl)\s*[:=]\s*(\S+?)/%s(?:/\S*)?\s*$" % re.escape(path), content)
    return match.group(1) if match else ""


def _excluded(content: str) -> List[str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(content)
    except configparser.Error:
        return []
    return [name for section in parser.sections() for name in parser[section].get("excludepkgs", "").split()]


def _without_hold(content: Optional[str]) -> Optional[str]:
    return content and re.sub(r"(?m)^excludepkgs=.*\n", "", content)


def _roots(want: Dict[str, Any]) -> List[str]:
    return [mirror.rstrip("/") for mirror in want["mirrors"]]


def _fingerprints(data: Optional[bytes]) -> Optional[List[str]]:
    """Return the fingerprints in a key file, none where it holds no key, ``None`` where there is no file."""
    if data is None:
        return None
    try:
        return openpgp.fingerprints(data)
    except openpgp.OpenPGPError:
        return []


def _services(host: Host, units: List[str]) -> Dict[str, Dict[str, str]]:
    _rc, out = host.run("systemctl", "show", "--property=Id,LoadState,UnitFileState,ActiveState", *units)
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in out.strip().split("\n\n")]
    return dict((block["Id"], block) for block in blocks if "Id" in block)


def _leftovers(host: Host, want: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Return what an older set-up left: whole files to remove, and lines of files that hold other things too."""
    kept = (want["repository_file"], want["key_file"], want["proxy_file"])
    paths = [path for path in host.glob(*want["leftover_files"]) if path not in kept]
    found = [{"what": path, "path": path, "kind": "file"} for path in paths]  # type: List[Dict[str, Any]]
    if want["manager"] != "apt":
        return found
    for path in host.glob("/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list"):
        if (
            path not in paths
            and path not in kept
            and any(is_docker_line(line) for line in (host.read(path) or "").splitlines())
        ):
            found.append({"what": "Docker's lines in %s" % path, "path": path, "kind": "lines"})
    keyring = _fingerprints(host.read_bytes("/etc/apt/trusted.gpg")) or []
    ours = [one for one in keyring if one in want["fingerprints"]]
    if ours:
        kind = "file" if len(ours) == len(keyring) else "key"
        what = "Docker's key in /etc/apt/trusted.gpg"
        found.append({"what": what, "path": "/etc/apt/trusted.gpg", "kind": kind, "keys": ours})
    return found


def is_docker_line(line: str) -> bool:
    """Tell whether a line of a one-line-style apt source is an active entry for Docker's repository."""
    return bool(re.match(r"\s*deb(-src)?\s", line) and _DOCKER_SOURCE.search(line) and _DOCKER_HOST.search(line))


def _in_use(host: Host, manager: str, careful: List[str], conflicting: List[str]) -> List[str]:
    """Return why careful packages (runc) may not be removed unasked: who needs them, and what runs on them."""
    reasons = []
    for name in careful:
        if manager == "apt":
            # apt itself would quietly put crun in runc's place, under containers that runc made.
            _rc, out = host.run(
                "dpkg-query", "-W", "-f", "${Package}\\t${db:Status-Abbrev}\\t${Depends}, ${Recommends}\\n"
            )
            users = needing(name, out)
        else:
            _rc, out = host.run("rpm", "-q", "--qf", "%{NAME}\\n", "--whatrequires", name)
            users = [line for line in out.splitlines() if line and " " not in line]
        reasons += ["%s needs %s" % (user, name) for user in sorted(set(users) - set(conflicting))]
    # conmon watches over each of podman's containers.
    running = [name for name in ("podman", "buildah", "conmon") if host.run("pgrep", "-x", name)[0] == 0]
    return reasons + ["%s is running" % name for name in running]


def needing(name: str, out: str) -> List[str]:
    """Return who depends on or recommends a package, from lines of name, dpkg status and relations."""
    users = []
    for line in out.splitlines():
        package, status, relations = (line.split("\t") + ["", ""])[:3]
        wanted = [relation.split() for relation in re.split(r"[,|]", relations)]
        if status[1:2] == "i" and any(words and words[0].split(":")[0] == name for words in wanted):
            users.append(package)
    return users


def _imported_keys(host: Host, want: Dict[str, Any]) -> List[str]:
    if want["manager"] == "apt":
        return []
    _rc, out = host.run("rpm", "-q", "gpg-pubkey", "--qf", "%{VERSION}\\n")
    short = dict((fingerprint[-8:].lower(), fingerprint) for fingerprint in want["fingerprints"])
    return sorted(short[line[-8:]] for line in out.split() if line[-8:] in short)


def _data_roots(host: Host) -> List[str]:
    roots = ["/var/lib/docker", "/var/lib/containerd"]
    try:
        root = json.loads(host.read("/etc/docker/daemon.json") or "{}").get("data-root")
    except (ValueError, AttributeError):
        root = None
    if isinstance(root, str) and root.startswith("/") and root.strip("/"):
        roots[0] = root
    return roots
