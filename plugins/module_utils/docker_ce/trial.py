"""An engine that was downloaded, but not installed, judges the daemon's configuration.

So an upgrade over a file with a key that the new engine refuses fails while the old engine still runs. An engine before
23.0 cannot validate; then, and where the package is not in the usual cache, nothing is tried.
"""

import glob
import os
import re
import shutil
import tempfile
from typing import Tuple

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json
from ansible_collections.slipway.node.plugins.module_utils.engine import run as engine_run
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

# From 28 on the engine looks for its proxy while it validates.
UNPACK = "tar --extract --wildcards './usr/*/dockerd' './usr/*/docker-proxy'"
# What takes both out of a package; rpm2archive compresses.
ARCHIVE = {"apt": 'dpkg-deb --fsys-tarfile "$0" | ' + UNPACK, "dnf": 'rpm2archive - < "$0" | %s --gzip' % UNPACK}
SECONDS = 300


def try_engine(run: Run, package: str) -> None:
    """Let the engine of a package, as the package manager takes it, judge the configuration.

    :raises Failed: it is refused.
    """
    # Without a version the one that came last; its mtime is the mirror's.
    path = max(glob.glob(pattern(run.want["manager"], package)), key=os.path.getctime, default="")
    # Not in /tmp, where nothing may be executed on many hosts.
    folder = tempfile.mkdtemp(prefix="slipway-docker-ce-", dir="/var/tmp")
    reason = ""
    try:
        engine, proxy = unpack(run, path, folder) if path else ("", "")
        reason = complaint(run, engine, proxy) if engine else ""
    except (OSError, Failed) as error:
        run.note("%s could not be tried on %s: %s" % (package, daemon_json.FILE, error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if reason:
        raise Failed(
            "%s is refused by the new engine (%s): %s. Nothing was replaced. Correct that file, or where it is a "
            "setting of docker_daemon correct its inputs and run that role alone first, then run again."
            % (daemon_json.FILE, os.path.basename(path), reason)
        )


def pattern(manager: str, package: str) -> str:
    """Return where the package manager keeps a downloaded package, as a shell pattern."""
    if manager == "dnf":
        return "/var/cache/dnf/*/packages/%s.*.rpm" % re.sub(r"-\d+:", "-", package)
    name, _equals, version = package.partition("=")
    return "/var/cache/apt/archives/%s_%s_*.deb" % (name, version.replace(":", "%3a") or "*")


def unpack(run: Run, path: str, folder: str) -> Tuple[str, str]:
    """Return the path of the engine taken out of a package, and the folder of its proxy; empty where it has none."""
    run.command(["sh", "-c", ARCHIVE[run.want["manager"]], path], good=(), cwd=folder, limit=SECONDS)
    engine, proxy = (glob.glob("%s/usr/**/%s" % (folder, name), recursive=True) for name in ("dockerd", "docker-proxy"))
    return (engine + [""])[0], os.path.dirname((proxy + [""])[0])


def complaint(run: Run, engine: str = "dockerd", proxy: str = "") -> str:
    """Return what an engine says is wrong with the configuration; empty where it cannot validate, or does not say.

    :param proxy: the folder of its proxy, empty where it has none.
    """
    places = os.pathsep.join([proxy, engine_run.PATH] if proxy else [engine_run.PATH])
    command = ["env", "PATH=" + places, engine, "--validate", "--config-file", daemon_json.FILE]
    code, out, err = run.command(command, good=(), limit=SECONDS)
    lines = [line for line in (out + err).splitlines() if "configure the Docker daemon with file" in line]
    return lines[-1].rpartition(".json: ")[2].strip().rstrip('"') if code and lines else ""
