"""The section ``docker_ce``: what is wanted, what counts as drift, what is refused, and how it reads."""

import fnmatch

import pytest
from ansible_collections.slipway.node.plugins.filter.report import drift_text
from ansible_collections.slipway.node.plugins.module_utils import docker_ce, platforms
from ansible_collections.slipway.node.plugins.module_utils.docker_ce import (
    changes,
    compare,
    needing,
    notes,
    observe,
    parse_packages,
    refusals,
    repository_files,
)
from ansible_collections.slipway.node.plugins.module_utils.host import Host
from ansible_collections.slipway.node.plugins.plugin_utils import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.docker_ce import prepare

KEY = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
MIRROR = "https://download.docker.com"
PACKAGES = ["docker-ce", "docker-ce-cli", "containerd.io"]


DEBIAN = platforms.describe("Debian", "12.15", "bookworm", "x86_64")
ROCKY = platforms.describe("Rocky", "9.6", "", "x86_64")


def made(platform=DEBIAN, **change):
    """Return the wanted state of inputs."""
    given = {f"docker_ce_{name}": value for name, value in change.items()}
    options = reader.specification("docker_ce")
    inputs, problems = reader.read(options, reader.defaults("docker_ce"), given, lambda value: value, "docker_ce_")
    inputs, wrong = prepare(inputs, reader.Site(settings={"region": "global"}))
    assert not problems + wrong
    return docker_ce.want(inputs, platform)


def wanted(**change):
    """Return a small wanted state; ``manager`` chooses the platform, and what is no input is set afterwards."""
    platform = ROCKY if change.pop("manager", "apt") == "dnf" else DEBIAN
    given = {"version": "26.1", "packages": PACKAGES, "mirrors": [MIRROR, "https://mirrors.aliyun.com/docker-ce"]}
    want = made(platform, **{**given, **{name: value for name, value in change.items() if name != "fingerprint"}})
    want.update((name, value) for name, value in change.items() if name == "fingerprint")
    return want


def package(version, held=True, broken=False):
    return {"version": version, "held": held, "broken": broken}


def converged(want, mirror=MIRROR):
    """Return what a host without drift looks like."""
    files = repository_files(want, mirror)
    return {
        "packages": {name: package("5:26.1.5-1~debian.12~bookworm") for name in want["packages"]},
        "files": files,
        "mirror": mirror,
        "wanted_files": repository_files(want, mirror),
        "installed": "26.1.5",
        "engine": "26.1.5",
        "in_containerd": False,
        "key": "right",
        "leftovers": [],
        "group": "local",
        "services": {"docker.service": {"LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active"}},
        "containers": [],
        "live_restore": False,
        "configured": True,
        "in_use": [],
        "in_the_way": [],
        "lock": "",
        "known": True,
        "present": [want["repository_file"], want["key_file"]],
        "imported_keys": [],
        "data": [],
    }


def spoil(observed, path, value):
    *parents, last = path
    for key in parents:
        observed = observed[key]
    if value is KeyError:
        del observed[last]
    else:
        observed[last] = value


@pytest.mark.parametrize("manager", ["apt", "dnf"])
def test_a_converged_host_has_no_drift(manager):
    want = wanted(manager=manager)
    assert compare(want, converged(want)) == []


SOURCES = "/etc/apt/sources.list.d/docker.sources"
KEY_FILE = "/etc/apt/keyrings/docker.asc"
DRIFT = [
    (["packages", "docker-ce"], KeyError, "install_packages", "docker-ce: not installed -> 26.1"),
    (["packages", "docker-ce"], package("5:20.10.24-1"), "install_packages", "docker-ce: 20.10.24 -> 26.1"),
    (
        ["packages", "containerd.io"],
        package("1.7", broken=True),
        "install_packages",
        "containerd.io: half installed -> installed",
    ),
    (["packages", "docker-ce"], package("5:26.1.5-1", held=False), "hold_packages", "docker-ce: not held -> held"),
    (["packages", "docker.io"], package("20.10.5+dfsg1"), "remove_conflicting", "docker.io: 20.10.5 -> absent"),
    (["files", SOURCES], "Types: deb\n", "configure_repository", SOURCES + ": edited -> as Slipway writes it"),
    (["key"], "missing", "configure_repository", KEY_FILE + ": missing -> the key " + KEY),
    (["key"], "another key", "configure_repository", KEY_FILE + ": another key -> the key " + KEY),
    (
        ["services", "docker.service", "ActiveState"],
        "failed",
        "manage_service",
        "docker.service: failed -> running",
    ),
    (["group"], "missing", "manage_service", "group docker: missing -> present"),
    (
        ["services", "docker.service", "UnitFileState"],
        "disabled",
        "manage_service",
        "docker.service: not enabled -> enabled",
    ),
    (
        ["services", "docker.service", "UnitFileState"],
        "masked",
        "manage_service",
        "docker.service: masked -> not masked",
    ),
    (["services", "docker.socket"], {"LoadState": "masked"}, "manage_service", "docker.socket: masked -> not masked"),
    (
        ["leftovers"],
        [{"what": "/etc/apt/sources.list.d/docker.list", "path": "x", "kind": "file"}],
        "clean_leftovers",
        "/etc/apt/sources.list.d/docker.list: present -> absent",
    ),
]


@pytest.mark.parametrize(("path", "value", "phase", "sentence"), DRIFT)
def test_each_managed_thing_is_named_when_it_is_spoiled(path, value, phase, sentence):
    want = wanted()
    observed = converged(want)
    spoil(observed, path, value)
    drift = compare(want, observed)
    assert {entry["phase"] for entry in drift} >= {phase}
    assert sentence in drift_text(drift).splitlines()


def test_a_mirror_of_the_list_is_no_drift_and_another_is():
    want = wanted()
    assert compare(want, converged(want, "https://mirrors.aliyun.com/docker-ce")) == []
    observed = converged(want, "https://elsewhere.example.org/docker-ce")
    observed["wanted_files"] = {}
    assert drift_text(compare(want, observed)) == (
        f"{SOURCES}: at https://elsewhere.example.org/docker-ce -> one of 2 mirrors"
    )


def test_a_hold_on_dnf_is_an_exclude_in_the_repository_file():
    want = wanted(manager="dnf")
    observed = converged(wanted(manager="dnf", hold=False))
    observed["wanted_files"] = repository_files(want, MIRROR)
    assert {entry["phase"] for entry in compare(want, observed)} == {"hold_packages"}
    assert {entry["phase"] for entry in compare(wanted(manager="dnf", hold=False), converged(want))} == {
        "hold_packages"
    }


def test_the_apt_files():
    files = repository_files(wanted(proxy="http://proxy:3128"), "http://mirror:8080/docker-ce/")
    assert "\nURIs: http://mirror:8080/docker-ce/linux/debian\nSuites: bookworm\nComponents: stable\n" in files[SOURCES]
    proxy = files["/etc/apt/apt.conf.d/80slipway-docker-ce"]
    assert 'Acquire::http::Proxy::mirror "http://proxy:3128";' in proxy and proxy.startswith("// Written by Slipway")
    assert repository_files(wanted(), MIRROR)["/etc/apt/apt.conf.d/80slipway-docker-ce"] is None


def test_the_dnf_file():
    content = repository_files(wanted(manager="dnf"), MIRROR)["/etc/yum.repos.d/docker-ce.repo"]
    assert "baseurl=https://download.docker.com/linux/centos/9/$basearch/stable\n" in content
    assert "gpgcheck=1\n" in content and "module_hotfixes=1\n" in content
    assert "excludepkgs=docker-ce docker-ce-cli containerd.io\n" in content


def test_absent_names_what_is_there_and_data_only_on_request():
    want = wanted(state="absent")
    observed = dict(converged(want), data=["/var/lib/docker"])
    phases = [entry["phase"] for entry in compare(want, observed)]
    assert phases == ["remove_packages"] * 3 + ["remove_repository"] * 2
    assert compare(wanted(state="absent", purge_data=True), observed)[-1]["phase"] == "purge_data"
    gone = dict(observed, packages={}, files=dict.fromkeys(observed["files"]), present=[], key="missing")
    assert compare(want, gone) == []


def test_another_source_wants_no_repository():
    want = wanted(source="distribution", packages=["docker.io"], version="", hold=False)
    observed = dict(converged(wanted()), packages={"docker.io": package("26.1.5+dfsg1-9", held=False)})
    assert {entry["want"] for entry in compare(want, observed)} == {"absent (docker_ce_source: distribution)"}


def test_reads_what_dpkg_prints():
    out = "docker-ce\thi \t5:26.1.5-1\ndocker.io\trc \t20.10\nrunc\tun \t\ncontainerd.io\tiF \t1.7.24-1\n"
    assert parse_packages(out) == {
        "docker-ce": package("5:26.1.5-1"),
        "containerd.io": package("1.7.24-1", held=False, broken=True),
    }


def test_reads_what_rpm_prints():
    out = "docker-ce\tii\t3:26.1.5-1.el9\ncontainerd.io\tii\t0:1.7.24-3.1.el9\npackage runc is not installed\n"
    assert [one["version"] for one in parse_packages(out).values()] == ["3:26.1.5-1.el9", "1.7.24-3.1.el9"]


def test_knows_who_needs_a_package():
    out = (
        "podman\tii \tlibc6 (>= 2.34), crun | runc (>= 1.0.0~rc92~), \n"
        "buildah\tii \tlibc6, fuse-overlayfs, crun | runc\n"
        "docker.io\trc \trunc\n"
        "runc-tools\tii \tlibc6, \n"
    )
    assert needing("runc", out) == ["podman", "buildah"]


class FakeHost:
    """Answers from a table of files and commands; a command's first words are its key."""

    def __init__(self, files=(), commands=(), **engine):
        self._engine = engine
        self.files = {"/etc/group": b"docker:x:990:\n", **dict(files)}
        self.commands = {"systemctl": (0, UNIT % ("/usr/bin/dockerd", "enabled", "active")), **dict(commands)}

    def run(self, *command):
        found = [key for key in self.commands if " ".join(command).startswith(key)]
        return self.commands[max(found, key=len)] if found else (1, "")

    def engine(self):
        return self._engine

    def read(self, path):
        data = self.files.get(path)
        return None if data is None else data.decode()

    def glob(self, *patterns):
        return sorted(path for path in self.files if any(fnmatch.fnmatch(path, pattern) for pattern in patterns))


ENGINE = "env --unset=DOCKER_TLS --unset=DOCKER_TLS_VERIFY docker --host unix:///var/run/docker.sock"
UNIT = (
    "Id=docker.service\nLoadState=loaded\nFragmentPath=/etc/systemd/system/docker.service\nDropInPaths=\n"
    "ExecStart={ path=%s ; argv[]=dockerd ; pid=77 }\nUnitFileState=%s\nActiveState=%s\n"
)
OLD = (
    "docker-ce\thi \t5:20.10.24-1~debian.12~bookworm\ncontainerd.io\thi \t1.6.20-1\ndocker-ce-cli\thi \t5:20.10.24-1\n"
)
SHIM = "/usr/bin/containerd-shim-runc-v2\0-namespace\0%s\0-id\0%s\0-address\0/run/containerd/containerd.sock\0"


def refused(want, host):
    observed = observe(host, want)
    return refusals(want, observed)


def test_what_a_repository_s_file_holds_of_passwords_is_not_told():
    want = wanted(manager="dnf")
    path = "/etc/yum.repos.d/docker-ce.repo"
    text = "[docker]\nbaseurl=https://robot:S3cret@nexus/docker-ce/linux/centos/9\npassword = S3cret\n"
    observed = observe(FakeHost({path: text.encode()}, {}), want)
    assert "S3cret" not in str(observed)
    assert f"{path}: at https://***@nexus/docker-ce -> one of 2 mirrors" in drift_text(compare(want, observed))


def test_observes_a_host():
    want = wanted()
    host = FakeHost(
        {
            SOURCES: repository_files(want, MIRROR)[SOURCES].encode(),
            KEY_FILE: want["key"].encode(),
            "/etc/apt/sources.list.d/docker.list": b"deb https://download.docker.com/linux/debian bookworm stable\n",
            "/etc/apt/sources.list": b"deb http://mirror.example.org/debian bookworm main\n",
        },
        {
            "dpkg-query": (1, "docker-ce\thi \t5:26.1.5-1~debian.12~bookworm\n"),
        },
        ServerVersion="20.10.24+dfsg1",
    )
    observed = observe(host, want)
    # The package was upgraded, and the engine not restarted.
    assert (observed["installed"], observed["engine"]) == ("26.1.5", "20.10.24")
    assert observed["mirror"] == MIRROR and observed["key"] == "right"
    assert [item["kind"] for item in observed["leftovers"]] == ["file"]
    assert observed["services"]["docker.service"]["ActiveState"] == "active"
    assert refusals(want, observed) == []


def test_the_wanted_state_by_platform():
    assert made()["path"] == "linux/debian" and made()["release"] == "bookworm" and made()["architecture"] == "amd64"
    assert made(ROCKY)["path"] == "linux/centos" and made(ROCKY)["release"] == "9"
    red_hat = platforms.describe("Redhat", "8.10", "Ootpa", "aarch64")
    assert made(red_hat)["path"] == "linux/rhel" and made(red_hat)["architecture"] == "aarch64"
    mint = platforms.describe("Linuxmint", "22", "wilma", "x86_64", "ubuntu 24.04")
    assert made(mint)["path"] == "linux/ubuntu" and made(mint)["release"] == "noble"
    assert made(source="distribution")["packages"] == ["docker.io"]
    assert made(mint, source="distribution")["packages"] == ["docker.io", "docker-buildx", "docker-compose-v2"]
    assert made(version="28.3")["hold"] is True and made()["hold"] is False


def test_a_platform_without_an_engine_of_its_own_is_refused():
    with pytest.raises(platforms.InputProblem, match="Rocky has no Docker engine of its own"):
        made(ROCKY, source="distribution")
    # Removal takes what is there, whatever was to be installed.
    assert "docker-ce" in made(ROCKY, source="distribution", state="absent")["engine_packages"]


def test_a_change_of_the_engine_that_stops_containers_is_refused_with_their_names():
    commands = {
        "dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, OLD),
        f"{ENGINE} ps": (0, "web\ndb\n"),
    }
    host = FakeHost({"/usr/bin/docker": b""}, commands)
    (reason,) = refused(wanted(), host)
    assert reason == (
        "docker-ce: 20.10.24 -> 26.1: that restarts the engine, and these containers stop: db, web. Set "
        "docker_ce_restart: always to have it done, or stop them first."
    )
    assert refused(wanted(restart="always"), host) == []
    assert notes(wanted(restart="always"), observe(host, wanted(restart="always"))) == [
        "Containers that are stopped: db, web."
    ]
    held = {**observe(host, wanted()), "lock": "apt-get (process 812)"}
    assert "apt-get (process 812) holds the lock of the packages" in notes(wanted(), held)[0]
    assert notes(wanted(version="20.10"), {**observe(host, wanted(version="20.10")), "lock": "apt-get"}) == []
    # An engine that is to be stopped was asked for in so many words.
    stopped = wanted(version="20.10", service_state="stopped")
    assert refused(stopped, host) == [] and "db, web" in notes(stopped, observe(host, stopped))[0]
    # Nothing to change, nothing to ask.
    assert refused(wanted(version="20.10"), host) == []


def test_without_containers_the_engine_is_changed_unless_it_never_may():
    commands = {"dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, OLD), f"{ENGINE} ps": (0, "")}
    host = FakeHost({"/usr/bin/docker": b""}, commands)
    assert refused(wanted(), host) == []
    assert "that restarts the engine. Set docker_ce_restart: always" in refused(wanted(restart="never"), host)[0]


@pytest.mark.parametrize(("version", "kept"), [("20.10.25", True), ("20.11", False), ("20", True), ("26.1", False)])
def test_live_restore_keeps_containers_from_one_patch_release_to_another(version, kept):
    commands = {
        "dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, OLD),
        f"{ENGINE} ps": (0, "web\n"),
    }
    host = FakeHost({"/usr/bin/docker": b""}, commands, LiveRestoreEnabled=True)
    assert (refused(wanted(version=version), host) == []) is kept


@pytest.mark.parametrize(
    ("restart", "running", "lives", "harm"),
    [
        ("safe", "db\nweb\n", False, ", on which these containers run: db, web"),
        ("safe", "web\n", True, None),
        ("safe", "", False, None),
        ("never", "", False, ""),
        ("always", "web\n", False, None),
    ],
)
def test_a_change_of_containerd_alone_is_judged_as_the_engine_s(restart, running, lives, harm):
    commands = {
        "dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, OLD),
        f"{ENGINE} ps": (0, running),
    }
    want = wanted(version="20.10", restart=restart, package_versions={"containerd.io": "1.7"})
    host = FakeHost({"/usr/bin/docker": b""}, commands, LiveRestoreEnabled=lives)
    reasons = refused(want, host)
    assert [reason.partition(". ")[0] for reason in reasons] == (
        [] if harm is None else [f"containerd.io: 1.6.20 -> 1.7: that restarts containerd{harm}"]
    )
    assert notes(want, observe(host, want)) == []


def test_the_distribution_s_engine_with_containers_is_not_removed_unasked():
    commands = {
        "dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, "docker.io\tii \t20.10.24+dfsg1-1\n"),
        f"{ENGINE} ps": (1, ""),
    }
    # The engine does not answer: containers are found by what watches over them.
    host = FakeHost(
        {"/usr/bin/docker": b"", "/proc/88/cmdline": (SHIM % ("moby", "0123456789abcdef")).encode()}, commands
    )
    (reason,) = refused(wanted(), host)
    assert "docker.io: 20.10.24 -> absent" in reason and "0123456789ab." in reason


@pytest.mark.parametrize(
    ("processes", "use"),
    [
        ({"/proc/7/cmdline": b"/usr/bin/kubelet\0--config=x\0"}, "kubelet is running"),
        ({"/proc/7/cmdline": (SHIM % ("k8s.io", "ab")).encode()}, "containerd runs containers of k8s.io"),
        ({"/proc/7/cmdline": (SHIM % ("default", "ab")).encode()}, "containerd runs containers of default"),
        ({"/proc/7/cmdline": (SHIM % ("moby", "ab")).encode()}, None),
        ({"/proc/7/cmdline": b"/usr/bin/bash\0"}, None),
    ],
)
@pytest.mark.parametrize("installed", ["containerd\tii \t1.6.20~ds1-1\n", OLD])
def test_a_containerd_that_others_use_is_not_replaced_unasked(processes, use, installed):
    host = FakeHost(processes, {"dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, installed)})
    reasons = [reason for reason in refused(wanted(), host) if "which others use" in reason]
    assert len(reasons) == (use is not None) and all(use in reason for reason in reasons)
    assert not [one for one in refused(wanted(remove_conflicting=True), host) if "which others use" in one]


def test_a_unit_that_hides_the_package_s_is_named():
    unit = "/etc/systemd/system/docker.service"
    files = {unit: b"[Service]\nExecStart=/opt/kube/bin/dockerd\n"}
    host = FakeHost(files, {"systemctl": (0, UNIT % ("/opt/kube/bin/dockerd", "enabled", "active"))})
    (reason,) = refused(wanted(), host)
    assert reason.startswith(f"{unit} starts /opt/kube/bin/dockerd in place of the package's engine")


@pytest.mark.parametrize("mounts", ["snap", "var/lib/snapd/snap"])
def test_docker_from_snap_is_refused(mounts, tmp_path, monkeypatch):
    # As snapd lays it out: mounts by revision, a link to the current one, and the program's name a link to snap itself.
    (tmp_path / mounts / "docker/2976/bin").mkdir(parents=True)
    (tmp_path / mounts / "docker/current").symlink_to("2976")
    (tmp_path / mounts / "bin").mkdir()
    (tmp_path / mounts / "bin/docker").symlink_to("/usr/bin/snap")
    host = FakeHost()
    monkeypatch.setattr(host, "glob", lambda *patterns: Host().glob(*(f"{tmp_path}{one}" for one in patterns)))
    (reason,) = refused(wanted(), host)
    assert "snap remove docker" in reason
    # What `snap remove` may leave is an empty folder.
    (tmp_path / mounts / "docker/current").unlink()
    assert refused(wanted(), host) == []


def test_a_group_of_a_directory_alone_is_refused():
    host = FakeHost({"/etc/group": b"root:x:0:\n"}, {"getent group docker": (0, "docker:x:5990:alice\n")})
    (reason,) = refused(wanted(), host)
    assert "echo 'docker:x:5990:' >> /etc/group" in reason
    assert refused(wanted(), FakeHost({"/etc/group": b"root:x:0:\n"})) == []


def test_an_exclude_of_dnf_is_named():
    host = FakeHost({"/etc/dnf/dnf.conf": b"[main]\nbest=True\nexcludepkgs=kernel*, docker*\n"})
    (reason,) = refused(wanted(manager="dnf"), host)
    assert reason.startswith("/etc/dnf/dnf.conf excludes docker*, so dnf cannot install it")


@pytest.mark.parametrize(
    ("version", "is_", "store", "told"),
    [("28.5", "29.1.0", True, True), ("28.5", "29.1.0", False, False), ("29.0", "29.1.0", True, False)],
)
def test_images_that_an_older_engine_does_not_see_are_told(version, is_, store, told):
    want = wanted(version=version)
    observed = {**converged(want), "engine": is_, "in_containerd": store}
    observed["changes"] = changes(want, observed)
    assert ["containerd's image store" in note for note in notes(want, observed)] == [True] * told


def test_removal_stops_containers_and_refuses_where_it_cannot():
    want = wanted(state="absent", purge_data=True)
    commands = {
        "dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, OLD),
        f"{ENGINE} ps": (0, "web\n"),
    }
    files = {"/usr/bin/docker": b"", "/data/docker/overlay2": b""}
    host = FakeHost(files, commands, DockerRootDir="/data/docker", LiveRestoreEnabled=True)
    observed = observe(host, want)
    assert observed["containers"] == ["web"] and refusals(want, observed) == []
    assert notes(want, observed) == ["Containers that are stopped: web."]
    assert "/data/docker: holds data -> empty" in drift_text(compare(want, observed)).splitlines()
    # What else is in a data-root of the admin's is not the engine's.
    host.files["/data/docker/home"] = b""
    assert observe(host, want)["purge"] == ["/data/docker/overlay2"] and observe(host, want)["emptied"] == []
    # The engine's own folder is named whole, since more may come until it is stopped.
    host.files["/var/lib/containerd/io.containerd.content.v1.content"] = b""
    assert observe(host, want)["emptied"] == ["/var/lib/containerd"]
    assert observe(host, want)["purge"] == ["/data/docker/overlay2"]
    commands.update({f"{ENGINE} ps": (1, ""), "systemctl": (0, UNIT % ("/usr/bin/dockerd", "enabled", "failed"))})
    host = FakeHost(
        {"/usr/bin/docker": b"", "/proc/88/cmdline": (SHIM % ("moby", "0123456789abcdef")).encode()}, commands
    )
    (reason,) = refused(want, host)
    assert "Containers run without their engine: 0123456789ab." in reason and "systemctl start docker" in reason


def test_removal_is_refused_where_others_use_containerd():
    want = wanted(state="absent", purge_data=True)
    commands = {"dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, OLD), f"{ENGINE} ps": (0, "")}
    files = {"/proc/88/cmdline": (SHIM % ("k8s.io", "0123456789abcdef")).encode(), "/var/lib/containerd/x": b""}
    (reason,) = refused(want, FakeHost(files, commands))
    assert reason.startswith("containerd.io or its data would be removed, which others use: containerd runs containers")
    commands.update(
        {
            "ctr namespaces ls": (0, "default\nempty\nmoby\n"),
            "ctr --namespace default images": (0, "docker.io/library/own:1\n"),
            "ctr --namespace moby images": (0, "docker.io/library/web:1\n"),
        }
    )
    host = FakeHost({"/usr/bin/ctr": b"", "/var/lib/containerd/x": b""}, commands)
    (reason,) = refused(want, host)
    assert "which others use: containerd keeps images or containers of default. Stop and remove" in reason
    # The data stays without the purge.
    assert refused(wanted(state="absent"), host) == []


def test_an_engine_that_changes_brings_the_others_along():
    want = wanted()
    observed = converged(want)
    spoil(observed, ["packages", "docker-ce"], package("5:20.10.24-1"))
    assert changes(want, observed)["install"] == PACKAGES and changes(want, observed)["tried"] == "docker-ce"
    assert changes(want, {**observed, "configured": False})["tried"] == ""
    observed = converged(want)
    spoil(observed, ["packages", "containerd.io"], KeyError)
    assert changes(want, observed)["install"] == ["containerd.io"] and changes(want, observed)["tried"] == ""
