"""Toolchains: what the probe names, what it leaves alone, and by which calls it is mended."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import sentence
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import InputProblem, describe
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Run
from ansible_collections.slipway.node.plugins.module_utils.golang import act, observe, plan
from ansible_collections.slipway.node.plugins.module_utils.golang import want as wanted
from ansible_collections.slipway.node.plugins.module_utils.golang.toolchain import (
    MANIFEST,
    manifest,
    read_environment,
    with_environment,
)

HOST = Host(lambda command, **_: (0, "", ""))
FILES = Path(__file__).parents[5] / "roles/golang/files"
DEBIAN = describe("Debian", "13.1", "trixie", "x86_64")
INPUTS = {
    "state": "present",
    "version": "1.26.7",
    "root": "/usr/local",
    "link": "/usr/local/go",
    "profile": True,
    "commands_dir": "",
    "install_method": "archive",
    "archive_checksum": "",
    "mirrors": ["http://mirror"],
    "sums": {},
    "bootstrap": {},
    "environment": {"GOPROXY": "", "GOSUMDB": "", "GOTOOLCHAIN": ""},
    "profiles": {shell: (FILES / f"profile.{shell}").read_text() for shell in ("sh", "csh")},
    "keep_versions": ["*"],
    "tree_host": "",
    "writes": True,
    "newest": "1.27.3",
    "unmanaged": "fail",
}


@pytest.fixture
def want(tmp_path, monkeypatch):
    for folder in ("profile", "bin", "etc"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(wanted, "_PROFILES", {f"{tmp_path}/profile/go.sh": "sh"})
    monkeypatch.setattr(observe.trees, "COMMAND_FOLDERS", (f"{tmp_path}/bin",))
    monkeypatch.setattr(observe, "_SETTINGS", (f"{tmp_path}/etc/*",))
    monkeypatch.setattr(observe, "_BOOTSTRAPS", ())
    return wanted.want({**INPUTS, "root": str(tmp_path), "link": f"{tmp_path}/go"}, DEBIAN)


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
    (tree / MANIFEST).write_text(json.dumps(manifest(str(tree), about)))
    return tree


@pytest.fixture
def installed(want):
    """A host that is as wanted."""
    tree = toolchain(Path(want["root"]), want["version"])
    os.symlink(tree, want["link"])
    for path, template in want["profile_files"].items():
        Path(path).write_text(template.replace("@BIN@", f"{want['link']}/bin"))
    assert lines(want) == []
    return tree


def planned(want):
    return plan.plan(want, observe.observe(HOST, want))


def lines(want):
    """Return the plan as text, with its phases, and the root as nothing."""
    return [
        f"{phase}: {sentence(one)}".replace(want["root"], "") for phase, rows in planned(want).items() for one in rows
    ]


def mend(want, monkeypatch):
    """Do what the plan says by calls, and see that nothing is left."""
    monkeypatch.setattr(os, "chown", lambda *_: None)
    run = Run(HOST, DEBIAN)
    for rows in planned(want).values():
        for method, *arguments in [call for one in rows for call in one["do"]]:
            getattr(run, method)(*arguments)
    assert lines(want) == []


def refused(want):
    return plan.refusals(want, observe.observe(HOST, want))


@pytest.mark.parametrize(
    ("machine", "kind"),
    [
        ("x86_64", "linux-amd64"),
        ("aarch64", "linux-arm64"),
        ("armv7l", "linux-armv6l"),
        ("loongarch64", "linux-loong64"),
    ],
)
def test_the_archive_is_that_of_the_architecture_with_its_sum(machine, kind):
    want = wanted.want(
        {**INPUTS, "sums": {"linux-amd64": "a", kind: "b", "src": "c"}}, DEBIAN._replace(architecture=machine)
    )
    assert want["file"] == {
        "name": f"go1.26.7.{kind}.tar.gz",
        "path": f"/usr/local/.slipway-go-1.26.7/go1.26.7.{kind}.tar.gz",
        "urls": [f"http://mirror/go1.26.7.{kind}.tar.gz"],
        "checksum": "b",
        "version": "1.26.7",
    }
    assert wanted.want({**INPUTS, "archive_checksum": "AB"}, DEBIAN)["file"]["checksum"] == "ab"


def test_an_architecture_without_an_archive_is_named():
    alpha = DEBIAN._replace(architecture="alpha")
    with pytest.raises(InputProblem, match="no archive of Go for the architecture alpha, only for: aarch64, armv7l"):
        wanted.want(INPUTS, alpha)
    assert wanted.want({**INPUTS, "state": "absent"}, alpha)["tree"] == "/usr/local/go-1.26.7"


def test_the_source_is_that_of_all_architectures_and_what_compiles_it_is_not(want):
    older = {"version": "1.24.13", "checksum": "b"}
    inputs = {**INPUTS, "install_method": "source", "sums": {"src": "c"}, "root": want["root"], "link": ""}
    inputs["bootstrap"] = {"oldest": "1.24.6", "files": {"linux-arm64": older}}
    source = wanted.want(inputs, DEBIAN._replace(architecture="aarch64"))
    assert (source["file"]["name"], source["file"]["checksum"]) == ("go1.26.7.src.tar.gz", "c")
    assert source["bootstrap"]["urls"] == ["http://mirror/go1.24.13.linux-arm64.tar.gz"]
    assert source["bootstrap"]["checksum"] == "b" and refused(source) == []
    assert wanted.want({**inputs, "install_method": "archive"}, DEBIAN)["bootstrap"] == {}
    assert "compiles Go 1.26.7" in refused(wanted.want(inputs, DEBIAN._replace(architecture="alpha")))[0]


def test_a_bare_host(want):
    assert lines(want) == [
        "install_toolchain: /go-1.26.7: missing -> Go 1.26.7",
        "switch_links: /go: missing -> link to /go-1.26.7",
        "write_profile: /profile/go.sh: missing -> as Slipway writes it",
    ]


def test_a_toolchain_alone(want):
    want.update(link="", profile=False)
    assert lines(want) == ["install_toolchain: /go-1.26.7: missing -> Go 1.26.7"]
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
        (lambda tree: (tree / MANIFEST).write_text("{"), "a readable .slipway.json missing"),
    ],
)
def test_damage_is_named(want, installed, spoil, named):
    spoil(installed)
    assert lines(want)[0] == f"install_toolchain: /go-1.26.7: {named} -> Go 1.26.7"


def test_another_method_or_file_is_another_toolchain(want, installed):
    want["install_method"] = "source"
    assert lines(want) == ["install_toolchain: /go-1.26.7: from archive -> Go 1.26.7"]
    want.update(install_method="archive", file={"checksum": "ab"})
    assert lines(want) == ["install_toolchain: /go-1.26.7: from a file of sha256  -> Go 1.26.7"]
    shutil.rmtree(installed)
    toolchain(Path(want["root"]), want["version"], checksum="ab")
    assert lines(want) == []
    # No sum is given or known, so that of any file is right.
    want.update(file={"checksum": ""})
    assert lines(want) == []


def test_environment_by_key(want, installed):
    want["environment"] = {"GOPROXY": "direct", "GOSUMDB": "off", "GOTOOLCHAIN": "local"}
    assert lines(want) == [
        "configure_environment: GOPROXY in /go-1.26.7/go.env: https://shipped.example.org,direct -> direct",
        "configure_environment: GOSUMDB in /go-1.26.7/go.env: not set -> off",
        "configure_environment: GOTOOLCHAIN in /go-1.26.7/go.env: auto -> local",
    ]
    (installed / "go.env").write_text("GOPROXY=direct\nGOSUMDB = off\nGOTOOLCHAIN=local\n")
    assert lines(want) == []
    want["environment"] = {"GOPROXY": "", "GOSUMDB": "", "GOTOOLCHAIN": ""}
    # What Go ships is known; for GOSUMDB it ships nothing.
    assert lines(want) == [
        "configure_environment: GOPROXY in /go-1.26.7/go.env: direct -> https://shipped.example.org,direct",
        "configure_environment: GOTOOLCHAIN in /go-1.26.7/go.env: local -> auto",
    ]


def test_links(want, installed, monkeypatch):
    link = Path(want["link"])
    older = toolchain(Path(want["root"]), "1.25.5")
    for target, managed in ((older, True), ("/nowhere", True), ("/usr", False)):
        link.unlink()
        link.symlink_to(target)
        shown = str(target).replace(want["root"], "")
        assert lines(want) == [f"switch_links: /go: link to {shown} -> link to /go-1.26.7"]
        assert (plan.unmanaged_paths(want, observe.observe(HOST, want)) == {}) is managed
    mend(want, monkeypatch)
    assert os.readlink(link) == str(installed) and os.readlink(f"{link}.before-slipway") == "/usr"
    link.unlink()
    link.symlink_to("go-1.26.7")
    assert lines(want) == []


def test_links_of_commands(want, installed, monkeypatch):
    folder = Path(want["root"]) / "bin"
    want["commands_dir"] = str(folder)
    assert lines(want) == [
        "switch_links: /bin/go: missing -> link to /go/bin/go",
        "switch_links: /bin/gofmt: missing -> link to /go/bin/gofmt",
    ]
    mend(want, monkeypatch)
    assert (folder / "go").read_text() == "go" and (folder / "gofmt").read_text() == "gofmt"
    other = {**want, "commands_dir": "", "link": "/opt/go"}
    assert "/bin/" not in " ".join(lines(other))
    want["commands_dir"] = ""
    gone = [
        "switch_links: /bin/go: link to /go/bin/go -> absent",
        "switch_links: /bin/gofmt: link to /go/bin/gofmt -> absent",
    ]
    assert lines(want) == gone
    absent = {**want, "state": "absent"}
    assert lines(absent)[:3] == ["switch_links: /go: link to /go-1.26.7 -> absent", *gone]
    mend(want, monkeypatch)
    assert not os.path.lexists(folder / "go")


def test_links_of_commands_that_others_made(want, installed):
    folder = Path(want["root"]) / "bin"
    (folder / "go").symlink_to(f"{want['link']}/bin/go")
    (folder / "gofmt").write_text("of a distribution")
    assert lines(want) == []
    want["commands_dir"] = str(folder)
    assert lines(want) == ["switch_links: /bin/gofmt: not Slipway's -> link to /go/bin/gofmt"]
    assert refused(want) == [
        f"{folder}/gofmt is not Slipway's. Move it away, set golang_unmanaged: set_aside to have it renamed to "
        f"{folder}/gofmt.before-slipway, or choose another golang_root, golang_link or golang_commands_dir."
    ]


def test_what_is_not_slipway_s_is_in_the_way(want):
    for name in ("go", "go-1.26.7", "go.before-slipway"):
        (Path(want["root"]) / name).mkdir()
    root = want["root"]
    assert plan.unmanaged_paths(want, observe.observe(HOST, want)) == {
        f"{root}/go-1.26.7": f"{root}/go-1.26.7.before-slipway",
        f"{root}/go": f"{root}/go.before-slipway-2",
    }
    assert lines(want)[:2] == [
        "install_toolchain: /go-1.26.7: not Slipway's -> Go 1.26.7",
        "switch_links: /go: not Slipway's -> link to /go-1.26.7",
    ]
    assert [text.partition(" is ")[0] for text in refused(want)] == [f"{root}/go", f"{root}/go-1.26.7"]
    assert refused({**want, "unmanaged": "set_aside"}) == []
    want["state"] = "absent"
    assert lines(want) == refused(want) == []


def test_a_disk_on_which_go_cannot_be_is_named_before_anything_is_fetched(want):
    observed = observe.observe(HOST, want)
    assert plan.refusals(want, observed) == []
    root = want["root"]

    def said(more=(), **change):
        return plan.refusals({**want, **dict(more)}, {**observed, "disk": {**observed["disk"], **change}})

    assert said(free=349) == [
        f"{root} has 349 MiB free, and a version needs 350 MiB. Make room there, or choose another golang_root."
    ]
    assert said(options=["read-only"], free=0)[0].startswith(f"{root} is on a file system that is read-only.")
    assert said(options=["noexec"])[0].startswith(f"{root} is on a file system that is mounted noexec")
    assert "Set golang_tree_host" in said(type="nfs4")[0]
    assert said({"tree_host": "a"}, type="nfs4") == said({"writes": False}, free=0, options=["read-only"]) == []
    assert wanted.want({**INPUTS, "install_method": "source"}, DEBIAN)["need"] == 1000


def test_what_is_installed_needs_no_room(want, installed):
    observed = observe.observe(HOST, want)
    disk = {**observed["disk"], "free": 0, "options": ["read-only"]}
    assert plan.refusals(want, {**observed, "disk": disk}) == []
    # From a disk that is noexec it would not run.
    assert len(plan.refusals(want, {**observed, "disk": {**disk, "options": ["noexec"]}})) == 1


def test_one_host_writes_what_hosts_share(want, installed, monkeypatch):
    tree = installed
    toolchain(tree.parent, "1.25.1")
    want = {**want, "keep_versions": [], "commands_dir": f"{want['root']}/bin", "tree_host": "a"}
    # Nobody knows what runs on the others.
    assert [line.split(":")[0] for line in lines(want)] == ["switch_links"] * 2
    assert lines({**want, "tree_host": ""})[-1] == "remove_toolchains: /go-1.25.1: present -> absent"
    shutil.rmtree(tree)
    (Path(want["root"]) / "profile/go.sh").unlink()
    want["commands_dir"] = ""
    assert [line.split(":")[0] for line in lines(want)] == ["install_toolchain", "write_profile"]
    # Here the profile lies below the root too.
    assert lines({**want, "writes": False}) == []
    assert len(lines({**want, "writes": False, "root": "/elsewhere"})) == 1


def test_what_programs_run_from_stays_for_now(want, installed):
    old = toolchain(Path(want["root"]), "1.25.1")
    shutil.copy("/bin/sleep", old / "bin/go")
    running = subprocess.Popen([old / "bin/go", "60"])
    try:
        told = f"go (process {running.pid})"
        want = {**want, "keep_versions": []}
        assert lines(want) == [] and refused(want) == []
        assert plan.notes(want, observe.observe(HOST, want)) == [
            f"{old} stays for now, since programs run from it: {told}."
        ]
        assert refused({**want, "state": "absent"}) == [
            f"{old} cannot be removed, since programs run from it: {told}. Wait until they end, or end them."
        ]
        # One that was started since the host was looked at.
        run = Run(HOST, DEBIAN)
        gone, kept = ({"item": str(path), "do": [["remove", str(path)]]} for path in (installed, old))
        act.remove_toolchains(run, [gone, kept])
        assert old.exists() and not installed.exists()
    finally:
        running.kill()
        running.wait()
    act.remove_toolchains(run, [kept])
    assert not old.exists()


SETTINGS = [
    ("environment", "GOPROXY=off", "GOPROXY to off, which outweighs golang_goproxy: https://wanted/"),
    ("go.sh", "export GOTOOLCHAIN='auto'", "GOTOOLCHAIN to auto, which outweighs golang_gotoolchain: local"),
    ("go.csh", "setenv GOPROXY direct", "GOPROXY to direct, which"),
    ("environment", "GOPROXY=https://wanted/", ""),
    ("environment", "GOSUMDB=off", ""),
    ("go.sh", 'echo "GOPROXY is yours"; # GOPROXY', ""),
]


@pytest.mark.parametrize(("name", "text", "told"), SETTINGS)
def test_a_setting_that_outweighs_the_role_s_is_told(want, installed, name, text, told):
    path = Path(want["root"]) / "etc" / name
    path.write_text(text + "\n")
    want["environment"] = {"GOPROXY": "https://wanted/", "GOTOOLCHAIN": "local", "GOSUMDB": ""}
    observed = observe.observe(HOST, want)
    said = plan.notes(want, observed)
    assert len(said) == bool(told) and all(text.startswith(f"{path} sets {told}") for text in said)
    assert plan.notes({**want, "state": "absent"}, observed) == [] == plan.refusals(want, observed)


def test_another_go_that_is_found_first_is_told(want, installed, monkeypatch):
    root = want["root"]
    first, second = f"{root}/bin", f"{root}/bin2"
    os.mkdir(second)
    monkeypatch.setattr(observe.trees, "COMMAND_FOLDERS", (first, second))
    for folder in (first, second):
        Path(folder, "go").write_text("another")

    def told(folder):
        asked = {**want, "commands_dir": folder}
        return [text.partition(" is ")[0] for text in plan.notes(asked, observe.observe(HOST, asked))]

    assert told("") == [f"{first}/go", f"{second}/go"]
    assert told(second) == [f"{first}/go"]
    assert told(first) == []
    Path(first, "go").unlink()
    os.symlink(f"{want['link']}/./bin/go", f"{first}/go")
    assert told("") == [f"{second}/go"]


GOROOTS = [
    ("environment", "GOROOT=/opt/go1.20", "/opt/go1.20"),
    ("environment", 'export PATH=/x GOROOT="/opt/go1.20/"; umask 022', "/opt/go1.20"),
    ("go.sh", "[ -d /opt/go ] && export GOROOT=/opt/go # ours", "/opt/go"),
    ("go.csh", "setenv GOROOT /opt/go", "/opt/go"),
    ("pam_env.conf", "GOROOT DEFAULT=/opt/go", "/opt/go"),
    ("go.sh", "export GOROOT=$HOME/go", "$HOME/go"),
    ("go.sh", "# export GOROOT=/opt/go", ""),
    ("go.sh", "unset GOROOT; GOROOT=; export GOROOT_FINAL=/x MYGOROOT=/x PATH=$GOROOT/bin", ""),
    ("go.sh", "export GOROOT=$(go env GOROOT)", ""),
    ("go.sh", "export GOROOT={root}/go", ""),
    ("go.sh", "export GOROOT={root}/go-1.26.7/", ""),
]


@pytest.mark.parametrize(("name", "text", "value"), GOROOTS)
def test_a_goroot_for_all_users_is_refused_where_it_is_another_s(want, installed, name, text, value):
    path = Path(want["root"]) / "etc" / name
    path.write_text(text.format(root=want["root"]) + "\n")
    sentences = [text.partition(", with")[0] for text in refused(want)]
    assert sentences == ([f"{path} sets GOROOT to {value}"] if value else [])
    # Nobody gets this Go without asking for it.
    assert refused({**want, "profile": False}) == refused({**want, "state": "absent"}) == []
    assert len(refused({**want, "profile": False, "commands_dir": "/usr/bin"})) == bool(value)


@pytest.mark.parametrize(
    ("keep", "gone"), [(["*"], []), ([], ["1.24.1", "1.25.5"]), (["1.25.*"], ["1.24.1"]), (["1.24.1", "1.25.5"], [])]
)
def test_surplus_versions(want, installed, monkeypatch, keep, gone):
    toolchain(Path(want["root"]), "1.25.5")
    toolchain(Path(want["root"]), "1.24.1")
    (Path(want["root"]) / "go-1.23.0/bin").mkdir(parents=True)
    want["keep_versions"] = keep
    assert lines(want) == [f"remove_toolchains: /go-{version}: present -> absent" for version in gone]
    mend(want, monkeypatch)
    left = {"go-1.23.0", "go-1.24.1", "go-1.25.5", "go-1.26.7"} - {f"go-{version}" for version in gone}
    assert {path.name for path in Path(want["root"]).glob("*go-*")} == left


def test_profile(want, installed, monkeypatch):
    path = Path(next(iter(want["profile_files"])))
    path.write_text(path.read_text() + "export GOPATH=/srv\n")
    assert lines(want) == ["write_profile: /profile/go.sh: edited -> as Slipway writes it"]
    mend(want, monkeypatch)
    assert path.read_text().count(f"{want['link']}/bin") == 2
    want["profile"] = False
    assert lines(want) == ["write_profile: /profile/go.sh: present -> absent"]
    mend(want, monkeypatch)
    path.write_text("of somebody else\n")
    assert lines(want) == []


def test_a_profile_for_csh_is_written_where_there_is_one_and_its_folder(want, installed):
    path = f"{want['root']}/profile/go.csh"
    want["profile_files"] = {path: "# of Slipway\n", f"{want['root']}/none/go.csh": "# of Slipway\n"}
    observed = observe.observe(HOST, want)
    for has_csh, missing in ((False, []), (True, [path])):
        assert [one["item"] for one in plan.plan(want, {**observed, "has_csh": has_csh})["write_profile"]] == missing


def test_a_run_for_another_place_leaves_the_profile(want, installed):
    for more in ({"link": ""}, {"link": "/opt/go"}, {"root": "/opt", "link": ""}):
        other = {**want, **more, "profile": False}
        assert "profile" not in " ".join(lines(other))
        assert "profile" not in " ".join(lines({**other, "state": "absent"}))


def test_the_profile_puts_go_first_once(want, installed):
    (path,) = want["profile_files"]
    script = f". {path}; . {path}; echo $PATH"
    out = subprocess.run(
        ["sh", "-ec", script], check=True, capture_output=True, text=True, env={"PATH": "/bin:/usr/bin"}
    )
    assert out.stdout == f"{want['link']}/bin:/bin:/usr/bin\n"


def test_absent_removes_all_that_is_slipway_s(want, installed, monkeypatch):
    toolchain(Path(want["root"]), "1.25.5")
    want["state"] = "absent"
    assert lines(want) == [
        "switch_links: /go: link to /go-1.26.7 -> absent",
        "write_profile: /profile/go.sh: present -> absent",
        "remove_toolchains: /go-1.25.5: present -> absent",
        "remove_toolchains: /go-1.26.7: present -> absent",
    ]
    mend(want, monkeypatch)
    assert sorted(os.listdir(want["root"])) == ["bin", "etc", "profile"]


def test_bootstrap_is_the_newest_that_can(want, tmp_path):
    want["bootstrap"] = {"oldest": "1.24.6"}
    toolchain(tmp_path, "1.24.5")
    assert observe.observe(HOST, want)["bootstrap"] == ""
    for version in ("1.24.6", "1.24.13", "1.24.9"):
        toolchain(tmp_path, version)
    assert observe.observe(HOST, want)["bootstrap"] == f"{tmp_path}/go-1.24.13"
    (tmp_path / "go-1.24.13/bin/go").unlink()
    assert observe.observe(HOST, want)["bootstrap"] == f"{tmp_path}/go-1.24.9"
    # The very one that is wanted may be damaged.
    toolchain(tmp_path, want["version"])
    assert observe.observe(HOST, want)["bootstrap"] == f"{tmp_path}/go-1.24.9"


def test_read_environment():
    text = "# GOPROXY=x\n\nGOPROXY = a,b\nGOSUMDB=sum.golang.org=x\nnonsense\n"
    assert read_environment(text) == {"GOPROXY": "a,b", "GOSUMDB": "sum.golang.org=x"}


def test_with_environment():
    text = "# GOPROXY=x\nGOPROXY = a,b\nGOFLAGS=-x\n"
    values = {"GOPROXY": "off", "GOTOOLCHAIN": "local", "GOSUMDB": "off"}
    assert with_environment(text, values) == "# GOPROXY=x\nGOPROXY=off\nGOFLAGS=-x\nGOSUMDB=off\nGOTOOLCHAIN=local\n"
    assert with_environment(with_environment("", values), values) == "GOPROXY=off\nGOSUMDB=off\nGOTOOLCHAIN=local\n"
