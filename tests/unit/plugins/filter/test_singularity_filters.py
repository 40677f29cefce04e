"""The command line of mconfig, the choice of Go, and what is said of files without telling their content."""

import json

import pytest
from ansible_collections.slipway.node.plugins.filter import singularity

INPUTS = {
    "flavor": "singularity-ce",
    "version": "4.5.1",
    "prefix": "/opt/singularity/4.5.1",
    "profile": "release-stripped",
    "setuid": True,
    "network": True,
    "seccomp": True,
    "libsubid": True,
    "localstatedir": "",
    "extra": [],
}
BASE = ["--prefix=/opt/singularity/4.5.1", "-P", "release-stripped"]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, []),
        ({"setuid": False}, ["--without-suid"]),
        ({"flavor": "apptainer"}, ["--with-suid"]),
        ({"flavor": "apptainer", "setuid": False}, ["--without-suid"]),
        ({"network": False, "seccomp": False}, ["--without-network", "--without-seccomp"]),
        ({"libsubid": False}, ["--without-libsubid"]),
        ({"libsubid": False, "version": "4.2.2"}, []),
        ({"libsubid": False, "version": "1.4.5", "flavor": "apptainer"}, ["--with-suid", "--without-libsubid"]),
        ({"localstatedir": "/var/lib", "extra": ["--reproducible"]}, ["--localstatedir=/var/lib", "--reproducible"]),
    ],
)
def test_mconfig_is_told_what_the_version_knows(inputs, expected):
    assert singularity.mconfig({**INPUTS, **inputs}) == BASE + expected


FOUND = ["/usr/local/go go1.22.5", "/usr/local/go-1.26.10 go1.26.10", "/usr/local/go-1.26.9 go1.26.9", "broken"]


@pytest.mark.parametrize(
    ("needed", "wanted", "expected"),
    [
        ("1.13", "", "/usr/local/go-1.26.10"),
        ("1.26.10", "", "/usr/local/go-1.26.10"),
        ("1.26.11", "", ""),
        ("1.20", "1.22.5", "/usr/local/go"),
        ("1.25.9", "1.22.5", ""),
    ],
)
def test_the_newest_toolchain_that_suffices_is_taken(needed, wanted, expected):
    assert singularity.toolchain(FOUND, needed, wanted) == expected


def test_a_link_and_its_toolchain_are_one():
    assert singularity.toolchain(["/usr/local/go-1.26.9 go1.26.9", "/usr/local/go go1.26.9"], "1.20") == "/usr/local/go"


@pytest.mark.parametrize(
    ("needed", "expected"), [("1.25.9", "1.25.14"), ("1.25.20", "1.26.7"), ("1.13", "1.25.14"), ("1.30", "")]
)
def test_the_oldest_release_that_suffices_is_installed_in_its_newest_patch(needed, expected):
    assert singularity.oldest(["1.26.7", "1.25.14", "1.25.9"], needed) == expected


def test_files_are_told_without_their_content():
    (one,) = singularity.file_sums([{"path": "/x", "mode": "0640", "content": "secret"}])
    assert set(one) == {"path", "mode", "sha256"}
    assert one["sha256"] == "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"


def test_credentials_are_in_docker_s_format():
    text = singularity.auths({"b.example.org": {"username": "u", "password": "p:w"}})
    assert json.loads(text) == {"auths": {"b.example.org": {"auth": "dTpwOnc="}}}


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
    assert singularity.config_text(CONF, wanted) == expected
    assert singularity.config_text(expected, wanted) == expected
