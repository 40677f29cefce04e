"""What the inputs of images mean on a host."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.images.want import RECORD, REGISTRIES, want
from images_examples import ENTRY, PUSH, SIF

DEBIAN = platforms.describe("Debian", "12", "bookworm", "x86_64")


def inputs(**more):
    lists = {key: [] for key in ("push", "build", "preload", "place")}
    return {"state": "present", "mirrors": {"h": []}, "insecure": ["h"], "sif_path": "/opt/sif", **lists, **more}


@pytest.mark.parametrize(
    ("given", "skopeo", "registries"),
    [
        (inputs(), False, ""),
        (inputs(push=[PUSH]), True, REGISTRIES),
        (inputs(build=[SIF]), True, REGISTRIES),
        (inputs(push=[PUSH], insecure=[]), True, ""),
        (inputs(push=[PUSH], insecure=[], mirrors={"h": [], "docker.io": ["m"]}), True, REGISTRIES),
        (inputs(state="absent"), False, REGISTRIES),
    ],
)
def test_skopeo_is_for_hosts_that_publish(given, skopeo, registries):
    made = want(given, DEBIAN)
    assert (made["skopeo"], made["registries"], made["record"]) == (skopeo, registries, RECORD)
    assert made["manager"] == "apt"


def test_where_archives_are_read_on_the_node():
    def read(key="preload", **more):
        (one,) = want(inputs(**{key: [{**ENTRY, **more}]}), DEBIAN)[key]
        return one["read"], one["copy"]

    assert read() == ("", {})
    assert read(archive="/mnt/a.tar", remote=True) == ("/mnt/a.tar", {})
    path, copy = read(archive="/home/a/app.tar")
    folder = copy["dest"]
    assert folder.startswith("/var/lib/slipway/image-") and folder.endswith("/")
    assert (path, copy["src"]) == (f"{folder}app.tar", "/home/a/app.tar")
    # Several images of one archive need one copy; two archives of a name are two.
    assert read("push", archive="/home/a/app.tar", name="x:1") == read("build", archive="/home/a/app.tar")
    assert read(archive="/home/b/app.tar")[0] != path


def test_a_sif_file_is_copied_beside_its_place_and_each_of_two_equal_ones():
    place = [{"path": f"/opt/sif/{name}.sif", "file": "/cache/1.sif"} for name in ("app", "tool")]
    one, other = want(inputs(place=place), DEBIAN)["place"]
    assert one["read"] == "/opt/sif/.slipway-app.sif/1.sif"
    assert one["copy"] == {"src": "/cache/1.sif", "dest": "/opt/sif/.slipway-app.sif/"}
    assert other["read"] == "/opt/sif/.slipway-tool.sif/1.sif"
