"""Every platform of the design, as its own words describe it."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import describe, manager, unsupported

HOSTS = {
    "debian 12": ("Debian", "12.15", "bookworm"),
    "debian 13": ("Debian", "13.7", "trixie"),
    "ubuntu 22.04": ("Ubuntu", "22.04", "jammy"),
    "ubuntu 24.04": ("Ubuntu", "24.04", "noble"),
    "ubuntu 26.04": ("Ubuntu", "26.04", "resolute"),
    "el 8": ("Redhat", "8.10", "Ootpa"),
    "el 9": ("Rocky", "9.6", "Blue Onyx"),
    "el 10": ("Almalinux", "10.1", "Purple Lion"),
}


@pytest.mark.parametrize("name", HOSTS)
def test_a_host_is_known_by_its_own_words(name):
    platform = describe(*HOSTS[name], "x86_64")
    assert f"{platform.like} {platform.release}" == name
    assert platform.codename == ("" if name.startswith("el") else HOSTS[name][2])
    assert manager(platform) == ("dnf" if name.startswith("el") else "apt")
    assert unsupported(platform, "docker_ce") == []


def test_centos_stream_is_enterprise_linux():
    assert describe("Centos", "9", "", "aarch64").like == "el"


@pytest.mark.parametrize(
    "words", [("Linuxmint", "22", "wilma"), ("Openeuler", "24.03", ""), ("Debian", "11.9", "bullseye")]
)
def test_a_platform_that_is_not_known_says_how_to_name_it(words):
    (problem,) = unsupported(describe(*words, "x86_64"), "docker_ce")
    assert problem.startswith(f"{words[0]} {words[1]} is not a platform of docker_ce") and "slipway_platform" in problem


def test_a_derivative_is_told_what_it_is_like():
    platform = describe("Linuxmint", "22", "wilma", "x86_64", "ubuntu 24.04")
    assert (platform.like, platform.release, platform.codename) == ("ubuntu", "24.04", "noble")
    assert unsupported(platform, "docker_ce", ["x86_64"]) == []


def test_an_architecture_that_a_role_lacks_is_named():
    (problem,) = unsupported(describe("Debian", "12", "bookworm", "mips64"), "golang", ["x86_64", "aarch64"])
    assert problem.startswith("golang has nothing for the architecture mips64; there are: x86_64, aarch64.")
