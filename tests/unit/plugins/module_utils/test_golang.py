"""Toolchains: what the probe names, what it leaves alone, and how a new one comes into its place."""

import gzip
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.slipway.node.plugins.module_utils import golang
from ansible_collections.slipway.node.plugins.module_utils.host import Host

HOST = Host(lambda command, **_: (0, "", ""))


@pytest.fixture
def want(tmp_path):
    (tmp_path / "profile").mkdir()
    return {
        "state": "present",
        "version": "1.26.7",
        "root": str(tmp_path),
        "link": f"{tmp_path}/go",
        "method": "archive",
        "checksum": "",
        "bootstrap": "1.24.6",
        "environment": {"GOPROXY": "", "GOSUMDB": ""},
        "profile": True,
        "profile_files": [f"{tmp_path}/profile/go.sh"],
        "keep_versions": ["*"],
    }


def toolchain(root: Path, version: str, **about) -> Path:
    """Make a tree that looks like Go's, with its manifest."""
    tree = root / f"go-{version}"
    (tree / "bin").mkdir(parents=True)
    for name in ("go", "gofmt"):
        (tree / "bin" / name).write_text(name)
        (tree / "bin" / name).chmod(0o755)
    (tree / "VERSION").write_text(f"go{version}\ntime 2026-01-01T00:00:00Z\n")
    (tree / "go.env").write_text("# of Go\nGOPROXY=https://shipped.example.org,direct\nGOTOOLCHAIN=auto\n")
    about = {"version": version, "method": "archive", "checksum": "", "url": "", **about}
    (tree / golang.MANIFEST).write_text(json.dumps(golang.manifest(str(tree), about)))
    return tree


@pytest.fixture
def installed(want):
    """A host that is as wanted."""
    tree = toolchain(Path(want["root"]), want["version"])
    os.symlink(tree, want["link"])
    for path, content in golang.profile_files(want, HOST).items():
        Path(path).write_text(content)
    assert lines(want) == []
    return tree


def lines(want):
    drift = golang.compare(want, golang.observe(HOST, want))
    assert all(entry["role"] == "golang" for entry in drift)
    return [
        f"{entry['phase']}: {entry['item'].replace(want['root'], '')} {entry['is'].replace(want['root'], '')},"
        f" {entry['want'].replace(want['root'], '')} wanted"
        for entry in drift
    ]


def test_a_bare_host(want):
    assert lines(want) == [
        "install_toolchain: /go-1.26.7 missing, Go 1.26.7 wanted",
        "switch_link: /go missing, a link to /go-1.26.7 wanted",
        "write_profile: /profile/go.sh missing, Slipway's content wanted",
    ]


def test_a_toolchain_alone(want):
    want.update(link="", profile=False)
    assert lines(want) == ["install_toolchain: /go-1.26.7 missing, Go 1.26.7 wanted"]
    toolchain(Path(want["root"]), want["version"])
    assert lines(want) == []


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda tree: (tree / "bin/go").unlink(), "bin/go missing"),
        (lambda tree: (tree / "bin/go").write_text("longer"), "bin/go of 6 bytes instead of 2"),
        (lambda tree: (tree / "bin/go").chmod(0o644), "bin/go of mode 0644 instead of 0755"),
        (lambda tree: os.utime(tree / "bin/go", (1, 1)), "bin/go written to"),
        (lambda tree: shutil.rmtree(tree / "bin"), "bin/go missing and 1 more"),
        (lambda tree: (tree / golang.MANIFEST).write_text("{"), "a readable .slipway.json missing"),
    ],
)
def test_damage_is_named(want, installed, spoil, named):
    spoil(installed)
    assert lines(want)[0] == f"install_toolchain: /go-1.26.7 {named}, Go 1.26.7 wanted"


def test_another_method_or_file_is_another_toolchain(want, installed):
    want["method"] = "source"
    assert lines(want) == ["install_toolchain: /go-1.26.7 from archive, Go 1.26.7 wanted"]
    want.update(method="archive", checksum="ab")
    assert lines(want) == ["install_toolchain: /go-1.26.7 from a file of sha256 , Go 1.26.7 wanted"]


def test_environment_by_key(want, installed):
    want["environment"] = {"GOPROXY": "direct", "GOSUMDB": "off"}
    assert lines(want) == [
        "configure_environment: GOPROXY in /go-1.26.7/go.env https://shipped.example.org,direct, direct wanted",
        "configure_environment: GOSUMDB in /go-1.26.7/go.env not set, off wanted",
    ]
    (installed / "go.env").write_text("GOPROXY=direct\nGOSUMDB = off\nGOTOOLCHAIN=local\n")
    assert lines(want) == []
    want["environment"] = {"GOPROXY": "", "GOSUMDB": ""}
    # What Go ships is known; for GOSUMDB it ships nothing.
    assert lines(want) == [
        "configure_environment: GOPROXY in /go-1.26.7/go.env direct, https://shipped.example.org,direct wanted"
    ]


def test_links(want, installed):
    link = Path(want["link"])
    older = toolchain(Path(want["root"]), "1.25.5")
    for target, managed in ((older, True), ("/nowhere", True), ("/usr", False)):
        link.unlink()
        link.symlink_to(target)
        shown = str(target).replace(want["root"], "")
        assert lines(want) == [f"switch_link: /go link to {shown}, a link to /go-1.26.7 wanted"]
        observed = golang.observe(HOST, want)
        assert (list(observed["in_the_way"]) == []) is managed
    link.unlink()
    link.symlink_to("go-1.26.7")
    assert lines(want) == []


def test_what_is_not_slipway_s_is_in_the_way(want):
    for name in ("go", "go-1.26.7", "go.before-slipway"):
        (Path(want["root"]) / name).mkdir()
    root = want["root"]
    assert golang.observe(HOST, want)["in_the_way"] == {
        f"{root}/go-1.26.7": f"{root}/go-1.26.7.before-slipway",
        f"{root}/go": f"{root}/go.before-slipway-2",
    }
    assert lines(want)[:2] == [
        "install_toolchain: /go-1.26.7 not Slipway's, Go 1.26.7 wanted",
        "switch_link: /go not Slipway's, a link to /go-1.26.7 wanted",
    ]
    want["state"] = "absent"
    assert lines(want) == []


@pytest.mark.parametrize(
    ("keep", "gone"), [(["*"], []), ([], ["1.24.1", "1.25.5"]), (["1.25.*"], ["1.24.1"]), (["1.24.1", "1.25.5"], [])]
)
def test_surplus_versions(want, installed, keep, gone):
    toolchain(Path(want["root"]), "1.25.5")
    toolchain(Path(want["root"]), "1.24.1")
    (Path(want["root"]) / "go-1.23.0/bin").mkdir(parents=True)
    want["keep_versions"] = keep
    assert lines(want) == [f"remove_versions: /go-{version} present, absence wanted" for version in gone]


def test_profile(want, installed):
    path = Path(want["profile_files"][0])
    path.write_text(path.read_text() + "export GOPATH=/srv\n")
    assert lines(want) == ["write_profile: /profile/go.sh edited, Slipway's content wanted"]
    want["profile"] = False
    assert lines(want) == ["write_profile: /profile/go.sh present, absence wanted"]
    path.write_text("of somebody else\n")
    assert lines(want) == []


def test_a_run_for_another_place_leaves_the_profile(want, installed):
    for more in ({"link": ""}, {"link": "/opt/go"}, {"root": "/opt", "link": ""}):
        other = {**want, **more, "profile": False}
        assert "profile" not in " ".join(lines(other))
        assert "profile" not in " ".join(lines({**other, "state": "absent"}))


def test_the_profile_puts_go_first_once(want, installed):
    script = f". {want['profile_files'][0]}; . {want['profile_files'][0]}; echo $PATH"
    out = subprocess.run(
        ["sh", "-ec", script], check=True, capture_output=True, text=True, env={"PATH": "/bin:/usr/bin"}
    )
    assert out.stdout == f"{want['link']}/bin:/bin:/usr/bin\n"


def test_absent_names_all_that_is_slipway_s(want, installed):
    toolchain(Path(want["root"]), "1.25.5")
    want["state"] = "absent"
    assert lines(want) == [
        "remove_toolchains: /go link to /go-1.26.7, absence wanted",
        "remove_toolchains: /profile/go.sh present, absence wanted",
        "remove_toolchains: /go-1.25.5 present, absence wanted",
        "remove_toolchains: /go-1.26.7 present, absence wanted",
    ]


def test_bootstrap_is_the_newest_that_can(want, tmp_path, monkeypatch):
    monkeypatch.setattr(golang, "_BOOTSTRAPS", ())
    want["method"] = "source"
    toolchain(tmp_path, "1.24.5")
    assert golang.observe(HOST, want)["bootstrap"] == ""
    for version in ("1.24.6", "1.24.13", "1.24.9"):
        toolchain(tmp_path, version)
    assert golang.observe(HOST, want)["bootstrap"] == f"{tmp_path}/go-1.24.13"
    (tmp_path / "go-1.24.13/bin/go").unlink()
    assert golang.observe(HOST, want)["bootstrap"] == f"{tmp_path}/go-1.24.9"
    # The very one that is wanted may be damaged.
    toolchain(tmp_path, want["version"])
    assert golang.observe(HOST, want)["bootstrap"] == f"{tmp_path}/go-1.24.9"


def plant(fresh, path, aside=""):
    golang.plant(str(fresh), str(path), str(aside), lambda old: shutil.rmtree(old, ignore_errors=True))


def test_plant(tmp_path):
    fresh, path = toolchain(tmp_path / "new", "1"), tmp_path / "go-1"
    plant(fresh, path)
    assert (path / "bin/go").exists() and not fresh.exists()
    fresh = toolchain(tmp_path / "new", "1")
    (fresh / "bin/go").write_text("newer")
    plant(fresh, path)
    assert (path / "bin/go").read_text() == "newer"
    assert sorted(os.listdir(tmp_path)) == ["go-1", "new"]


def test_plant_never_deletes_what_is_another_s(tmp_path):
    fresh, path = toolchain(tmp_path / "new", "1"), tmp_path / "go-1"
    path.mkdir()
    (path / "precious").touch()
    with pytest.raises(ValueError, match=r"go-1 is not Slipway's, and is left as it is"):
        plant(fresh, path)
    plant(fresh, path, tmp_path / "aside")
    assert (tmp_path / "aside/precious").exists() and (path / "bin/go").exists()


def test_unpacked_size(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes(80000)))
    assert golang.unpacked_size(str(tmp_path / "x.gz")) == 90000


def test_read_environment():
    text = "# GOPROXY=x\n\nGOPROXY = a,b\nGOSUMDB=sum.golang.org=x\nnonsense\n"
    assert golang.read_environment(text) == {"GOPROXY": "a,b", "GOSUMDB": "sum.golang.org=x"}
