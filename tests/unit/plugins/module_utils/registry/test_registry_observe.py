"""What is read of a host's registries: files, containers, and ports that are taken."""

import socket

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, docker_command, seal
from ansible_collections.slipway.node.plugins.module_utils.registry import observe
from ansible_collections.slipway.node.plugins.module_utils.registry.want import WRITTEN
from registry_examples import SERVICE, FakeHost


def test_only_folders_of_ours_are_removed(tmp_path):
    for name, text in (("main", f"{WRITTEN}: changes here are lost.\n"), ("foreign", "key: value\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yml").write_text(text)
    (tmp_path / "images").mkdir()
    ours = [name for name in ("foreign", "images", "main") if observe._is_ours(Host(), f"{tmp_path}/{name}/")]
    assert ours == ["main"]


@pytest.mark.parametrize(
    ("rc", "engines", "engine_unreachable"), [(1, ["/usr/bin/dockerd"], True), (127, [], False), (0, [], False)]
)
def test_an_engine_that_does_not_answer_is_told_from_none(rc, engines, engine_unreachable):
    host, asked = FakeHost({}), []
    host.run = lambda *command: asked.append(command) or (rc, "")
    host.glob = lambda *_patterns: engines
    assert observe._containers(host, "slipway-registry") == ({}, [], engine_unreachable)
    # Not the engine of root's context or environment.
    assert list(asked[0][:6]) == docker_command()


def test_a_file_is_compared_by_a_seal_that_the_run_s_key_made(tmp_path):
    (tmp_path / "environment").write_text("HTTP_PROXY=http://user:SK@proxy\n")
    for key, same in (("k1", True), ("k2", False)):
        mark = seal("k1", "HTTP_PROXY=http://user:SK@proxy\n")
        assert observe._file(Host(key=key), str(tmp_path / "environment"), mark)["same"] is same


@pytest.mark.parametrize(
    ("address", "status", "ports", "refused"),
    [
        ("127.0.0.1", "running", ["5000"], True),
        ("", "running", ["5000"], True),
        # Of another address.
        ("127.0.0.2", "running", ["5000"], False),
        # Its own, and that of an instance that goes or takes another port.
        ("127.0.0.1", "running", ["5000", "TAKEN"], False),
        ("127.0.0.1", "exited", ["TAKEN"], True),
    ],
)
def test_a_port_that_a_running_registry_is_to_have_is_asked_for_first(address, status, ports, refused):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        want = {"services": [{**SERVICE, "data": "", "ports": [["", 5000], [address, taken]]}]}
        listed = [str(taken) if port == "TAKEN" else port for port in ports]
        found = {"slipway-registry-main": {"status": "running"}, "slipway-registry-other": {"status": status}}
        found["slipway-registry-main"]["ports"], found["slipway-registry-other"]["ports"] = ["5000"], listed
        users = observe._taken(FakeHost({}), want["services"], found)
    assert users == ({"main": [[taken, "another program"]]} if refused else {})
