"""A downloaded engine judges the configuration: what it says, and where it says nothing."""

import subprocess

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_ce import trial
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import DEBIAN

REFUSED = (
    "unable to configure the Docker daemon with file /etc/docker/daemon.json: the following directives don't match any "
    "configuration option: graph\n"
)


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
    assert trial.pattern(manager, package) == place


@pytest.mark.parametrize(
    ("says", "status", "refused"),
    [(REFUSED, 1, True), (REFUSED, 0, False), ("unknown flag: --validate\nSee 'dockerd --help'.\n", 125, False)],
)
@pytest.mark.parametrize("proxy", ["usr/bin", "usr/libexec/docker"])
def test_asks_the_engine_of_a_package_which_finds_its_proxy(tmp_path, monkeypatch, says, status, refused, proxy):
    tree = tmp_path / "tree"
    for path in ("DEBIAN", "usr/bin", proxy):
        (tree / path).mkdir(parents=True, exist_ok=True)
    (tree / "DEBIAN/control").write_text(
        "Package: docker-ce\nVersion: 28\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n"
    )
    asked = (
        '[ "$1 $2 $3" = "--validate --config-file /etc/docker/daemon.json" ] && command -v docker-proxy >&2 || exit 9'
    )
    engine = f"{asked}\ncat <<'E'\n{says}E\nexit {status}"
    for path, text in (("usr/bin/dockerd", engine), (f"{proxy}/docker-proxy", "")):
        (tree / path).write_text(f"#!/bin/sh\n{text}\n")
        (tree / path).chmod(0o755)
    subprocess.run(["dpkg-deb", "--build", str(tree), str(tmp_path / "a.deb")], check=True, capture_output=True)
    run = Run(Host(), DEBIAN)
    run.want = {"manager": "apt"}
    monkeypatch.setattr(trial, "pattern", lambda *_args: str(tmp_path / "a.deb"))
    if refused:
        with pytest.raises(
            Failed, match=r"refused by the new engine \(a.deb\): .* option: graph. Nothing was replaced"
        ):
            trial.try_engine(run, "docker-ce=28")
    else:
        trial.try_engine(run, "docker-ce=28")
    assert run.notes == []


def test_what_is_no_package_is_not_tried(tmp_path, monkeypatch):
    run = Run(Host(), DEBIAN)
    run.want = {"manager": "apt"}
    for pattern in ("a.deb", "nowhere"):
        (tmp_path / "a.deb").write_text("nothing")
        monkeypatch.setattr(trial, "pattern", lambda *_args, pattern=pattern: str(tmp_path / pattern))
        trial.try_engine(run, "docker-ce=28")
