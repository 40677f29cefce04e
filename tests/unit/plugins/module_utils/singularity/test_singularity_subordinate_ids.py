"""Where ranges of ids go, and that they are read and written under the locks of shadow-utils."""

import os
import threading
import time

import pytest
from ansible_collections.slipway.node.plugins.module_utils.singularity import subordinate_ids
from ansible_collections.slipway.node.plugins.module_utils.singularity.subordinate_ids import RANGE, allot, give_ranges
from hypothesis import given
from hypothesis import strategies as st
from singularity_state import WANT

ids = st.integers(min_value=0, max_value=1 << 32)


@given(
    users=st.dictionaries(st.text("abcdef", min_size=1, max_size=4), ids, max_size=40),
    taken=st.lists(st.tuples(ids, st.integers(min_value=0, max_value=1 << 20)), max_size=20),
)
def test_ranges_never_overlap(users, taken):
    first, limit = 1 << 20, (1 << 20) + 200 * RANGE
    given_ = allot(users, taken, first, limit)
    if given_ is None:
        return
    spans = [(start, start + count) for start, count in taken if count]
    for start in given_.values():
        assert first <= start <= limit - RANGE
        assert all(start + RANGE <= low or high <= start for low, high in spans)
        spans.append((start, start + RANGE))
    assert set(given_) == set(users)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=4), ids, min_size=1, max_size=20), st.randoms())
def test_ranges_do_not_depend_on_the_order_of_users(users, random):
    shuffled = list(users.items())
    random.shuffle(shuffled)
    bounds = (1 << 20, 1 << 30)
    assert allot(users, [], *bounds) == allot(dict(shuffled), [], *bounds)


def test_a_user_has_the_same_range_on_every_host():
    first = WANT["fakeroot_first"]
    assert allot({"alice": 1000}, [], first, WANT["fakeroot_limit"]) == {"alice": first + 1000 * 65536}


def test_no_room_for_ranges_is_said():
    assert allot({"a": 1, "b": 2}, [], 65536, 2 * 65536) is None
    assert give_ranges({"a": 1}, {"subuid": "", "subgid": ""}, 65536, 65536) is None


def test_new_ranges_are_added_and_existing_lines_stay():
    first = WANT["fakeroot_first"]
    bob, alice = first + 1001 * 65536, first + 1000 * 65536
    texts = {"subuid": "alice:100000:65536", "subgid": "# own\n"}
    assert give_ranges({"alice": 1000, "bob": 1001}, texts, first, WANT["fakeroot_limit"]) == {
        "subuid": f"alice:100000:65536\nbob:{bob}:65536\n",
        "subgid": f"# own\nalice:{alice}:65536\nbob:{bob}:65536\n",
    }


FIRST, LIMIT = 1 << 20, 1 << 30


def give(folder, users):
    subordinate_ids.give(users, FIRST, LIMIT, str(folder))


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


def test_ranges_never_cover_ids_that_somebody_has(tmp_path):
    own = FIRST + 1000 * 65536
    subordinate_ids.give({"alice": 1000}, FIRST, LIMIT, str(tmp_path), [(own + 65535, 1), (own + 2 * 65536, 200000)])
    assert (tmp_path / "subuid").read_text() == f"alice:{own + 65536}:65536\n"


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
    monkeypatch.setattr(subordinate_ids, "LOCK_TIMEOUT", 0.3)
    (tmp_path / "subgid.lock").write_text(str(os.getpid()))
    with pytest.raises(OSError, match=f"process {os.getpid()} holds .*subgid.lock"):
        give(tmp_path, {"alice": 1000})
    assert os.listdir(tmp_path) == ["subgid.lock"]
