"""Every role with its defaults has a wanted state on every platform, and Docker's, Go's and Debian's names for it."""

import json
from types import SimpleNamespace

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.modules.state import load
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs, sections

HOSTS = [
    ("Debian", "12.15", "bookworm"),
    ("Debian", "13.7", "trixie"),
    ("Ubuntu", "22.04", "jammy"),
    ("Ubuntu", "24.04", "noble"),
    ("Ubuntu", "26.04", "resolute"),
    *((name, f"{release}.1", "") for name in platforms.ENTERPRISE for release in (8, 9, 10)),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Return every section's inputs, made of the defaults for a host that has a registry."""
    variables = {
        "inventory_hostname": "a",
        "groups": {group: ["a"] for group in inputs.GROUPS},
        "hostvars": {"a": {}},
        "slipway_cache_dir": str(tmp_path_factory.mktemp("cache")),
    }
    action = SimpleNamespace(_templar=Templar(loader=DataLoader()))
    found, _site, problems = sections.read(action, variables, {}, None)
    by_name = [name for name, section in inputs.SECTIONS.items() if section.by_name]
    assert problems == [] and sorted([*found, *by_name]) == sorted(inputs.SECTIONS)
    return {**found, **sections.read(action, variables, {}, by_name)[0]}


@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
@pytest.mark.parametrize("host", HOSTS, ids=" ".join)
@pytest.mark.parametrize("section", inputs.SECTIONS)
def test_every_platform_has_a_wanted_state(prepared, section, host, architecture):
    platform = platforms.describe(*host, architecture)
    want = load(section).want(prepared[section], platform)
    # It is a module's answer.
    assert json.loads(json.dumps(want)) and want["state"] == "present"
    text = json.dumps(want)
    short = platforms.GO_ARCHITECTURES[architecture]
    enterprise = platform.like == "el"
    named = {
        "docker_ce": [f'"manager": "{"dnf" if enterprise else "apt"}"', "docker-ce.repo" if enterprise else host[2]],
        "golang": [f".linux-{short}.tar.gz"],
        "singularity": [f"-{architecture}-", "shadow-utils" if enterprise else "uidmap"],
        "registry_client": ["update-ca-trust" if enterprise else "update-ca-certificates"],
    }
    assert [one for one in named.get(section, []) if one not in text] == []
