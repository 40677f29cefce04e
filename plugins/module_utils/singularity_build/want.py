"""What a build host is to make: the archive of a version, and what compiling it needs."""

import os
import re
from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.singularity.build import HEADER_REPOSITORIES, described

# What a build leaves at its largest, in MiB: about 800 of sources and compiled packages, more with the toolchain.
ROOM = 2500
PASSED_INPUTS = (
    "state flavor version name go go_version goproxy mirrors mirror_timeout allow_unverified release_api known_sum "
    "kept_sum cache_dir"
)


def want(inputs: Dict[str, Any], platform: platforms.Platform) -> Dict[str, Any]:
    """Return what is to be built, how, and in which folders. Pure."""
    about = described(inputs, platform)
    manager = platforms.manager(platform)
    # A folder of its own, since whatever else is in singularity_build_dir is somebody else's.
    work = os.path.join(inputs["build_dir"], "slipway-singularity")
    # Where every version is compiled, since the paths are part of what Go's cache goes by.
    folder = work + "/build"
    return dict(
        ((name, inputs[name]) for name in PASSED_INPUTS.split()),
        tree=inputs["prefix"],
        stem=about["stem"],
        end=about["end"],
        platform=about["platform"],
        mconfig=about["mconfig"],
        archive_pattern=about["archive_pattern"],
        manager=manager,
        # Those of the result as well, since mconfig looks for some of their programs.
        packages=sorted(set(about["packages"]) | set(about["build_packages"])),
        repositories=HEADER_REPOSITORIES if manager == "dnf" else [],
        dir=work,
        folder=folder,
        # What compiles, one at a time in a folder.
        unit="singularity-" + re.sub("[^A-Za-z0-9.]+", "-", inputs["build_dir"]).strip("-"),
        source="%s/%s.tar.gz" % (work, about["stem"]),
        # What the release API said of the archive, until the controller has it.
        sum_file="%s/%s.sha256" % (work, about["stem"]),
        # What is being built: another build may not be disturbed, and one that broke off is gone on with.
        task=about["stem"] + about["end"],
        log="/var/log/slipway/%s.log" % about["stem"],
        room=ROOM,
        keep=inputs["keep_build"],
        go_kind="linux-%s" % platforms.GO_ARCHITECTURES.get(platform.architecture, platform.architecture),
    )
