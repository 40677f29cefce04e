"""A downloaded engine judges the configuration: what it says, and where it says nothing."""

import pytest
from ansible_collections.slipway.node.plugins.modules.docker_ce_trial import judge, pattern, words

REFUSED = (
    "unable to configure the Docker daemon with file /etc/docker/daemon.json: the following directives don't match any "
    "configuration option: graph\n"
)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (REFUSED, "the following directives don't match any configuration option: graph"),
        ("unknown flag: --validate\nSee 'dockerd --help'.\n", ""),
        ("configuration OK\n", ""),
    ],
)
def test_reads_what_the_engine_says(output, reason):
    assert words(output) == reason


@pytest.mark.parametrize(
    ("manager", "package", "place"),
    [
        (
            "apt",
            "docker-ce=5:26.1.5-1~debian.12~bookworm",
            "/var/cache/apt/archives/docker-ce_5%3a26.1.5-1~debian.12~bookworm_*.deb",
        ),
        ("apt", "docker.io", "/var/cache/apt/archives/docker.io_*_*.deb"),
        ("dnf", "docker-ce-3:26.1.5-1.el9", "/var/cache/dnf/*/packages/docker-ce-26.1.5-1.el9.*.rpm"),
    ],
)
def test_knows_where_a_package_is(manager, package, place):
    assert pattern(manager, package) == place


@pytest.mark.parametrize(("status", "reasons"), [(1, 1), (0, 0)])
def test_asks_the_engine(tmp_path, status, reasons):
    engine = tmp_path / "dockerd"
    engine.write_text(f"#!/bin/sh\n[ \"$1\" = --validate ] || exit 9\ncat <<'E'\n{REFUSED}E\nexit {status}\n")
    engine.chmod(0o755)
    assert len(judge(str(engine), "/etc/docker/daemon.json")) == reasons
