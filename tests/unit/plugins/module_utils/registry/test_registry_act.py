"""What the phases of registries decide: which files are written, what is read anew, and what is said of an image."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, docker_command
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import describe
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.registry import act
from registry_examples import DIR, GOOD, WANT, changed

CONFIG = f"{DIR}/main/config.yml"
UNREAD = f"{DIR}/main/.unread"
PRUNE = "docker network prune --force --filter label=com.docker.compose.project=slipway-registry"


class Recorder(Run):
    """Notes what a phase does to a host."""

    def __init__(self, want, observed, codes=(), **secrets):
        super().__init__(Host(), describe("Debian", "12.15", "bookworm", "x86_64"), secrets)
        self.want, self.observed, self.codes, self.did = want, observed, dict(codes), []

    def command(self, argv, good=(0,), **_options):
        words = " ".join(argv).replace(" ".join(docker_command()) + " ", "docker ")
        self.did.append(words)
        code = next((code for start, code in self.codes.items() if words.startswith(start)), 0)
        return code, "out", "no such host"

    def write(self, path, text, mode=0o644, **options):
        self.did.append(f"write {path} {text} {mode:o}" + " secret" * options.get("secret", False))

    def folder(self, path, mode=0o755):
        self.did.append(f"folder {path} {mode:o}")

    def remove(self, path):
        self.did.append(f"remove {path}")

    def remove_if_empty(self, path):
        self.did.append(f"remove_if_empty {path}")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Let time pass at once."""
    passed = [0.0]
    monkeypatch.setattr(act.time, "monotonic", lambda: passed[0])
    monkeypatch.setattr(act.time, "sleep", lambda seconds: passed.__setitem__(0, passed[0] + seconds))
    return passed


def test_a_configuration_is_marked_as_unread_before_it_is_written():
    observed = changed(GOOD, ["files", CONFIG, "same"], False)
    run = Recorder(WANT, observed, s1="text", s2="unit")
    unit = "/etc/systemd/system/collect.timer"
    act.write_files(run, [{"item": CONFIG}, {"item": unit}, {"item": f"{DIR}/old/"}])
    assert run.did == [
        f"remove {DIR}/old",
        f"folder {DIR} 755",
        f"folder {DIR}/tls 755",
        f"folder {DIR}/main 700",
        f"write {UNREAD}  600",
        f"write {CONFIG} text 600 secret",
        f"write {unit} unit 644",
        "systemctl daemon-reload",
    ]
    run = Recorder({**WANT, "tls": {}}, GOOD, s1="text")
    act.write_files(run, [{"item": CONFIG}])
    assert run.did == [f"folder {DIR} 755", f"folder {DIR}/main 700", f"write {CONFIG} text 600 secret"]


def test_a_certificate_that_nobody_issued_is_no_reason_to_take_another():
    run = Recorder(WANT, GOOD, registry_issued={"key": "K", "certificate": "C", "authority": "A"})
    act.issue_certificate(run, [])
    assert run.did == [f"write {DIR}/tls/{name}" for name in ("tls.key K 600 secret", "tls.crt C 644", "ca.crt A 644")]
    with pytest.raises(Failed, match="Run again"):
        act.issue_certificate(Recorder(WANT, GOOD, registry_issued={"authority": "A"}), [])


def test_a_file_of_accounts_is_written_once():
    run = Recorder(WANT, GOOD, registry_htpasswd="hashes")
    act.set_accounts(run, [{"path": "/a"}, {"path": "/a"}, {"path": "/b"}])
    assert run.did == ["write /a hashes 600 secret", "write /b hashes 600 secret"]


@pytest.mark.parametrize(
    ("phase", "command"),
    [(act.start_containers, "up --detach --remove-orphans --pull never"), (act.restart_containers, "restart main")],
)
def test_who_is_started_is_waited_for_and_then_left_to_the_proof(phase, command, monkeypatch, clock):
    answers = [503, 401]
    monkeypatch.setattr(act, "answer", lambda one: answers.pop(0) if len(answers) > 1 else answers[0])
    run = Recorder(WANT, GOOD)
    phase(run, [{"service": "main"}] + [{"item": "former"}] * (phase is act.start_containers))
    assert run.did == [f"docker compose --file {DIR}/compose.yml {command}", f"remove {UNREAD}"]
    assert clock[0] == 0.5
    answers[:] = [503]
    phase(run, [{"service": "main"}])
    assert 30 <= clock[0] < 130


def test_a_collection_that_goes_on_without_its_command_is_ended_before_its_registry_is_writable(monkeypatch):
    monkeypatch.setattr(act, "answer", lambda one: 401)
    run = Recorder(WANT, changed(GOOD, ["tools"], ["slipway-registry-main-run-1"]))
    act.start_containers(run, [{"service": "main"}])
    assert run.did[0] == "docker rm --force slipway-registry-main-run-1"


def test_a_program_that_fails_is_told_in_its_words():
    with pytest.raises(Failed, match=r"`docker compose --file .*/compose.yml up` failed: no such host"):
        act.start_containers(Recorder(WANT, GOOD, {"docker compose": 1}), [])


def test_an_image_is_pulled_three_times_or_loaded():
    pull = "docker pull --quiet registry:2.8.3"
    run = Recorder({**WANT, "image_archive": ""}, GOOD)
    act.provide_image(run, [])
    assert run.did == [pull]
    run = Recorder({**WANT, "image_archive": ""}, GOOD, {"docker pull": 1})
    with pytest.raises(Failed, match=r"registry:2\.8\.3 cannot be pulled: no such host\. Set docker_daemon_registry"):
        act.provide_image(run, [])
    assert run.did == [pull] * 3
    run = Recorder(WANT, GOOD)
    act.provide_image(run, [])
    assert run.did == ["docker load --input /var/tmp/slipway-registry-image", "docker image inspect registry:2.8.3"]
    with pytest.raises(Failed, match=r"/images/registry\.tar does not hold registry:2\.8\.3 but out\. Save that one"):
        act.provide_image(Recorder(WANT, GOOD, {"docker image inspect": 1}), [])


def test_what_is_removed_leaves_no_empty_folder_of_its_own():
    observed = {"containers": {"b": {}, "a": {}}, "tools": ["t"], "purge": ["/data/main/docker"]}
    run = Recorder(WANT, observed, {"docker network": 1})
    items = ["container a", "/usr/local/sbin/program", f"{DIR}/main/", "/data/main/docker"]
    act.remove(run, [{"item": item} for item in items])
    assert run.did == [
        "docker rm --force a b t",
        PRUNE,
        "remove /usr/local/sbin/program",
        f"remove {DIR}/main",
        f"remove_if_empty {DIR}",
        "remove /data/main/docker",
        "remove_if_empty /data/main",
    ]
    run = Recorder(WANT, {"containers": {}, "tools": [], "purge": []})
    act.remove(run, [])
    assert run.did == [PRUNE]
