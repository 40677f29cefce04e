"""Where ranges of ids go."""

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
