"""Names, digests and texts of lab/nodes.py."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from lab import nodes
from lab.run import LabError


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], {name: name for name in nodes.PLATFORMS}),
        (["debian12", "second=debian12"], {"debian12": "debian12", "second": "debian12"}),
        (["upstream"], {}),
    ],
)
def test_parse(words: list[str], wanted: dict[str, str]) -> None:
    assert nodes.parse(words) == wanted


@pytest.mark.parametrize("word", ["centos7", "x=", "=debian12", "a b=debian12", "Upper=debian12", "dns=debian12"])
def test_parse_refuses(word: str) -> None:
    with pytest.raises(LabError):
        nodes.parse([word])


def test_parse_names_the_choices() -> None:
    with pytest.raises(LabError, match="no platform 'centos7': choose from debian12, debian13, ubuntu2404, rocky9"):
        nodes.parse(["centos7"])


def test_ssh_config_has_a_stanza_a_node() -> None:
    text = nodes.ssh_config({"b": 2, "a": 1}, Path("/a folder/key"))
    assert text.startswith('Host a\n  HostName 127.0.0.1\n  Port 1\n  User admin\n  IdentityFile "/a folder/key"\n')
    assert "\n\nHost b\n  HostName 127.0.0.1\n  Port 2\n" in text


def test_digest_tells_options_from_command() -> None:
    one = nodes.Container("n", "p", "i", ("a",), ("b",))
    assert one.digest == nodes.Container("n", "p", "i", ("a",), ("b",)).digest
    assert one.digest != nodes.Container("n", "p", "i", ("a", "b"), ()).digest


def test_table_is_aligned() -> None:
    assert nodes.table([("node", "port"), ("a", "1"), ("longer", "")]) == "node    port\na       1\nlonger"


@pytest.mark.parametrize(
    ("config", "hosts", "registries"),
    [
        (nodes.ssh_config({"rocky9": 1, "debian13": 2}, Path("/key")), ["debian13", "rocky9"], ["debian13"]),
        (nodes.ssh_config({"second": 1}, Path("/key")), ["second"], []),
        ("", list(nodes.PLATFORMS), ["debian13"]),
    ],
)
def test_inventory_has_the_nodes_that_are_up(config: str, hosts: list[str], registries: list[str]) -> None:
    groups = nodes.inventory(config)
    assert groups["container_hosts"] == {"hosts": hosts}
    assert groups["registry_hosts"] == {"hosts": registries}


def test_the_inventory_of_a_lab_that_is_not_up_is_what_ansible_asks_a_script_for() -> None:
    script = Path(__file__).parents[3] / "inventories" / "lab" / "hosts.py"
    environment = {**os.environ, "SLIPWAY_LAB": "no_such"}
    done = subprocess.run([script, "--list"], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == nodes.inventory("")
