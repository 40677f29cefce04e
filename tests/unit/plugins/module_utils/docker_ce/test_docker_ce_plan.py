"""What counts as drift, what has to be done, what is refused, and how it reads."""

import pytest
from ansible_collections.slipway.node.plugins.filter.report import drift_text
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.observe import observe
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import changes, compare, notes, refusals
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.repository import repository_files

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import (
    ENGINE,
    KEY,
    KEY_FILE,
    MIRROR,
    OLD,
    PACKAGES,
    SHIM,
    SOURCES,
    UNIT,
    FakeHost,
    converged,
    package,
    refused,
    spoil,
    wanted,
)


@pytest.mark.parametrize("manager", ["apt", "dnf"])
def test_a_converged_host_has_no_drift(manager):
    want = wanted(manager=manager)
    assert compare(want, converged(want)) == []


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


def test_absent_names_what_is_there_and_data_only_on_request():
    want = wanted(state="absent")
    observed = dict(converged(want), data_folders=["/var/lib/docker"])
    phases = [entry["phase"] for entry in compare(want, observed)]
    assert phases == ["remove_packages"] * 3 + ["remove_repository"] * 2
    assert compare(wanted(state="absent", purge_data=True), observed)[-1]["phase"] == "purge_data"
    gone = dict(observed, packages={}, files=dict.fromkeys(observed["files"]), present_files=[], key="missing")
    assert compare(want, gone) == []


def test_another_source_wants_no_repository():
    want = wanted(source="distribution", packages=["docker.io"], version="", hold=False)
    observed = dict(converged(wanted()), packages={"docker.io": package("26.1.5+dfsg1-9", held=False)})
    assert {entry["want"] for entry in compare(want, observed)} == {"absent (docker_ce_source: distribution)"}


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
        "This stops the containers db, web."
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
    ("restart", "running", "lives", "consequence"),
    [
        ("safe", "db\nweb\n", False, ", on which these containers run: db, web"),
        ("safe", "web\n", True, None),
        ("safe", "", False, None),
        ("never", "", False, ""),
        ("always", "web\n", False, None),
    ],
)
def test_a_change_of_containerd_alone_is_judged_as_the_engine_s(restart, running, lives, consequence):
    commands = {
        "dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, OLD),
        f"{ENGINE} ps": (0, running),
    }
    want = wanted(version="20.10", restart=restart, package_versions={"containerd.io": "1.7"})
    host = FakeHost({"/usr/bin/docker": b""}, commands, LiveRestoreEnabled=lives)
    reasons = refused(want, host)
    assert [reason.partition(". ")[0] for reason in reasons] == (
        [] if consequence is None else [f"containerd.io: 1.6.20 -> 1.7: that restarts containerd{consequence}"]
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
    ("version", "is_", "store", "noted"),
    [("28.5", "29.1.0", True, True), ("28.5", "29.1.0", False, False), ("29.0", "29.1.0", True, False)],
)
def test_images_that_an_older_engine_does_not_see_are_told(version, is_, store, noted):
    want = wanted(version=version)
    observed = {**converged(want), "running_version": is_, "has_containerd_store": store}
    observed["changes"] = changes(want, observed)
    assert ["containerd's image store" in note for note in notes(want, observed)] == [True] * noted


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
    assert notes(want, observed) == ["This stops the containers web."]
    assert "/data/docker: holds data -> empty" in drift_text(compare(want, observed)).splitlines()
    # What else is in a data-root of the admin's is not the engine's.
    host.files["/data/docker/home"] = b""
    assert (
        observe(host, want)["paths_to_remove"] == ["/data/docker/overlay2"]
        and observe(host, want)["folders_to_empty"] == []
    )
    # The engine's own folder is named whole, since more may come until it is stopped.
    host.files["/var/lib/containerd/io.containerd.content.v1.content"] = b""
    assert observe(host, want)["folders_to_empty"] == ["/var/lib/containerd"]
    assert observe(host, want)["paths_to_remove"] == ["/data/docker/overlay2"]
    commands.update({f"{ENGINE} ps": (1, ""), "systemctl": (0, UNIT % ("/usr/bin/dockerd", "enabled", "failed"))})
    host = FakeHost(
        {"/usr/bin/docker": b"", "/proc/88/cmdline": (SHIM % ("moby", "0123456789abcdef")).encode()}, commands
    )
    (reason,) = refused(want, host)
    assert "Containers run without their engine: 0123456789ab." in reason and "systemctl start docker" in reason


def test_an_engine_that_changes_brings_the_others_along():
    want = wanted()
    observed = converged(want)
    spoil(observed, ["packages", "docker-ce"], package("5:20.10.24-1"))
    assert (
        changes(want, observed)["install"] == PACKAGES and changes(want, observed)["validating_package"] == "docker-ce"
    )
    assert changes(want, {**observed, "configured": False})["validating_package"] == ""
    observed = converged(want)
    spoil(observed, ["packages", "containerd.io"], KeyError)
    assert (
        changes(want, observed)["install"] == ["containerd.io"] and changes(want, observed)["validating_package"] == ""
    )
