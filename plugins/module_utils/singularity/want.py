"""The wanted state of ``singularity``: a version and all that belongs to it."""

import os
from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.singularity.build import (
    ARCHITECTURES,
    HEADER_REPOSITORIES,
    described,
)
from ansible_collections.slipway.node.plugins.module_utils.singularity.commands import COMMANDS, command_target

# An installed version is about 150 MiB, and lies beside its archive while it is unpacked.
INSTALL_ROOM = 400

PASSED_INPUTS = (
    "state flavor version root setuid config files unwanted_files apparmor modulefiles commands_dir "
    "tree_host writes made_groups fakeroot_users fakeroot_groups fakeroot_first fakeroot_limit versions_absent tmpdir"
)


def want(inputs: Dict[str, Any], platform: platforms.Platform) -> Dict[str, Any]:
    """Return the wanted state that a role's prepared inputs make on a platform. Pure.

    :raises InputProblem: the platform cannot have it.
    """
    if inputs["state"] == "present":
        problems = platforms.unsupported(platform, "singularity", ARCHITECTURES)
        if problems:
            raise platforms.InputProblem(*problems)
    about = described(inputs, platform)
    manager = platforms.manager(platform)
    link = os.path.join(inputs["root"], "current")
    scratch = sorted({path for path in (inputs["tmpdir"], inputs["cachedir"]) if path})
    wanted = dict((name, inputs[name]) for name in PASSED_INPUTS.split())
    wanted.update(
        tree=inputs["prefix"],
        program="%(prefix)s/bin/%(name)s" % inputs,
        config_file="%(prefix)s/etc/%(name)s/%(name)s.conf" % inputs,
        current=link,
        link=link if inputs["default"] or inputs["state"] == "absent" else "",
        # For the controller, which has it compiled where its cache has none.
        archive=dict(
            ((name, about[name]) for name in ("archive_pattern", "archive_glob", "stem", "platform")),
            cache_dir=inputs["cache_dir"],
            # Where the version is unpacked, beside its folder; the archive is copied there with .tar.gz at its end.
            place="%s/.new-%s" % os.path.split(inputs["prefix"]),
        ),
        commands=(
            dict(
                ("%s/%s" % (inputs["commands_dir"], command), command_target(link, command))
                for command in COMMANDS[inputs["flavor"]]
            )
            if inputs["commands_dir"] and inputs["default"] and inputs["state"] == "present"
            else {}
        ),
        manager=manager,
        packages=about["packages"] if inputs["state"] == "present" else [],
        repositories=HEADER_REPOSITORIES if manager == "dnf" else [],
        directories=[{"path": path, "mode": "1777"} for path in scratch],
        keep=inputs["keep_versions"] if inputs["keep_versions"] >= 0 else None,
        need=INSTALL_ROOM,
    )
    if not inputs["writes"]:
        wanted["files"] = [one for one in inputs["files"] if not one["path"].startswith(inputs["prefix"] + "/")]
    return wanted
