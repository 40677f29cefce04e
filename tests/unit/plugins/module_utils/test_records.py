"""Records that an older and a newer Slipway left on a host."""

import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.record import held_by_record, record
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.record import parse_record as of_daemon
from ansible_collections.slipway.node.plugins.module_utils.engine import records
from ansible_collections.slipway.node.plugins.module_utils.engine.host import NoAnswer
from ansible_collections.slipway.node.plugins.module_utils.images.record import parse_record as of_images
from ansible_collections.slipway.node.plugins.module_utils.registry_client.observe import parse_record as of_logins
from ansible_collections.slipway.node.plugins.module_utils.user_groups.record import parse_record as of_groups

GROUPS = {"groups": ["hpc"], "members": {"hpc": ["alice"]}}


@pytest.mark.parametrize(
    "read",
    [
        held_by_record,
        of_groups,
        lambda text: of_logins("/r", text),
        lambda text: of_images("/r", text),
        lambda text: of_daemon("/r", text),
    ],
)
def test_a_record_of_a_newer_slipway_is_refused(read):
    with pytest.raises(NoAnswer, match=r"[.]json is of a newer|/r is of a newer Slipway \(its format is 2"):
        read('{"format": 2, "anything": []}')


def test_a_record_of_an_older_slipway_is_read():
    assert held_by_record('{"held": ["docker-ce"]}') == held_by_record(record(["docker-ce"])) == ["docker-ce"]
    assert of_groups(json.dumps(GROUPS)) == of_groups(records.dump(GROUPS)) == (GROUPS, "")
    logins = {"root": {"h:5000": "mark"}}
    assert of_logins("/r", json.dumps(logins)) == of_logins("/r", records.dump(logins)) == logins
    daemon = {"entries": [{"path": ["debug"], "value": True}], "files": {}, "environment": None, "loaded": {}}
    assert of_daemon("/r", json.dumps(daemon)) == of_daemon("/r", records.dump(daemon)) == daemon
    images = {"images": {"a:1": {"id": "x", "from": "y"}}, "pushed": {}}
    assert of_images("/r", json.dumps(images)) == of_images("/r", records.dump(images)) == images


def test_each_record_bears_its_format():
    assert json.loads(records.dump(GROUPS)) == dict(GROUPS, format=1)
