"""The tables that a tired admin reads."""

from ansible_collections.slipway.node.plugins.filter.report import drift_lines, plan_rows, site_rows, table

DRIFT = [
    {"role": "docker_ce", "phase": "install_packages", "item": "docker-ce", "is": "20.10.24 installed", "want": "26.1"}
]


def probe(drift, **observed):
    return {"drift": drift, "observed": {"docker_ce": observed}}


def test_drift_reads_as_a_sentence():
    assert drift_lines(DRIFT) == "docker-ce 20.10.24 installed, 26.1 wanted"


def test_columns_are_as_wide_as_their_longest_cell():
    rows = [{"node": "a", "engine": "26.1.5"}, {"node": "longer"}]
    assert table(rows, ["node", "engine"]).splitlines() == [
        "node    engine",
        "------  ------",
        "a       26.1.5",
        "longer",
    ]


def test_plan_has_a_row_for_every_host():
    hostvars = {"a": {"slipway_state": probe(DRIFT)}, "b": {"slipway_state": probe([])}, "c": {}}
    assert [(row["node"], row["change"]) for row in plan_rows(["a", "b", "c"], hostvars)] == [
        ("a", "docker-ce: 20.10.24 installed -> 26.1"),
        ("b", "nothing to do"),
        ("c", "not probed: see the error above"),
    ]


def test_site_tells_what_became_of_every_host():
    facts = {"ansible_facts": {"distribution": "Debian", "distribution_version": "12.1"}}
    mended = probe([], engine="26.1.5", mirror="http://mirror")
    compiled = {"observed": {"singularity": {"version": "singularity-ce 4.5.1"}}}
    linked = {"observed": {"golang": {"link": {"target": "/usr/local/go-1.26.7"}}}}
    serving = {"observed": {"registry": {"answers": {"main": 401, "hub": 200, "plain": "does not answer"}}}}
    client = {"drift": [{"role": "registry_client"}]}
    pending = {"drift": [{"role": "docker_daemon", "phase": "later", "item": "docker.service"}], "observed": {}}
    hostvars = {
        "changed": {
            **facts,
            "slipway_state": probe(DRIFT),
            "__docker_ce_proof": mended,
            "__golang_proof": linked,
            "__singularity_proof": compiled,
            "__registry_proof": serving,
        },
        "same": {**facts, "slipway_state": probe([], engine="26.1.5")},
        "failed": {**facts, "slipway_state": probe(DRIFT)},
        "predicted": {**facts, "slipway_state": probe(DRIFT), "ansible_check_mode": True},
        "pending": {**facts, "slipway_state": {"docker_daemon": pending}},
        "client": {
            **facts,
            "slipway_state": probe([]),
            "__registry_client_probe": client,
            "__registry_client_proof": mended,
        },
        "lost": {},
    }
    rows = {row["node"]: row for row in site_rows(list(hostvars), hostvars)}
    assert rows["changed"] == {
        "node": "changed",
        "platform": "Debian 12.1",
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
        "failed": "FAILED",
        "predicted": "would change",
        "pending": "restart pending",
        "client": "yes",
        "lost": "not probed",
    }
