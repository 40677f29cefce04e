"""The wanted state of ``registry``, which the controller makes, since it comes of files with secrets, and its marks.

Passwords are not in it: what stands for one is a fingerprint, made there with a secret that never leaves it.
"""

from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import Platform

# How a file of ours begins; nothing else in the folder of configuration is touched.
WRITTEN = "# Written by Slipway, role registry"
# Where a container has its folder of images.
DATA = "/var/lib/registry"
# In each folder of images, so that one whose disk is not mounted is known from one that is new.
DATA_MARK = ".slipway"
# In the folder of an instance whose configuration is written, and which may run with the former.
UNREAD = ".unread"


def want(inputs: Dict[str, Any], _platform: Platform) -> Dict[str, Any]:
    """Return the wanted state, which the controller made."""
    return inputs
