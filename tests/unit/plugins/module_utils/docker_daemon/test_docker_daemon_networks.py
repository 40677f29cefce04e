"""Which networks a bridge may not take."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.observe import observe
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.plan import refusals

from tests.unit.plugins.module_utils.docker_daemon.docker_daemon_hosts import CONFIG, FakeHost, want

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
OVERLAPS = [
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
]


@pytest.mark.parametrize(("host", "wish", "expected"), OVERLAPS)
def test_a_bridge_that_takes_a_network_of_the_host_is_refused(host, wish, expected):
    sentences = refusals(wish, observe(host, wish))
    assert [expected in sentence for sentence in sentences] == [True] * bool(expected), sentences
