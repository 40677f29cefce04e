"""The tables that a tired admin reads."""

from ansible_collections.slipway.node.plugins.filter.report import (
    drifted_hosts,
    plan_rows,
    site_rows,
    table,
    verify_rows,
)

ENTRY = {"role": "docker_ce", "phase": "install_packages", "item": "docker-ce", "is": "20.10.24", "want": "26.1"}
PLATFORM = {"distribution": "Debian", "version": "12.15"}


def role(drift=(), **state):
    return {"observed": {}, "drift": list(drift), "refused": [], "problems": [], "error": "", "mended": [], **state}


def host(problems=(), **roles):
    return {"slipway_state": {"platform": PLATFORM, "problems": list(problems), **roles}}


def test_columns_are_as_wide_as_their_longest_cell():
    rows = [{"node": "a", "engine": "26.1.5"}, {"node": "longer"}]
    assert table(rows, ["node", "engine"]).splitlines() == [
        "node    engine",
        "------  ------",
        "a       26.1.5",
        "longer",
    ]


HOSTVARS = {
    "a": host(docker_ce=role([ENTRY], refused=["web would stop."]), golang=role(error="/x: Permission denied.")),
    "b": host(docker_ce=role()),
    "c": {},
    "d": host(docker_ce=role()),
    "e": host(["slipway_region is x."]),
    "f": {"slipway_state": {"failed": True, "msg": "unreachable"}},
}


def test_the_plan_shows_drift_refusals_problems_and_errors_and_equal_hosts_in_one_row():
    rows = [(row["node"], row["role"], row["phase"], row["change"]) for row in plan_rows(list(HOSTVARS), HOSTVARS)]
    assert rows == [
        ("a", "golang", "ERROR", "/x: Permission denied."),
        ("a", "docker_ce", "REFUSED", "web would stop."),
        ("a", "docker_ce", "install_packages", "docker-ce: 20.10.24 -> 26.1"),
        ("b, d", "", "", "nothing to do"),
        ("c, f", "", "unknown", "not probed: see the error above"),
        ("e", "", "PROBLEM", "slipway_region is x."),
    ]
    assert drifted_hosts(list(HOSTVARS), HOSTVARS) == ["a", "c", "e", "f"]


def test_many_equal_hosts_are_counted():
    hostvars = {f"n{number:03}": host(docker_ce=role()) for number in range(300)}
    assert [row["node"] for row in plan_rows(list(hostvars), hostvars)] == ["n000 and 299 more"]


def test_site_tells_what_became_of_every_host():
    later = {**ENTRY, "phase": "later"}
    hostvars = {
        "changed": host(
            docker_ce=role(mended=[ENTRY], observed={"engine": "26.1.5", "mirror": "http://mirror"}),
            golang=role(observed={"link": {"target": "/usr/local/go-1.26.7"}}),
            singularity=role(observed={"version": "singularity-ce 4.5.1"}),
            registry=role(observed={"answers": {"main": 401, "hub": 200, "plain": "does not answer"}}),
        ),
        "same": host(docker_ce=role()),
        "left": host(docker_ce=role([ENTRY])),
        "predicted": {**host(docker_ce=role([ENTRY])), "ansible_check_mode": True},
        "pending": host(docker_daemon=role([later])),
        "failed": {"slipway_state": {"failed": True}},
        "lost": {},
    }
    rows = {row["node"]: row for row in site_rows(list(hostvars), hostvars)}
    assert rows["changed"] == {
        "node": "changed",
        "platform": "Debian 12.15",
        "engine": "26.1.5",
        "mirror": "http://mirror",
        "go": "1.26.7",
        "singularity": "singularity-ce 4.5.1",
        "registry": "main hub",
        "changed": "yes",
    }
    assert {name: row["changed"] for name, row in rows.items()} == {
        "changed": "yes",
        "same": "no",
        "left": "FAILED",
        "predicted": "would change",
        "pending": "restart pending",
        "failed": "FAILED",
        "lost": "not reached",
    }
    assert [list(rows[name].values())[2:7] for name in ("same", "failed", "lost")] == [
        ["none", "none", "-", "-", "-"],
        ["?"] * 5,
        ["?"] * 5,
    ]


def test_verify_says_what_was_asked_of_each_host():
    hostvars = {
        "whole": {"__container": {"rc": 0, "stdout": "26.1.5\ncontainer runs"}, "__pulled": {"skipped": True}},
        "silent": {"__container": {"rc": 1, "stdout": "", "failed": True}},
        "broken": {"__container": {"rc": 125, "stdout": "26.1.5", "failed": True}},
        "old": {"__container": {"rc": 0, "stdout": "26.1.5\ncontainer runs"}, "__pulled": {"rc": 125, "stdout": "no"}},
        "compute": {
            "__container": {"skipped": True},
            "__singularity_tried": {"rc": 0, "stdout": "container works"},
        },
        "client": {"__registry_tried": {"addresses": ["reg:5000"]}},
        "away": {"__container": {"unreachable": True, "msg": "no route"}},
        "stranger": {"__registry_tried": {"failed": True, "msg": "no"}},
    }
    assert [list(row.values()) for row in verify_rows(list(hostvars), hostvars)] == [
        ["whole", "26.1.5", "container runs", "-", "-", "-"],
        ["silent", "no answer", "did not run", "-", "-", "-"],
        ["broken", "26.1.5", "did not run", "-", "-", "-"],
        ["old", "26.1.5", "container runs", "not pulled", "-", "-"],
        ["compute", "-", "-", "-", "container runs", "-"],
        ["client", "-", "-", "-", "-", "answer"],
        ["away", "no answer", "did not run", "-", "-", "-"],
        ["stranger", "-", "-", "-", "-", "do not answer"],
    ]
