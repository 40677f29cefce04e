"""Ports: who listens on them."""

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
