"""Ranges of ids are read and written under the locks of shadow-utils."""

import os
import threading
import time

import pytest
from ansible_collections.slipway.node.plugins.module_utils.singularity import ranges

FIRST, LIMIT = 1 << 20, 1 << 30


def give(folder, users):
    ranges.give(users, FIRST, LIMIT, str(folder))


def test_ranges_are_given_once_and_modes_stay(tmp_path):
    (tmp_path / "subuid").write_text("root:100000:65536\n")
    (tmp_path / "subuid").chmod(0o640)
    give(tmp_path, {"alice": 1000})
    line = f"alice:{FIRST + 1000 * 65536}:65536\n"
    assert (tmp_path / "subuid").read_text() == "root:100000:65536\n" + line
    assert (tmp_path / "subgid").read_text() == line
    assert (tmp_path / "subuid").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "subgid").stat().st_mode & 0o777 == 0o644
    give(tmp_path, {"alice": 1000})
    assert (tmp_path / "subgid").read_text() == line
    assert sorted(os.listdir(tmp_path)) == ["subgid", "subuid"]


def test_what_others_write_while_they_hold_the_lock_is_kept(tmp_path):
    (tmp_path / "subuid").write_text("")
    (tmp_path / "subuid.lock").write_text(f"{os.getpid()}\0")

    def other():
        time.sleep(0.5)
        (tmp_path / "subuid").write_text("bob:100000:65536\n")
        (tmp_path / "subuid.lock").unlink()

    thread = threading.Thread(target=other)
    thread.start()
    give(tmp_path, {"alice": 1000})
    thread.join()
    assert (tmp_path / "subuid").read_text().startswith("bob:100000:65536\nalice:")


def test_a_lock_of_a_process_that_has_ended_is_taken_over(tmp_path):
    (tmp_path / "subuid.lock").write_text("4194999")
    give(tmp_path, {"alice": 1000})
    assert "alice" in (tmp_path / "subuid").read_text()


def test_a_lock_that_stays_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(ranges, "LOCK_TIMEOUT", 0.3)
    (tmp_path / "subgid.lock").write_text(str(os.getpid()))
    with pytest.raises(OSError, match=f"process {os.getpid()} holds .*subgid.lock"):
        give(tmp_path, {"alice": 1000})
    assert os.listdir(tmp_path) == ["subgid.lock"]
