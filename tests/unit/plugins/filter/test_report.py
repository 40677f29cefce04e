"""The tables that a tired admin reads."""

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.node.plugins.filter import hosts
from ansible_collections.slipway.node.plugins.filter.hosts import drifted_hosts, group_problems, is_due, wrong_inputs
from ansible_collections.slipway.node.plugins.filter.report import (
    not_done,
    plan_faults,
    plan_rows,
    plan_summary,
    site_notes,
    site_rows,
    table,
    verify_rows,
)
from ansible_collections.slipway.node.plugins.plugin_utils.engine.words import host_names

ENTRY = {"role": "docker_ce", "phase": "install_packages", "item": "docker-ce", "is": "20.10.24", "want": "26.1"}
PLATFORM = {"distribution": "Debian", "version": "12.15"}


def role(drift=(), **state):
    return {
        "plan": {phase: [one for one in drift if one["phase"] == phase] for phase in [one["phase"] for one in drift]},
        "refused": [],
        "problems": [],
        "error": "",
        "mended": [],
        "notes": [],
        "facts": {},
        **state,
    }


def host(problems=(), **roles):
    return {"slipway_state": {"platform": PLATFORM, "problems": list(problems), **roles}}


def test_columns_are_as_wide_as_their_longest_cell():
    rows = [{"node": "a", "engine": "26.1.5"}, {"node": "longer"}]
    assert table(rows, ["node", "engine"]) == [
        "node    engine",
        "------  ------",
        "a       26.1.5",
        "longer",
    ]


def test_a_table_is_no_wider_than_the_terminal():
    rows = [{"node": "a", "role": "docker_ce", "change": "remove what nobody needs any more " * 3}]
    lines = table(rows, ["node", "role", "change"], 50)
    assert max(map(len, lines)) <= 50 and lines[0] == "node  role       change" and len(lines) == 5
    assert "".join(line[17:] for line in lines[2:]).replace(" ", "") == rows[0]["change"].replace(" ", "")
    assert len(table(rows, ["node", "role", "change"], 0)) == 3


@pytest.mark.parametrize(
    ("groups", "wrong"),
    [
        (["container_hosts", "golang-hosts"], ["golang-hosts"]),
        (["singularity_host", "goland_hosts", "build_host"], ["build_host", "goland_hosts", "singularity_host"]),
        (["container_hosts_eu", "golang_hosts2", "gpu_hosts", "docker", "hosts", "all"], []),
    ],
)
def test_a_group_that_is_nearly_called_as_ours_is_told(groups, wrong):
    problems = group_problems({group: ["a"] for group in groups})
    assert [one.split()[2] for one in problems] == wrong and all("did you mean" in one for one in problems)


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
        # What it would change is not changed.
        ("a", "docker_ce", "REFUSED", "web would stop."),
        ("b, d", "", "", "nothing to do"),
        ("c, f", "", "UNKNOWN", "not compared: see the error above"),
        ("e", "", "PROBLEM", "slipway_region is x."),
    ]
    assert drifted_hosts(list(HOSTVARS), HOSTVARS) == ["c", "f"]


def test_what_would_become_of_the_hosts_is_counted_once_each():
    said = "1 refused, 1 with wrong inputs, 2 not compared, 2 as wanted, so that site.yml would change no host"
    assert plan_summary(list(HOSTVARS), HOSTVARS) == said
    hostvars = {"a": host(docker_ce=role([ENTRY])), "b": host(docker_ce=role([ENTRY], refused=["no."]))}
    assert plan_summary(list(hostvars), hostvars) == "1 would change, 1 refused, no container stops"
    part = host(docker_ce=role([ENTRY], refused=["no."], facts={"stops": ["web"]}), golang=role([ENTRY]))
    assert plan_summary(["a"], {"a": part}) == "1 would change in part, no container stops"
    stops = role([ENTRY], facts={"stops": ["web"]})
    assert plan_summary(["a"], {"a": host(docker_ce=stops)}) == "1 would change, containers stop on a"


@pytest.mark.parametrize(
    ("name", "fail_on", "found"),
    [
        ("a", ["problems", "errors", "refusals"], ["a role could not look at the host", "site.yml would refuse it"]),
        ("a", None, ["a role could not look at the host", "site.yml would refuse it"]),
        # As -e gives it.
        ("a", "refusals, drift", ["site.yml would refuse it", "there is drift"]),
        ("a", "[]", []),
        ("a", ["drift"], ["there is drift"]),
        ("a", [], []),
        ("b", ["problems", "errors", "refusals", "drift"], []),
        ("e", ["problems"], ["inputs are wrong"]),
        # Ansible has failed it.
        ("c", ["errors", "drift"], []),
    ],
)
def test_a_plan_fails_on_what_it_is_told_to(name, fail_on, found):
    assert plan_faults(name, HOSTVARS, fail_on) == found


def test_drift_may_be_asked_for_besides():
    assert plan_faults("a", HOSTVARS, [], True) == ["there is drift"]


def test_a_plan_cannot_fail_on_what_there_is_not():
    with pytest.raises(AnsibleFilterError, match="plan_fail_on has refused; choose from problems, errors, refusals"):
        plan_faults("b", HOSTVARS, ["refused"])


def test_many_equal_hosts_are_a_range():
    hostvars = {f"n{number:03}": host(docker_ce=role()) for number in range(300)}
    assert [row["node"] for row in plan_rows(list(hostvars), hostvars)] == ["n[000:299]"]


@pytest.mark.parametrize(
    ("hosts", "text"),
    [
        (["a1", "a2"], "a1, a2"),
        (["a1", "a2", "a3", "b", "a9", "a10", "a11"], "a[1:3], b, a[9:11]"),
        (["n08.x.org", "n09.x.org", "n10.x.org", "n11.y.org"], "n[08:10].x.org, n11.y.org"),
        (["10.0.0.1", "10.0.0.2", "10.0.0.3"], "10.0.0.1, 10.0.0.2, 10.0.0.3"),
        (["r1-n1", "r1-n2", "r1-n3"], "r1-n[1:3]"),
        ([], ""),
    ],
)
def test_hosts_are_named_in_short(hosts, text):
    assert host_names(hosts) == text


def test_of_many_hosts_a_line_has_the_first():
    hosts = ["a1", "a2", "a3", "db", *(f"x{letter}" for letter in "bcdefgh")]
    assert host_names(hosts, 2) == "a[1:3], db and 7 more" and host_names(hosts[:4], 2) == "a[1:3], db"


def test_a_note_is_a_row_and_no_drift():
    hostvars = {"a": host(docker_ce=role(notes=["web stops."])), "b": {"slipway_state": {"site_notes": ["x."]}}}
    rows = [list(row.values()) for row in plan_rows(list(hostvars), hostvars)]
    assert rows == [
        ["a", "", "", "nothing to do"],
        ["a", "docker_ce", "NOTE", "web stops."],
        ["b", "", "", "nothing to do"],
        ["b", "", "NOTE", "x."],
    ]
    assert drifted_hosts(list(hostvars), hostvars) == []


def test_the_site_is_told_what_stays_and_what_has_no_effect():
    hostvars = {
        "a": {"slipway_state": {"roles": ["docker_ce"], "kept": ["golang"], "unused": {"golang": ["golang_version"]}}},
        "b": {"slipway_state": {"roles": ["docker_ce", "singularity"], "unused": {"golang": ["golang_root"]}}},
        "c": {"slipway_state": {"roles": [], "unused": {"singularity": ["singularity_version"]}}},
        "lost": {},
    }
    kept, idle = site_notes(list(hostvars), hostvars, {})
    assert kept.endswith("""playbooks/remove.yml -e '{"slipway_only": ["golang"]}'.""")
    # Others than those of this run may take it.
    assert site_notes(["b"], hostvars, {"golang_hosts": ["z"]}) == []
    assert kept.startswith("a: Go of an earlier run stays there as it is, since golang_hosts lacks")
    assert idle.startswith(
        "golang_root, golang_version have no effect, since no host of this run takes golang. Add hosts"
    )


def test_who_compiles_is_told_where_no_archive_is_kept(tmp_path):
    def waits(cache):
        facts = {"cache_dir": str(cache), "archive_glob": "apptainer-*.json", "archive_pattern": "x"}
        facts.update(stem="apptainer-1.4.5", platform="debian13-x86_64")
        platform = {**PLATFORM, "architecture": "x86_64"}
        return {"slipway_state": {"platform": platform, "singularity": {"facts": facts, "plan": {"install_tree": []}}}}

    hostvars = {"a": waits(tmp_path), "b": waits(tmp_path), "c": host(docker_ce=role())}
    assert site_notes(list(hostvars), hostvars, {}) == [
        "a compiles apptainer-1.4.5 for debian13-x86_64. Compilers are installed there alone."
    ]
    (told,) = site_notes(list(hostvars), hostvars, {"build_hosts": ["away"]})
    assert "unless away of build_hosts has the same platform" in told
    (tmp_path / "apptainer-1.4.5.json").touch()
    assert site_notes(list(hostvars), hostvars, {}) == []


def test_site_tells_what_became_of_every_host():
    later = {**ENTRY, "phase": "later"}
    hostvars = {
        "changed": host(
            docker_ce=role(mended=[ENTRY], facts={"engine": "26.1.5", "mirror": "http://mirror"}),
            golang=role(facts={"go": "1.26.7"}),
            singularity=role(facts={"singularity": "singularity-ce 4.5.1"}),
            registry=role(facts={"registry": "main hub"}),
        ),
        "same": host(docker_ce=role()),
        "left": host(docker_ce=role([ENTRY])),
        "predicted": {**host(docker_ce=role([ENTRY])), "ansible_check_mode": True},
        "pending": host(docker_daemon=role([later])),
        "refuses": host(docker_ce=role([ENTRY], refused=["no."])),
        "part": host(docker_ce=role([ENTRY], refused=["no."]), golang=role(mended=[ENTRY])),
        "failed": {"slipway_state": {"failed": True}},
        "away": {"slipway_state": {"unreachable": True}},
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
        "refuses": "REFUSED",
        "part": "yes, in part",
        "failed": "FAILED",
        "away": "UNREACHABLE",
        "lost": "not reached",
    }
    assert [list(rows[name].values())[2:7] for name in ("same", "failed", "lost")] == [
        ["none", "none", "-", "-", "-"],
        ["?"] * 5,
        ["?"] * 5,
    ]


RUNS, STOPPED = {"engine": "28.5.2"}, {"engine": "does not run"}


@pytest.mark.parametrize(
    ("state", "stay"),
    [
        ({"golang": role(refused=["no."]), "docker_ce": role(facts=RUNS)}, ["golang"]),
        ({"golang": role(), "user_groups": role(error="LDAP."), "docker_ce": role()}, ["user_groups"]),
        # An engine that hangs: nothing is known of it.
        (
            {"docker_ce": role(error="hangs."), "docker_daemon": role(), "images": role(), "golang": role()},
            ["docker_ce", "docker_daemon", "images"],
        ),
        ({"docker_ce": role(refused=["no."], facts=RUNS), "docker_daemon": role(), "images": role()}, ["docker_ce"]),
        (
            {"docker_ce": role(refused=["no."], facts=STOPPED), "registry": role(), "registry_client": role()},
            ["docker_ce", "registry"],
        ),
        # A fresh engine would start without its configuration.
        (
            {"docker_ce": role(facts={"engine": ""}), "docker_daemon": role(refused=["no."])},
            ["docker_ce", "docker_daemon"],
        ),
        # Somebody else's engine.
        ({"docker_daemon": role(refused=["no."]), "images": role()}, ["docker_daemon"]),
        ({"docker_ce": role(problems=["Not on this platform."], facts=RUNS)}, ["docker_ce"]),
    ],
)
def test_a_refusal_stops_its_role_and_those_that_need_it(state, stay):
    hostvars = {"a": host(**state)}
    assert sorted(hosts.stays(hostvars["a"]["slipway_state"], hostvars)) == sorted(stay)
    assert bool(not_done("a", hostvars)) is bool(stay)


def test_clients_of_a_registry_that_is_refused_stay_as_they_are():
    client = role([{**ENTRY, "phase": "log_in"}], facts={"registry_hosts": ["reg", "lost"]})
    step = next(one for one in hosts.steps("clients"))
    hostvars = {"reg": host(registry=role(refused=["no."])), "a": host(registry_client=client)}
    state = hostvars["a"]["slipway_state"]
    assert not is_due(step, state, hostvars) and drifted_hosts(["a"], hostvars) == []
    (row,) = plan_rows(["a"], hostvars)
    assert row["change"] == "registry stays as it is on reg, and its clients with it."
    assert is_due(step, state, {**hostvars, "reg": host(registry=role())})


@pytest.mark.parametrize(
    ("limit", "end"),
    [
        (None, "or leave these hosts out: --limit 'all:!b:!c'"),
        ("web:db", "or leave these hosts out: --limit 'web:db:!b:!c'"),
        ("web,db", "or leave these hosts out: --limit 'web,db,!b,!c'"),
    ],
)
def test_wrong_inputs_of_any_host_are_told_with_the_limit_that_leaves_it_out(monkeypatch, limit, end):
    monkeypatch.setattr(hosts.context, "CLIARGS", {"subset": limit})
    away = {"slipway_state": {"unreachable": True, "problems": ["port is 70000."]}}
    hostvars = {"a": host(), "b": host(["port is 70000.", "x."]), "c": away, "d": {}}
    assert wrong_inputs(list("abcd"), hostvars) == [
        "b, c: port is 70000.",
        "b: x.",
        f"No host was changed. Correct the inputs, {end}.",
    ]
    assert wrong_inputs(["b", "c"], hostvars)[-1] == "No host was changed. Correct the inputs and run again."
    assert wrong_inputs(["a", "d"], hostvars) == []
    assert [row["phase"] for row in plan_rows(["c"], hostvars)] == ["PROBLEM", "UNKNOWN"]


def test_verify_says_what_was_asked_of_each_host():
    hostvars = {
        "whole": {
            "__docker_ce_tried": {"rc": 0, "stdout": "26.1.5\ncontainer runs"},
            "__docker_ce_pulled": {"skipped": True},
        },
        "silent": {"__docker_ce_tried": {"rc": 1, "stdout": "", "failed": True}},
        "broken": {"__docker_ce_tried": {"rc": 125, "stdout": "26.1.5", "failed": True}},
        "old": {
            "__docker_ce_tried": {"rc": 0, "stdout": "26.1.5\ncontainer runs"},
            "__docker_ce_pulled": {"rc": 125, "stdout": "no"},
        },
        "compute": {
            "__docker_ce_tried": {"skipped": True},
            "__singularity_tried": {"rc": 0, "stdout": "container works"},
        },
        "client": {"__registry_tried": {"addresses": ["reg:5000"]}},
        "away": {"__docker_ce_tried": {"unreachable": True, "msg": "no route"}},
        "gone": {"slipway_state": {"unreachable": True, "msg": "no route"}},
        "other": {"slipway_state": {"platform": {}}},
        "stranger": {"__registry_tried": {"failed": True, "msg": "no"}},
    }
    assert [list(row.values()) for row in verify_rows(list(hostvars), hostvars)] == [
        ["whole", "26.1.5", "container runs", "-", "-", "-"],
        ["silent", "no answer", "did not run", "-", "-", "-"],
        ["broken", "26.1.5", "did not run", "-", "-", "-"],
        ["old", "26.1.5", "container runs", "not pulled", "-", "-"],
        ["compute", "-", "-", "-", "container runs", "-"],
        ["client", "-", "-", "-", "-", "answer"],
        ["away", "UNREACHABLE", "UNREACHABLE", "-", "-", "-"],
        ["gone", "UNREACHABLE", "-", "-", "-", "-"],
        ["other", "-", "-", "-", "-", "-"],
        ["stranger", "-", "-", "-", "-", "do not answer"],
    ]
    alike = dict.fromkeys(("n1", "n2", "n3"), hostvars["whole"])
    assert [row["node"] for row in verify_rows(list(alike), alike)] == ["n[1:3]"]
