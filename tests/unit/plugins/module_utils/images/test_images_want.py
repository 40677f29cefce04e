"""What the inputs of images mean on a host."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.images.want import RECORD, REGISTRIES, want
from images_examples import PUSH, SIF


def inputs(**more):
    return {"state": "present", "mirrors": {"h": []}, "insecure": ["h"], "push": [], "build": [], "preload": [], **more}


@pytest.mark.parametrize(
    ("given", "skopeo", "registries"),
    [
        (inputs(), False, ""),
        (inputs(push=[PUSH]), True, REGISTRIES),
        (inputs(build=[SIF]), True, REGISTRIES),
        (inputs(push=[PUSH], insecure=[]), True, ""),
        (inputs(state="absent"), False, REGISTRIES),
    ],
)
def test_skopeo_is_for_hosts_that_publish(given, skopeo, registries):
    made = want(given, platforms.describe("Debian", "12", "bookworm", "x86_64"))
    assert (made["skopeo"], made["registries"], made["record"]) == (skopeo, registries, RECORD)
    assert made["manager"] == "apt"
