"""What ``docker_ce`` does besides what its plan says: mirrors, packages, holds and the service.

Nothing is removed before what replaces it was downloaded and verified, and tried on the configuration.
"""

import os
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.docker_ce import transaction
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.conflicts import containers
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.data import NUKE, NUKE_SOURCE
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.mirror import choose, configure
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.observe import installed
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import GROUP, changes, refusals, runs
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.record import RECORD, record
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.trial import complaint, try_engine
from ansible_collections.slipway.node.plugins.module_utils.engine import packages
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

# Packages that come and go start and stop the service as their maintainers saw fit, and apt forgets holds of what is
# changed. Not after a removal: only the running engine knows where its data is.
LOOK_AGAIN_AFTER = ("remove_conflicting", "install_packages")


def begin(run: Run) -> None:
    # Before anything is touched.
    phases = set(run.states["docker_ce"]["plan"])
    if phases & {"configure_repository", "install_packages"}:
        _choice(run)
    if phases & {"install_packages", "remove_conflicting", "remove_packages"}:
        _checked(run)


def configure_repository(run: Run, actions: List[Action]) -> None:
    if run.want["source"] == "mirrors":
        configure(run, _choice(run)["mirror"])
    else:
        for one in actions:
            run.remove(one["item"])


def remove_conflicting(run: Run, _actions: List[Action]) -> None:
    # An installation does it in its own transaction.
    if "install_packages" in run.states["docker_ce"]["plan"]:
        return
    there = [name for name in changes(run.want, run.observed)["remove"] if name in run.observed["packages"]]
    if there:
        packages.remove(run, run.want["manager"], there)
    _purge(run)


def install_packages(run: Run, _actions: List[Action]) -> None:
    want, todo = run.want, changes(run.want, run.observed)
    choice, manager, remove = _choice(run), want["manager"], todo["remove"]
    if choice["mirror"]:
        configure(run, choice["mirror"])
    argv = _checked(run)
    broken = [name for name in want["packages"] if run.observed["packages"].get(name, {}).get("broken")]
    if broken and manager == "apt":
        # What another run left; what is left of it now is mended by the transaction.
        run.command(["dpkg", "--configure"] + broken, good=(), env=packages.APT)
    for name in broken if manager == "dnf" else ():
        # The files are those of the newer.
        for older in run.observed["packages"][name]["older"]:
            run.command(["rpm", "--erase", "--justdb", "--nodeps", "--noscripts", "%s-%s" % (name, older)])
    if remove or todo["is_tried"]:
        transaction.make(run, transaction.command(run, choice, download_only=True), choice)
    written = try_engine(run, choice["specs"], runs(run.observed)) if todo["is_tried"] else None
    disarm(run, remove)
    try:
        # Fetching may have taken an hour, in which containers were started.
        late = refusals(want, dict(run.observed, containers=containers(run.host))) if todo["stops"] else []
        if late:
            raise Failed("\n".join(late))
        transaction.make(run, argv, choice)
    except Failed as failed:
        # dnf makes way for what a package says it conflicts with, not for one that merely has the same file.
        if manager == "apt" or not remove or "conflicts with file" not in str(failed):
            if written:
                # The engine that it was put in place for does not come.
                written.roll_back()
            raise
        packages.remove(run, manager, remove)
        transaction.make(run, argv, choice)
    left = sorted(installed(run.host, manager, remove)) if remove else []
    if left:
        packages.remove(run, manager, left)
    _purge(run)


def _purge(run: Run) -> None:
    if run.want["manager"] == "apt" and "docker.io" in changes(run.want, run.observed)["remove"]:
        # Its purge weeks later would take the new engine's units for its own.
        run.keep_copy("/etc/default/docker")
        run.remove(NUKE)
        packages.purge(run, ["docker.io"])


def hold_packages(run: Run, actions: List[Action]) -> None:
    if run.want["manager"] == "apt":
        names = [one["item"] for one in actions]
        # A run that breaks off knows of each hold that it is Slipway's.
        run.write(RECORD, record(sorted({*run.observed["recorded"], *names})))
        run.command(["apt-mark", "hold" if run.want["hold"] else "unhold"] + names)
        if not run.want["hold"]:
            run.write(RECORD, record([]))
    else:
        # The repository's own file excludes them, which needs no plugin.
        configure(run, run.kept.get("docker_ce", run.observed)["mirror"])


def manage_service(run: Run, actions: List[Action]) -> None:
    want = run.want
    if GROUP in [one["item"] for one in actions]:
        # 9: it is there by now.
        run.command(["groupadd", "--system", "docker"], good=(0, 9))
    for unit in [one["item"] for one in actions if one["want"] == "not masked"]:
        run.command(["systemctl", "unmask", unit])
    verbs = [
        "enable" if want["service_enabled"] else "disable",
        "start" if want["service_state"] == "started" else "stop",
    ]
    try:
        for unit in want["services"]:
            if want["service_state"] == "started":
                # Docker's unit starts three times a minute, and then no more.
                run.command(["systemctl", "reset-failed", unit], good=())
            for verb in verbs:
                run.command(["systemctl", verb, unit])
    except Failed:
        said = complaint(run) if run.observed["configured"] else ""
        raise Failed(
            "docker.service does not start%s. Correct /etc/docker/daemon.json, or see `journalctl -u docker -n 50` on "
            "the host, and run again." % (", and the engine says: " + said if said else "")
        )


def remove_packages(run: Run, actions: List[Action]) -> None:
    # With live-restore they would outlive the engine, and their data be removed from under them.
    if run.observed["containers"]:
        run.command(docker_command("stop", *run.observed["containers"]))
    if changes(run.want, run.observed)["engine"]:
        run.command(["systemctl", "stop", "docker.socket", "docker.service"])
    disarm(run, [one["item"] for one in actions])
    packages.remove(run, run.want["manager"], [one["item"] for one in actions])
    run.remove(RECORD)


def purge_data(run: Run, actions: List[Action]) -> None:
    # A build or a container that was cut off leaves its file system mounted; a disk of an admin's stays.
    for line in reversed((run.host.read("/proc/self/mountinfo") or "").splitlines()):
        words = line.split()
        kind = words[words.index("-") + 1]
        if kind in ("overlay", "tmpfs", "nsfs") and any(words[4].startswith(one["item"] + "/") for one in actions):
            run.command(["umount", "--lazy", words[4]], good=())
    run.do(actions)


def disarm(run: Run, going: List[str]) -> None:
    """Keep Debian's docker.io from leaving a script that wipes all data of any engine once it is purged."""
    if "docker.io" in going and os.path.exists(NUKE_SOURCE):
        # Its prerm copies what may be run.
        os.chmod(NUKE_SOURCE, 0o644)
        run.remove(NUKE)


def _choice(run: Run) -> Dict[str, Any]:
    """Return where packages come from, ``mirror``, empty for the distribution, and ``packages`` as ``specs`` of it."""
    names = changes(run.want, run.observed)["install"]
    if run.kept.get("docker_ce", {}).get("packages") != names:
        here = {"mirror": "", "packages": names, "specs": names}
        run.kept["docker_ce"] = choose(run, names) if run.want["source"] == "mirrors" else here
    return run.kept["docker_ce"]  # type: ignore[no-any-return]


def _checked(run: Run) -> List[str]:
    """Return the transaction's command, whose outcome the package manager was asked for."""
    coming = "install_packages" in run.states["docker_ce"]["plan"]
    choice = _choice(run) if coming else {}
    if coming:
        argv = transaction.command(run, choice)
    else:
        there = set(run.observed["packages"])
        names = [name for name in changes(run.want, run.observed)["remove"] if name in there]
        argv = packages.removal(run.want["manager"], names) if names else []
    if argv and run.kept.get("docker_ce_checked") != argv:
        transaction.check(run, argv, choice)
        # dnf is to leave out what did not answer.
        argv = transaction.command(run, choice) if coming else argv
        run.kept["docker_ce_checked"] = argv
    return argv
