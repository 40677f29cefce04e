"""The record of images that the role put on a host."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.images.record import parse_record, record
from images_examples import A, B, C


@pytest.mark.parametrize("text", ["", "{", "[]", '{"images": 1}', '{"images": {"a": {}}}', None])
def test_a_spoiled_record_is_an_empty_one(text):
    assert parse_record("images.json", text) == {"images": {}, "pushed": {}}


def test_the_record_grows_image_by_image(tmp_path):
    path = str(tmp_path / "slipway" / "images.json")
    record(path, "images", "app:1", A, "h/app:1")
    record(path, "images", "tool:1", B, "")
    record(path, "pushed", "h/app:1", C, A)
    with open(path) as file:
        assert parse_record(path, file.read()) == {
            "images": {"app:1": {"id": A, "from": "h/app:1"}, "tool:1": {"id": B, "from": ""}},
            "pushed": {"h/app:1": {"id": C, "from": A}},
        }
    assert (tmp_path / "slipway" / "images.json").stat().st_mode & 0o777 == 0o600
