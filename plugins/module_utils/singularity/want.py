"""The wanted state of ``singularity``: a version and all that belongs to it, and how its archive is built."""

import hashlib
import json
import os
import re
from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.singularity.build import (
    ARCHITECTURES,
    BUILD_ROOM,
    HEADER_REPOSITORIES,
    has_libsubid,
    mconfig,
    packages,
)
from ansible_collections.slipway.node.plugins.module_utils.singularity.commands import COMMANDS, command_target

# An installed version is about 150 MiB, and lies beside its archive while it is unpacked.
INSTALL_ROOM = 400

# Inputs that the wanted state, and what it says of the build, have as they are.
PASSED_INPUTS = (
    "state flavor version name root setuid config files unwanted_files apparmor modulefiles commands_dir "
    "tree_host writes fakeroot_users fakeroot_groups fakeroot_first fakeroot_limit versions_absent"
)
PASSED_TO_BUILD = "go_version goproxy mirrors mirror_timeout allow_unverified release_api known_sum kept_sum"


def want(inputs: Dict[str, Any], platform: platforms.Platform) -> Dict[str, Any]:
    """Return the wanted state that a role's prepared inputs make on a platform. Pure.

    :raises InputProblem: the platform cannot have it.
    """
    if inputs["state"] == "present":
        problems = platforms.unsupported(platform, "singularity", ARCHITECTURES)
        if problems:
            raise platforms.InputProblem(*problems)
    completed = dict(inputs)
    manager = platforms.manager(platform)
    if completed["libsubid"] is None:
        completed["libsubid"] = has_libsubid(inputs["flavor"], inputs["version"], platform)
    run, build = packages(completed, platform)
    arguments = mconfig(completed)
    digest = hashlib.sha256(json.dumps([inputs["archive_checksum"]] + arguments).encode()).hexdigest()[:12]
    # One archive serves all hosts of a platform.
    name = re.sub("[^a-z0-9]", "", platform.distribution.lower()) + platform.version.split(".")[0]
    stem, end = "%(flavor)s-%(version)s" % inputs, "-%s-%s-%s" % (name, platform.architecture, digest)
    go_version = re.escape(inputs["go_version"]) or "[0-9.]+"
    link = os.path.join(inputs["root"], "current")
    scratch = sorted({path for path in (inputs["tmpdir"], inputs["cachedir"]) if path})
    # A folder of its own, since whatever else is in singularity_build_dir is somebody else's.
    work = os.path.join(inputs["build_dir"], "slipway-singularity")
    wanted = dict((name, completed[name]) for name in PASSED_INPUTS.split())
    wanted.update(
        tree=inputs["prefix"],
        program="%(prefix)s/bin/%(name)s" % inputs,
        config_file="%(prefix)s/etc/%(name)s/%(name)s.conf" % inputs,
        current=link,
        link=link if inputs["default"] or inputs["state"] == "absent" else "",
        commands=(
            dict(
                ("%s/%s" % (inputs["commands_dir"], command), command_target(link, command))
                for command in COMMANDS[inputs["flavor"]]
            )
            if inputs["commands_dir"] and inputs["default"] and inputs["state"] == "present"
            else {}
        ),
        manager=manager,
        packages=[] if inputs["state"] == "absent" else run if inputs["packages"] is None else inputs["packages"],
        repositories=HEADER_REPOSITORIES if manager == "dnf" else [],
        directories=[{"path": path, "mode": "1777"} for path in scratch],
        keep=inputs["keep_versions"] if inputs["keep_versions"] >= 0 else None,
        need=INSTALL_ROOM,
        # For the controller.
        archive={
            "archive_pattern": "^%s-go%s%s$" % (re.escape(stem), go_version, re.escape(end)),
            "archive_glob": "%s-go%s%s.json" % (stem, inputs["go_version"] or "*", end),
            "cache_dir": inputs["cache_dir"],
            "stem": stem,
            "platform": "%s-%s" % (name, platform.architecture),
            # Where the version is unpacked, beside its folder; the archive is copied there with .tar.gz at its end.
            "place": "%s/.new-%s" % os.path.split(inputs["prefix"]),
        },
        build={
            "packages": sorted(set(run if inputs["packages"] is None else inputs["packages"]) | set(build)),
            "mconfig": arguments,
            "dir": work,
            # Where every version is compiled, since the paths are part of what Go's cache goes by.
            "folder": work + "/build",
            "source": "%s/%s.tar.gz" % (work, stem),
            # What is being built: another build may not be disturbed, and one that broke off is gone on with.
            "task": stem + end,
            "stem": stem,
            "end": end,
            "log": "/var/log/slipway/%s.log" % stem,
            "platform": "%s-%s" % (name, platform.architecture),
            "room": BUILD_ROOM,
            "keep": inputs["keep_build"],
            "go_kind": "linux-%s" % platforms.GO_ARCHITECTURES.get(platform.architecture, platform.architecture),
        },
    )
    wanted["build"].update((name, inputs[name]) for name in PASSED_TO_BUILD.split())
    shown = ("tree", "flavor", "version", "name", "manager", "repositories")
    wanted["archive"]["build"] = dict(wanted["build"], **dict((one, wanted[one]) for one in shown))
    if not inputs["writes"]:
        wanted["files"] = [one for one in inputs["files"] if not one["path"].startswith(inputs["prefix"] + "/")]
    return wanted
