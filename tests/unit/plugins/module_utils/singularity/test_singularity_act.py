"""When a container is run before a version becomes the default, as whom, and what is said where it does not run."""

import pwd
from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed
from ansible_collections.slipway.node.plugins.module_utils.singularity import act

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        (["install_tree", "switch_version", "write_modulefiles", "remove_versions"], "switch_version"),
        (["switch_version"], "switch_version"),
        (["set_config", "write_modulefiles", "remove_versions"], "write_modulefiles"),
        (["allow_namespaces", "remove_versions"], "remove_versions"),
        # At the end.
        (["install_packages", "write_files"], ""),
        (["write_files", "give_ranges", "write_modulefiles", "remove_versions"], None),
        (["remove_versions"], None),
    ],
)
def test_it_comes_once_and_before_anything_that_cannot_be_undone(phases, expected):
    plan = dict.fromkeys(phases)
    due = [phase for phase in [*phases, ""] if act.is_due(plan, phase)]
    assert due == ([] if expected is None else [expected])


def test_it_is_the_connecting_user_or_nobody(monkeypatch):
    found = pwd.struct_passwd(("alice", "x", 1000, 1001, "", "/", ""))
    monkeypatch.setattr(
        pwd, "getpwuid", lambda uid: {1000: found, 0: pwd.struct_passwd(("root", "x", 0, 0, "", "", ""))}[uid]
    )
    assert act.as_user({"SUDO_UID": "1000"}) == ["setpriv", "--reuid=1000", "--regid=1001", "--init-groups"]
    # Root by sudo, no sudo, a user whom nobody knows by now.
    assert [act.as_user(one) for one in ({"SUDO_UID": "0"}, {}, {"SUDO_UID": "4711"})] == [NOBODY] * 3


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
    run.want, run.states = {"program": "/p"}, {"singularity": {"plan": {"set_config": []}}}
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
