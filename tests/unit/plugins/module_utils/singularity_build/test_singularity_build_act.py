"""What is said of a compilation, and where it starts anew."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import long
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import describe
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run, Waiting
from ansible_collections.slipway.node.plugins.module_utils.singularity_build import act

LOG = "=> configured\ngithub.com/x/y\nruntime\nmain.go:1: No space left on device\ncmd/z\n"


@pytest.fixture
def run(tmp_path):
    made = Run(Host(), describe("Debian", "13.1", "trixie", "x86_64"))
    made.want = {"dir": str(tmp_path / "b"), "folder": str(tmp_path / "b/build"), "log": str(tmp_path / "log/x.log")}
    made.want.update(task="this", unit="singularity-b")
    return made


def test_another_build_s_folders_go_and_this_one_s_stay(run, tmp_path):
    for name in ("stage", "source/builddir", "source/vendor"):
        (tmp_path / "b/build" / name).mkdir(parents=True)
    run.observed = {"task": "this"}
    act.begin(run)
    assert (tmp_path / "b/build/stage").exists() and (tmp_path / "log").is_dir()
    run.observed = {"task": "other"}
    act.begin(run)
    assert sorted(one.name for one in (tmp_path / "b/build").iterdir()) == ["source", "task"]
    assert [one.name for one in (tmp_path / "b/build/source").iterdir()] == ["vendor"]
    assert (tmp_path / "b/build/task").read_text() == "this\n"


def test_progress_counts_packages():
    assert act.progress(LOG) == "3 packages compiled, last line: cmd/z"
    assert act.progress("") == "0 packages compiled, last line: "


def test_a_failure_is_told_with_the_log_s_end_without_packages():
    text = act.failure("x-1", "It was killed. The end of /log:\nmore", LOG)
    assert text.endswith("The end of /log:\n  => configured\n  main.go:1: No space left on device")
    assert "The disk is full" in text and "goes on where it stopped" in text
    assert "Mend the cause." in act.failure("x-1", "It was killed.", "")


@pytest.fixture
def unit(monkeypatch):
    """A unit of systemd that is started, and how often."""
    state = {"runs": False, "started": 0}

    def start(*_arguments):
        state.update(runs=True, started=state["started"] + 1)

    monkeypatch.setattr(long, "runs", lambda *_arguments: state["runs"])
    monkeypatch.setattr(long, "_start", start)
    return state


def test_what_is_killed_between_two_asks_is_told_once_and_begun_at_the_next_run(run, unit, tmp_path, monkeypatch):
    monkeypatch.setattr(long, "ASK_EVERY", 0.2)
    (tmp_path / "x.log").write_text("a line\n")

    def follow():
        return long.follow(run, "x", ["true"], str(tmp_path), {}, lambda end: end)

    with pytest.raises(Waiting, match="a line"):
        follow()
    unit["runs"] = False
    with pytest.raises(Failed, match="was killed"):
        follow()
    with pytest.raises(Waiting):
        follow()
    assert unit["started"] == 2
    # It has ended well meanwhile.
    unit["runs"] = False
    (tmp_path / "x.status").write_text("0 7\n")
    assert follow() == 7
    assert sorted(one.name for one in tmp_path.iterdir()) == ["x.log"]
