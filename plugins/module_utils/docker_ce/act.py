"""What ``docker_ce`` does besides what its plan says: mirrors, packages, holds and the service.

Nothing is removed before what replaces it was downloaded and verified, and tried on the configuration.
"""

import contextlib
import os
from typing import Any, Dict, Iterator, List, Optional

from ansible_collections.slipway.node.plugins.module_utils.docker_ce.data import NUKE, NUKE_SOURCE
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.mirror import choose, configure
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.observe import installed
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import GROUP, changes, runs
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.record import RECORD, record
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.trial import complaint, try_engine
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.transaction import Executor
from ansible_collections.slipway.node.plugins.module_utils.engine import packages
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

# Packages that come and go start and stop the service as their maintainers saw fit, and apt forgets holds of what is
# changed. Not after a removal: only the running engine knows where its data is.
LOOK_AGAIN_AFTER = ("remove_conflicting", "install_packages")


def begin(run: Run) -> None:
    # Before anything is touched.
    if {"configure_repository", "install_packages"} & set(run.states["docker_ce"]["plan"]):
        _choice(run)


def configure_repository(run: Run, actions: List[Action]) -> None:
    if run.want["source"] == "mirrors":
        configure(run, _choice(run)["mirror"])
    else:
        for one in actions:
            run.remove(one["item"])


def remove_conflicting(run: Run, actions: List[Action]) -> None:
    # An installation does it in its own transaction.
    if "install_packages" not in run.states["docker_ce"]["plan"]:
        packages.remove(run, run.want["manager"], [one["item"] for one in actions])


def install_packages(run: Run, _actions: List[Action]) -> None:
    want, todo = run.want, changes(run.want, run.observed)
    choice, manager, remove = _choice(run), want["manager"], todo["remove"]
    specs = choice["specs"]
    # A hold of an earlier run is in the repository's own file. dnf is to erase nothing that the plan does not tell.
    options = {"held": True, "excludes_of": ["docker-ce-" + want["channel"]]}  # type: Dict[str, Any]
    options["nothing_goes"] = manager == "dnf" and not remove
    if choice["mirror"]:
        configure(run, choice["mirror"])
    with _remedy(choice):
        packages.refresh(run, manager)
        if remove or todo["is_tried"]:
            packages.install(run, manager, specs, remove, download_only=True, **options)
    written = None
    if todo["is_tried"]:
        written = try_engine(run, specs, runs(run.observed))
    disarm(run, remove)
    with _remedy(choice), _taken_back(written):
        try:
            packages.install(run, manager, specs, remove, **options)
        except Failed as failed:
            # dnf makes way for what a package says it conflicts with, not for one that merely has the same file.
            if manager == "apt" or not remove or "conflicts with file" not in str(failed):
                raise
            packages.remove(run, manager, remove)
            packages.install(run, manager, specs, **options)
    left = sorted(installed(run.host, manager, remove)) if remove else []
    if left:
        packages.remove(run, manager, left)
    if manager == "apt" and "docker.io" in remove:
        # Its purge weeks later would take the new engine's units for its own.
        run.keep_copy("/etc/default/docker")
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
    return dict(run.kept["docker_ce"])


@contextlib.contextmanager
def _taken_back(written: Optional[Executor]) -> Iterator[None]:
    """Take configuration back that was put in place for an engine which does not come."""
    try:
        yield
    except Failed:
        if written:
            written.roll_back()
        raise


@contextlib.contextmanager
def _remedy(choice: Dict[str, Any]) -> Iterator[None]:
    # A download that fails or does not verify has changed no package.
    try:
        yield
    except Failed as failed:
        raise Failed(
            "%s could not be installed from %s. If a package could not be fetched or does not match its index, take "
            "that mirror out of docker_ce_mirrors or put another before it; if the disk is full or another package "
            "manager is running, mend that. Then run again. The package manager says: %s"
            % (", ".join(choice["specs"]), choice["mirror"] or "the distribution", failed)
        )
