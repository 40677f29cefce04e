"""Docker 29: what is compiled, when, and how it is handed to what repackages engines."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.upstream import docker_29, docker_ce
from lab.upstream.archive import Original


def test_what_a_program_says_of_itself_is_what_its_package_says() -> None:
    stamps = {
        part.package: [one for one in part.build(Path("s"), Path("o")) if "-X" in one] for part in docker_29.PARTS
    }
    assert stamps["docker.io"] == ["-ldflags=-s -w -X github.com/moby/moby/v2/dockerversion.Version=29.8.1"]
    assert stamps["docker-cli"] == ["-ldflags=-s -w -X github.com/docker/cli/cli/version.Version=29.8.1"]
    assert stamps["runc"] == [] and docker_29.RUNC.tag == f"v{docker_29.RUNC.version}"
    assert {docker_29.originals(Path("x"))[name].upstream_version for name in ("docker.io", "docker-cli")} == {"29.8.1"}


def test_compiled_once_and_again_for_other_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def step(title: str, log: str, *commands: Sequence[str], about: str) -> None:
        """Stand in for Go and the container: every program and licence is there afterwards."""
        folder = next(word for word in commands[0] if word.startswith("GOMODCACHE=")).partition("=")[2]
        for part in docker_29.PARTS:
            part.source(Path(folder)).mkdir(parents=True, exist_ok=True)
            for name in ("LICENSE", "vendor.mod", "vendor.sum"):
                (part.source(Path(folder)) / name).touch()
            for program in part.programs:
                (Path(folder).parent / "out" / Path(program).name).touch()
        compiled.append(title)

    monkeypatch.setattr(docker_29, "CACHE", tmp_path)
    monkeypatch.setattr("lab.run.CACHE", tmp_path)
    monkeypatch.setattr(docker_29, "step", step)
    monkeypatch.setattr(docker_29, "unpack_go", lambda wheels, target: target)
    monkeypatch.setattr(docker_29.golang, "fetch", lambda wheels: None)
    first = docker_29.ensure(str)
    assert docker_29.ensure(str) == first and len(compiled) == 2
    assert (first / "containerd/usr/bin/ctr").exists() and (first / "runc/usr/share/doc/runc/copyright").exists()
    monkeypatch.setattr(docker_29, "TAGS", "other")
    assert docker_29.ensure(str) != first and len(compiled) == 4


def test_it_is_packed_like_an_unpacked_package(tmp_path: Path) -> None:
    originals = {("compiled", name): one for name, one in docker_29.originals(tmp_path / "29").items()}
    old = {("bookworm", name): Original(tmp_path / name, "1.1.5", ("libc6",)) for name in ("runc", "tini")}
    files = {
        one.root / path
        for part in docker_29.PARTS
        for one in [originals["compiled", part.package]]
        for path in part.programs
    }
    files |= {old["bookworm", "tini"].root / "usr/bin/tini-static"}
    files |= {one.root / f"usr/share/doc/{one.root.name}/copyright" for one in [*originals.values(), *old.values()]}
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(file))
    trees = tmp_path / "trees"
    engine = docker_ce.engine(trees, "compiled", "1.7.27", originals | old)
    client = docker_ce.client(trees, "compiled", originals | old)
    runtime = docker_ce.runtime(trees, "compiled", originals | old)
    assert (engine.deb_version, client.rpm_version) == ("5:29.8.1-1~{suite}", "1:29.8.1-1.el9")
    assert (client.root / "usr/bin/docker").exists() and not client.deb["Depends"]
    assert (runtime.root / "usr/bin/runc").read_text() == str(tmp_path / "29/runc/usr/sbin/runc")
