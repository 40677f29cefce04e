"""Long work: begun once, followed to its end, also by the next run."""

import os
import signal
import time
from pathlib import Path

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import long as following
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import describe
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run, Waiting


@pytest.fixture
def work(monkeypatch, tmp_path):
    monkeypatch.setattr(following, "ASK_EVERY", 0.3)
    monkeypatch.setattr(following.files, "replace", lambda path, text, *_mode, **_owner: Path(path).write_text(text))
    # Here it is a process; the unit of systemd is tried by the scenarios.
    monkeypatch.setattr(following, "SYSTEMD", str(tmp_path / "none"))
    run = Run(Host(), describe("Debian", "12.15", "bookworm", "x86_64"))

    def follow(script, **env):
        script = f"echo >>started; {script}"
        return following.follow(run, "x", ["sh", "-c", script], str(tmp_path), env, lambda tail: f"so far: {tail}")

    follow.folder = tmp_path
    follow.started = lambda: len((tmp_path / "started").read_text()) if (tmp_path / "started").exists() else 0
    follow.runs = lambda: following.runs(Host(), "x", str(tmp_path))
    return follow


def test_work_is_followed_to_its_end_and_asked_for_its_progress(work):
    script = 'echo "$WORD"; sleep 1'
    with pytest.raises(Waiting, match="so far: a word"):
        work(script, WORD="a word")
    while True:
        try:
            assert work(script, WORD="a word") >= 1
            break
        except Waiting:
            time.sleep(0.05)
    assert work.started() == 1 and not work.runs() and not (work.folder / "x.status").exists()
    assert (work.folder / "x.log").read_text() == "a word\n"


def test_a_failure_is_told_with_the_log_s_end(work):
    with pytest.raises(Failed, match=r"(?s)It failed with exit status 3\. The end of .*x\.log:\nno such header"):
        work("echo no such header; exit 3")


def test_what_failed_while_nobody_followed_it_is_begun_anew(work):
    (work.folder / "x.status").write_text("1 20")
    (work.folder / "x.log").write_text("disk full\n")
    assert work("echo fine") >= 0 and work.started() == 1


def test_what_ended_well_while_nobody_followed_it_is_not(work):
    (work.folder / "x.status").write_text("0 20")
    assert work("echo again") == 20 and work.started() == 0


def test_what_was_killed_is_told(work):
    with pytest.raises(Waiting):
        work("sleep 30")
    assert work.runs()
    os.killpg(int((work.folder / "x.process").read_text()), signal.SIGKILL)
    while work.runs():
        time.sleep(0.01)
    with pytest.raises(Failed, match="It was killed"):
        work("sleep 30")


def test_what_says_nothing_is_ended(work, monkeypatch):
    with pytest.raises(Waiting):
        work("sleep 30")
    old = time.time() - following.STANDS_STILL - 1
    os.utime(work.folder / "x.log", (old, old))
    with pytest.raises(Failed, match="It said nothing for 3600 s and was ended"):
        work("sleep 30")
    time.sleep(0.2)
    assert not work.runs()
