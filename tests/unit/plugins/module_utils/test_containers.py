"""What is said of containers that a restart stops."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.containers import sentence, some, stay_down


class Engine:
    def run(self, *command):
        assert command[-2:] == ("db", "web")
        return 0, "/db no\n/web unless-stopped\n"


def test_those_without_a_policy_that_starts_them_stay_down():
    assert stay_down(Engine(), "unix:///x", ["db", "web"]) == ["db"]
    assert stay_down(None, "unix:///x", []) == []


@pytest.mark.parametrize(
    ("down", "end"),
    [
        ([], ""),
        (["a"], " a stays down, since it has no restart policy: start by `docker start`."),
        (["a", "b"], " a, b stay down, since they have no restart policy: start by `docker start`."),
    ],
)
def test_it_is_told_in_words(down, end):
    assert sentence(["a", "b"], down) == f"This stops the containers a, b.{end}"


def test_of_many_the_first_are_named():
    names = [f"c{number:02}" for number in range(12)]
    assert some(names[:11]) == ", ".join(names[:11])
    assert some(names) == ", ".join(names[:10]) + " and 2 more"
