"""Configurations that are tried beside what serves."""

import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.registry import trial
from registry_examples import DIR, GOOD, SERVICE, WANT, changed
from test_registry_act import Recorder

PANIC = """time="2026-12-01T01:44:13Z" level=info msg="debug server listening :5001"
panic: no bucket parameter provided

goroutine 1 [running]:
"""
PARSE = """configuration error: error parsing /etc/slipway/config.yml: yaml: unmarshal errors:
  line 45: cannot unmarshal !!str `7 days` into time.Duration
Usage:
  registry serve <config> [flags]
"""
WRITE = 'level=error msg="completed with error" err.detail="s3aws: NoSuchBucket:\\n\\tnone." err.message="unknown"\n'
FATAL = 'time="2026" level=fatal msg="listen tcp: address 99999: invalid port"\n'


class Tried(Recorder):
    """Answers the trials of containers, in their order, with exit status and words."""

    def command(self, argv, good=(0,), **_options):
        if "run" not in argv:
            return 0, "", ""
        self.did.append(argv)
        code, said = self.codes.pop(0)
        return code, said, ""


def tried(answers, observed, monkeypatch, tmp_path, **service):
    monkeypatch.setattr(trial.tempfile, "mkdtemp", lambda **_: str(tmp_path / "trial"))
    monkeypatch.setattr(trial.shutil, "rmtree", lambda _: None)
    want = {**WANT, "config_dir": str(tmp_path), "services": [{**SERVICE, "digest": "d2", **service}]}
    want["files"] = {f"{tmp_path}/main/config.yml": WANT["files"][f"{DIR}/main/config.yml"]}
    run = Tried(want, observed, s1="text")
    run.codes = list(answers)
    return trial.refusals(run), run


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (PANIC, "no bucket parameter provided"),
        (PARSE, "yaml: unmarshal errors: line 45: cannot unmarshal !!str `7 days` into time.Duration"),
        (WRITE, "s3aws: NoSuchBucket: none"),
        (FATAL, "listen tcp: address 99999: invalid port"),
        ("", "it ends without a word"),
    ],
)
def test_a_registry_s_own_words_are_told(said, words, monkeypatch, tmp_path):
    ((message,), _run) = tried([(64, said)], GOOD, monkeypatch, tmp_path)
    assert message.startswith("The registry main does not take its new settings: ") and message.endswith(words + ".")


def test_what_serves_and_fails_in_the_trial_too_is_no_reason_to_refuse(monkeypatch, tmp_path):
    (tmp_path / "main").mkdir()
    (tmp_path / "main/config.yml").write_text("former")
    refused, run = tried([(64, PANIC), (64, PANIC)], GOOD, monkeypatch, tmp_path)
    assert refused == [] and "could not be tried beforehand: no bucket" in run.notes[0]
    assert len(tried([(64, PANIC), (0, "")], GOOD, monkeypatch, tmp_path)[0]) == 1
    # Docker's own failure says nothing of a configuration.
    assert tried([(125, "docker: no network bridge")], GOOD, monkeypatch, tmp_path)[0] == []


@pytest.mark.parametrize(("is_object_store", "network"), [(True, "--network=bridge"), (False, "--network=none")])
def test_only_an_object_store_has_a_network_and_takes_a_write(is_object_store, network, monkeypatch, tmp_path):
    _refused, run = tried([(0, "")], GOOD, monkeypatch, tmp_path, object_store=is_object_store)
    command = run.did[-1]
    assert network in command and ("--env=WRITES=1" in command) is is_object_store
    assert "secret" not in json.dumps(command)


def test_what_runs_with_the_wanted_settings_is_not_tried(monkeypatch, tmp_path):
    same = changed(GOOD, ["containers", "slipway-registry-main", "digest"], "d2")
    assert tried([], same, monkeypatch, tmp_path)[0] == []
