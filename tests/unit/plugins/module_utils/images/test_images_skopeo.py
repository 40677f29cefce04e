"""Skopeo's settings and commands."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.images.skopeo import (
    copy_command,
    plain_http_registries,
    registries,
)
from images_examples import want


@pytest.mark.parametrize(
    ("version", "keep", "promised"),
    [
        ("skopeo version 1.4.1", True, False),
        ("skopeo version 1.5.0", True, True),
        ("skopeo version 1.18.0 commit: 3.2", True, True),
        ("skopeo version 2.0.0-dev", True, True),
        ("skopeo version 1.18.0", False, False),
        # One that does not say is taken for an old one.
        ("", True, False),
    ],
)
def test_digests_are_kept_by_a_skopeo_that_can(version, keep, promised):
    command = copy_command(want(), version, keep)
    assert ("--preserve-digests" in command) == promised
    assert [word for word in command if word != "--preserve-digests"] == [
        "skopeo",
        "copy",
        "--all",
        "--quiet",
        "--retry-times",
        "2",
    ]


def test_registries_for_skopeo():
    text = registries({"docker.io": ["http://upstream:5000", "https://m.org/"]}, ["h:5020"])
    assert text.splitlines()[1:] == [
        "[[registry]]",
        'location = "docker.io"',
        "insecure = false",
        "[[registry.mirror]]",
        'location = "upstream:5000"',
        "insecure = true",
        "[[registry.mirror]]",
        'location = "m.org"',
        "insecure = false",
        "",
        "[[registry]]",
        'location = "h:5020"',
        "insecure = true",
    ]
    assert "[[" not in registries({"docker.io": []}, [])
    # A bare name is no image of Docker Hub.
    assert 'location = "h"\ninsecure = true' in registries({"index.docker.io": ["https://h"]}, ["h"])
    assert 'location = "docker.io"\ninsecure = false' in registries({"index.docker.io": ["https://h"]}, ["h"])


@pytest.mark.parametrize(
    ("insecure", "plain"),
    [
        # A network counts by the address, as it is written or as the name resolves: a registry's or a mirror's.
        (["10.0.0.0/8"], ["10.1.2.3:5000"]),
        (["fd00::/8"], ["[fd00::1]:5000"]),
        (["127.0.0.0/8", "::1/128"], ["localhost:5000"]),
        (["10.1.2.3/8", "h:5020"], ["10.1.2.3:5000", "h:5020"]),
        (["11.0.0.0/8"], ["11.0.0.1"]),
        (["192.168.0.0/16"], []),
    ],
)
def test_networks_of_insecure_registries(insecure, plain):
    used = ["10.1.2.3:5000", "[fd00::1]:5000", "localhost:5000", "none.invalid:5000", "docker.io"]
    assert plain_http_registries(insecure, [*used, "11.0.0.1"]) == plain
