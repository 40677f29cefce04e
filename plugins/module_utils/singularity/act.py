"""What ``singularity`` does besides what its plan says: packages, a version's files and configuration, a trial."""

import contextlib
import os
from typing import Any, Callable, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine import files, packages
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.engine.trees import remove_unused
from ansible_collections.slipway.node.plugins.module_utils.singularity.configuration import config_text, config_values
from ansible_collections.slipway.node.plugins.module_utils.singularity.install import install
from ansible_collections.slipway.node.plugins.module_utils.singularity.subordinate_ids import give
from ansible_collections.slipway.node.plugins.module_utils.singularity.tree import describe

# Phases that change what containers run by.
CHANGES = ("install_packages", "allow_namespaces", "install_tree", "set_config", "switch_version")


def install_packages(run: Run, actions: List[Action]) -> None:
    """Install what is missing; nothing that is there may have to go."""
    manager, names = run.want["manager"], [one["item"] for one in actions]
    packages.refresh(run, manager)
    repositories = packages.known_repositories(run, run.want["repositories"])
    packages.install(run, manager, names, repositories=repositories, nothing_goes=True)


def install_tree(run: Run, _actions: List[Action]) -> None:
    archive, tree = run.want["archive"], run.want["tree"]
    try:
        install(run, archive["place"], tree)
    except (Failed, OSError) as error:
        raise Failed(
            "%s could not be installed at %s: %s. What was installed before stays in service. If the disk is full, "
            "make room, then run again." % (archive["stem"], tree, error)
        )


def set_config(run: Run, _actions: List[Action]) -> None:
    """Write the configuration, but not one with which no container runs where one runs now."""
    path, config = run.want["config_file"], run.want["config"]
    reasons = rejected_keys(run.want["program"], config, run.command)
    if reasons:
        raise Failed(
            "singularity_config has what this version does not take: %s. Correct it; %s lists the keys. The file was "
            "left as it was." % ("; ".join(reasons), path)
        )
    mode = int((describe(path) or {"mode": "0644"})["mode"], 8)
    # The program can add to a list of values, but not replace one.
    text, copy = config_text(files.read(path), config), path + ".slipway-try"
    run.write(copy, text, mode)
    try:
        why = tried(run, copy)
    finally:
        run.remove(copy)
    # Where none runs now either, something else is to blame, which the last trial tells.
    if why and not tried(run):
        raise Failed(
            "With singularity_config no container of an ordinary user runs: %s. Correct it. %s was left as it was, and "
            "containers run." % (why, path)
        )
    run.write(path, text, mode)


def rejected_keys(program: str, config: Dict[str, Any], command: Callable[..., Any]) -> List[str]:
    """Return the keys that the program does not take, each with its value and the program's own words."""
    reasons = []
    for key, value in sorted(config.items()):
        values = config_values(value)
        change = ["--set", key, ",".join(values)] if values else ["--get", key]
        code, out, err = command([program, "config", "global", "--dry-run"] + change, good=())
        if code:
            reasons.append("%s: %s: %s" % (key, ", ".join(values), " ".join((err or out).split())))
    return reasons


def give_ranges(run: Run, _actions: List[Action]) -> None:
    try:
        limits = run.want["fakeroot_first"], run.want["fakeroot_limit"]
        give(run.observed["accounts"], *limits, known=run.observed["known_ids"])
    except (OSError, ValueError) as error:
        raise Failed("Ranges of ids were not given: %s." % error)


def switch_version(run: Run, actions: List[Action]) -> None:
    finish(run)
    run.do(actions)


write_modulefiles = switch_version


def remove_versions(run: Run, actions: List[Action]) -> None:
    finish(run)
    remove_unused(run, actions)
    if run.want["state"] == "absent":
        # One of another name, as /opt, was there before; others may keep something there, or have mounted it.
        if os.path.basename(run.want["root"]) == "singularity":
            with contextlib.suppress(OSError):
                os.rmdir(run.want["root"])
        if run.observed["apparmor_loaded"]:
            run.command(["apparmor_parser", "--remove"], stdin="profile %s {}" % run.want["apparmor"]["profile"])


def finish(run: Run) -> None:
    """Run a container once what it runs by is there, before anything that cannot be undone."""
    if run.kept.get("singularity_tried") or not any(one in run.states["singularity"]["plan"] for one in CHANGES):
        return
    why = tried(run)
    if why:
        raise Failed(
            "%s is installed, and no container of an ordinary user runs: %s. Mend what it names; which of the host's "
            "files a container gets is in its configuration, which singularity_config sets."
            % (run.want["program"], why)
        )
    run.kept["singularity_tried"] = True


def tried(run: Run, config: str = "") -> str:
    """Make a SIF file of the host's own shell and run it; return what the program says where it does not run.

    :param config: a file to try in place of its configuration, which others go on with.
    """
    command = ["unshare", "--mount", "/bin/sh", "-s", run.want["program"], run.want["config_file"], config]
    _code, out, err = run.command(command, good=(), stdin=run.secrets["singularity_trial"])
    if out.splitlines()[-1:] == ["container works"]:
        return ""
    return " ".join(line for line in err.splitlines() if not line.startswith("INFO:")) or "no answer"
