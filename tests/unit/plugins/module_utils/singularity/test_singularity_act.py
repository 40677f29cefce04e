"""When a container is run before a version becomes the default, as whom, and what is said where it does not run."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import describe
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.singularity import act


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        (["install_tree", "switch_version", "write_modulefiles", "remove_versions"], "switch_version"),
        (["switch_version"], "switch_version"),
        (["set_config", "write_modulefiles", "remove_versions"], "write_modulefiles"),
        (["allow_namespaces", "remove_versions"], "remove_versions"),
        (["install_packages", "write_files"], "finish"),
        (["write_files", "give_ranges", "write_modulefiles", "remove_versions"], None),
        (["remove_versions"], None),
    ],
)
def test_it_comes_once_and_before_anything_that_cannot_be_undone(phases, expected):
    said = []
    states = {"singularity": {"plan": dict.fromkeys(phases)}}
    run = SimpleNamespace(kept={}, states=states, secrets={"singularity_trial": "x"})
    run.want = {"program": "/p", "config_file": "/c", "state": "present"}
    run.command = lambda *_a, **_n: said.append("tried") or (0, "container works\n", "")
    run.do = lambda _actions: said.append("done")
    for phase in [one for one in phases if one in ("switch_version", "write_modulefiles", "remove_versions")]:
        getattr(act, phase)(run, [{"item": "/nowhere"}])
        assert said == [*["tried"] * (said[0] == "tried"), *["done"] * said.count("done")]
        assert ("tried" in said) is (expected is not None)
    act.finish(run)
    assert said.count("tried") == (expected is not None)


@pytest.mark.parametrize(
    ("out", "err", "said"),
    [
        ("INFO: x\ncontainer works\n", "", ""),
        ("", "INFO: a\nFATAL: b\n", "runs: FATAL: b. Mend"),
        ("", "", "no answer"),
    ],
)
def test_what_is_said_where_it_does_not_run(out, err, said):
    run = SimpleNamespace(command=lambda *_a, **_n: (0, out, err), secrets={"singularity_trial": "x"})
    run.kept = {}
    run.want = {"program": "/p", "config_file": "/c"}
    run.states = {"singularity": {"plan": {"set_config": []}}}
    if said:
        with pytest.raises(Failed, match=said):
            act.finish(run)
    else:
        act.finish(run)


def test_keys_that_the_program_does_not_take_are_named():
    def command(argv, good):
        return (1, "", "unknown\nkey") if "bad key" in argv else (0, "", "")

    config = {"bad key": True, "mount home": False, "bind path": []}
    assert act.rejected_keys("/p", config, command) == ["bad key: yes: unknown key"]


@pytest.mark.parametrize(
    ("new", "old", "said"),
    [
        ("", "", ""),
        ("FATAL: no /not/there", "", "With singularity_config no container .* runs: FATAL: no /not/there. Correct it."),
        # Something else is to blame, which the last trial tells.
        ("FATAL: x", "FATAL: x", ""),
    ],
)
def test_a_configuration_is_tried_before_it_is_in_place(tmp_path, monkeypatch, new, old, said):
    monkeypatch.setattr("os.chown", lambda *_: None)
    path = tmp_path / "singularity.conf"
    path.write_text("a = 1\nbind path = /x\n")

    def command(argv, good, stdin=""):
        if argv[0] != "unshare":
            return 0, "", ""
        assert argv[1:6] == ["--mount", "/bin/sh", "-s", "/p", str(path)] and stdin == "script"
        assert not argv[6] or Path(argv[6]).read_text() == "a = 1\nbind path = /not/there\n"
        assert path.read_text() == "a = 1\nbind path = /x\n"
        why = new if argv[6] else old
        return 0, "" if why else "container works", why

    run = Run(Host(), describe("Debian", "13.1", "trixie", "x86_64"), {"singularity_trial": "script"})
    run.command = command
    run.want = {"program": "/p", "config_file": str(path), "config": {"bind path": ["/not/there"]}}
    if said:
        with pytest.raises(Failed, match=said):
            act.set_config(run, [])
    else:
        act.set_config(run, [])
    assert path.read_text() == f"a = 1\nbind path = {'/x' if said else '/not/there'}\n"
    assert [one.name for one in tmp_path.iterdir()] == ["singularity.conf"]
