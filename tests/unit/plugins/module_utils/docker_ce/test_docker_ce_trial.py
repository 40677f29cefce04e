"""A downloaded engine judges the configuration: what it says, and where it says nothing."""

import os
import subprocess
from types import SimpleNamespace

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


@pytest.fixture
def downloaded(tmp_path, monkeypatch):
    """Have an engine of a script in packages of ``docker-ce`` and ``containerd.io``; its proxy is elsewhere."""

    def make(says="", status=0, proxy="usr/bin"):
        engine = (
            '[ "$1 $2 $3" = "--validate --config-file /etc/docker/daemon.json" ] || exit 9\ncommand -v docker-proxy >&2'
            f"\ncat <<'E'\n{says}E\nexit {status}"
        )
        programs = {"docker-ce": {"usr/bin/dockerd": engine, f"{proxy}/docker-proxy": ""}}
        for name, files in {**programs, "containerd.io": {"usr/bin/containerd": ""}}.items():
            tree = tmp_path / name
            (tree / "DEBIAN").mkdir(parents=True)
            (tree / "DEBIAN/control").write_text(
                f"Package: {name}\nVersion: 28\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n"
            )
            for path, text in files.items():
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                (tree / path).write_text(f"#!/bin/sh\n{text}\n")
                (tree / path).chmod(0o755)
            archive = str(tmp_path / f"{name}.deb")
            subprocess.run(["dpkg-deb", "--build", str(tree), archive], check=True, capture_output=True)
        monkeypatch.setattr(trial, "pattern", lambda _manager, name: str(tmp_path / f"{name}.deb"))
        monkeypatch.setattr(trial, "PLACES", (str(tmp_path),))
        run = Run(Host(), DEBIAN)
        run.want = {"manager": "apt"}
        return run

    return make


SPECS = ["docker-ce", "containerd.io", "nowhere"]


@pytest.mark.parametrize(
    ("says", "status", "refused"),
    [(REFUSED, 1, True), (REFUSED, 0, False), ("unknown flag: --validate\nSee 'dockerd --help'.\n", 125, False)],
)
@pytest.mark.parametrize("proxy", ["usr/bin", "usr/libexec/docker"])
def test_an_engine_that_replaces_none_judges_the_file_and_finds_its_proxy(downloaded, says, status, refused, proxy):
    run = downloaded(says, status, proxy)
    if refused:
        with pytest.raises(Failed, match=r"refused by the new engine: .* option: graph. Nothing was replaced"):
            trial.try_engine(run, SPECS, False)
    else:
        assert trial.try_engine(run, SPECS, False) is None
    assert run.notes == []


def test_an_engine_that_replaces_one_is_rehearsed_with_all_its_programs(downloaded, monkeypatch):
    seen = []
    monkeypatch.setattr(trial, "write_ahead", lambda _run, folder: seen.extend(sorted(os.listdir(folder))))
    trial.try_engine(downloaded(), SPECS, True)
    assert seen == ["containerd", "docker-proxy", "dockerd"]


def test_what_is_no_package_is_not_tried(downloaded, tmp_path):
    run = downloaded()
    assert trial.try_engine(run, ["nowhere"], True) is None
    (tmp_path / "docker-ce.deb").write_text("nothing")
    assert trial.try_engine(run, ["docker-ce"], True) is None


def test_where_no_program_may_run_it_is_told(downloaded, monkeypatch):
    run = downloaded()
    monkeypatch.setattr(trial, "may_execute", lambda _path: False)
    assert trial.try_engine(run, SPECS, True) is None and "mounted noexec" in run.notes[0]
    monkeypatch.undo()
    monkeypatch.setattr(trial.os, "statvfs", lambda _path: SimpleNamespace(f_flag=os.ST_NOEXEC | os.ST_NOSUID))
    assert trial.may_execute("/no/such") is False
