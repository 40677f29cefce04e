"""Inputs of docker_ce that a specification cannot check, and signing keys."""

import base64

import pytest
from ansible_collections.slipway.node.plugins.plugin_utils.docker_ce.inputs import (
    KEYS,
    KeyProblem,
    armor,
    prepare,
    read_key,
)
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader

DOCKER = {
    "apt": "9DC858229FC7DD38854AE2D88D81803C0EBFCD88",
    "dnf": "060A61C51B558A7F742B77AAC52FEB6B621E9F35",
}


def prepared(**change):
    options = reader.specification("docker_ce")
    given = {f"docker_ce_{name}": value for name, value in change.items()}
    inputs, problems = reader.read(options, reader.defaults("docker_ce"), given, lambda value: value, "docker_ce_")
    assert not problems
    return prepare(inputs, reader.Site(settings={"region": "cn"}))


def test_the_defaults_are_good():
    inputs, problems = prepared()
    assert problems == [] and inputs["mirrors"][0] == "https://mirrors.aliyun.com/docker-ce" and inputs["hold"] is False
    assert {manager: key["fingerprint"] for manager, key in inputs["keys"].items()} == DOCKER
    assert prepared(version="28.3")[0]["hold"] is True and prepared(version="28.3", hold=False)[0]["hold"] is False


@pytest.mark.parametrize("version", ["28", "28.3.3", "5:28.3.3-1~debian.12~bookworm", "28.3.3-1.el9"])
def test_versions(version):
    assert prepared(version=version)[1] == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": "latest"}, "docker_ce_version is latest; give the first numbers of a version"),
        ({"version": "28.3", "source": "distribution"}, "the distribution decides; leave it empty"),
        (
            {"package_versions": {"docker-buildx-plugin": 0.30}},
            "docker_ce_package_versions has a number for docker-buildx-plugin, 0.3, which may have lost digits; write",
        ),
        ({"packages": []}, "docker_ce_packages is an empty list"),
        ({"mirrors": []}, "docker_ce_mirrors is an empty list; give roots of mirrors"),
        ({"mirrors": ["http://upstream/docker-ce/linux/debian"]}, "without the part that begins at /linux"),
        ({"mirrors": ["ftp://upstream/docker-ce"]}, "as http:// or https:// URLs"),
        (
            {"mirrors": ["http://user:secret@mirror/docker-ce"]},
            "is http://***@mirror/docker-ce; give URLs without a user",
        ),
        ({"proxy": "http://user:secret@proxy:3128"}, "docker_ce_proxy is http://***@proxy:3128; give a URL such as"),
        ({"proxy": "proxy:3128"}, "docker_ce_proxy is proxy:3128; give a URL such as http://proxy.example.org:3128"),
        ({"key_file": "/missing/key.asc"}, "the controller cannot read (no such file or directory); give the path"),
        (
            {"key_file": "/etc/passwd"},
            "is /etc/passwd, which is no OpenPGP public key; give one as `gpg --armor --export",
        ),
    ],
)
def test_inputs_that_cannot_be_are_refused(change, problem):
    (found,) = prepared(**change)[1]
    assert problem in found and "secret" not in found


def test_removal_does_without_the_key_file():
    assert prepared(state="absent", key_file="/missing/key.asc")[1] == []


@pytest.mark.parametrize("manager", KEYS)
def test_a_binary_key_is_turned_into_text(manager):
    text = prepared()[0]["keys"][manager]["text"]
    body, check = text.split("\n\n", 1)[1].rsplit("\n=", 1)
    packets = base64.b64decode(body)
    assert read_key(packets)["fingerprint"] == DOCKER[manager]
    assert armor(packets).rsplit("\n=", 1)[1] == check
    assert read_key(armor(packets).replace("\n", "\r\n").encode())["text"] == armor(packets)


def test_a_key_of_a_mirror_is_for_both_package_managers(tmp_path):
    key = tmp_path / "mirror.asc"
    key.write_text(reader.Site().role_file("docker_ce", KEYS["dnf"]))
    inputs, problems = prepared(key_file=str(key))
    assert problems == [] and {one["fingerprint"] for one in inputs["keys"].values()} == {DOCKER["dnf"]}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ==\n", "holds a private key; give the public one"),
        (
            b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nlQ==\n-----END PGP PUBLIC KEY BLOCK-----\n",
            "is no OpenPGP public key",
        ),
        (b"<html>not found</html>", "is no OpenPGP public key"),
        (b"", "is no OpenPGP public key"),
    ],
)
def test_what_is_no_public_key_is_refused(data, problem):
    with pytest.raises(KeyProblem, match=problem):
        read_key(data)
