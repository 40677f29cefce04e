"""What ``docker_ce`` does, in which order: by the commands that it would run."""

from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_ce import act
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import changes, plan
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.record import RECORD, record
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
    said, bad, there = [], {}, []
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

    def install(_run, _manager, specs, remove=(), download_only=False, nothing_goes=False, **_options):
        words = ["download" if download_only else "install", *specs, *(f"{name}-" for name in remove)]
        say(" ".join(words + ["--no-remove"] * nothing_goes))

    monkeypatch.setattr(run, "command", command)
    monkeypatch.setattr(run, "write", lambda path, text: say(f"write {path} {text}".strip()))
    monkeypatch.setattr(run, "remove", lambda path: say(f"rm {path}"))
    monkeypatch.setattr(run, "keep_copy", lambda path: say(f"copy {path}"))
    monkeypatch.setattr(act, "NUKE_SOURCE", "/nowhere")
    monkeypatch.setattr(act.packages, "install", install)
    monkeypatch.setattr(act.packages, "purge", lambda _run, names: say("purge " + " ".join(names)))
    monkeypatch.setattr(act.packages, "remove", lambda _run, _manager, names: say("remove " + " ".join(names)))
    monkeypatch.setattr(act.packages, "refresh", lambda _run, _manager: say("refresh"))
    monkeypatch.setattr(act, "installed", lambda _host, _manager, names: [one for one in names if one in there])
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

    return SimpleNamespace(run=run, go=go, bad=bad, there=there, said=said)


def replaced(manager="apt", configured=True, **change):
    """Return wanted state and host where another engine is to be replaced."""
    want = wanted(manager=manager, hold=False, **change)
    old = {"docker.io": package("20.10"), "runc": package("1.1")} if manager == "apt" else {"runc": package("1.1")}
    return want, {**converged(want), "packages": old, "configured": configured, "installed_version": ""}


def test_nothing_goes_before_what_replaces_it_is_downloaded_and_tried(world):
    specs = "docker-ce=1 docker-ce-cli=1 containerd.io=1"
    assert world.go(*replaced()) == [
        "choose",
        f"configure {MIRROR}",
        "refresh",
        f"download {specs} docker.io- runc-",
        f"try {specs}",
        f"install {specs} docker.io- runc-",
        # Else its purge, weeks later, would disable the new engine's units.
        "copy /etc/default/docker",
        "purge docker.io",
    ]


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
    specs = "docker-ce=1 docker-ce-cli=1 containerd.io=1"
    # dnf erases nothing that the plan does not tell.
    assert world.go(want, observed, "install_packages")[2:] == ["refresh", f"install {specs} --no-remove"]


def test_dnf_removes_what_its_transaction_left_and_what_has_the_same_file(world):
    want, observed = replaced("dnf", configured=False)
    specs = "docker-ce=1 docker-ce-cli=1 containerd.io=1"
    world.there.append("runc")
    assert world.go(want, observed)[-2:] == [f"install {specs} runc-", "remove runc"]
    world.there.clear()
    world.bad["install"] = "file /usr/bin/runc from install of a conflicts with file from package runc"
    assert world.go(want, observed)[-3:] == [f"install {specs} runc-", "remove runc", f"install {specs}"]
    world.bad["install"] = "No space left on device"
    with pytest.raises(Failed, match=r"could not be installed from https://.*: No space left on device"):
        world.go(want, observed)
    assert world.said[-1] == f"install {specs} runc-"


@pytest.mark.parametrize("step", ["refresh", "download", "install"])
def test_a_failure_names_packages_source_and_remedy_in_the_package_manager_s_words(world, step):
    world.bad[step] = "dpkg: error: no"
    with pytest.raises(Failed) as error:
        world.go(*replaced())
    assert str(error.value).startswith(
        f"docker-ce=1, docker-ce-cli=1, containerd.io=1 could not be installed from {MIRROR}."
    )
    assert "take that mirror out of docker_ce_mirrors" in str(error.value)
    assert str(error.value).endswith("The package manager says: dpkg: error: no")
    assert not [one for one in world.said if one.startswith("remove")]


def test_the_distribution_s_packages_come_without_a_mirror(world):
    want = wanted(source="distribution", packages=["docker.io"], version="", hold=False)
    observed = {**converged(wanted()), "configured": True}
    removed = []
    world.run.remove = removed.append
    old = " ".join(f"{name}-" for name in want["conflicting"] if name in PACKAGES)
    assert world.go(want, observed) == [
        "refresh",
        f"download docker.io {old}",
        "try docker.io",
        f"install docker.io {old}",
    ]
    assert removed == ["/etc/apt/sources.list.d/docker.sources", "/etc/apt/keyrings/docker.asc"]


def test_a_package_that_is_in_the_way_alone_goes_alone(world):
    want = wanted()
    observed = converged(want)
    observed["packages"]["docker-doc"] = package("20.10", held=False)
    assert world.go(want, observed) == ["remove docker-doc"]


def test_a_mirror_is_chosen_once_unless_other_packages_are_to_come(world):
    want, observed = replaced()
    observed["key"] = "missing"
    said = world.go(want, observed)
    assert said.count("choose") == 1 and said[1] == f"configure {MIRROR}"
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


def test_containers_stop_before_the_engine_goes(world):
    want = wanted(state="absent")
    observed = {**converged(want), "containers": ["web"]}
    assert changes(want, observed)["stops"]
    assert world.go(want, observed) == [
        f"{ENGINE} stop web",
        "systemctl stop docker.socket docker.service",
        "remove containerd.io docker-ce docker-ce-cli",
        "rm /var/lib/slipway/docker_ce.json",
    ]
    observed = {**observed, "packages": {"docker-ce-cli": package("1")}, "containers": []}
    assert world.go(want, observed)[0] == "remove docker-ce-cli"
