"""Toolchains from archives and from source: what is fetched, what is used again, what is left after a failure."""

import json
from pathlib import Path

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import download
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import describe
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run, Waiting
from ansible_collections.slipway.node.plugins.module_utils.golang import act


class World:
    """A host on which files are fetched, compiled and installed in name only; ``said`` tells in which order."""

    def __init__(self, tmp_path, monkeypatch):
        self.said, self.fault, self.begun, self.work = [], None, False, tmp_path / ".slipway-go-1.27.3"
        monkeypatch.setattr(act.os, "chown", lambda *_: None)
        monkeypatch.setattr(download, "fetch_for", self.fetch)
        monkeypatch.setattr(act, "is_begun", lambda *_: self.begun)
        monkeypatch.setattr(act, "follow", self.follow)
        monkeypatch.setattr(act, "install", self.install)
        self.run = Run(Host(), describe("Debian", "13.1", "trixie", "x86_64"))
        self.run.want = {
            "state": "present",
            "version": "1.27.3",
            "newest": "1.27.3",
            "link": "",
            "tree": str(tmp_path / "go-1.27.3"),
            "work": str(self.work),
            "install_method": "source",
            "allow_unverified": False,
            "mirror_timeout": 20,
            "file": self.file("go1.27.3.src.tar.gz"),
            "bootstrap": {**self.file("go1.24.6.linux-amd64.tar.gz"), "version": "1.24.6"},
        }
        self.run.observed = {"bootstrap": "", "toolchains": {}, "links": {}}

    def file(self, name):
        return {
            "name": name,
            "path": str(self.work / name),
            "urls": [f"http://mirror/{name}"],
            "checksum": "ab",
            "version": "1.27.3",
        }

    def fetch(self, _run, urls, dest, remedy, missing, **options):
        assert "The newest that golang knows is 1.27.3" in missing
        assert options == {"checksum": "ab", "suffix": ".sha256", "allow_unverified": False, "timeout": 20}
        assert Path(dest).parent.is_dir() and "Set golang_mirrors" in remedy
        self.said.append(f"fetch {Path(dest).name}")
        return {"url": urls[0], "checksum": "ab", "verified": True}

    def follow(self, _run, name, argv, folder, env, progress, log):
        self.said.append(f"build {argv[-1]} by {Path(env['GOROOT_BOOTSTRAP']).name}")
        self.begun = self.fault is Waiting
        Path(log).write_text("Building Go cmd/dist using /x.\nBuilding packages for linux/amd64.\n---\n")
        assert folder == str(self.work) and name.startswith("golang-") and name.endswith("-go-1.27.3")
        assert progress("Building Go toolchain2 using go_bootstrap.").endswith("compiled: Go toolchain2")
        assert progress("") == "Go 1.27.3 is being compiled: its source is unpacked"
        if self.fault:
            raise self.fault(progress(Path(log).read_text()) if self.fault is Waiting else "It failed:\nthe cause")
        (self.work / "go").mkdir(exist_ok=True)

    def install(self, _run, path, about, archive="", tree="", aside=""):
        if self.fault is OSError:
            raise OSError(28, "No space left on device")
        came = Path(archive or tree).name
        self.said.append(f"install {Path(path).name} {about['version']} of {about['url'].rpartition('/')[2]} by {came}")
        Path(path).mkdir(exist_ok=True)
        (Path(path) / ".slipway.json").write_text(json.dumps(about))

    def act(self):
        self.said.clear()
        act.install_toolchain(self.run, [])
        return self.said


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)


FETCHED = [
    "fetch go1.24.6.linux-amd64.tar.gz",
    "install bootstrap 1.24.6 of go1.24.6.linux-amd64.tar.gz by go1.24.6.linux-amd64.tar.gz",
]
BUILT = ["build go1.27.3.src.tar.gz by bootstrap", "install go-1.27.3 1.27.3 of go1.27.3.src.tar.gz by go"]


def test_go_is_compiled_by_what_is_fetched_for_it(world):
    assert world.act() == [*FETCHED, "fetch go1.27.3.src.tar.gz", *BUILT]
    assert not world.work.exists()


def test_go_is_compiled_by_what_the_host_has(world):
    world.run.observed["bootstrap"] = "/usr/lib/go-1.25"
    assert world.act()[:2] == ["fetch go1.27.3.src.tar.gz", "build go1.27.3.src.tar.gz by go-1.25"]


def test_a_build_that_goes_on_is_asked_again_and_nothing_is_fetched_again(world):
    world.fault = Waiting
    with pytest.raises(Waiting, match=r"^Go 1.27.3 is being compiled: packages for linux/amd64$"):
        world.act()
    world.fault = None
    assert world.act() == BUILT
    about = json.loads((world.work.parent / "go-1.27.3/.slipway.json").read_text())
    assert about["method"] == "source" and about["checksum"] == "ab"


def test_after_a_failure_the_folder_stays_and_what_compiles_it_unless_another_is_wanted(world):
    world.fault = Failed
    with pytest.raises(
        Failed, match=r"^Go 1.27.3 did not build, .* golang_bootstrap_version .*\nIt failed:\n  the cause$"
    ):
        world.act()
    assert (world.work / "build.log").exists()
    with pytest.raises(Failed):
        world.act()
    assert world.said == ["fetch go1.27.3.src.tar.gz", BUILT[0]]
    world.run.want["bootstrap"]["version"], world.fault = "1.24.13", None
    assert world.act()[:2] == [FETCHED[0], FETCHED[1].replace("1.24.6 of", "1.24.13 of")]


def test_an_archive_is_installed_and_no_folder_is_left(world):
    world.run.want.update(install_method="archive", file=world.file("go1.27.3.linux-amd64.tar.gz"))
    world.fault = OSError
    with pytest.raises(OSError, match="No space"):
        world.act()
    assert not world.work.exists()
    world.fault = None
    assert world.act() == [
        "fetch go1.27.3.linux-amd64.tar.gz",
        "install go-1.27.3 1.27.3 of go1.27.3.linux-amd64.tar.gz by go1.27.3.linux-amd64.tar.gz",
    ]
    assert not world.work.exists()


def test_the_environment_file_gets_what_is_wanted_and_keeps_the_rest(world):
    tree = Path(world.run.want["tree"])
    tree.mkdir()
    (tree / "go.env").write_text("GOPROXY=a\nGOFLAGS=-x\n")
    world.run.want["environment"] = {"GOPROXY": "", "GOSUMDB": "off"}
    world.run.observed["toolchains"] = {"1.27.3": {"shipped": {"GOPROXY": "b"}}}
    act.configure_environment(world.run, [])
    assert (tree / "go.env").read_text() == "GOPROXY=b\nGOFLAGS=-x\nGOSUMDB=off\n"
