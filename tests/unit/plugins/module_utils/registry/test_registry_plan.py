"""What differs of registries, how it reads, and what stands in the way."""

import pytest
from ansible_collections.slipway.node.plugins.filter.report import drift_text
from ansible_collections.slipway.node.plugins.module_utils.registry import plan
from registry_examples import CONTAINER, DIR, GOOD, WANT, changed


def test_a_host_as_wanted_has_no_drift():
    assert plan.compare(WANT, GOOD) == []


@pytest.mark.parametrize(
    ("path", "value", "phase", "line"),
    [
        (["image"], "", "provide_image", "registry:2.8.3: absent -> present"),
        (
            ["files", f"{DIR}/main/config.yml"],
            None,
            "write_files",
            f"{DIR}/main/config.yml: absent -> Slipway's content",
        ),
        (
            ["files", f"{DIR}/main/config.yml", "mode"],
            "0644",
            "write_files",
            f"{DIR}/main/config.yml: mode 0644 of 0:0 -> mode 0600 of root",
        ),
        (
            ["folders"],
            [f"{DIR}/main/", f"{DIR}/old/", f"{DIR}/tls/"],
            "write_files",
            f"{DIR}/old/: present -> absent",
        ),
        (
            ["certificate", "days"],
            12,
            "issue_certificate",
            f"certificate {DIR}/tls/tls.crt: expires in 12 days -> 30 days or more",
        ),
        (
            ["names"],
            ["10.0.0.5", "localhost"],
            "issue_certificate",
            f"certificate {DIR}/tls/tls.crt: lacks 10.0.0.5 -> valid for all names of the host",
        ),
        (
            ["accounts", f"{DIR}/main/htpasswd", "accounts"],
            {"alice": False},
            "set_accounts",
            f"account alice in {DIR}/main/htpasswd: another password -> the wanted password",
        ),
        (["containers"], {}, "start_containers", f"{CONTAINER}: absent -> running"),
        (
            ["containers", "slipway-registry-main", "digest"],
            "d0",
            "start_containers",
            f"{CONTAINER}: made from other settings -> made anew",
        ),
        (
            ["containers", "slipway-registry-main", "image"],
            "sha256:i0",
            "start_containers",
            f"{CONTAINER}: made from another image -> made anew",
        ),
        (
            ["containers", "slipway-registry-main", "read_only"],
            True,
            "start_containers",
            f"{CONTAINER}: read-only -> writable",
        ),
        (["answers", "main"], 200, "restart_containers", f"{CONTAINER}: answers 200 -> answers 401"),
        # What a registry says whose storage fails its health check.
        (["answers", "main"], 503, "restart_containers", f"{CONTAINER}: answers 503 -> answers 401"),
        (
            ["answers", "main"],
            "another certificate",
            "restart_containers",
            f"{CONTAINER}: serves an older certificate -> serves the one in its folder",
        ),
        (["timer"], "inactive", "schedule_collection", "collect.timer: inactive -> active"),
        (["units"], ["/units/a.timer"], "unschedule_collection", "/units/a.timer: present -> absent"),
        (["closed_ports"], ["5000/tcp"], "open_firewall", "port 5000/tcp: closed by the firewall -> open"),
        (
            ["data", "/data/main"],
            {"there": False, "marked": False, "empty": True, "interrupted_restore": False, "unwritable": ""},
            "create_folders",
            "/data/main: absent -> a folder with Slipway's mark",
        ),
        (
            ["data", "/data/main", "marked"],
            False,
            "create_folders",
            "/data/main: without Slipway's mark -> a folder with Slipway's mark",
        ),
    ],
)
def test_drift_reads_well_and_names_its_phase(path, value, phase, line):
    drift = plan.compare(WANT, changed(GOOD, path, value))
    assert (drift_text(drift), [one["phase"] for one in drift]) == (line, [phase])


def test_read_only_is_no_drift_while_maintenance_goes_on():
    observed = changed(GOOD, ["containers", "slipway-registry-main", "read_only"], True)
    assert plan.compare(WANT, changed(observed, ["maintenance"], True)) == []


def test_a_given_certificate_may_lack_names_of_the_host():
    want = changed(WANT, ["tls", "given"], True)
    assert plan.compare(want, changed(GOOD, ["names"], ["10.0.0.5"])) == []


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (
            ["certificate", "error"],
            "of another authority",
            "is of an authority that is not in /secrets on this controller",
        ),
        (["ip_forward"], False, "net.ipv4.ip_forward is 0 on this host"),
        (["unwritable"], ["/data/main cannot be written to."], "cannot be written to"),
        (["blocked"], ["Port 5000 is taken."], "Port 5000 is taken"),
        (["emptied"], ["/data/main is empty or gone."], "/data/main is empty or gone"),
        (["bad_schedule"], ["give it as systemd.time(7) has it."], "systemd.time"),
    ],
)
def test_what_stands_in_the_way_is_told_with_its_remedy(path, value, reason):
    assert plan.refusals(WANT, GOOD) == []
    (message,) = plan.refusals(WANT, changed(GOOD, path, value))
    assert reason in message


def test_nothing_is_changed_during_maintenance_or_after_half_a_restore():
    busy = changed(GOOD, ["maintenance"], True)
    half = changed(GOOD, ["data", "/data/main", "interrupted_restore"], True)
    assert plan.refusals(WANT, busy) == plan.refusals(WANT, half) == []
    assert "Run again when it is done" in plan.refusals(WANT, changed(busy, ["timer"], "inactive"))[0]
    assert "broke off" in plan.refusals(WANT, changed(half, ["containers"], {}))[0]


def test_an_upstream_that_does_not_answer_is_named():
    assert plan.notes(WANT, GOOD) == []
    (message,) = plan.notes(WANT, changed(GOOD, ["upstreams"], {"hub": "https://hub: timed out", "near": ""}))
    assert "The cache hub does not reach its upstream: https://hub: timed out" in message


def test_last_words_of_what_does_not_answer_are_told():
    errors = {"slipway-registry-main": ["level=fatal msg=no space"]}
    assert plan.notes(WANT, changed(GOOD, ["container_errors"], errors)) == [
        "slipway-registry-main says: level=fatal msg=no space"
    ]


def test_phases_are_told_what_to_act_on():
    observed = changed(GOOD, ["files", f"{DIR}/main/config.yml", "same"], False)
    observed["accounts"][f"{DIR}/main/htpasswd"]["mode"] = "0644"
    observed["folders"].append(f"{DIR}/old/")
    made = plan.changes(WANT, observed)
    assert (made["write"], made["write_secret"]) == ([], [f"{DIR}/main/config.yml"])
    assert (made["remove"], made["accounts"]) == ([f"{DIR}/old/"], [f"{DIR}/main/htpasswd"])
    # It may run with what somebody else wrote.
    assert made["reread"] == ["main"]
    ill = plan.changes(WANT, changed(GOOD, ["answers", "main"], 503))
    assert (ill["restart"], ill["reread"], ill["accounts"]) == (["main"], [], [])


def test_removal_names_what_is_left():
    want = {"state": "absent", "config_dir": DIR}
    observed = {
        "containers": GOOD["containers"],
        "engine_unreachable": False,
        "units": ["/units/a.timer"],
        "files": {"/program": {"same": False, "mode": "0644", "owner": "0:0"}, "/gone": None},
        "folders": [f"{DIR}/main/"],
        "own": [f"{DIR}/compose.yml"],
        "purge": ["/data/main/docker"],
        "maintenance": False,
    }
    assert [one["item"] for one in plan.compare(want, observed)] == [
        "/units/a.timer",
        CONTAINER,
        "/program",
        f"{DIR}/main/",
        f"{DIR}/compose.yml",
        "/data/main/docker",
    ]
    made = plan.removals(want, observed)
    # What somebody else keeps there stays: a folder goes only where it is empty by then.
    assert made["rmdir"] == [DIR, "/data/main"]
    assert plan.refusals(want, observed) == plan.notes(want, observed) == []
    # What would run on without its files cannot be told.
    (message,) = plan.refusals(want, {**observed, "engine_unreachable": True})
    assert "engine does not answer at unix:///var/run/docker.sock" in message and "systemctl start docker" in message
    nothing = {**observed, "files": {}, "containers": {}, "folders": [], "own": [], "purge": [], "units": []}
    assert plan.compare(want, nothing) == plan.refusals(want, {**nothing, "engine_unreachable": True}) == []
