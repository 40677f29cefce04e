"""A version's tree: what its manifest says, and what differs from that."""

import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.trees import file_system
from ansible_collections.slipway.node.plugins.module_utils.singularity.tree import damage, parse_manifest

FILES = [
    {"path": "bin/starter-suid", "type": "file", "mode": "4755", "size": 9, "target": "", "config": False},
    {"path": "etc/x.conf", "type": "file", "mode": "0644", "size": 9, "target": "", "config": True},
    {"path": "bin/run", "type": "link", "mode": "0777", "size": 0, "target": "starter", "config": False},
    {"path": "var", "type": "folder", "mode": "0755", "size": 0, "target": "", "config": False},
]


def found() -> dict:
    return {one["path"]: {**one, "owner": "0:0"} for one in FILES}


@pytest.mark.parametrize(
    ("path", "change", "expected"),
    [
        ("bin/starter-suid", None, [("bin/starter-suid", "missing", "a file")]),
        ("bin/starter-suid", {"mode": "0755"}, [("bin/starter-suid", "mode 0755", "mode 4755")]),
        ("bin/starter-suid", {"owner": "7:7"}, [("bin/starter-suid", "owned by 7:7", "owned by 0:0")]),
        ("bin/starter-suid", {"size": 8}, [("bin/starter-suid", "8 bytes", "9 bytes")]),
        ("etc/x.conf", {"size": 8}, []),
        ("bin/run", {"mode": "0755"}, []),
        ("bin/run", {"target": "x"}, [("bin/run", "a link to x", "a link to starter")]),
        ("var", {"size": 4096}, []),
        ("var", {"type": "link"}, [("var", "a link", "a folder")]),
    ],
)
def test_damage_is_what_differs_from_the_manifest(path, change, expected):
    state = found()
    state[path] = None if change is None else {**state[path], **change}
    assert damage(FILES, state) == expected


def test_a_broken_manifest_is_none():
    assert parse_manifest('{"archive": 1')[0] is None
    assert parse_manifest('{"archive": 1, "files": []}') == (
        None,
        ".slipway.json is broken: ValueError a name is not a string",
    )
    assert parse_manifest(json.dumps({"archive": "a", "files": FILES}))[1] == ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/opt/singularity", "nfs4"), ("/optional", "ext4"), ("/opt/my dir/x", "tmpfs"), ("/", "ext4")],
)
def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(path, expected):
    mounts = (
        "/dev/a / ext4 rw 0 0\nx /opt autofs rw 0 0\nn:/x /opt nfs4 rw 0 0\nt /opt/my\\040dir tmpfs rw 0 0\nbroken\n"
    )
    assert file_system(mounts, path) == expected
