"""Keys of singularity.conf are read, and set in their place."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.singularity.configuration import config_text, parse_config


def test_configuration_is_read_as_keys_with_values():
    text = "# mount home = yes\nmount home = no\nbind path = /a\nbind path = /b=c\ncni configuration path =\n"
    assert parse_config(text) == {
        "mount home": ["no"],
        "bind path": ["/a", "/b=c"],
        "cni configuration path": [""],
    }


CONF = """# ALLOW SETUID
allow setuid = yes

# bind path = /x
bind path = /a
other = 1
bind path = /b
# empty =
end = 1
"""


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, CONF),
        ({"allow setuid": False}, CONF.replace("setuid = yes", "setuid = no")),
        ({"bind path": ["/c", "/a"]}, CONF.replace("bind path = /a\n", "bind path = /c\nbind path = /a\n").replace(
            "bind path = /b\n", "")),
        ({"bind path": []}, CONF.replace("bind path = /a\n", "").replace("bind path = /b\n", "")),
        ({"empty": 5}, CONF.replace("# empty =\n", "# empty =\nempty = 5\n")),
        ({"new key": "x=y"}, CONF + "new key = x=y\n"),
    ],
)  # fmt: skip
def test_keys_are_set_in_their_place_and_all_else_stays(wanted, expected):
    assert config_text(CONF, wanted) == expected
    assert config_text(expected, wanted) == expected
