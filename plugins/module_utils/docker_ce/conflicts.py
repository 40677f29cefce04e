"""What is in the way of Docker's packages on a host: other engines, settings, and who else uses containerd or runc."""

import contextlib
import fnmatch
import re
from typing import Any, Dict, List, Set

from ansible_collections.slipway.node.plugins.module_utils.docker_ce.want import SHARED_RUNTIMES
from ansible_collections.slipway.node.plugins.module_utils.engine.containers import some
from ansible_collections.slipway.node.plugins.module_utils.engine.host import SOCKET, Host, docker

# Docker's own in containerd.
NAMESPACES = ("moby", "plugins.moby")


def obstacles(want: Dict[str, Any], observed: Dict[str, Any], install: List[str]) -> List[str]:
    """Return what an admin has to clear away first, as sentences with their remedies. Pure.

    :param install: the packages that are to be installed.
    """
    reasons = []
    if observed["snap"]:
        reasons.append(
            "Docker from snap is installed, a second engine beside this one; remove it with `snap remove docker`, "
            "which removes its containers and images too, and run again."
        )
    program = observed["services"].get("docker.service", {}).get("ExecStart", "")
    if program.endswith("/dockerd") and program not in ("/usr/bin/dockerd", "/usr/sbin/dockerd"):
        reasons.append(
            "%s starts %s in place of the package's engine; stop docker.service, remove that file, run `systemctl "
            "daemon-reload`, and run again." % (", ".join(observed["unit_files"]) or "docker.service", program)
        )
    elif by_hand(observed):
        reasons.append(
            "%s starts %s, which no package installed%s. Packages would overwrite it. Stop docker.service, remove that "
            "file and the programs, run `systemctl daemon-reload`, and run again; images stay."
            % (
                ", ".join(observed["unit_files"]) or "docker.service",
                program,
                ", and containers run on it: " + some(observed["containers"]) if observed["containers"] else "",
            )
        )
    known = set(want["packages"] + want["conflicting"] + want["engine_packages"])
    foreign = sorted({name for name in observed["owners"].values() if name} - known)
    if foreign:
        files = [path for path, name in observed["owners"].items() if name in foreign]
        reasons.append(
            "%s belongs to the package %s, which Docker's packages would overwrite. Remove that package, and run again."
            % (", ".join(files), ", ".join(foreign))
        )
    containerd = observed["services"].get("containerd.service", {}).get("ExecStart", "")
    if containerd not in ("", "/usr/bin/containerd") and not runs(observed):
        reasons.append(
            "%s starts %s in place of the package's containerd. Remove that file, run `systemctl daemon-reload`, and "
            "run again." % (", ".join(observed["containerd_files"]) or "containerd.service", containerd)
        )
    if observed["group_locks"] and observed["group"] == "missing":
        reasons.append(
            "%s is left by a program that ended, so no group can be made. Remove it, and run again."
            % ", ".join(observed["group_locks"])
        )
    locked = [name for name in install for line in observed["locked"] if re.match(re.escape(name) + r"-\d", line)]
    if locked:
        reasons.append(
            "dnf versionlock keeps {0}. Take that off with `dnf versionlock delete {1}`, and run again.".format(
                ", ".join(locked), " ".join(locked)
            )
        )
    if observed["group"] not in ("local", "missing"):
        reasons.append(
            "The group docker is in a directory alone, which is not there yet when docker.socket starts at boot; "
            "add it to the host's own groups under the same number with `echo '%s' >> /etc/group`." % observed["group"]
        )
    patterns = [one for one in observed["dnf_excludes"] if fnmatch.filter(install, one)]
    if patterns:
        reasons.append(
            "/etc/dnf/dnf.conf excludes %s, so dnf cannot install it; take that out of its line excludepkgs or "
            "exclude, since docker_ce_hold keeps the version." % ", ".join(patterns)
        )
    return reasons


def runs(observed: Dict[str, Any]) -> bool:
    """Tell whether the engine runs."""
    return observed["services"].get("docker.service", {}).get("ActiveState") in ("active", "reloading")


def by_hand(observed: Dict[str, Any]) -> bool:
    """Tell whether an engine runs that no package installed."""
    return bool(
        runs(observed) and not observed["installed_version"] and observed["owners"].get("/usr/bin/dockerd") == ""
    )


def snap(host: Host) -> bool:
    """Tell whether Docker from snap is installed."""
    return bool(host.glob("/snap/docker/current", "/var/lib/snapd/snap/docker/current"))


def unit_files(host: Host, service: Dict[str, str]) -> List[str]:
    """Return the files of a service that name the program that it starts."""
    program = service.get("ExecStart", "")
    paths = [service.get("FragmentPath", "")] + service.get("DropInPaths", "").split()
    return [path for path in paths if program and program in (host.read(path) or "")]


def other_users(host: Host, want: Dict[str, Any], shared: List[str]) -> List[str]:
    """Return who else uses packages that are to be replaced: packages that need them, and what runs on them."""
    if not shared:
        return []
    reasons = []
    for name in [name for name in shared if name in SHARED_RUNTIMES]:
        if want["manager"] == "apt":
            # apt itself would quietly put crun in runc's place, under containers that runc made.
            _rc, out = host.run(
                "dpkg-query", "-W", "-f", "${Package}\\t${db:Status-Abbrev}\\t${Depends}, ${Recommends}\\n"
            )
            users = needing(name, out)
        else:
            # By rpm itself, which knows what else has what they need.
            _rc, out = host.run("sh", "-c", "rpm --erase --test %s 2>&1" % name) if name in SHARED_RUNTIMES else (0, "")
            users = [nevra.rsplit("-", 2)[0] for nevra in re.findall(r"is needed by \(installed\) (\S+)", out)]
        replaced = set(want["conflicting"]) | set(want["packages"])
        reasons += ["%s needs %s" % (user, name) for user in sorted(set(users) - replaced)]
    # conmon watches over each of podman's containers, kubelet over a cluster's.
    programs = ["podman", "buildah", "conmon"] if "runc" in shared else []
    programs += ["kubelet"] if set(shared) & {"containerd", "containerd.io"} else []
    commands = _commands(host)
    # One that watches over a container of crun's is nobody whom runc's end harms.
    others = [words for words in commands if "-r" in words[:-1] and not words[words.index("-r") + 1].endswith("runc")]
    running = {words[0].rsplit("/", 1)[-1] for words in commands if words not in others}
    reasons += ["%s is running" % name for name in programs if name in running]
    namespaces = sorted({namespace for namespace, _id in _shims(commands)} - set(NAMESPACES))
    reasons += ["containerd runs containers of %s" % namespace for namespace in namespaces]
    if want["state"] == "absent" and want["purge_data"]:
        reasons += [
            "containerd keeps images or containers of %s" % namespace
            for namespace in sorted(_namespaces_in_use(host) - set(namespaces))
        ]
    return reasons


def needing(name: str, out: str) -> List[str]:
    """Return who depends on or recommends a package for want of another, from lines of name, status and relations."""
    lines = [(line.split("\t") + ["", ""])[:3] for line in out.splitlines()]
    there = {package for package, status, _relations in lines if status[1:2] == "i"} - {name}
    users = []
    for package, _status, relations in (line for line in lines if line[0] in there):
        choices = [re.findall(r"(?:^|\|)\s*([^\s:|]+)", one) for one in relations.split(",")]
        if any(name in names and not there & set(names) for names in choices):
            users.append(package)
    return users


def _namespaces_in_use(host: Host) -> Set[str]:
    """Return the namespaces that are not Docker's and in which containerd, where it answers, keeps something."""
    namespaces = host.run("ctr", "namespaces", "ls", "--quiet")[1].split() if host.glob("/usr/bin/ctr") else []
    kinds = ("images", "containers")
    return {
        namespace
        for namespace in set(namespaces) - set(NAMESPACES)
        if any(host.run("ctr", "--namespace", namespace, kind, "ls", "--quiet")[1].strip() for kind in kinds)
    }


def containers(host: Host) -> List[str]:
    """Return the running containers: their names, or where the engine does not run their ids."""
    if host.glob("/usr/bin/docker"):
        rc, out = docker(host, SOCKET, "ps", "--format", "{{.Names}}")
        if rc == 0:
            return sorted(out.split())
    return sorted(one[:12] for namespace, one in _shims(_commands(host)) if namespace == "moby")


def _commands(host: Host) -> List[List[str]]:
    """Return the command line of each process."""
    commands = []
    for path in host.glob("/proc/[0-9]*/cmdline"):
        # It may have ended since.
        with contextlib.suppress(ProcessLookupError):
            commands.append((host.read(path) or "").split("\0"))
    return commands


def _shims(commands: List[List[str]]) -> List[List[str]]:
    """Return namespace and id of each container that containerd runs."""
    shims = [words for words in commands if words[0].rsplit("/", 1)[-1].startswith("containerd-shim")]
    pairs = [dict(zip(words, words[1:])) for words in shims]
    return [[one["-namespace"], one["-id"]] for one in pairs if "-namespace" in one and "-id" in one]
