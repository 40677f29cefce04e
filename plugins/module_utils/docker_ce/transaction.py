"""The one transaction of packages: what it would do is asked before anything is changed; it is made, and looked at."""

import contextlib
import os
import re
import shutil
import tempfile
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from ansible_collections.slipway.node.plugins.module_utils.docker_ce.conflicts import other_users
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.mirror import spec
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.observe import installed
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import changes
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.record import RECORD, record
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.repository import repository_files
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.sources import without_docker
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.want import SHARED_RUNTIMES
from ansible_collections.slipway.node.plugins.module_utils.engine import packages
from ansible_collections.slipway.node.plugins.module_utils.engine.files import PRIVATE, replace
from ansible_collections.slipway.node.plugins.module_utils.engine.host import existing, free_bytes
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

# Folders that a package manager writes to, and whether programs are run in them.
FOLDERS = {
    "apt": (("/usr", False), ("/var/cache/apt/archives", False), ("/var/lib/dpkg", True)),
    "dnf": (("/usr", False), ("/var/cache/dnf", False), ("/var/lib/rpm", False)),
}
# Bytes that an engine's packages take, compressed and unpacked, by the folder.
ROOM = {"/usr": 600 << 20, "/var/cache/apt/archives": 150 << 20, "/var/cache/dnf": 150 << 20}


def command(run: Run, choice: Dict[str, Any], **more: Any) -> List[str]:
    """Return the command of the installation, which does not ask for a containerd.io that others use and may stay."""
    want, todo = run.want, changes(run.want, run.observed)
    specs = list(choice["specs"])
    stays = "containerd.io" in set(choice["packages"]) & set(run.observed["packages"]) - set(todo["shared_packages"])
    if stays and not want["remove_conflicting"] and other_users(run.host, want, ["containerd.io"]):
        del specs[choice["packages"].index("containerd.io")]
    # A hold of an earlier run is in the repository's own file.
    repository = "docker-ce-" + want["channel"]
    options = ["--setopt=*.skip_if_unavailable=1", "--setopt=%s.skip_if_unavailable=0" % repository]
    options += ["--disablerepo=" + name for name in choice.get("dead", [])]
    more.update(held=True, excludes_of=[repository], options=options if want["manager"] == "dnf" else [])
    return packages.command(want["manager"], specs, todo["remove"], **more)


def check(run: Run, argv: Sequence[str], choice: Dict[str, Any]) -> None:
    """Ask the package manager what a transaction would do.

    :param choice: where packages come from; empty for a removal.
    :raises Failed: it is not possible, or more would go than the plan says.
    """
    want, manager, todo = run.want, run.want["manager"], changes(run.want, run.observed)
    if choice:
        _refuse_unfit(manager, "docker-ce" in set(choice["packages"]) - set(run.observed["packages"]))
    with _sources(run, choice.get("mirror", "")) as (options, own):
        tried = list(argv[:2]) + options + list(argv[2:])
        try:
            if own:
                packages.refresh(run, manager, own)
            found = packages.simulate(run, manager, tried)
        except Failed as failed:
            if manager == "dnf":
                raise failure(run, choice, failed)
            try:
                packages.refresh(run, manager, options)
                found = packages.simulate(run, manager, tried)
            except Failed as again:
                raise failure(run, choice, again)
    asked = [name for name, one in zip(choice.get("packages", []), choice.get("specs", [])) if one in argv]
    watched = set(want["engine_packages"] + SHARED_RUNTIMES) & set(run.observed["packages"])
    goes = set(found.goes) - set(todo["remove"])
    allowed = sorted(goes - watched) if want["remove_conflicting"] else []
    if allowed:
        run.note("These packages go too, as docker_ce_remove_conflicting allows: %s." % ", ".join(allowed))
    going = sorted(goes - set(allowed))
    beyond = ["remove " + name for name in going]
    beyond += ["replace " + name for name in sorted(set(found.comes) & watched - set(asked))]
    if beyond:
        need = ", ".join(todo["remove"] or SHARED_RUNTIMES)
        raise Failed(
            "%s would also %s, which the plan does not say. Nothing was changed. %s%s, and run again."
            % (
                "Installing Docker" if choice else "The removal",
                " and ".join(beyond),
                "Remove %s first, since what goes is needed there (%s)" % (", ".join(going), need)
                if going
                else "Remove what uses it",
                ", or set docker_ce_remove_conflicting: true" if choice else "",
            )
        )
    choice["dead"] = found.dead


def make(run: Run, argv: Sequence[str], choice: Dict[str, Any]) -> None:
    """Make the transaction; after an error look at what is there, and hold it.

    :raises Failed: something is missing.
    """
    want, manager = run.want, run.want["manager"]
    try:
        try:
            packages.transact(run, manager, argv)
        except Failed as failed:
            # A file that is gone from a mirror has a newer one in its lists.
            if manager == "dnf" or not re.search(r"\b404\b", str(failed)):
                raise
            packages.refresh(run, manager)
            packages.transact(run, manager, argv)
    except Failed as failed:
        there = installed(run.host, manager, choice["packages"])
        whole = [name for name in there if not there[name]["broken"]]
        wanted = [
            name
            for name, one in zip(choice["packages"], choice["specs"])
            if name in whole and one in (name, spec(manager, name, there[name]["version"]))
        ]
        if set(wanted) == set(choice["packages"]) and "--download-only" not in argv and "--downloadonly" not in argv:
            run.note(
                "Docker's packages were installed, but %s says: %s. %s."
                % (manager, failed, packages.remedy(str(failed), manager))
            )
            return
        came = [name for name in wanted if there[name] != run.observed["packages"].get(name)]
        if came and want["hold"] and manager == "apt":
            run.write(RECORD, record(sorted({*run.observed["recorded"], *came})))
            run.command(["apt-mark", "hold"] + came)
        raise failure(run, choice, failed, came)


def failure(run: Run, choice: Dict[str, Any], failed: Failed, came: Sequence[str] = ()) -> Failed:
    """Return the error of an installation: the package manager's own words, the remedy, and what is there by now."""
    mirror = choice.get("mirror", "")
    source = "Take that mirror out of docker_ce_mirrors or put another before it"
    what = "%s could not be installed from %s" % (", ".join(choice.get("specs", [])), mirror or "the distribution")
    return Failed(
        "%s: %s. %s. Then run again. %s"
        % (
            what if choice else "Packages could not be removed",
            str(failed).rstrip("."),
            packages.remedy(str(failed), run.want["manager"], *[source] * bool(mirror)),
            "Installed so far: %s." % ", ".join(came) if came else "No package of Docker's was installed.",
        )
    )


@contextlib.contextmanager
def _sources(run: Run, mirror: str) -> Iterator[Tuple[List[str], List[str]]]:
    """Yield options by which a package manager sees its sources as they will be, and those for the mirror's alone."""
    want, scratch = run.want, tempfile.mkdtemp(prefix="slipway-docker-ce-")
    try:
        # apt checks signatures as a user of its own. A source may hold a password.
        os.chmod(scratch, 0o755)
        for path, text in run.observed.get("sources", {}).items():
            changed = without_docker(path, text, want["mirrors"])
            replace("%s/%s" % (scratch, os.path.basename(path)), text if changed is None else changed, PRIVATE)
        own = "%s/%s" % (scratch, os.path.basename(want["repository_file"]))
        options = [
            "--option=Dir::Etc::sourcelist=%s/sources.list" % scratch,
            "--option=Dir::Etc::sourceparts=" + scratch,
        ]
        lists = ["--option=Dir::Etc::sourcelist=" + own, "--option=Dir::Etc::sourceparts=-"]
        lists += ["--option=APT::Get::List-Cleanup=0"]
        if mirror:
            key = scratch + "/key.asc"
            files = repository_files(dict(want, repository_file=own, key_file=key), mirror)
            replace(key, want["key"], 0o644)
            replace(own, files[own] or "", PRIVATE)
            if files.get(want["proxy_file"]):
                replace(scratch + "/apt.conf", files[want["proxy_file"]] or "", 0o644)
                options.append("--config-file=%s/apt.conf" % scratch)
        if want["manager"] == "dnf":
            options, lists = ["--setopt=reposdir=" + scratch], []
        # A removal takes what is there, and needs no source.
        yield options if want["state"] == "present" else [], lists + options[2:] if mirror and lists else []
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _refuse_unfit(manager: str, is_new: bool) -> None:
    """Refuse folders in which a package manager would fail half-way.

    :param is_new: whether a whole engine comes.
    """
    for folder, runs in FOLDERS[manager]:
        flags = os.statvfs(existing(folder)).f_flag
        if flags & os.ST_RDONLY or (runs and flags & os.ST_NOEXEC):
            how = "read-only" if flags & os.ST_RDONLY else "noexec"
            raise Failed(
                "%s is mounted %s, so packages cannot be installed. Mount it otherwise, and run again." % (folder, how)
            )
        if is_new and free_bytes(folder) < ROOM.get(folder, 0):
            raise Failed(
                "%s has %d MB free, and Docker's packages need %d. Make room, and run again. Nothing was changed."
                % (folder, free_bytes(folder) >> 20, ROOM[folder] >> 20)
            )
