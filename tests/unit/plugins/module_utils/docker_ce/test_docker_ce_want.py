"""What is wanted on a platform."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import platforms

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import ROCKY, made


def test_the_wanted_state_by_platform():
    assert made()["path"] == "linux/debian" and made()["release"] == "bookworm" and made()["architecture"] == "amd64"
    assert made(ROCKY)["path"] == "linux/centos" and made(ROCKY)["release"] == "9"
    red_hat = platforms.describe("Redhat", "8.10", "Ootpa", "aarch64")
    assert made(red_hat)["path"] == "linux/rhel" and made(red_hat)["architecture"] == "aarch64"
    mint = platforms.describe("Linuxmint", "22", "wilma", "x86_64", "ubuntu 24.04")
    assert made(mint)["path"] == "linux/ubuntu" and made(mint)["release"] == "noble"
    assert made(source="distribution")["packages"] == ["docker.io"]
    assert made(mint, source="distribution")["packages"] == ["docker.io", "docker-buildx", "docker-compose-v2"]
    assert made(version="28.3")["hold"] is True and made()["hold"] is False


def test_a_platform_without_an_engine_of_its_own_is_refused():
    with pytest.raises(platforms.InputProblem, match="Rocky has no Docker engine of its own"):
        made(ROCKY, source="distribution")
    # Removal takes what is there, whatever was to be installed.
    assert "docker-ce" in made(ROCKY, source="distribution", state="absent")["engine_packages"]
