"""An engine that was downloaded, but not installed, is rehearsed in place of the one that works, or judges alone.

Where no engine runs there is nothing to harm, and the new one, as far as it can, judges the configuration's file.
"""

import glob
import os
import re
import shutil
import tempfile
from typing import List, Optional

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.act import write_ahead
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.transaction import Executor
from ansible_collections.slipway.node.plugins.module_utils.engine import run as engine_run
from ansible_collections.slipway.node.plugins.module_utils.engine.host import existing
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

# The programs of an engine, wherever its packages have them.
PROGRAMS = ("dockerd", "docker", "docker-proxy", "docker-init", "containerd", "containerd-shim-runc-v2", "runc")
UNPACK = "tar --extract --wildcards " + " ".join("'./usr/*/%s'" % name for name in PROGRAMS)
# What takes them out of a package; rpm2archive compresses.
ARCHIVE = {"apt": 'dpkg-deb --fsys-tarfile "$0" | ' + UNPACK, "dnf": 'rpm2archive - < "$0" | %s --gzip' % UNPACK}
# Folders of which one is likely to be where programs may run.
PLACES = ("/var/tmp", "/var/lib/slipway", "/opt", "/root")
SECONDS = 300


def try_engine(run: Run, specs: List[str], runs: bool) -> Optional[Executor]:
    """Let the engine of downloaded packages, as the package manager takes them, show that it works here.

    :param runs: whether it is to replace one that runs.
    :return: what takes configuration back that was put in place for it.
    :raises Failed: it does not.
    """
    place = next((one for one in PLACES if may_execute(one)), "")
    if not place:
        run.note("The new engine could not be tried: %s are mounted noexec." % ", ".join(PLACES))
        return None
    os.makedirs(place, 0o755, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="slipway-docker-ce-", dir=place)
    try:
        programs = unpack(run, specs, folder)
        if not os.listdir(programs):
            return None
        if runs:
            return write_ahead(run, programs)
        reason = complaint(run, programs)
    except OSError as error:
        run.note("The new engine could not be tried: %s" % error)
        return None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if reason:
        raise Failed(
            "%s is refused by the new engine: %s. Nothing was replaced. Correct that file, or the docker_daemon_* "
            "input that it comes from, and run again." % (daemon_json.FILE, reason)
        )
    return None


def may_execute(path: str) -> bool:
    """Tell whether programs may be executed in a folder, or where it would be made."""
    return not os.statvfs(existing(path)).f_flag & os.ST_NOEXEC


def pattern(manager: str, package: str) -> str:
    """Return where the package manager keeps a downloaded package, as a shell pattern."""
    if manager == "dnf":
        return "/var/cache/dnf/*/packages/%s.*.rpm" % re.sub(r"-\d+:", "-", package)
    name, _equals, version = package.partition("=")
    return "/var/cache/apt/archives/%s_%s_*.deb" % (name, version.replace(":", "%3a") or "*")


def unpack(run: Run, specs: List[str], folder: str) -> str:
    """Take an engine's programs out of packages; return the folder that has them all."""
    for spec in specs:
        # Without a version the one that came last; its mtime is the mirror's.
        path = max(glob.glob(pattern(run.want["manager"], spec)), key=os.path.getctime, default="")
        if path:
            run.command(["sh", "-c", ARCHIVE[run.want["manager"]], path], good=(), cwd=folder, limit=SECONDS)
    programs = os.path.join(folder, "programs")
    os.mkdir(programs)
    for name in PROGRAMS:
        found = glob.glob("%s/usr/**/%s" % (folder, name), recursive=True)
        for path in [path for path in found if os.path.isfile(path)]:
            os.rename(path, os.path.join(programs, name))
    return programs


def complaint(run: Run, programs: str = "") -> str:
    """Return what an engine says is wrong with the configuration; empty where it cannot validate, or does not say.

    :param programs: the folder of one that is not installed.
    """
    # From 28 on the engine looks for its proxy while it validates.
    places = os.pathsep.join([programs, engine_run.PATH] if programs else [engine_run.PATH])
    command = ["env", "PATH=" + places, "dockerd", "--validate", "--config-file", daemon_json.FILE]
    code, out, err = run.command(command, good=(), limit=SECONDS)
    lines = [line for line in (out + err).splitlines() if "configure the Docker daemon with file" in line]
    return lines[-1].rpartition(".json: ")[2].strip().rstrip('"') if code and lines else ""
