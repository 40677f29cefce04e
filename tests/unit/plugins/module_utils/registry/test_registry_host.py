"""The section ``registry`` on a folder that stands for a host, from the inputs to what is refused."""

import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, docker_command
from ansible_collections.slipway.node.plugins.module_utils.registry import answers, observe, plan
from ansible_collections.slipway.node.plugins.module_utils.registry.want import WRITTEN
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.registry.inputs import prepare

FORWARD = "/proc/sys/net/ipv4/ip_forward"


class Machine(Host):
    """A host of which some programs answer, and the others fail."""

    def __init__(self, answers=(), files=()):
        super().__init__(self.answer)
        self.answers, self.files = dict(answers), dict(files)

    def answer(self, command, environ_update):
        found = [text for start, text in self.answers.items() if " ".join(command).startswith(start)]
        return (0, found[0], "") if found else (1, "", "")

    def read(self, path):
        return self.files[path] if path in self.files else super().read(path)


@pytest.fixture
def wanted(tmp_path):
    """Return a function that makes the wanted state of inputs."""

    def want(**inputs):
        given = {"config_dir": f"{tmp_path}/conf", "data_dir": f"{tmp_path}/data", "minimum_free": 0, **inputs}
        given = {f"registry_{name}": value for name, value in given.items()}
        options, default = reader.specification("registry"), reader.defaults("registry")
        values, problems = reader.read(options, default, given, lambda value: value, "registry_")
        site = reader.Site("reg", {"cache_dir": f"{tmp_path}/cache"}, {"registry_hosts": ["reg"]}, hostvars={"reg": {}})
        made, wrong = prepare(values, site)
        assert problems + wrong == []
        return made

    return want


@pytest.mark.parametrize("state", ["present", "absent"])
def test_folders_of_others_in_the_folder_of_configuration_are_left(wanted, tmp_path, state):
    for name, text in (("old", f"{WRITTEN}: changes here are lost.\n"), ("foreign", "key: value\n")):
        (tmp_path / "conf" / name).mkdir(parents=True)
        (tmp_path / "conf" / name / "config.yml").write_text(text)
    (tmp_path / "conf/images/docker").mkdir(parents=True)
    want = wanted(state=state)
    observed = observe.observe(Machine(), want)
    touched = [one["item"] for actions in plan.plan(want, observed).values() for one in actions]
    assert f"{tmp_path}/conf/old/" in touched
    assert not [item for item in touched if "/foreign" in item or "/images" in item]


def test_a_schedule_that_systemd_does_not_take_is_refused_before_it_is_written(wanted):
    want = wanted(collect_schedule="every sunday")
    reasons = plan.refusals(want, observe.observe(Machine(), want))
    assert [reason for reason in reasons if reason.startswith('registry_collect_schedule is "every sunday"')]
    takes = Machine({"systemd-analyze calendar every sunday": "Normalized form: Sun *-*-* 00:00:00\n"})
    assert plan.refusals(want, observe.observe(takes, want)) == []


@pytest.mark.parametrize(("forwards", "refused"), [("0\n", 1), ("1\n", 0), (None, 0)])
def test_a_host_that_does_not_forward_to_its_containers_is_named(wanted, forwards, refused):
    want = wanted(instances=[{"name": "main", "port": 1, "tls": False}])
    running = {
        "Name": "/slipway-registry-main",
        "Image": "sha256:1",
        "State": {"Status": "running", "StartedAt": "2026-11-01T02:00:00Z"},
        "Config": {"Labels": {"slipway.digest": want["services"][0]["digest"]}},
        "HostConfig": {"PortBindings": {"5000/tcp": [{"HostIp": "", "HostPort": "1"}], "5001/tcp": None}},
    }
    answers = {
        " ".join(docker_command("ps")): "c1\n",
        " ".join(docker_command("inspect", "c1")): json.dumps([running]),
        "systemd-analyze": "",
    }
    observed = observe.observe(Machine(answers, {FORWARD: forwards}), want)
    assert list(observed["answers"]) == ["main"]
    assert observed["containers"]["slipway-registry-main"]["ports"] == ["1"]
    reasons = plan.refusals(want, observed)
    assert len(reasons) == refused and all("net.ipv4.ip_forward is 0 on this host" in reason for reason in reasons)


def test_what_a_registry_says_to_either_output_is_read_from_the_host_s_own_engine(tmp_path, monkeypatch):
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho level=error $2 $DOCKER_TLS_VERIFY >&2\necho level=info\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    one = {"container": "main", "service": "main", "answer": 200}
    errors = answers.container_errors(
        Host(), {"services": [one]}, {"containers": {"main": {"started": "2026"}}, "answers": {"main": "refused"}}
    )
    assert errors == {"main": ["level=error unix:///var/run/docker.sock"]}
