"""What counts as drift, what has to be done, what is refused, and how it reads."""

import pytest
from ansible_collections.slipway.node.plugins.filter.report import drift_text
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.observe import observe
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import changes, notes, plan, refusals

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import (
    ENGINE,
    KEY,
    KEY_FILE,
    OLD,
    PACKAGES,
    SHIM,
    SOURCES,
    UNIT,
    FakeHost,
    converged,
    drift,
    package,
    refused,
    spoil,
    wanted,
)


@pytest.mark.parametrize("manager", ["apt", "dnf"])
def test_a_converged_host_has_no_drift(manager):
    want = wanted(manager=manager)
    assert drift(want, converged(want)) == []


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
        ["leftover_files"],
        ["/etc/apt/sources.list.d/docker.list"],
        "clean_leftovers",
        "/etc/apt/sources.list.d/docker.list: present -> absent",
    ),
]


@pytest.mark.parametrize(("path", "value", "phase", "sentence"), DRIFT)
def test_each_managed_thing_is_named_when_it_is_spoiled(path, value, phase, sentence):
    want = wanted()
    observed = converged(want)
    spoil(observed, path, value)
    found = plan(want, observed)
    assert found[phase]
    assert sentence in drift_text(found).splitlines()


def test_a_mirror_of_the_list_is_no_drift_and_another_is():
    want = wanted()
    assert drift(want, converged(want, "https://mirrors.aliyun.com/docker-ce")) == []
    observed = converged(want, "https://elsewhere.example.org/docker-ce")
    assert drift_text(plan(want, observed)) == (
        f"{SOURCES}: at https://elsewhere.example.org/docker-ce -> one of 2 mirrors"
    )
    want["mirrors"] = want["mirrors"][:1]
    observed["files"][SOURCES] = None
    assert drift_text(plan(want, {**observed, "mirror": ""})) == f"{SOURCES}: missing -> {want['mirrors'][0]}"


def test_a_hold_on_dnf_is_an_exclude_in_the_repository_file():
    want = wanted(manager="dnf")
    observed = converged(wanted(manager="dnf", hold=False))
    assert {entry["phase"] for entry in drift(want, observed)} == {"hold_packages"}
    assert {entry["phase"] for entry in drift(wanted(manager="dnf", hold=False), converged(want))} == {"hold_packages"}


def test_absent_names_what_is_there_and_data_only_on_request():
    want = wanted(state="absent")
    observed = dict(converged(want), data={"/var/lib/docker": ["/var/lib/docker/overlay2"]})
    phases = [entry["phase"] for entry in drift(want, observed)]
    assert phases == ["remove_packages"] * 3 + ["remove_repository"] * 2
    assert drift(wanted(state="absent", purge_data=True), observed)[-1]["phase"] == "purge_data"
    gone = dict(observed, packages={}, files=dict.fromkeys(observed["files"]), key="missing")
    assert drift(want, gone) == []


def test_another_source_wants_no_repository():
    want = wanted(source="distribution", packages=["docker.io"], version="", hold=False)
    observed = dict(converged(wanted()), packages={"docker.io": package("26.1.5+dfsg1-9", held=False)})
    assert {entry["want"] for entry in drift(want, observed)} == {"absent (docker_ce_source: distribution)"}


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
    assert "/data/docker: holds data -> empty" in drift_text(plan(want, observed)).splitlines()
    commands.update({f"{ENGINE} ps": (1, ""), "systemctl": (0, UNIT % ("/usr/bin/dockerd", "enabled", "failed"))})
    host = FakeHost(
        {"/usr/bin/docker": b"", "/proc/88/cmdline": (SHIM % ("moby", "0123456789abcdef")).encode()}, commands
    )
    (reason,) = refused(want, host)
    assert "Containers run without their engine: 0123456789ab." in reason and "systemctl start docker" in reason


@pytest.mark.parametrize(("version", "told"), [("5:20.10*", True), ("5:26.1*", False)])
def test_a_pin_that_outweighs_is_named(version, told):
    path = "/etc/apt/preferences.d/docker"
    stanza = f"Package: docker-ce docker-ce-cli\nPin: version {version}\nPin-Priority: 1001\n"
    host = FakeHost({path: f"Package: *\nPin: origin x\nPin-Priority: 1001\n\n{stanza}".encode()})
    want = wanted(hold=False)
    observed = {**converged(want), "pins": observe(host, want)["pins"], "recorded": []}
    for one in observed["packages"].values():
        one["held"] = False
    found = notes(want, observed)
    assert [path in text and "docker_ce_hold: true" in text for text in found] == [True] * told
    assert notes(wanted(), {**observed, "packages": converged(want)["packages"]}) == []


def test_a_unit_that_calls_what_goes_is_named():
    status = (0, "docker-compose\tii \t1.29\n")
    commands = {"dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": status}
    host = FakeHost({"/etc/systemd/system/app.service": b"ExecStart=/usr/bin/docker-compose up\n"}, commands)
    assert (
        "/etc/systemd/system/app.service calls docker-compose, which goes."
        in notes(wanted(), observe(host, wanted()))[0]
    )


def test_an_engine_that_changes_brings_the_others_along():
    want = wanted()
    observed = converged(want)
    spoil(observed, ["packages", "docker-ce"], package("5:20.10.24-1"))
    assert changes(want, observed)["install"] == PACKAGES and changes(want, observed)["is_tried"]
    assert changes(want, {**observed, "configured": False})["is_tried"]
    assert not changes(want, {**observed, "configured": False, "services": {}})["is_tried"]
    observed = converged(want)
    spoil(observed, ["packages", "containerd.io"], KeyError)
    assert changes(want, observed)["install"] == ["containerd.io"] and changes(want, observed)["is_tried"]
    observed = converged(want)
    spoil(observed, ["packages", "docker-compose-plugin"], package("1"))
    assert not changes({**want, "versions": {**want["versions"], "docker-compose-plugin": "2"}}, observed)["is_tried"]


def test_what_an_older_set_up_left_is_mended_by_its_kind():
    want = wanted()
    line = "deb https://download.docker.com/linux/debian bookworm stable\n"
    theirs = "/usr/share/keyrings/docker-of-others.asc"
    observed = {
        **converged(want),
        "leftover_files": ["/usr/share/keyrings/docker.asc", theirs],
        "sources": {
            "/etc/apt/sources.list": line,
            "/etc/apt/sources.list.d/docker.list": line,
            "/etc/apt/sources.list.d/both.list": f"{line}deb [signed-by={theirs}] http://a b\n",
            "/etc/apt/sources.list.d/other.list": "deb http://a b c\n",
        },
        "trusted_keys": ["0" * 40, KEY],
    }
    found = plan(want, observed)["clean_leftovers"]
    assert [one["item"] for one in found] == [
        "Docker's entries in /etc/apt/sources.list",
        "/etc/apt/sources.list.d/docker.list",
        # Another repository's line stays.
        "Docker's entries in /etc/apt/sources.list.d/both.list",
        # Not one that another repository's line names.
        "/usr/share/keyrings/docker.asc",
        "Docker's key in /etc/apt/trusted.gpg",
    ]
    assert found[0]["do"] == [["rewrite", "/etc/apt/sources.list", f"# {line}"]]
    # Whatever goes, a copy stays.
    assert [[step[0] for step in one["do"]] for one in (found[1], found[3])] == [["keep_copy", "remove"]] * 2
    # Other keys stay.
    assert found[4]["do"][0][1][-2:] == ["--delete-keys", KEY]
    (alone,) = plan(want, {**converged(want), "trusted_keys": [KEY]})["clean_leftovers"]
    assert alone["do"] == [["remove", "/etc/apt/trusted.gpg"]]
    assert plan(want, {**converged(want), "trusted_keys": ["0" * 40]})["clean_leftovers"] == []


def test_removal_takes_files_and_the_key_that_rpm_imported():
    want = wanted(manager="dnf", state="absent")
    observed = {**converged(want), "imported_keys": ["621e9f35"]}
    found = plan(want, observed)["remove_repository"]
    assert [one["do"][0] for one in found] == [
        ["remove", want["repository_file"]],
        ["remove", want["key_file"]],
        ["command", ["rpm", "--erase", "--allmatches", "gpg-pubkey-621e9f35"]],
    ]
    assert drift_text(found[2:]) == "RPM key 621e9f35: imported -> absent"
