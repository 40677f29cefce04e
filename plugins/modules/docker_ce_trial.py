#!/usr/bin/python
"""Let an engine that was downloaded, but not installed, judge the daemon's configuration."""

DOCUMENTATION = r"""
---
module: docker_ce_trial
short_description: Let a downloaded Docker engine judge daemon.json before it replaces the old one
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Takes C(dockerd) out of a package that apt or dnf has downloaded, and lets it validate the configuration, so that an
    upgrade over a file with a key that the new engine refuses fails while the old engine still runs.
  - An engine before 23.0 cannot validate; then, and where the package is not in the usual cache, nothing is tried.
  - Changes nothing, so check mode makes no difference.
options:
  manager:
    description: The package manager.
    type: str
    choices: [apt, dnf]
    required: true
  package:
    description: The package that holds the engine, as the package manager takes it.
    type: str
    required: true
  config_file:
    description: The configuration to be judged.
    type: path
    default: /etc/docker/daemon.json
attributes:
  check_mode:
    description: Changes nothing in either mode.
    support: full
"""

EXAMPLES = r"""
- name: Try the new engine on the configuration
  slipway.node.docker_ce_trial:
    manager: apt
    package: docker-ce=5:28.3.3-1~debian.12~bookworm
"""

RETURN = r"""
tried:
  description: Whether the engine judged the configuration.
  type: bool
  returned: always
"""

import glob
import os
import re
import shutil
import subprocess
import tempfile
from typing import List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_text

# What turns a package from standard input into a tar archive.
ARCHIVE = {"apt": ["dpkg-deb", "--fsys-tarfile", "/dev/stdin"], "dnf": ["rpm2archive", "-"]}
# From 28 on the engine looks for its proxy while it validates.
UNPACK = ["tar", "--extract", "--wildcards", "./usr/*/dockerd", "./usr/*/docker-proxy"]
SECONDS = 300


def pattern(manager: str, package: str) -> str:
    """Return where the package manager keeps a downloaded package, as a shell pattern."""
    if manager == "dnf":
        return "/var/cache/dnf/*/packages/%s.*.rpm" % re.sub(r"-\d+:", "-", package)
    name, _equals, version = package.partition("=")
    return "/var/cache/apt/archives/%s_%s_*.deb" % (name, version.replace(":", "%3a") or "*")


def unpack(manager: str, path: str, folder: str) -> Tuple[str, str]:
    """Return the path of the engine taken out of a package, and the folder of its proxy; empty where it has none."""
    with open(path, "rb") as file:
        source = subprocess.Popen(ARCHIVE[manager], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    # rpm2archive compresses.
    command = UNPACK + (["--gzip"] if manager == "dnf" else [])
    subprocess.run(command, stdin=source.stdout, cwd=folder, stderr=subprocess.DEVNULL, timeout=SECONDS)
    source.communicate()
    engine, proxy = (glob.glob("%s/usr/**/%s" % (folder, name), recursive=True) for name in ("dockerd", "docker-proxy"))
    return (engine + [""])[0], os.path.dirname((proxy + [""])[0])


def validation_error(output: str) -> str:
    """Return what the engine says is wrong; empty where it cannot validate, or does not say."""
    lines = [line for line in output.splitlines() if "configure the Docker daemon with file" in line]
    return lines[-1].rpartition(".json: ")[2].strip().rstrip('"') if lines else ""


def validate(engine: str, proxy: str, config_file: str) -> List[str]:
    """Return what the engine says is wrong with the configuration, as a list of one or none.

    :param proxy: the folder of its proxy, empty where it has none.
    """
    command = [engine, "--validate", "--config-file", config_file]
    places = os.pathsep.join([proxy, os.environ["PATH"]]) if proxy else os.environ["PATH"]
    done = subprocess.run(
        command, env=dict(os.environ, PATH=places), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS
    )
    reason = validation_error(to_text(done.stdout, errors="replace")) if done.returncode else ""
    return [reason] if reason else []


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "manager": {"type": "str", "choices": ["apt", "dnf"], "required": True},
            "package": {"type": "str", "required": True},
            "config_file": {"type": "path", "default": "/etc/docker/daemon.json"},
        },
        supports_check_mode=True,
    )
    params = module.params
    # Without a version the one that came last; its mtime is the mirror's.
    path = max(glob.glob(pattern(params["manager"], params["package"])), key=os.path.getctime, default="")
    # Not in /tmp, where nothing may be executed on many hosts.
    folder = tempfile.mkdtemp(prefix="slipway-docker-ce-", dir="/var/tmp")
    reasons, tried = [], False  # type: List[str], bool
    try:
        engine, proxy = unpack(params["manager"], path, folder) if path else ("", "")
        if engine:
            reasons, tried = validate(engine, proxy, params["config_file"]), True
    except (OSError, subprocess.TimeoutExpired) as error:
        module.warn("%s could not be tried on %s: %s" % (params["package"], params["config_file"], error))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if reasons:
        module.fail_json(
            msg="%s is refused by the new engine (%s): %s. Nothing was replaced. Correct that file, or where it is a"
            " setting of docker_daemon correct its inputs and run that role alone first, then run again."
            % (params["config_file"], os.path.basename(path), reasons[0]),
            tried=True,
        )
    module.exit_json(changed=False, tried=tried)


if __name__ == "__main__":
    main()
