"""What ``docker_ce`` does, in which order: by the commands that it would run."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_ce import act, transaction
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import changes, plan
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.record import RECORD, record
from ansible_collections.slipway.node.plugins.module_utils.engine import packages
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import (
    DEBIAN,
    ENGINE,
    MIRROR,
    PACKAGES,
    converged,
    package,
    wanted,
)


@pytest.fixture
def world(monkeypatch):
    """A run of which only words are left, in ``said``; what begins with a word of ``bad`` fails with its text."""
    said, bad, there, changed, running = [], {}, {}, [{}, [], []], []
    run = Run(Host(), DEBIAN)

    def say(text):
        said.append(text)
        for start, error in bad.items():
            if text.startswith(start):
                del bad[start]
                raise Failed(error)

    def command(argv, **_options):
        say(" ".join(argv))
        return 1, "", ""

    def words(argv):
        """What a transaction is about, without its options."""
        load = "--download-only" in argv or "--downloadonly" in argv
        return " ".join(["download" if load else argv[1], *(word for word in argv[2:] if word[:1] != "-")])

    def simulate(_run, _manager, argv):
        say("simulate " + words(argv))
        return packages.Changes(*changed)

    monkeypatch.setattr(run, "command", command)
    monkeypatch.setattr(run, "write", lambda path, text: say(f"write {path} {text}".strip()))
    monkeypatch.setattr(run, "remove", lambda path: say(f"rm {path}"))
    monkeypatch.setattr(run, "keep_copy", lambda path: say(f"copy {path}"))
    monkeypatch.setattr(act, "NUKE_SOURCE", "/nowhere")
    monkeypatch.setattr(packages, "transact", lambda _run, _manager, argv: say(words(argv)))
    monkeypatch.setattr(packages, "simulate", simulate)
    monkeypatch.setattr(transaction, "_refuse_unfit", lambda *_: None)
    monkeypatch.setattr(act.packages, "purge", lambda _run, names: say("purge " + " ".join(names)))
    monkeypatch.setattr(act.packages, "remove", lambda _run, _manager, names: say("remove " + " ".join(names)))
    monkeypatch.setattr(
        act.packages, "refresh", lambda _run, _manager, options=(): say("refresh" if options else "refresh all")
    )
    for module in (act, transaction):
        monkeypatch.setattr(
            module, "installed", lambda _host, _manager, names: {n: there[n] for n in names if n in there}
        )
    monkeypatch.setattr(act, "containers", lambda _host: running)
    monkeypatch.setattr(act, "configure", lambda _run, mirror: say(f"configure {mirror}"))
    monkeypatch.setattr(act, "try_engine", lambda _run, specs, _runs: say("try " + " ".join(specs)))

    def choose(_run, names):
        say("choose")
        return {"mirror": MIRROR, "packages": names, "specs": [f"{name}=1" for name in names]}

    monkeypatch.setattr(act, "choose", choose)

    def go(want, observed, *phases):
        said.clear()
        run.kept.clear()
        run.want, run.observed = want, observed
        phases_of = {phase: rows for phase, rows in plan(want, observed).items() if rows}
        run.states["docker_ce"] = {"plan": phases_of}
        act.begin(run)
        for phase in phases or phases_of:
            if hasattr(act, phase):
                getattr(act, phase)(run, phases_of[phase])
        return said

    return SimpleNamespace(run=run, go=go, bad=bad, there=there, said=said, changed=changed, running=running)


def replaced(manager="apt", configured=True, **change):
    """Return wanted state and host where another engine is to be replaced."""
    want = wanted(manager=manager, hold=False, **change)
    old = {"docker.io": package("20.10"), "runc": package("1.1")} if manager == "apt" else {"runc": package("1.1")}
    return want, {**converged(want), "packages": old, "configured": configured, "installed_version": ""}


SPECS = "docker-ce=1 docker-ce-cli=1 containerd.io=1"
OLD = "docker.io- runc-"


def test_nothing_goes_before_what_replaces_it_is_simulated_downloaded_and_tried(world):
    assert world.go(*replaced()) == [
        "choose",
        # Docker's lists alone.
        "refresh",
        f"simulate install {SPECS} {OLD}",
        f"configure {MIRROR}",
        f"download {SPECS} {OLD}",
        f"try {SPECS}",
        f"install {SPECS} {OLD}",
        # Else its purge, weeks later, would disable the new engine's units.
        "copy /etc/default/docker",
        f"rm {act.NUKE}",
        "purge docker.io",
    ]


def test_a_container_that_was_started_while_packages_were_fetched_is_not_stopped(world):
    observed = converged(wanted())
    world.running.append("late")
    with pytest.raises(Failed, match="that restarts the engine, and these containers stop: late"):
        world.go(wanted(version="28.5"), observed)
    assert world.said[-1].startswith("try ")
    world.go(wanted(version="28.5", restart="always"), observed)
    assert f"install {SPECS}" in " ".join(world.said)


def test_what_would_go_beyond_the_plan_is_refused_before_anything_is_changed(world):
    world.changed[:] = [{"docker-ce": "1", "libc6": "2"}, ["docker.io", "runc", "acme-ci"], []]
    with pytest.raises(Failed, match=r"Installing Docker would also remove acme-ci, which the plan does not say\."):
        world.go(*replaced())
    assert world.said[-1] == f"simulate install {SPECS} {OLD}"
    world.go(*replaced(remove_conflicting=True))
    assert world.run.notes == ["These packages go too, as docker_ce_remove_conflicting allows: acme-ci."]
    # A plugin alone is to come, and not another engine with it.
    want = wanted()
    observed = converged(want)
    del observed["packages"]["docker-ce-cli"]
    world.changed[:] = [{"docker-ce-cli": "1", "docker-ce": "2"}, [], []]
    with pytest.raises(Failed, match="would also replace docker-ce, which the plan"):
        world.go(want, observed)
    # A removal is asked for as well.
    want = wanted(state="absent")
    world.changed[:] = [{}, [*PACKAGES, "acme-ci"], []]
    with pytest.raises(Failed, match="The removal would also remove acme-ci"):
        world.go(want, converged(want))


def test_all_lists_are_fetched_where_the_simulation_needs_them(world):
    world.bad["simulate"] = "E: Unable to locate package iptables"
    said = world.go(*replaced())
    assert said[1:5] == ["refresh", f"simulate install {SPECS} {OLD}", "refresh", f"simulate install {SPECS} {OLD}"]


def test_a_containerd_that_others_use_stays_where_it_may(world, monkeypatch):
    monkeypatch.setattr(transaction, "other_users", lambda _host, _want, names: ["kubelet is running"])
    want = wanted(hold=False)
    observed = {**converged(want), "packages": {"containerd.io": package("1.7")}, "installed_version": ""}
    assert "install docker-ce=1 docker-ce-cli=1" in world.go(want, observed)
    world.changed[:] = [{"containerd.io": "2"}, [], []]
    with pytest.raises(Failed, match=r"would also replace containerd\.io"):
        world.go(want, observed)


def test_the_distribution_s_engine_leaves_nothing_that_wipes_data_later(world, monkeypatch, tmp_path):
    script = tmp_path / "nuke-graph-directory.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(act, "NUKE_SOURCE", str(script))
    assert f"rm {act.NUKE}" in world.go(*replaced()) and script.stat().st_mode & 0o777 == 0o644
    script.chmod(0o755)
    want = wanted(source="distribution", state="absent", version="", packages=["docker.io"])
    observed = {**converged(want), "packages": {"docker.io": package("20.10")}}
    assert f"rm {act.NUKE}" in world.go(want, observed, "remove_packages") and script.stat().st_mode & 0o777 == 0o644


def test_without_what_is_replaced_or_judged_it_is_one_transaction(world):
    want, observed = replaced("dnf", configured=False)
    observed.update(packages={}, services={})
    assert world.go(want, observed, "install_packages") == [
        "choose",
        f"simulate install {SPECS}",
        f"configure {MIRROR}",
        f"install {SPECS}",
    ]


def test_dnf_removes_what_its_transaction_left_and_what_has_the_same_file(world):
    want, observed = replaced("dnf", configured=False)
    world.there["runc"] = package("1.1")
    assert world.go(want, observed)[-2:] == [f"install {SPECS}", "remove runc"]
    world.there.clear()
    world.bad["install"] = "file /usr/bin/runc from install of a conflicts with file from package runc"
    assert world.go(want, observed)[-3:] == [f"install {SPECS}", "remove runc", f"install {SPECS}"]
    world.bad["install"] = "No space left on device"
    with pytest.raises(Failed, match=r"could not be installed from https://.*: No space left on device\. Make room"):
        world.go(want, observed)
    assert world.said[-1] == f"install {SPECS}"


def test_of_two_versions_the_older_goes_first(world):
    want = wanted(manager="dnf")
    observed = converged(want)
    observed["packages"]["docker-ce"].update(broken=True, older=["26.1.4-1.el9"])
    assert "rpm --erase --justdb --nodeps --noscripts docker-ce-26.1.4-1.el9" in world.go(want, observed)


def test_what_was_half_configured_is_finished(world):
    want = wanted()
    observed = converged(want)
    observed["packages"]["containerd.io"]["broken"] = True
    said = world.go(want, observed)
    assert said.index("dpkg --configure containerd.io") < said.index("install containerd.io=1")


def test_after_an_error_what_is_there_is_held_and_told(world):
    world.bad["install"] = "dpkg: error processing package docker-ce (--configure)"
    world.there["docker-ce-cli"] = package("1")
    want, observed = replaced(configured=False)
    want["hold"] = True
    with pytest.raises(Failed, match=r"Installed so far: docker-ce-cli\.$"):
        world.go(want, observed)
    assert world.said[-1] == "apt-mark hold docker-ce-cli"
    # A foreign package that is half configured fails apt, and nothing of Docker's.
    world.bad["install"] = "dpkg: error processing package acme (--configure)"
    world.there.update({name: package("1") for name in PACKAGES})
    world.go(want, observed)
    assert "dpkg: error processing package acme" in world.run.notes[-1]


@pytest.mark.parametrize(
    ("flags", "free", "is_new", "told"),
    [
        (os.ST_RDONLY, 1 << 40, False, "/usr is mounted read-only, so packages"),
        (os.ST_NOEXEC, 1 << 40, False, "/var/lib/dpkg is mounted noexec, so packages"),
        (0, 100 << 20, True, "/usr has 100 MB free, and Docker's packages need 600. Make room"),
        (0, 400 << 20, False, None),
        (0, 1 << 40, True, None),
    ],
)
def test_folders_in_which_packages_would_fail_half_way_are_named(monkeypatch, flags, free, is_new, told):
    monkeypatch.setattr(transaction.os, "statvfs", lambda _path: SimpleNamespace(f_flag=flags))
    monkeypatch.setattr(transaction, "free_bytes", lambda _path: free)
    if told:
        with pytest.raises(Failed, match=told):
            transaction._refuse_unfit("apt", is_new)
    else:
        transaction._refuse_unfit("apt", is_new)


def test_the_sources_are_those_of_afterwards(world, monkeypatch):
    line = "deb https://download.docker.com/linux/debian bookworm stable\n"
    world.run.want = want = wanted(proxy="http://proxy:3128")
    world.run.observed = {
        "sources": {"/etc/apt/sources.list": line, "/etc/apt/sources.list.d/a.list": "deb http://a b c\n"}
    }
    with transaction._sources(world.run, MIRROR) as (options, own):
        folder = Path(options[0].partition("=")[2].partition("=")[2]).parent
        assert (folder / "sources.list").read_text() == f"# {line}" and "http://a" in (folder / "a.list").read_text()
        assert f"Signed-By: {folder}/key.asc" in (folder / "docker.sources").read_text()
        assert (folder / "docker.sources").stat().st_mode & 0o777 == 0o600
        assert own[0].endswith("/docker.sources") and own[-1] == options[-1] == f"--config-file={folder}/apt.conf"
    assert not folder.exists()
    world.run.want = {**want, "state": "absent"}
    with transaction._sources(world.run, "") as found:
        assert found == ([], [])


def test_settings_of_a_removed_engine_are_purged(world):
    want = wanted()
    observed = {**converged(want), "unpurged": ["docker.io"]}
    assert world.go(want, observed) == ["copy /etc/default/docker", f"rm {act.NUKE}", "purge docker.io"]


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("E: Failed to fetch http://x 404 Not Found", "Take that mirror out of docker_ce_mirrors"),
        ("E: dpkg was interrupted, you must manually", "Run `dpkg --configure -a`"),
        (
            "trying to overwrite '/usr/bin/docker', which is also in package acme-docker 1.0",
            "Remove the package acme-docker.",
        ),
        ("E: You don't have enough free space in /var/cache", "Make room in"),
        ("E: Problem executing scripts DPkg::Pre-Invoke 'false'", "hook DPkg::Pre-Invoke 'false'"),
    ],
)
def test_a_failure_names_the_cause_and_its_own_remedy(world, said, remedy):
    world.bad["download"] = said
    if "404" in said:
        # Its lists were fetched anew in between.
        world.bad["download docker-ce=1"] = said
    with pytest.raises(Failed) as error:
        world.go(*replaced())
    text = str(error.value)
    assert text.startswith(
        f"docker-ce=1, docker-ce-cli=1, containerd.io=1 could not be installed from {MIRROR}: {said}"
    )
    assert remedy in text and not [one for one in world.said if one.startswith("remove")]


def test_the_distribution_s_packages_come_without_a_mirror(world):
    want = wanted(source="distribution", packages=["docker.io"], version="", hold=False)
    observed = {**converged(wanted()), "configured": True}
    removed = []
    world.run.remove = removed.append
    old = " ".join(f"{name}-" for name in want["conflicting"] if name in PACKAGES)
    assert world.go(want, observed) == [
        f"simulate install docker.io {old}",
        f"download docker.io {old}",
        "try docker.io",
        f"install docker.io {old}",
    ]
    assert removed == ["/etc/apt/sources.list.d/docker.sources", "/etc/apt/keyrings/docker.asc"]


def test_a_package_that_is_in_the_way_alone_goes_alone(world):
    want = wanted()
    observed = converged(want)
    observed["packages"]["docker-doc"] = package("20.10", held=False)
    assert world.go(want, observed) == ["simulate remove docker-doc", "remove docker-doc"]


def test_a_mirror_is_chosen_once_unless_other_packages_are_to_come(world):
    want, observed = replaced()
    observed["key"] = "missing"
    said = world.go(want, observed)
    assert said.count("choose") == 1 and said[3] == f"configure {MIRROR}"
    world.run.observed = {
        **observed,
        "packages": {**converged(want)["packages"], "containerd.io": package("1", broken=True)},
    }
    assert act._choice(world.run)["specs"] == ["containerd.io=1"] and said.count("choose") == 2


def test_holds(world):
    want = wanted()
    observed = converged(want)
    observed["packages"]["docker-ce"]["held"] = False
    observed["recorded"] = ["docker-ce-cli"]
    assert world.go(want, observed) == [
        f"write {RECORD} {record(['docker-ce', 'docker-ce-cli']).strip()}",
        "apt-mark hold docker-ce",
    ]
    # What an admin held stays.
    assert world.go(wanted(hold=False), observed)[1:] == [
        "apt-mark unhold docker-ce-cli",
        f"write {RECORD} {record([]).strip()}",
    ]
    observed = converged(wanted(manager="dnf"))
    assert world.go(wanted(manager="dnf", hold=False), observed) == [f"configure {MIRROR}"]


def unit(**change):
    return {"LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active", **change}


def test_the_service_is_unmasked_enabled_and_started(world):
    want = wanted()
    services = {"docker.service": unit(LoadState="masked", ActiveState="inactive")}
    observed = {**converged(want), "services": services, "group": "missing"}
    assert world.go(want, observed) == [
        "groupadd --system docker",
        "systemctl unmask docker.service",
        "systemctl reset-failed docker.service",
        "systemctl enable docker.service",
        "systemctl start docker.service",
    ]
    want = wanted(service_state="stopped", service_enabled=False)
    assert world.go(want, {**converged(want), "services": {"docker.service": unit()}}) == [
        "systemctl disable docker.service",
        "systemctl stop docker.service",
        "systemctl disable docker.socket",
        "systemctl stop docker.socket",
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [("", r"does not start\. Correct"), ("bad bip", r"does not start, and the engine says: bad bip\. C")],
)
def test_an_engine_that_does_not_start_is_asked_why(world, monkeypatch, said, told):
    want = wanted()
    monkeypatch.setattr(act, "complaint", lambda _run: said)
    world.bad["systemctl start"] = "no"
    with pytest.raises(Failed, match=told):
        world.go(want, {**converged(want), "services": {"docker.service": unit(ActiveState="failed")}})


def test_what_a_build_left_mounted_goes_before_the_data(world, monkeypatch):
    mounts = (
        "1 2 0:1 / /var/lib/docker rw - tmpfs t rw\n3 1 0:2 / /var/lib/docker/overlay2/a/merged rw - overlay o rw\n"
    )
    mounts += "4 1 8:1 / /var/lib/docker/volumes/v rw - ext4 /dev/sdb rw\n"
    monkeypatch.setattr(world.run.host, "read", lambda _path: mounts)
    want = wanted(state="absent", purge_data=True)
    said = world.go(want, {**converged(want), "data": {"/var/lib/docker": ["/var/lib/docker/x"]}}, "purge_data")
    # The folder itself may be a disk, and a volume too.
    assert said[-2:] == [
        "umount --lazy /var/lib/docker/overlay2/a/merged",
        "find -H /var/lib/docker -xdev -mindepth 1 -delete",
    ]


def test_containers_stop_before_the_engine_goes(world):
    want = wanted(state="absent")
    observed = {**converged(want), "containers": ["web"]}
    assert changes(want, observed)["stops"]
    assert world.go(want, observed) == [
        "simulate remove containerd.io docker-ce docker-ce-cli",
        f"{ENGINE} stop web",
        "systemctl stop docker.socket docker.service",
        "remove containerd.io docker-ce docker-ce-cli",
        "rm /var/lib/slipway/docker_ce.json",
    ]
    observed = {**observed, "packages": {"docker-ce-cli": package("1")}, "containers": []}
    assert world.go(want, observed)[1] == "remove docker-ce-cli"
