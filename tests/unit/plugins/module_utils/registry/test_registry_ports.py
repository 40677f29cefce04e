"""Ports: who listens on them, and which a firewall closes."""

import socket

import pytest
from ansible_collections.slipway.node.plugins.module_utils.registry import ports
from registry_examples import FakeHost


@pytest.mark.parametrize("address", ["", "::1", "::"])
def test_a_port_is_free_or_taken_whatever_the_address(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as other:
        other.bind((address, 0))
        other.listen()
        port = other.getsockname()[1]
        assert ports.listening_program(FakeHost({}), address or "127.0.0.1", port) == "another program"
    assert ports.listening_program(FakeHost({}), address or "127.0.0.1", port) == ""


@pytest.mark.parametrize(
    ("programs", "answers", "firewall", "closed"),
    [
        (["firewall-cmd"], {"firewall-cmd --list-ports": "5000/tcp"}, "firewalld", ["5001/tcp"]),
        (["ufw"], {"ufw status": "Status: active\n5001/tcp ALLOW Anywhere\n"}, "ufw", ["5000/tcp"]),
        (["firewall-cmd"], {"firewall-cmd --list-ports": "53/udp 4000-5000/tcp"}, "firewalld", ["5001/tcp"]),
        (["ufw"], {"ufw status": "Status: active\n5000:6000/tcp ALLOW Anywhere\n"}, "ufw", []),
        (["ufw"], {"ufw status": "Status: inactive\n"}, "", []),
        ([], {}, "", []),
    ],
)
def test_the_active_firewall_is_asked(programs, answers, firewall, closed):
    host = FakeHost(answers)
    host.glob = lambda path: [path] if path.rpartition("/")[2] in programs else []
    assert ports.closed_ports(host, [5000, 5001]) == (firewall, closed)
    assert ports.closed_ports(host, []) == ("", [])
