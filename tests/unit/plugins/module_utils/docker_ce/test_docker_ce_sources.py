"""Package sources of Docker's repository, found by what they hold."""

import base64

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.sources import is_bare, is_key, without_docker

MIRRORS = ["https://mirror.example.org/pub"]
LIST = "/etc/apt/sources.list.d/some.list"


@pytest.mark.parametrize(
    ("line", "off"),
    [
        ("deb [arch=amd64] https://download.docker.com/linux/ubuntu noble stable", True),
        ("deb-src https://mirrors.aliyun.com/docker-ce/linux/debian bookworm stable", True),
        (
            "deb [arch=amd64 signed-by=/etc/apt/docker.gpg] https://mirrors.aliyun.com/docker-ce/linux/debian x stable",
            True,
        ),
        ("deb https://mirror.example.org/pub/linux/debian bookworm stable", True),
        ("deb https://apt.dockerproject.org/repo debian-jessie main", True),
        ("# deb https://download.docker.com/linux/ubuntu noble stable", False),
        ("deb http://mirror.example.org/debian bookworm main", False),
        # Only the name of its key is Docker's.
        ("deb [signed-by=/usr/share/keyrings/docker-ce.gpg] https://packages.example.org/linux/debian x main", False),
    ],
)
def test_lines(line, off):
    text = f"deb http://mirror.example.org/debian bookworm main\n{line}\n"
    assert without_docker(LIST, text, MIRRORS) == (text.replace(line, f"# {line}") if off else None)


EXTREPO = """\
# written by extrepo
Types: deb
URIs: https://download.docker.com/linux/debian
Suites: bookworm
Signed-By: /var/lib/extrepo/keys/docker-ce.asc
"""
OTHER = "Types: deb\nURIs: http://mirror.example.org/debian\nSuites: bookworm\nComponents: main\n"


def test_stanzas():
    path = "/etc/apt/sources.list.d/extrepo_docker-ce.sources"
    text = without_docker(path, f"{OTHER}\n{EXTREPO}", MIRRORS)
    assert text.startswith(OTHER)
    assert all(line.startswith("#") for line in text[len(OTHER) :].splitlines() if line)
    assert without_docker(path, text, MIRRORS) is None
    assert without_docker(path, OTHER, MIRRORS) is None
    assert without_docker(path, f"{EXTREPO}Enabled: no\n", MIRRORS) is None
    several = EXTREPO.replace("URIs: ", "URIs: http://elsewhere.example.org/x\n ")
    assert without_docker(path, several, MIRRORS).count("# ") == 6


def test_sections():
    path = "/etc/yum.repos.d/site.repo"
    docker = (
        "[docker]\nname=x\nenabled=1\nbaseurl=https://mirrors.aliyun.com/docker-ce/linux/centos/9/$basearch/stable\n"
    )
    other = "[base]\nname=base\nbaseurl=http://mirror.example.org/el9\n"
    off = without_docker(path, docker + other, MIRRORS)
    assert off == docker.replace("enabled=1\n", "").replace("]\n", "]\nenabled=0\n") + other
    assert without_docker(path, off, MIRRORS) is None
    assert without_docker(path, other, MIRRORS) is None
    # As editors of other systems leave it.
    odd = docker.replace("[docker]", "[docker] ").replace("\n", "\r\n")
    off = without_docker(path, odd, MIRRORS)
    assert off.startswith("[docker] \r\nenabled=0\n") and without_docker(path, off, MIRRORS) is None
    assert is_bare(path, off) and is_bare(path, odd.replace("enabled=1", "enabled = no"))


@pytest.mark.parametrize(
    ("path", "text", "bare"),
    [
        ("/etc/apt/sources.list.d/a.list", "# deb http://a\n\n", True),
        ("/etc/apt/sources.list.d/a.list", "# deb http://a\ndeb http://b c\n", False),
        ("/etc/apt/sources.list", "# deb http://a\n", False),
        ("/etc/yum.repos.d/a.repo", "[docker]\nenabled=0\nbaseurl=x\n", True),
        ("/etc/yum.repos.d/a.repo", "[docker]\nenabled=0\n[other]\nbaseurl=x\n", False),
    ],
)
def test_a_file_in_which_nothing_is_in_force_is_told(path, text, bare):
    assert is_bare(path, text) is bare


ARMOUR = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: {}\n\n{}\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_a_key_is_known_by_its_content():
    packets = bytes(range(60)) * 2
    text = base64.encodebytes(packets).decode().strip()
    key = ARMOUR.format("x", text)
    assert is_key(packets, key) and is_key(ARMOUR.format("y", text).encode(), key)
    assert is_key(key.replace("Comment: x\n", "").encode(), key)
    assert not is_key(packets[:-1], key) and not is_key(b"", key) and not is_key(None, key)
    assert not is_key(b"", "")
