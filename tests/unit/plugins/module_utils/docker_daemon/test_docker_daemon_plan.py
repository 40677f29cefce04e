"""What is decided to be done, what is refused, and what an admin is to know of it."""

import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.observe import observe
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.plan import (
    decide,
    facts,
    notes,
    plan,
    refusals,
)
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import sentence

from tests.unit.plugins.module_utils.docker_daemon.docker_daemon_hosts import (
    CONFIG,
    STATE,
    UNIT,
    FakeHost,
    aimed,
    running_host,
    want,
)


def verbs(host, wish):
    decision = decide(wish, aimed(host, wish))
    return [step[0] if step[0] != "write" else "write " + step[1] for step in decision["steps"]], decision["pending"]


def told(host, wish):
    return notes(wish, observe(host, wish))


@pytest.fixture
def started(monkeypatch):
    monkeypatch.setattr(daemon, "_started_at", lambda unit: 100.0)


DECISIONS = [
    # Nothing is loaded where nothing runs.
    (FakeHost(), want({"mtu": 1400}), ["record", "write config", "record"], []),
    (running_host({}), want({"mtu": 1400}), ["record", "write config", "restart", "prove", "record"], []),
    (running_host({}, {}, "web"), want({"mtu": 1400}), ["record", "write config", "record"], ["mtu"]),
    (
        running_host({}, {}, "web"),
        want({"mtu": 1400}, restart="always"),
        ["record", "write config", "restart", "prove", "record"],
        [],
    ),
    (running_host({}), want({"mtu": 1400}, restart="never"), ["record", "write config", "record"], ["mtu"]),
    (running_host({}), want({"debug": True}), ["record", "write config", "reload", "prove", "record"], []),
    # One restart does for both.
    (
        running_host({}),
        want({"debug": True, "mtu": 1400}),
        ["record", "write config", "restart", "prove", "record"],
        [],
    ),
    # live-restore that a reload turns on keeps the container in the restart.
    (
        running_host({}, {"LiveRestoreEnabled": False}, "web"),
        want({"live-restore": True, "mtu": 1400}),
        ["record", "write config", "reload", "prove", "restart", "prove", "check_containers", "record"],
        [],
    ),
    # But not where the change breaks it.
    (
        running_host({}, {"LiveRestoreEnabled": False}, "web"),
        want({"live-restore": True, "bip": "10.9.0.1/24"}),
        ["record", "write config", "reload", "prove", "record"],
        ["bip"],
    ),
    # Containers that live-restore would leave to a daemon that does not know them are stopped with the present one.
    (
        running_host({"live-restore": True}, {"LiveRestoreEnabled": True}, "web"),
        want({"live-restore": True, "data-root": "/data/docker"}, restart="always"),
        [
            *("record", "write config", "write mounts", "load_units"),
            *("write config", "reload", "write config", "restart", "prove", "record"),
        ],
        [],
    ),
    (
        running_host({"live-restore": True}, {"LiveRestoreEnabled": True}, "web"),
        want({"live-restore": True, "mtu": 1400}, restart="always"),
        ["record", "write config", "restart", "prove", "record"],
        [],
    ),
    # Features are where images are kept.
    (
        running_host({}, {}, "web"),
        want({"features": {"containerd-snapshotter": True}}),
        ["record", "write config", "record"],
        ["features"],
    ),
]


@pytest.mark.parametrize(("host", "wish", "steps", "pending"), DECISIONS)
def test_what_is_decided(started, host, wish, steps, pending):
    assert verbs(host, wish) == (steps, pending)


def test_a_key_that_goes_is_neutral_for_the_time_of_the_reload(started):
    state = {"entries": [{"path": ["debug"], "value": True}], "files": {CONFIG: '{"mtu": 1400}'}}
    host = FakeHost({CONFIG: '{"mtu": 1400, "debug": true}', STATE: json.dumps(state)}, UNIT, {"Debug": True})
    decision = decide(want(), aimed(host, want()))
    texts = [step[2] for step in decision["steps"] if step[0] == "write"]
    assert [json.loads(text) for text in texts] == [{"mtu": 1400, "debug": False}, {"mtu": 1400}]
    absent = want(state="absent")
    decision = decide(absent, aimed(host, absent))
    assert decision["steps"][-1] == ("remove_record",)
    assert [step[2] for step in decision["steps"] if step[0] == "write"][-1] == '{"mtu": 1400}'


def test_what_is_to_be_done_has_a_phase_and_what_waits_is_for_later(started):
    def phases(host, wish):
        return {phase: [sentence(one) for one in actions] for phase, actions in plan(wish, observe(host, wish)).items()}

    waiting = {
        "later": ["docker.service: restart pending for mtu (running: web) -> restarted"],
        "configure": ["mtu: not set -> 1400"],
        "watch_files": [],
    }
    host = running_host({}, {}, "web")
    assert phases(host, want({"mtu": 1400})) == waiting
    assert facts(want({"mtu": 1400}), observe(host, want({"mtu": 1400}))) == {"pending": ["mtu"], "stops": []}
    assert phases(running_host({}), want({"debug": True}))["configure"] == [
        "debug: not set -> true",
        "docker.service: reload pending for debug -> reloaded",
    ]
    state = {"entries": [{"path": ["debug"], "value": True}], "files": {CONFIG: None}}
    host = FakeHost({CONFIG: '{"debug": true}', STATE: json.dumps(state)})
    assert phases(host, want(state="absent"))["remove_configuration"] == ["debug: true -> not set"]
    host = FakeHost({STATE: json.dumps({})})
    assert phases(host, want(state="absent"))["remove_configuration"] == [f"{STATE}: present -> absent"]
    # Before there is an engine.
    assert phases(host, want())["write_configuration"] == []


@pytest.mark.parametrize("path", [CONFIG, STATE])
def test_a_file_that_cannot_be_read_is_named(path):
    for state, phase in (("present", "write_configuration"), ("absent", "remove_configuration")):
        wish, host = want(state=state), FakeHost({path: "["})
        observed = observe(host, wish)
        # Of a removal it is no concern where nothing is left of ours.
        left = state == "present" or path == STATE
        assert [one["item"] for one in plan(wish, observed)[phase]] == [path] * left
        assert len(refusals(wish, observed)) == 1 and facts(wish, observed) == {"pending": [], "stops": []}


SWARM = {"Swarm": {"LocalNodeState": "active"}}
REFUSALS = [
    (
        running_host({}, SWARM),
        want({"live-restore": True}),
        "This host is in a swarm, and with live-restore",
    ),
    (running_host({}, {"Swarm": {"LocalNodeState": "inactive"}}), want({"live-restore": True}), ""),
    (FakeHost({"/var/lib/docker/swarm/docker-state.json": "{}"}), want({"live-restore": True}), "in a swarm"),
    (FakeHost({CONFIG: '{"proxies": {"http-proxy": "http://p"}}'}), want(proxy="sealed:x"), "has proxies of its own"),
    (
        FakeHost({"/etc/fstab": "/dev/x /data ext4 noauto 0 0\n"}),
        want({"data-root": "/data/docker"}),
        "disk of /data is not",
    ),
    (
        FakeHost({"/etc/fstab": "/dev/x /data ext4\n", "/proc/self/mounts": "/dev/x /data ext4 rw 0 0\n"}),
        want({"data-root": "/data/docker"}),
        "",
    ),
    (FakeHost({"/etc/fstab": "#/dev/x /data ext4\n/dev/y /dat ext4\n"}), want({"data-root": "/data"}), ""),
    # A data root: a folder of others, a hidden file, a new disk, an engine's, one user namespaces'; one that was there.
    (FakeHost({"/data/x": ""}), want({"data-root": "/data"}), "already holds other files"),
    (FakeHost({"/data/.x": ""}), want({"data-root": "/data"}), "such as /data/docker"),
    (FakeHost({"/data/lost+found": ""}), want({"data-root": "/data"}), ""),
    (FakeHost({"/data/x": ""}), want({"data-root": "/data/docker"}), ""),
    (FakeHost({"/data/x": "", "/data/engine-id": ""}), want({"data-root": "/data"}), ""),
    (FakeHost({"/data/x": "", "/data/image/overlay2/layerdb": ""}), want({"data-root": "/data"}), ""),
    (FakeHost({"/data/231072.231072/containers": ""}), want({"data-root": "/data"}), ""),
    (FakeHost({"/data/x": "", CONFIG: '{"data-root": "/data"}'}), want({"data-root": "/data", "mtu": 1400}), ""),
    (FakeHost({"/var/lib/docker/x": ""}), want({"data-root": "/var/lib/docker"}), ""),
    (FakeHost({"/data/x": ""}, UNIT, {"DockerRootDir": "/data"}), want({"data-root": "/data"}), ""),
    # A swarm would be lost.
    (
        running_host({}, SWARM),
        want({"data-root": "/data"}),
        "would not find again with another data-root. Leave the key",
    ),
    (running_host({"userns-remap": "x"}, SWARM), want({"userns-remap": "y"}), "with another userns-remap"),
    (running_host({}, SWARM), want({"data-root": "/var/lib/docker", "storage-driver": "vfs"}), ""),
    (running_host({"data-root": "/data"}, SWARM), want({"data-root": "/data", "mtu": 1400}), ""),
    (running_host({}, {"Swarm": {"LocalNodeState": "inactive"}}), want({"data-root": "/data"}), ""),
    (FakeHost(unit=UNIT), want({"hosts": ["fd://"]}), "sets what daemon.json is to set: hosts (-H fd://)"),
    (FakeHost({STATE: "null"}), want({"debug": True}), STATE + " is not the record that Slipway keeps"),
    (FakeHost({STATE: "{"}), want({"debug": True}), STATE + " is not the record that Slipway keeps"),
    (FakeHost({CONFIG: "{"}), want({"debug": True}), CONFIG + " is not what dockerd can read: line 1"),
]


@pytest.mark.parametrize(("host", "wish", "expected"), REFUSALS)
def test_what_would_harm_is_refused_before_anything_is_written(host, wish, expected):
    sentences = refusals(wish, observe(host, wish))
    assert [expected in sentence for sentence in sentences] == [True] * bool(expected), sentences


def test_a_group_that_does_not_exist_is_refused_and_one_that_does_is_the_sockets():
    wish, host = want({"group": "hpc"}), FakeHost(unit=UNIT)
    assert aimed(host, wish)["to_be"]["socket"].endswith("[Socket]\nSocketGroup=hpc\n")
    assert refusals(wish, observe(host, wish)) == []
    host.failing.add(("getent", "group"))
    assert "group hpc" in refusals(wish, observe(host, wish))[0]


def test_the_daemon_waits_for_the_disk_of_its_data():
    to_be = aimed(FakeHost(), want({"data-root": "/data/docker"}))["to_be"]
    assert to_be["mounts"].endswith("[Unit]\nRequiresMountsFor=/data/docker\n")


def test_another_place_of_the_images_is_told(started):
    wish = want({"features": {"containerd-snapshotter": True}})
    host = running_host({}, {"Images": 3, "Containers": 1, "DriverStatus": [["Backing Filesystem", "extfs"]]})
    assert "(3 images, 1 containers) are out of sight" in told(host, wish)[0]
    # Given up again, which leads back to the former store.
    store = {"Images": 3, "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    host = running_host({"features": {"containerd-snapshotter": True}}, store)
    host.files[STATE] = json.dumps(
        {"entries": [{"path": ["features", "containerd-snapshotter"], "value": True}], "files": {CONFIG: None}}
    )
    assert "(3 images, 0 containers) are out of sight" in told(host, want({}))[0]
    # A data root moves none of that store.
    wish = want({"features": {"containerd-snapshotter": True}, "data-root": "/data"})
    assert ["/var/lib/containerd" in note for note in told(host, wish)] == [True]
    assert told(running_host({}, {}), want({"data-root": "/data"})) == []


@pytest.mark.parametrize(
    ("is_", "config", "noted"),
    [
        ({}, {"data-root": "/data"}, ["data-root"]),
        (
            {"data-root": "/data"},
            {"storage-driver": "vfs", "userns-remap": "default"},
            ["storage-driver", "userns-remap"],
        ),
        # What the daemon has already.
        ({}, {"data-root": "/srv", "storage-driver": "overlay2"}, []),
        ({"data-root": "/data/"}, {"data-root": "/data"}, []),
    ],
)
def test_data_out_of_sight_is_told(started, is_, config, noted):
    info = {"Images": 3, "Containers": 1, "Driver": "overlay2", "DockerRootDir": "/srv"}
    notes = told(running_host(is_, info), want(config))
    assert [note.split(" changes where")[0] for note in notes] == noted
    empty = dict(info, Images=0, Containers=0)
    assert told(running_host(is_, empty), want(config)) == []


def test_containers_that_are_stopped_are_told(started):
    host = running_host({"live-restore": True}, {"LiveRestoreEnabled": True}, "web\ndb")
    wish = want({"live-restore": True, "exec-root": "/run/d", "mtu": 1400}, restart="always")
    assert told(host, wish) == [
        "live-restore keeps no container over a change of exec-root.",
        "This stops the containers db, web. db stays down, since it has no restart policy: start by `docker start`.",
    ]
    assert "stops" not in told(host, dict(wish, restart="safe"))[0]
    # Without live-restore all stop, with it and another key none.
    assert told(host, want({"mtu": 1400, "live-restore": True}, restart="always")) == []
    (stops,) = told(running_host({}, {}, "web"), want({"mtu": 1400}, restart="always"))
    assert stops == "This stops the containers web."
    steps = decide(wish, aimed(host, wish))["steps"]
    texts = [json.loads(step[2]) for step in steps if step[:2] == ("write", "config")]
    assert texts == [wish["config"], {"live-restore": False}, wish["config"]]


@pytest.mark.parametrize(
    ("config", "noted"),
    [
        (
            {"hosts": ["fd://", "tcp://10.0.0.1:2375"]},
            "tcp://10.0.0.1:2375 of hosts makes everyone who reaches it root",
        ),
        ({"hosts": ["fd://", "tcp://0.0.0.0:2376"], "tls": True}, "tcp://0.0.0.0:2376 of hosts"),
        ({"hosts": ["fd://", "tcp://0.0.0.0:2376"], "tlsverify": True}, ""),
        ({"hosts": ["fd://", "tcp://127.0.0.1:2375", "tcp://localhost", "tcp://[::1]:1", "tcp://:2375"]}, ""),
    ],
)
def test_a_port_open_to_the_network_is_told(config, noted):
    wish = want(config, take_over_flags=True)
    assert [noted in note for note in told(FakeHost(unit=UNIT), wish)] == [True] * bool(noted)
