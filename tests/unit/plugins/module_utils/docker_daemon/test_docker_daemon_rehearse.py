"""What is rehearsed, what counts, and what an engine's words come to; engines themselves are tried on hosts."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import rehearse
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

WORDS = ["/usr/bin/dockerd", "-H", "fd://", "-H", "tcp://:2375", "--containerd=/run/c.sock", "--mtu", "1400", "--debug"]
IN_FORCE = rehearse.Cast("/usr/bin/dockerd", {"mtu": 1400}, WORDS, {})
TO_BE = IN_FORCE._replace(config={"bip": "x"})
BARE = TO_BE._replace(config={}, words=[])


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        ([], ""),
        ([TO_BE], "no"),
        # What is in force may be broken already, which its next start would show.
        ([TO_BE, IN_FORCE], "no"),
        ([TO_BE, BARE], "no"),
        ([TO_BE, IN_FORCE, BARE], ""),
    ],
)
def test_what_fails_counts_where_something_else_passes(monkeypatch, fails, said):
    run = Run(Host(), None)
    monkeypatch.setattr(rehearse, "_play", lambda _run, cast: "no" if cast in fails else "")
    assert rehearse.rehearse(run, TO_BE, IN_FORCE) == said
    assert run.notes == ["Docker's configuration could not be rehearsed on this host: no"] * (len(fails) == 3)


def test_where_it_cannot_be_done_it_is_told(monkeypatch):
    run = Run(Host(), None)
    monkeypatch.setattr(rehearse, "free_bytes", lambda _path: 1)
    assert rehearse.rehearse(run, TO_BE, IN_FORCE) == "" and "less than 300 MB free" in run.notes[0]
    monkeypatch.undo()
    for cast, why in (
        (TO_BE._replace(dockerd=""), "a script"),
        (TO_BE._replace(config={"storage-driver": "zfs"}), "zfs"),
    ):
        run.notes.clear()
        assert rehearse.rehearse(run, cast, IN_FORCE) == "" and why in run.notes[0]

    def fail(_run, _cast):
        raise Failed("no systemd-run")

    monkeypatch.setattr(rehearse, "_play", fail)
    assert rehearse.rehearse(run, TO_BE, IN_FORCE) == "" and "no systemd-run" in run.notes[-1]


def test_the_engine_has_all_of_its_own():
    config, flags, left_out = rehearse.scene(
        {"debug": True, "hosts": ["fd://", "tcp://10.0.0.1:1"], "containerd": "/c"}, WORDS
    )
    assert flags == ["--mtu", "1400"] and left_out == []
    assert config["hosts"] == ["unix:///run/slipway-rehearsal/docker.sock", "tcp://10.0.0.1:1", "tcp://:2375"]
    assert config["exec-opts"] == ["native.cgroupdriver=cgroupfs"] and "containerd" not in config
    assert {
        config[key].partition("/slipway-rehearsal")[1] for key in ("data-root", "exec-root", "pidfile", "cgroup-parent")
    } == {"/slipway-rehearsal"}


@pytest.mark.parametrize(
    ("config", "key", "value", "left_out"),
    [
        (
            {"exec-opts": ["native.cgroupdriver=systemd", "a=b"]},
            "exec-opts",
            ["a=b", "native.cgroupdriver=cgroupfs"],
            [],
        ),
        ({"exec-opts": ["native.cgroupdriver=no"]}, "exec-opts", ["native.cgroupdriver=no"], []),
        ({"authorization-plugins": ["a"]}, "authorization-plugins", None, ["authorization-plugins"]),
        ({"log-driver": "loki", "log-opts": {"a": "b"}}, "log-opts", None, ["the log driver loki"]),
        ({"log-driver": "syslog", "log-opts": {"a": "b"}}, "log-opts", {"a": "b"}, []),
        ({"storage-opts": ["overlay2.size=1G", "x=y"]}, "storage-opts", ["x=y"], ["the quota of storage-opts"]),
        # dockerd says what is wrong with it.
        ({"hosts": "tcp://"}, "hosts", "tcp://", []),
    ],
)
def test_what_cannot_be_rehearsed_is_left_out_and_told(config, key, value, left_out):
    played, _flags, told = rehearse.scene(config, ["dockerd"])
    assert played.get(key) == value and told == left_out


def test_links_have_the_host_s_addresses_and_routes():
    addresses = (
        "1: lo    inet 127.0.0.1/8 scope host lo\n2: eth0    inet 10.0.0.2/24 brd 10.0.0.255 scope global eth0\n"
        "2: eth0    inet6 fd00::2/64 scope global \n3: docker0    inet 172.17.0.1/16 scope global docker0\n"
        "4: br-0123456789ab    inet 172.18.0.1/16 scope global x\n5: br0    inet 10.1.0.1/16 scope global br0\n"
    )
    routes = (
        "default via 10.0.0.1 dev eth0 proto dhcp src 10.0.0.2 metric 100 \n"
        "10.0.0.0/24 dev eth0 proto kernel scope link\n"
        "172.17.0.0/16 dev docker0 scope link linkdown\n"
    )
    assert rehearse.links(addresses, routes) == [
        "ip link add 'eth0' type bridge && ip link set 'eth0' up",
        "ip -4 address add 10.0.0.2/24 dev 'eth0'",
        "ip -6 address add fd00::2/64 dev 'eth0'",
        "ip link add 'br0' type bridge && ip link set 'br0' up",
        "ip -4 address add 10.1.0.1/16 dev 'br0'",
        "ip route add default via 10.0.0.1 dev eth0 metric 100  onlink",
    ]


STARTED = 'time="now" level=info msg="Starting up"\n'
BIP = 'failed to start daemon: Error initializing network controller: bad "bip"\n'
RUN = "docker: Error response from daemon: no such option.\nSee 'docker run --help'.\n"


@pytest.mark.parametrize(
    ("code", "out", "err", "said"),
    [
        (0, "runs\n28 overlay2\n", "", ""),
        (0, "runs\n28 vfs\n", "", "the engine would use the storage driver vfs"),
        (1, "engine\n" + STARTED + BIP, "", 'Error initializing network controller: bad "bip"'),
        (1, 'engine\ntime="now" level=fatal msg="a \\"b\\""\n', "", 'a "b"'),
        (1, "runs\n28 overlay2\ncontainer\n" + RUN, "", "no container runs: no such option."),
        (1, "containerd\ncontainerd: bad key\n", "", "containerd: containerd: bad key"),
        (1, "runs\n28 overlay2\n", "", "it did not end within 60 s"),
        (1, "", "mount: no\n", "mount: no"),
        (1, "", "", "no word"),
        (1, "engine\ndockerd: error while loading shared libraries: a.so\n", "", "dockerd: error while loading shared"),
    ],
)
def test_the_engine_s_own_words(code, out, err, said):
    assert rehearse.judge(code, out.splitlines(), err, False).startswith(said)
    assert (rehearse.judge(code, out.splitlines(), err, False) == "") == (said == "")


def test_a_driver_that_is_wanted_is_no_surprise():
    assert rehearse.judge(0, ["runs", "28 vfs"], "", True) == ""
