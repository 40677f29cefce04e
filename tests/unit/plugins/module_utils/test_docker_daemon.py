"""What the section docker_daemon sees of hosts that are made up, and what it decides to do there."""

import json
from fnmatch import fnmatch

import pytest
from ansible_collections.slipway.node.plugins.module_utils import (
    daemon_json,
    docker_daemon,
    docker_daemon_mirrors,
    docker_daemon_unit,
    platforms,
)
from ansible_collections.slipway.node.plugins.module_utils.host import NoAnswer
from ansible_collections.slipway.node.plugins.plugin_utils import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.docker_daemon import prepare

CONFIG, STATE = "/etc/docker/daemon.json", "/var/lib/slipway/docker_daemon.json"
UNIT = "LoadState=loaded\nActiveState=active\nMainPID=7\nExecMainStartTimestampMonotonic=0\n"
PLATFORM = platforms.describe("Debian", "12.15", "bookworm", "x86_64")
PATHS = docker_daemon.paths({"config_file": CONFIG, "service": "docker.service"})


class FakeHost:
    """A host of given files and answers; ``commands`` holds what it was asked of docker."""

    def __init__(
        self, files=None, unit="LoadState=not-found\n", info=None, running="", changed=1.0, modes=None, key=""
    ):
        self.files = files or {}
        self.key = key
        self.endpoints = []
        self._info = dict(info or {}, ServerVersion="26")
        self.failing = set()
        self._answers = {
            ("systemctl", "show"): unit,
            ("systemctl", "cat"): "# /lib/docker.service\n[Service]\nExecStart=/usr/bin/dockerd -H fd://\n",
            "ps": running,
            "%.9Z": "%f\n" % changed,
            "mode %a of %U %n": "".join("%s %s\n" % (mode, path) for path, mode in (modes or {}).items()),
            ("getent", "group"): "",
        }

    def run(self, *command):
        key = command[:2]
        if command[0] == "env":
            # Whatever root's context and environment say.
            assert command[1:5] == ("--unset=DOCKER_TLS", "--unset=DOCKER_TLS_VERIFY", "docker", "--host")
            self.endpoints.append(command[5])
            key = command[6]
        elif command[0] == "stat":
            key = command[3]
        return int(key in self.failing), self._answers[key]

    def engine(self, endpoint):
        self.endpoints.append(endpoint)
        return self._info

    def read(self, path):
        return self.files.get(path)

    def read_bytes(self, path):
        return self.files[path].encode("utf-8")

    def glob(self, *patterns):
        return [path for path in self.files if any(fnmatch(path, one) for one in patterns)]

    def is_sealed(self, mark, text):
        return text is not None and mark == reader.seal(self.key, text)


def want(config=None, **changes):
    base = {
        "state": "present",
        "config": config or {},
        "config_file": CONFIG,
        "state_file": STATE,
        "service": "docker.service",
        "proxy": "",
        "restart": "safe",
        "backup": False,
        "take_over_flags": False,
        "audit": False,
        "probe_mirrors": "off",
        "mirror_timeout": 1,
    }
    return dict(base, **changes)


def drift(host, wish):
    return [
        (one["item"], one["is"], one["want"]) for one in docker_daemon.compare(wish, docker_daemon.observe(host, wish))
    ]


def test_a_fresh_host_without_docker():
    assert drift(FakeHost(), want({"debug": True})) == [("debug", "not set", "true")]


def test_nothing_wanted_and_nothing_there():
    assert drift(FakeHost(), want()) == []


def test_a_reformatted_file_is_no_drift():
    entries = [{"path": ["debug"], "value": True}]
    files = {CONFIG: '{ "debug" :true }', STATE: json.dumps({"entries": entries, "files": {CONFIG: None}})}
    assert drift(FakeHost(files), want({"debug": True})) == []


def test_a_broken_file():
    host = FakeHost({CONFIG: "{"})
    place = "line 1, column 2: Expecting property name enclosed in double quotes"
    assert drift(host, want({"debug": True})) == [(CONFIG, "unreadable at %s" % place, "a JSON object")]


def pending_host(started, recorded=None):
    loaded = {"loaded": recorded} if recorded else {}
    entries = [{"path": ["log-driver"], "value": "local"}]
    files = {
        CONFIG: '{"log-driver": "local"}',
        STATE: json.dumps(dict({"entries": entries, "files": {CONFIG: None}}, **loaded)),
    }
    unit = UNIT.replace("Monotonic=0", "Monotonic=%d" % started)
    return FakeHost(files, unit, {"LoggingDriver": "json-file"}, "b\na\n")


def test_a_pending_restart_is_drift_with_the_containers_it_waits_for():
    assert drift(pending_host(5), want({"log-driver": "local"})) == [
        ("docker.service", "restart pending for log-driver (running: a, b)", "restarted")
    ]


@pytest.mark.parametrize(
    ("recorded", "changed", "pending"),
    [
        ({"daemon": "7-5", "values": {}, "pending": ["mtu"]}, 1.0, True),
        ({"daemon": "7-5", "values": {"mtu": 1400}, "pending": []}, 9e9, False),
        # Restarted since: it loaded the file, which is older.
        ({"daemon": "3-3", "values": {}, "pending": ["mtu"]}, 1.0, False),
        # Edited after the start, by nobody known.
        ({}, 9e9, True),
    ],
)
def test_what_the_daemon_has_loaded(monkeypatch, recorded, changed, pending):
    monkeypatch.setattr(docker_daemon, "_started_at", lambda unit: 100.0)
    state = {"entries": [{"path": ["mtu"], "value": 1400}], "files": {CONFIG: None}, "loaded": recorded}
    files = {CONFIG: '{"mtu": 1400}', STATE: json.dumps(state)}
    host = FakeHost(files, UNIT.replace("Monotonic=0", "Monotonic=5"), changed=changed)
    assert [one[0] for one in drift(host, want({"mtu": 1400}))] == ["docker.service"] * pending


def test_dead_mirrors_are_left_out_unless_all_are_dead():
    config = {"registry-mirrors": ["http://a", "http://b"]}
    wish = want(probe_mirrors="skip")
    alive = docker_daemon.without_dead(wish, config, {"http://a": "refused", "http://b": ""})
    assert alive["registry-mirrors"] == ["http://b"]
    assert docker_daemon.without_dead(wish, config, {"http://a": "x", "http://b": "x"}) == config
    report = dict(wish, probe_mirrors="report")
    assert docker_daemon.without_dead(report, config, {"http://a": "refused", "http://b": ""}) == config


def test_absent_gives_the_former_text_back():
    former = '{"mtu":1400 ,  "debug": false}'
    wish = want({"debug": True})
    found = docker_daemon.survey(FakeHost({CONFIG: former}), wish)
    state = {"entries": found["entries"], "files": {CONFIG: former}}
    host = FakeHost({CONFIG: found["to_be"]["config"], STATE: json.dumps(state)})
    assert docker_daemon.survey(host, dict(wish, state="absent"))["to_be"]["config"] == former


def sealed(text, key="k"):
    return reader.seal(key, text)


def test_proxies_are_compared_by_their_seal_alone():
    text = docker_daemon_unit.proxy_environment("http://u:s3cret@p", "", "")
    wish = want(proxy=sealed(text))
    assert [one[0] for one in drift(FakeHost(key="k"), wish)] == [PATHS["environment"], PATHS["proxy"]]
    found = docker_daemon.survey(FakeHost(key="k"), wish, {wish["proxy"]: text})
    assert found["to_be"]["environment"] == text
    files = {PATHS["environment"]: text, PATHS["proxy"]: found["to_be"]["proxy"]}
    assert drift(FakeHost(files, key="k"), wish) == []
    # Another run has another key.
    assert drift(FakeHost(files, key="l"), want(proxy=sealed(text, "l"))) == []
    assert [one[0] for one in drift(FakeHost(files, key="k"), want(proxy=sealed("other")))] == [PATHS["environment"]]


def test_what_was_loaded_is_known_though_the_file_was_edited():
    text = docker_daemon_unit.proxy_environment("http://p", "", "")
    drop_in = docker_daemon_unit.proxy_drop_in(PATHS["environment"])
    wish = want(proxy=sealed(text))
    found = docker_daemon.survey(FakeHost(key="k"), wish, {wish["proxy"]: text})
    state = docker_daemon.new_state(found, docker_daemon.settings(found, "to_be"), [])
    state["loaded"]["daemon"] = "7-0"
    files = {PATHS["environment"]: "edited", PATHS["proxy"]: drop_in, STATE: json.dumps(state)}
    assert [one[0] for one in drift(FakeHost(files, UNIT, key="k"), wish)] == [PATHS["environment"]]


def test_a_secret_of_daemon_json_is_compared_by_its_seal_and_is_for_root_alone():
    wish = want({"log-driver": "splunk", "log-opts": {"splunk-token": sealed("s3cret")}})
    known = {wish["config"]["log-opts"]["splunk-token"]: "s3cret"}
    found = docker_daemon.survey(FakeHost(key="k"), wish, known)
    assert json.loads(found["to_be"]["config"])["log-opts"] == {"splunk-token": "s3cret"}
    host = FakeHost({CONFIG: found["to_be"]["config"]}, key="k", modes={CONFIG: "mode 644 of root"})
    assert drift(host, wish) == [(CONFIG, "mode 644 of root", "mode 600 of root")]
    other = FakeHost({CONFIG: found["to_be"]["config"].replace("s3cret", "0ther")}, key="k")
    assert drift(other, wish) == [("log-opts.splunk-token", '"***"', "another value, not shown")]


def test_observed_holds_no_password():
    files = {CONFIG: '{"proxies": {"http-proxy": "http://u:s3cret@p"}, "registry-mirrors": ["http://u:s3cret@m"]}'}
    observed = docker_daemon.observe(FakeHost(files), want({"registry-mirrors": []}))
    assert "s3cret" not in json.dumps(observed)


def test_a_file_with_secrets_is_readable_by_root_alone():
    entries = [{"path": ["debug"], "value": True}]
    files = {CONFIG: '{"debug": true}', STATE: json.dumps({"entries": entries, "files": {CONFIG: None}})}
    for mode, exposed in (("mode 600 of root", False), ("mode 644 of root", True), ("mode 600 of alice", True)):
        host = FakeHost(files, modes={STATE: mode})
        assert drift(host, want({"debug": True})) == [(STATE, mode, "mode 600 of root")] * exposed


def test_a_drop_in_of_ours_goes_also_without_the_record():
    text = docker_daemon_unit.proxy_environment("http://p", "", "")
    wish = want(proxy=sealed(text, ""))
    to_be = docker_daemon.survey(FakeHost(), wish, {wish["proxy"]: text})["to_be"]
    files = {PATHS[name]: to_be[name] for name in ("environment", "proxy")}
    assert [one[0] for one in drift(FakeHost(files), want())] == list(files)
    assert drift(FakeHost(dict.fromkeys(files, "# of an admin\n")), want()) == []


def verbs(host, wish, known=None):
    decision = docker_daemon.decide(wish, docker_daemon.survey(host, wish, known))
    return [step[0] if step[0] != "write" else "write " + step[1] for step in decision["steps"]], decision["pending"]


def running_host(config, info=None, running="", loaded=None):
    """A daemon that has loaded what stands in its file."""
    files = {CONFIG: json.dumps(config)} if config is not None else {}
    return FakeHost(files, UNIT, dict({"LoggingDriver": "json-file"}, **(info or {})), running)


@pytest.fixture
def started(monkeypatch):
    monkeypatch.setattr(docker_daemon, "_started_at", lambda unit: 100.0)


ROUTE = "/proc/net/route"
# A default route, a route behind a gateway, and two links.
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100090A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0000A8C0\t0100090A\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth0\t0000090A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""
# A listener, a connection of the network 192.168.3, one of 192.168.4 that has ended, and one within docker0's.
TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0700090A:0016 0903A8C0:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 0700090A:0016 0904A8C0:C350 06 00000000:00000000 00:00000000 00000000     0        0 3 1
   3: 010011AC:C350 020011AC:0050 01 00000000:00000000 00:00000000 00000000     0        0 4 1
"""
MAPPED = "0" * 16 + "FFFF0000"
TCP6 = TCP.replace("0700090A", MAPPED + "0700090A").replace("0903A8C0", MAPPED + "0903A8C0")

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
        ["record", "write config", "reload", "prove", "restart", "prove", "see_alive", "record"],
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
    decision = docker_daemon.decide(want(), docker_daemon.survey(host, want()))
    texts = [step[2] for step in decision["steps"] if step[0] == "write"]
    assert [json.loads(text) for text in texts] == [{"mtu": 1400, "debug": False}, {"mtu": 1400}]
    absent = want(state="absent")
    decision = docker_daemon.decide(absent, docker_daemon.survey(host, absent))
    assert decision["steps"][-1] == ("forget",)
    assert [step[2] for step in decision["steps"] if step[0] == "write"][-1] == '{"mtu": 1400}'


SWARM = {"Swarm": {"LocalNodeState": "active"}}
REFUSALS = [
    (
        running_host({}, SWARM),
        want({"live-restore": True}),
        "This host is in a swarm, and with live-restore",
    ),
    (running_host({}, {"Swarm": {"LocalNodeState": "inactive"}}), want({"live-restore": True}), ""),
    (FakeHost({"/var/lib/docker/swarm/docker-state.json": "{}"}), want({"live-restore": True}), "in a swarm"),
    (
        FakeHost({CONFIG: '{"log-opts": {"max-size": "1m"}}'}),
        want({"log-driver": "syslog"}),
        "syslog has no option max-s",
    ),
    (FakeHost({CONFIG: '{"log-opts": {"max-size": "1m"}}'}), want({"log-driver": "local"}), ""),
    (FakeHost({CONFIG: '{"log-opts": {"any": "1m"}}'}), want({"log-driver": "some/plugin"}), ""),
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
    # bip: the host's own network, a part of it, one that holds it; docker0's, one behind a gateway; one that was there.
    (FakeHost({ROUTE: ROUTES}), want({"bip": "10.9.0.1/16"}), "overlaps the host's own network 10.9.0.0/16 (eth0)"),
    (FakeHost({ROUTE: ROUTES}), want({"bip": "10.9.7.1/24"}), "overlaps the host's own network 10.9.0.0/16 (eth0)"),
    (FakeHost({ROUTE: ROUTES}), want({"bip": "10.0.0.1/8"}), "overlaps the host's own network 10.9.0.0/16 (eth0)"),
    (FakeHost({ROUTE: ROUTES}), want({"bip": "172.17.0.1/16"}), ""),
    (FakeHost({ROUTE: ROUTES}), want({"bip": "192.168.3.1/24"}), ""),
    # A network behind a gateway that is taken whole, and one that is refused to all.
    (FakeHost({ROUTE: ROUTES}), want({"bip": "192.168.0.1/16"}), "overlaps the network 192.168.0.0/16 behind 10.9.0.1"),
    (FakeHost({ROUTE: ROUTES.replace("docker0", "*")}), want({"bip": "172.17.0.1/16"}), ""),
    # Who is connected with this host, and docker0's own.
    (
        FakeHost({ROUTE: ROUTES, "/proc/net/tcp": TCP}),
        want({"bip": "192.168.3.1/24"}),
        "its connection with 192.168.3.9",
    ),
    (FakeHost({"/proc/net/tcp6": TCP6}), want({"bip": "192.168.3.1/24"}), "its connection with 192.168.3.9"),
    (FakeHost({"/proc/net/tcp": TCP}), want({"bip": "192.168.4.1/24"}), ""),
    (FakeHost({"/proc/net/tcp": TCP}), want({"bip": "172.17.0.1/24"}), ""),
    (FakeHost({ROUTE: ROUTES, CONFIG: '{"bip": "10.9.7.1/24"}'}), want({"bip": "10.9.7.1/24", "debug": True}), ""),
    (FakeHost(unit=UNIT), want({"hosts": ["fd://"]}), "sets what daemon.json is to set: hosts (-H fd://)"),
    (FakeHost({STATE: "null"}), want({"debug": True}), STATE + " is not the record that Slipway keeps"),
    (FakeHost({STATE: "{"}), want({"debug": True}), STATE + " is not the record that Slipway keeps"),
    (FakeHost({CONFIG: "{"}), want({"debug": True}), CONFIG + " is not what dockerd can read: line 1"),
]


@pytest.mark.parametrize(("host", "wish", "expected"), REFUSALS)
def test_what_would_harm_is_refused_before_anything_is_written(host, wish, expected):
    sentences = docker_daemon.refusals(wish, docker_daemon.observe(host, wish))
    assert [expected in sentence for sentence in sentences] == [True] * bool(expected), sentences


def test_a_group_that_does_not_exist_is_refused_and_one_that_does_is_the_sockets():
    wish, host = want({"group": "hpc"}), FakeHost(unit=UNIT)
    assert docker_daemon.survey(host, wish)["to_be"]["socket"].endswith("[Socket]\nSocketGroup=hpc\n")
    assert docker_daemon.refusals(wish, docker_daemon.observe(host, wish)) == []
    host.failing.add(("getent", "group"))
    assert "group hpc" in docker_daemon.refusals(wish, docker_daemon.observe(host, wish))[0]


def test_the_daemon_waits_for_the_disk_of_its_data():
    to_be = docker_daemon.survey(FakeHost(), want({"data-root": "/data/docker"}))["to_be"]
    assert to_be["mounts"].endswith("[Unit]\nRequiresMountsFor=/data/docker\n")


def test_another_place_of_the_images_is_told(started):
    wish = want({"features": {"containerd-snapshotter": True}})
    host = running_host({}, {"Images": 3, "Containers": 1, "DriverStatus": [["Backing Filesystem", "extfs"]]})
    assert "(3 images, 1 containers) are out of sight" in docker_daemon.observe(host, wish)["notes"][0]
    # Given up again, which leads back to the former store.
    store = {"Images": 3, "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]]}
    host = running_host({"features": {"containerd-snapshotter": True}}, store)
    host.files[STATE] = json.dumps(
        {"entries": [{"path": ["features", "containerd-snapshotter"], "value": True}], "files": {CONFIG: None}}
    )
    assert "(3 images, 0 containers) are out of sight" in docker_daemon.observe(host, want({}))["notes"][0]
    # A data root moves none of that store.
    wish = want({"features": {"containerd-snapshotter": True}, "data-root": "/data"})
    assert ["/var/lib/containerd" in note for note in docker_daemon.observe(host, wish)["notes"]] == [True]
    assert docker_daemon.observe(running_host({}, {}), want({"data-root": "/data"}))["notes"] == []


@pytest.mark.parametrize(
    ("is_", "config", "told"),
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
def test_data_out_of_sight_is_told(started, is_, config, told):
    info = {"Images": 3, "Containers": 1, "Driver": "overlay2", "DockerRootDir": "/srv"}
    notes = docker_daemon.observe(running_host(is_, info), want(config))["notes"]
    assert [note.split(" changes where")[0] for note in notes] == told
    empty = dict(info, Images=0, Containers=0)
    assert docker_daemon.observe(running_host(is_, empty), want(config))["notes"] == []


def test_containers_that_are_stopped_are_told(started):
    host = running_host({"live-restore": True}, {"LiveRestoreEnabled": True}, "web\ndb")
    wish = want({"live-restore": True, "exec-root": "/run/d", "mtu": 1400}, restart="always")
    assert docker_daemon.observe(host, wish)["notes"] == [
        "live-restore keeps no container over a change of exec-root, so these are stopped: db, web."
    ]
    assert "stopped" not in docker_daemon.observe(host, dict(wish, restart="safe"))["notes"][0]
    steps = docker_daemon.decide(wish, docker_daemon.survey(host, wish))["steps"]
    texts = [json.loads(step[2]) for step in steps if step[:2] == ("write", "config")]
    assert texts == [wish["config"], {"live-restore": False}, wish["config"]]


@pytest.mark.parametrize(
    ("config", "told"),
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
def test_a_port_open_to_the_network_is_told(config, told):
    wish = want(config, take_over_flags=True)
    assert [told in note for note in docker_daemon.observe(FakeHost(unit=UNIT), wish)["notes"]] == [True] * bool(told)


def test_the_units_own_daemon_is_asked_whatever_roots_client_is_set_to():
    host = running_host({"hosts": ["unix:///run/other.sock"]}, {}, "web")
    docker_daemon.observe(host, want({"mtu": 1400}))
    assert set(host.endpoints) == {"unix:///run/other.sock"}


def test_containers_that_cannot_be_known_are_an_error():
    host = running_host({}, {}, "web")
    host.failing.add("ps")
    with pytest.raises(NoAnswer, match="ps` fails, so it is not known"):
        docker_daemon.observe(host, want({"mtu": 1400}))


def wanted(**given):
    """Return the inputs' wanted state, what is wrong with them, and the site with its seals."""
    options, default = reader.specification("docker_daemon"), reader.defaults("docker_daemon")
    variables = {"docker_daemon_" + name: value for name, value in given.items()}
    values, problems = reader.read(options, default, variables, lambda value: value, "docker_daemon_")
    site = reader.Site()
    ready, wrong = prepare(values, site) if not problems else ({}, [])
    return (docker_daemon.want(ready, PLATFORM) if not problems + wrong else {}), problems + wrong, site


@pytest.mark.parametrize(
    ("given", "config"),
    [
        ({}, {}),
        (
            {"profile": "recommended"},
            {
                "live-restore": True,
                "log-driver": "json-file",
                "log-level": "info",
                "log-opts": {"max-size": "50m", "max-file": "3"},
            },
        ),
        # A profile's log options are not those of another driver, wherever that is set.
        (
            {"profile": "recommended", "log_driver": "syslog", "live_restore": False},
            {"live-restore": False, "log-driver": "syslog", "log-level": "info"},
        ),
        (
            {"profile": "recommended", "options": {"log-driver": "syslog", "log-opts": {"tag": "x"}}},
            {"live-restore": True, "log-driver": "syslog", "log-level": "info", "log-opts": {"tag": "x"}},
        ),
        ({"log_opts": {"max-file": 3, "compress": True}}, {"log-opts": {"max-file": "3", "compress": "true"}}),
    ],
)
def test_what_the_inputs_make(given, config):
    assert wanted(**given)[:2] == (dict(wanted()[0], config=config), [])


PROBLEMS = [
    ({"registry_mirrors": ["http://u:s3cret@m"]}, "docker_daemon_registry_mirrors has http://***@m; give roots"),
    ({"registry_mirrors": ["https://m/path"]}, "docker_daemon_registry_mirrors has https://m/path"),
    ({"insecure_registries": ["http://m:5000"]}, "docker_daemon_insecure_registries has http://m:5000"),
    ({"data_root": "data/"}, "docker_daemon_data_root is data/; give an absolute path"),
    ({"options": {"data-root": "/"}}, "data-root of docker_daemon_options is /; give an absolute path"),
    ({"options": {"hosts": ["unix:///srv/d.sock", "tcp://10.0.0.1:2376"]}}, "hosts without Docker's usual socket"),
    ({"http_proxy": "p:3128"}, "must be URLs"),
    ({"options": {"proxies": {}}}, "the key proxies"),
    ({"options": {"registry-mirror": ["http://m"]}}, "has registry-mirror, a flag's name"),
    ({"options": {"mtu": "1400"}}, 'docker_daemon_options: mtu must be a whole number, not "1400".'),
    ({"probe_mirrors": "false"}, "choose off or report or skip"),
]


@pytest.mark.parametrize(("given", "expected"), PROBLEMS)
def test_wrong_inputs_are_named_with_the_remedy(given, expected):
    _want, problems, _site = wanted(**given)
    assert len(problems) == 1 and expected in problems[0]
    assert "s3cret" not in problems[0]


@pytest.mark.parametrize(
    "usual", ["fd://", "fd://docker.socket", "unix://", "unix:///run/docker.sock", "unix:///var/run/docker.sock"]
)
def test_hosts_with_the_usual_socket_are_taken(usual):
    assert wanted(options={"hosts": ["tcp://10.0.0.1:2376", usual], "data-root": "/data/docker"})[1] == []


def test_off_without_quotes_is_off():
    assert wanted(probe_mirrors=False)[0]["probe_mirrors"] == "off"


def test_secrets_reach_the_node_as_seals_alone():
    given = {
        "http_proxy": "http://u:s3cret@p",
        "log_opts": {"splunk-token": "s3cret"},
        "options": {"builder": {"x": [{"password": "s3cret"}]}},
    }
    wish, problems, site = wanted(**given)
    assert problems == [] and "s3cret" not in json.dumps(wish)
    assert sorted(site.sealed.values())[1:] == ["s3cret"]
    assert 'HTTPS_PROXY="http://u:s3cret@p"' in site.sealed[wish["proxy"]]
    # Another run has another key, so that not even equality shows.
    assert wanted(**given)[0]["proxy"] != wish["proxy"]


def test_a_proxy_for_https_follows_unless_it_is_set():
    wish, _problems, site = wanted(http_proxy="http://p", https_proxy="")
    assert "HTTPS_PROXY" not in site.sealed[wish["proxy"]]
    assert wanted(https_proxy="", http_proxy="")[0]["proxy"] == ""


def test_mirrors_are_asked_as_the_daemon_asks(monkeypatch):
    asked = []

    class Opener:
        def open(self, url, timeout):
            raise OSError("asked")

    def opener(proxies, _https):
        asked.append(proxies.proxies)
        return Opener()

    monkeypatch.setattr(docker_daemon_mirrors.urllib.request, "build_opener", opener)
    variables = {"HTTP_PROXY": "http://p", "NO_PROXY": "direct"}
    config = {"registry-mirrors": ["http://m:5000", "http://direct"]}
    assert set(docker_daemon_mirrors.ask(FakeHost(), config, variables, 1).values()) == {"asked"}
    assert sorted(asked, key=str) == [{"http": "http://p"}, {}]


@pytest.mark.parametrize(
    ("place", "direct"),
    [
        ("m.example.org:5000", True),
        ("example.org", True),
        ("other.org", False),
        ("10.1.2.3:5000", True),
        ("11.1.2.3:5000", False),
        ("127.0.0.1:5000", True),
        ("localhost:5000", True),
    ],
)
def test_who_is_asked_without_a_proxy(place, direct):
    assert docker_daemon_mirrors.is_direct(place, "example.org, 10.0.0.0/8") is direct


def test_log_options_of_no_driver_are_unknown_here_by_mistake():
    assert daemon_json.misfits({"log-opts": {"max-size": "1", "mode": "non-blocking", "tag": "x"}}) == []
    assert daemon_json.misfits({"log-driver": "local", "log-opts": {"tag": "x"}}) == ["tag"]
