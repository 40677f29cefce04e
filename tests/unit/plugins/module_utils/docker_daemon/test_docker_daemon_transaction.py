"""The steps of a decision: all steps or none, and a way back that ends with the former text."""

import json
import os

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.service import ApplyError, StillStarting
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.transaction import (
    NETWORK_FAILURE,
    Executor,
    put,
)

FORMER, NEW = '{"mtu": 1400}', '{"live-restore": true, "mtu": 1500}'


class FakeDaemon:
    """A daemon that notes what it loads; ``refuses`` tells whether it fails on a content."""

    def __init__(self, config, refuses=lambda config: False):
        self.config, self.refuses = config, refuses
        self.done, self.start = [], 1

    def _load(self, how):
        config = json.loads(self.config.read_text())
        self.done.append((how, config))
        if self.refuses(config):
            raise ApplyError("no such thing")
        return {"LiveRestoreEnabled": config.get("live-restore", False)}

    def identity(self):
        return "7-%d" % self.start

    def running(self, _endpoint):
        return []

    def load_units(self):
        self.done.append(("units", None))

    def reload(self, _endpoint):
        return self._load("reload")

    def restart(self, _endpoint, _with_socket):
        self.start += 1
        return self._load("restart")


@pytest.fixture
def host(tmp_path):
    """Files, and a survey of them."""
    config, drop_in, state = tmp_path / "daemon.json", tmp_path / "d" / "x.conf", tmp_path / "state.json"
    config.write_text(FORMER)
    config.chmod(0o640)
    state.write_text("{}")
    found = {
        "paths": {"config": str(config), "proxy": str(drop_in)},
        "is": {"config": FORMER, "proxy": None},
        "to_be": {"config": NEW, "proxy": "x", "environment": None},
        "identity": "7-1",
        "info": {"LiveRestoreEnabled": False, "DockerRootDir": str(tmp_path)},
        "current": json.loads(FORMER),
        "merged": json.loads(NEW),
        "endpoints": {"is": "", "to_be": ""},
        "private": [str(state)],
        "state": {"entries": [], "files": {}, "environment": None, "loaded": {}},
        "has_state": False,
        "running": [],
    }
    return {"config": config, "drop_in": drop_in, "state": state, "found": found}


STEPS = [
    ("record", {"loaded": {}, "files": {}}),
    ("write", "config", NEW),
    ("write", "proxy", "x"),
    ("load_units",),
    ("reload",),
    ("restart", False),
    ("prove", ["live-restore"]),
    ("record", {"loaded": {}, "files": {"done": ""}}),
]


def execute(host, daemon, steps=STEPS, backup=False):
    executor = Executor(daemon, host["found"], {"state_file": str(host["state"]), "backup": backup})
    executor.do(steps)
    return executor


def is_as_before(host):
    return (
        host["config"].read_text() == FORMER
        and host["config"].stat().st_mode & 0o777 == 0o640
        and not host["drop_in"].exists()
        and host["state"].read_text() == "{}"
    )


def test_all_steps_are_done(host):
    daemon = FakeDaemon(host["config"])
    execute(host, daemon, backup=True)
    assert host["config"].read_text() == NEW and host["drop_in"].read_text() == "x"
    assert host["config"].stat().st_mode & 0o777 == 0o640
    assert host["state"].stat().st_mode & 0o777 == 0o600
    assert json.loads(host["state"].read_text())["loaded"]["daemon"] == "7-2"
    assert [how for how, _config in daemon.done] == ["units", "reload", "restart"]
    assert [path.read_text() for path in host["config"].parent.glob("daemon.json.*~")] == [FORMER]


@pytest.mark.parametrize("at", range(len(STEPS)))
@pytest.mark.parametrize("error", [ApplyError("x"), OSError(30, "Read-only file system"), KeyboardInterrupt()])
def test_whatever_fails_undoes_everything(host, at, error, monkeypatch):
    daemon = FakeDaemon(host["config"])
    executor = Executor(daemon, host["found"], {"state_file": str(host["state"]), "backup": False})

    def fail():
        raise error

    executor.fail = fail
    with pytest.raises(type(error)):
        executor.do([*STEPS[:at], ("fail",), *STEPS[at:]])
    assert is_as_before(host)
    # What was loaded last is the former content, or what is neutral beside it.
    loaded = [config for how, config in daemon.done if how != "units"]
    assert not loaded or loaded[-1] == {"mtu": 1400, "live-restore": False}
    assert (executor.outcome == "All files were put back, and the daemon was not touched.") is (not loaded)


def test_a_start_that_takes_long_is_left_to_go_on(host):
    executor = Executor(FakeDaemon(host["config"]), host["found"], {"state_file": str(host["state"]), "backup": False})

    def restart(*_arguments):
        raise StillStarting("goes on")

    executor.restart = restart
    with pytest.raises(StillStarting):
        executor.do(STEPS)
    assert not is_as_before(host)


def test_a_second_file_that_cannot_be_written_leaves_the_first_as_it_was(host):
    host["drop_in"].parent.write_text("a file in the place of the folder")
    executor = Executor(FakeDaemon(host["config"]), host["found"], {"state_file": str(host["state"]), "backup": False})
    with pytest.raises(OSError, match=r"File exists|Not a directory"):
        executor.do(STEPS)
    assert is_as_before(host) and executor.outcome.startswith("All files were put back")


def test_the_way_back_ends_with_the_former_text_though_the_daemon_refuses_live_restore(host):
    # As in a swarm: no start with live-restore, which the way back would keep containers with.
    daemon = FakeDaemon(host["config"])
    daemon.refuses = lambda config: bool(config.get("live-restore")) and daemon.start > 1
    executor = Executor(daemon, host["found"], {"state_file": str(host["state"]), "backup": False})
    with pytest.raises(ApplyError):
        executor.do(STEPS)
    assert is_as_before(host)
    assert daemon.done[-1] == ("restart", {"mtu": 1400})
    assert executor.outcome == "The former configuration is in force again and the daemon answers."


def test_the_way_back_ends_with_the_former_text_though_the_daemon_stays_down(host):
    daemon = FakeDaemon(host["config"])
    daemon.refuses = lambda config: daemon.start > 1
    executor = Executor(daemon, host["found"], {"state_file": str(host["state"]), "backup": False})
    with pytest.raises(ApplyError):
        executor.do(STEPS)
    assert is_as_before(host)
    assert "the daemon does not start with them either" in executor.outcome


def test_what_the_way_back_loaded_is_recorded(host):
    host["found"]["has_state"] = True
    host["found"]["is"].update(environment=None, flags=None, socket=None)
    daemon = FakeDaemon(host["config"])
    daemon.refuses = lambda config: daemon.start == 2 and config.get("mtu") == 1500
    executor = Executor(daemon, host["found"], {"state_file": str(host["state"]), "backup": False})
    with pytest.raises(ApplyError):
        executor.do(STEPS)
    assert host["config"].read_text() == FORMER
    assert json.loads(host["state"].read_text())["loaded"] == {
        "daemon": "7-3",
        "values": {"mtu": 1400},
        "pending": [],
    }


def test_containers_that_the_way_back_does_not_bring_back_are_named(host):
    host["found"]["running"] = ["db", "web"]
    daemon = FakeDaemon(host["config"], lambda config: config.get("mtu") == 1500)
    daemon.running = lambda _endpoint: ["web"]
    executor = Executor(daemon, host["found"], {"state_file": str(host["state"]), "backup": False})
    steps = [("write", "config", '{"mtu": 1400, "live-restore": false}'), ("reload",), ("write", "config", NEW)]
    with pytest.raises(ApplyError):
        executor.do([*steps, ("restart", False)])
    assert is_as_before(host)
    assert [how for how, _config in daemon.done] == ["reload", "restart", "restart"]
    assert executor.outcome.endswith(
        "the daemon answers. Containers that were stopped and are to be started by hand: db."
    )


def test_a_spoiled_record_of_networks_is_restore_file(host, tmp_path):
    store = tmp_path / "network" / "files" / "local-kv.db"
    store.parent.mkdir(parents=True)
    store.write_bytes(b"good")
    daemon = FakeDaemon(host["config"])

    class Spoiling(FakeDaemon):
        def _load(self, how):
            info = super()._load(how)
            if how == "restart" and self.start == 2:
                store.write_bytes(b"bad")
                raise ApplyError("x")
            if how == "restart" and store.read_bytes() == b"bad":
                raise ApplyError(NETWORK_FAILURE)
            return info

    daemon = Spoiling(host["config"])
    executor = Executor(daemon, host["found"], {"state_file": str(host["state"]), "backup": False})
    with pytest.raises(ApplyError):
        executor.do(STEPS)
    assert is_as_before(host) and store.read_bytes() == b"good"
    assert (store.parent / "local-kv.db.spoiled").read_bytes() == b"bad"
    assert "spoiled Docker's record of networks" in executor.outcome


def test_a_link_is_written_through(host, tmp_path):
    real = tmp_path / "real.json"
    host["config"].rename(real)
    host["config"].symlink_to(real)
    execute(host, FakeDaemon(host["config"]))
    assert host["config"].is_symlink() and real.read_text() == NEW


def test_proxies_that_the_daemon_does_not_report_are_not_in_force(host):
    host["found"]["to_be"]["environment"] = '# x\nHTTP_PROXY="http://u:p@a:1"\n'
    executor = Executor(FakeDaemon(host["config"]), host["found"], {"state_file": "", "backup": False})
    executor._info = {"HttpProxy": "http://xxxxx:xxxxx@a:1", "HttpsProxy": "other"}
    executor.prove(["proxy"])
    executor._info = {"HttpProxy": "http://xxxxx:xxxxx@b:1"}
    with pytest.raises(ApplyError, match="HTTP_PROXY"):
        executor.prove(["proxy"])


def test_what_holds_secrets_is_for_root_alone(tmp_path):
    path = tmp_path / "x"
    put(str(path), "a", 0o644)
    assert path.stat().st_mode & 0o777 == 0o644
    put(str(path), "b", 0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    put(str(path), None, 0o600)
    assert os.listdir(tmp_path) == []
