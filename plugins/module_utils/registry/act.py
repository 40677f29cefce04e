"""What ``registry`` does besides the commands of its plan: the image, files with secrets, and containers."""

import os
import time
from typing import List, Sequence, Tuple

from ansible_collections.slipway.node.plugins.module_utils.engine.files import PRIVATE
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run, last_lines
from ansible_collections.slipway.node.plugins.module_utils.registry import trial
from ansible_collections.slipway.node.plugins.module_utils.registry.answers import answer
from ansible_collections.slipway.node.plugins.module_utils.registry.plan import differs
from ansible_collections.slipway.node.plugins.module_utils.registry.want import UNREAD

# Which containers need to be started anew is seen from what is in their folders by then.
LOOK_AGAIN_AFTER = ("write_files", "issue_certificate")
# Where a task puts a copy of registry_image_archive.
ARCHIVE = "/var/tmp/slipway-registry-image"
# Seconds between tries to pull, and within which a registry must answer.
PAUSES = (5, 5, 0)
ANSWERS_WITHIN = 120
PROJECT = "label=com.docker.compose.project=%s"
UNITS = "/etc/systemd/system/"


def provide_image(run: Run, _actions: List[Action]) -> None:
    image, archive = run.want["image"], run.want["image_archive"]
    if archive:
        loaded = _docker(run, "load", "--input", ARCHIVE)[1].strip()
        if _docker(run, "image", "inspect", image, good=())[0] != 0:
            raise Failed(
                "%s does not hold %s but %s. Save that one, or set registry_image to what is in it."
                % (archive, image, loaded)
            )
        return
    for pause in PAUSES:
        code, _out, err = _docker(run, "pull", "--quiet", image, good=())
        if code == 0:
            return
        time.sleep(pause)
    raise Failed(
        "%s cannot be pulled: %s. Set docker_daemon_registry_mirrors to a mirror that answers, or "
        "registry_image_archive to a file of `docker save`." % (image, last_lines(err))
    )


def write_files(run: Run, actions: List[Action]) -> None:
    refused = trial.refusals(run)
    if refused:
        raise Failed("\n".join(refused + ["Correct registry_instances; what serves was left as it is."]))
    want, paths = run.want, [one["item"] for one in actions]
    for path in [path for path in paths if path not in want["files"]]:
        run.remove(path.rstrip("/"))
    for folder in [want["config_dir"]] + [want["config_dir"] + "/tls"] * bool(want["tls"]):
        run.folder(folder)
    for one in want["services"]:
        folder = os.path.join(want["config_dir"], one["service"])
        run.folder(folder, 0o700)
        # A container may run with the former, though it is made from the right settings.
        if differs(run.observed, folder + "/config.yml"):
            run.write(os.path.join(folder, UNREAD), "", PRIVATE)
    for path in [path for path in paths if path in want["files"]]:
        file = want["files"][path]
        run.write(path, run.secrets[file["seal"]], int(file["mode"], 8), secret=file["secret"])
    if any(path.startswith(UNITS) for path in paths):
        run.command(["systemctl", "daemon-reload"])


def issue_certificate(run: Run, _actions: List[Action]) -> None:
    """Put in place what the controller made: each certificate has a key of its own, which is kept nowhere else."""
    tls, issued = run.want["tls"], run.secrets["registry_issued"]
    if "key" not in issued:
        raise Failed("The certificate needs to be issued only since this run began. Run again.")
    run.write(tls["key"], issued["key"], PRIVATE, secret=True)
    run.write(tls["certificate"], issued["certificate"])
    run.write(tls["authority"], issued["authority"])


def set_accounts(run: Run, actions: List[Action]) -> None:
    """Write files of accounts; without one a registry would invent an account. It reads one anew that changes.

    Hashes are made on the controller, so that no password comes here.
    """
    for path in dict.fromkeys(one["path"] for one in actions):
        run.write(path, run.secrets["registry_htpasswd"], PRIVATE, secret=True)


def start_containers(run: Run, actions: List[Action]) -> None:
    # A collection whose command was killed goes on in a container of its own, and may delete no new layer.
    if run.observed["tools"]:
        _docker(run, "rm", "--force", *run.observed["tools"])
    _compose(run, "up", "--detach", "--remove-orphans", "--pull", "never")
    _follow(run, actions)


def restart_containers(run: Run, actions: List[Action]) -> None:
    """Start anew what reads its configuration and its certificate when it starts."""
    _compose(run, "restart", *[one["service"] for one in actions])
    _follow(run, actions)


def remove(run: Run, actions: List[Action]) -> None:
    """Remove containers and configuration; images stay, unless they are to be purged."""
    containers = sorted(run.observed["containers"]) + run.observed["tools"]
    if containers:
        _docker(run, "rm", "--force", *containers)
    _docker(run, "network", "prune", "--force", "--filter", PROJECT % run.want["project"], good=())
    for path in [one["item"].rstrip("/") for one in actions if one["item"].startswith("/")]:
        run.remove(path)
        # Not where something else is in it.
        if path in run.observed["purge"] or os.path.dirname(path) == run.want["config_dir"]:
            run.remove_if_empty(os.path.dirname(path))


def _follow(run: Run, actions: List[Action]) -> None:
    """Wait until registries that were started answer; the proof names one that does not, with its last words."""
    names = [one["service"] for one in actions if "service" in one]
    left = [one for one in run.want["services"] if one["service"] in names]
    for one in left:
        run.remove(os.path.join(run.want["config_dir"], one["service"], UNREAD))
    end = time.monotonic() + ANSWERS_WITHIN
    while left and time.monotonic() < end:
        left = [one for one in left if answer(one) != one["answer"]]
        time.sleep(0.5 if left else 0)


def _compose(run: Run, *arguments: str) -> None:
    _docker(run, "compose", "--file", os.path.join(run.want["config_dir"], "compose.yml"), *arguments)


def _docker(run: Run, *arguments: str, good: Sequence[int] = (0,)) -> Tuple[int, str, str]:
    """Run docker on this host's engine, whatever root's context and environment say; none accepts all statuses."""
    code, out, err = run.command(docker_command(*arguments), good=())
    if good and code not in good:
        raise Failed("`docker %s` failed: %s" % (" ".join(arguments[:4]), last_lines(err or out)))
    return code, out, err
