"""What differs of registries, how it reads and is mended, and what stands in the way."""

import pytest
from ansible_collections.slipway.node.plugins.filter.report import drift_text
from ansible_collections.slipway.node.plugins.module_utils.registry import plan
from registry_examples import CONTAINER, DATA, DIR, GOOD, TIMER, WANT, changed

NO_DATA = {**DATA, "there": False, "marked": False, "empty": True}
RELOAD = ["command", ["systemctl", "daemon-reload"]]


def planned(want, observed):
    return {phase: actions for phase, actions in plan.plan(want, observed).items() if actions}


def do(observed):
    """Return what a host's only action does."""
    ((action,),) = planned(WANT, observed).values()
    return action["do"]


def test_a_host_as_wanted_has_no_drift():
    assert planned(WANT, GOOD) == {}


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
        (
            ["unread"],
            ["main"],
            "restart_containers",
            f"{CONTAINER}: has an older configuration -> has the one in its folder",
        ),
        (["timer"], "inactive", "schedule_collection", "collect.timer: inactive -> active"),
        (["units"], ["/units/a.timer"], "unschedule_collection", "/units/a.timer: present -> absent"),
        (["closed_ports"], ["5000/tcp"], "open_firewall", "port 5000/tcp: closed by the firewall -> open"),
        (
            ["data", "/data/main"],
            NO_DATA,
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
    found = planned(WANT, changed(GOOD, path, value))
    assert (drift_text(found), list(found)) == (line, [phase])


def test_read_only_is_no_drift_while_maintenance_goes_on():
    observed = changed(GOOD, ["containers", "slipway-registry-main", "read_only"], True)
    assert planned(WANT, changed(observed, ["maintenance"], True)) == {}


def test_a_given_certificate_may_lack_names_of_the_host_and_is_refused_when_it_has_expired_alone():
    want = changed(WANT, ["tls", "given"], True)
    assert planned(want, changed(GOOD, ["names"], ["10.0.0.5"])) == {}
    soon = changed(GOOD, ["certificate", "days"], 29)
    assert planned(want, soon) == {} and plan.refusals(want, soon) == []
    assert plan.notes(want, soon) == ["registry_certificate expires in 29 days. Replace the file soon."]
    assert plan.notes(want, GOOD) == plan.notes(WANT, soon) == []


def test_a_disk_that_is_full_is_named():
    (note,) = plan.notes(WANT, changed(GOOD, ["data", "/data/main", "free"], 4096))
    assert note.startswith("The disk of /data/main, where main keeps its images, is full: pushes fail.")


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (
            ["certificate", "error"],
            "of another authority",
            "is of an authority that is not in /secrets on this controller",
        ),
        (["ip_forward"], False, "net.ipv4.ip_forward is 0 on this host"),
        (
            ["unwritable"],
            [["/data/main/docker", "/data/main"]],
            "/data/main/docker cannot be written to by the registry, which is root without rights over the files of "
            "others: pushes would end with status 500. Run `chown -R 0:0 /data/main`, or mount it",
        ),
        (
            ["taken"],
            {"main": [[5000, "python3 (pid 7)"]]},
            "Port 5000, wanted for main, is taken by python3 (pid 7). Stop that",
        ),
        (["data", "/data/main"], NO_DATA, "/data/main held a registry's images and is empty or gone. Mount its disk"),
    ],
)
def test_what_stands_in_the_way_is_told_with_its_remedy(path, value, reason):
    assert plan.refusals(WANT, GOOD) == []
    (message,) = plan.refusals(WANT, changed(GOOD, path, value))
    assert reason in message


def test_only_what_does_not_run_needs_room_and_its_object_store():
    want = changed(WANT, ["minimum_free"], 6 * 2**30)
    want["services"][0]["endpoint"] = "s3:443"
    found = changed(GOOD, ["unreachable"], {"main": "refused"})
    assert plan.refusals(want, found) == []
    for stopped in ({}, {"slipway-registry-main": {**GOOD["containers"]["slipway-registry-main"], "status": "exited"}}):
        room, store = plan.refusals(want, changed(found, ["containers"], stopped))
        assert "/data/main, where main keeps its images, has 5 GiB free; registry_minimum_free is 6." in room
        assert "s3:443, the object store of main, cannot be reached from this host: refused." in store
    want["minimum_free"] = 5 * 2**30
    want["services"][0].update(data="", writes=False)
    assert len(plan.refusals(want, changed(found, ["containers"], {}))) == 1


def test_only_a_folder_that_held_images_is_missed():
    for path, value in ((["former_data"], []), (["data", "/data/main", "empty"], False)):
        observed = changed(changed(GOOD, ["data", "/data/main"], NO_DATA), path, value)
        assert plan.refusals(WANT, observed) == []


def test_a_schedule_is_judged_before_it_is_written():
    observed = changed(GOOD, ["schedule_accepted"], False)
    assert plan.refusals(WANT, observed) == []
    (message,) = plan.refusals(WANT, changed(observed, ["files", TIMER], None))
    assert 'registry_collect_schedule is "Sun 03:30", which systemd does not take' in message


def test_folders_of_images_are_marked_and_keep_their_mode():
    mark = ["command", ["touch", "/data/main/.slipway"]]
    assert do(changed(GOOD, ["data", "/data/main", "marked"], False)) == [mark]
    new = changed(GOOD, ["former_data"], [])
    assert do(changed(new, ["data", "/data/main"], NO_DATA)) == [
        ["command", ["install", "--directory", "--mode=0700", "/data/main"]],
        mark,
    ]


def test_timers_come_and_go_with_what_systemd_knows_of_them():
    assert do(changed(GOOD, ["timer"], "")) == [RELOAD, ["command", ["systemctl", "enable", "--now", "collect.timer"]]]
    assert planned({**WANT, "timer": ""}, changed(GOOD, ["timer"], "")) == {}
    stop, *rest = do(changed(GOOD, ["units"], ["/units/a.timer"]))
    assert (stop, rest) == (
        ["command", ["systemctl", "disable", "--now", "a.timer"]],
        [["remove", "/units/a.timer"], RELOAD],
    )
    assert do(changed(GOOD, ["at_boot"], "disabled")) == [
        RELOAD,
        ["command", ["systemctl", "enable", "settle.service"]],
    ]


@pytest.mark.parametrize(
    ("firewall", "commands"),
    [
        ("firewalld", ["firewall-cmd --permanent --add-port=5000/tcp", "firewall-cmd --add-port=5000/tcp"]),
        ("ufw", ["ufw allow 5000/tcp"]),
    ],
)
def test_a_port_is_opened_now_and_for_good(firewall, commands):
    observed = {**GOOD, "firewall": firewall, "closed_ports": ["5000/tcp"]}
    assert do(observed) == [["command", command.split()] for command in commands]


def test_the_controller_is_told_what_it_has_to_do_for_a_host():
    observed = changed(changed(GOOD, ["image"], ""), ["certificate", "error"], "missing")
    observed["names"] = ["10.0.0.5", "1.example", "2001:DB8:0:0:0:0:0:5"]
    actions = planned(WANT, observed)
    assert actions["provide_image"][0]["archive"] == "/images/registry.tar"
    certificate = actions["issue_certificate"][0]
    assert [certificate[key] for key in ("hostname", "names", "days")] == [
        "registry.example.org",
        ["IP:10.0.0.5", "DNS:1.example", "IP:2001:DB8:0:0:0:0:0:5"],
        397,
    ]
    facts = plan.facts(WANT, {"answers": {"main": 401, "hub": "timed out"}})
    assert facts == {"secrets_dir": "/secrets", "missing_secrets": [], "registry": "main"}
    assert plan.facts({"state": "absent"}, {}) == {"registry": ""}


def test_a_restore_that_broke_off_is_refused_where_the_only_copy_was_moved_away_and_told_of_elsewhere():
    left = changed(GOOD, ["data", "/data/main", "before_restore"], True)
    assert plan.refusals(WANT, left) == []
    (note,) = plan.notes(WANT, left)
    assert note.startswith("/data/main/docker.before-restore is what was there before a restore that broke off")
    cut = changed(left, ["data", "/data/main", "moved_away"], True)
    (message,) = plan.refusals(WANT, cut)
    assert message.startswith("The store of main is at /data/main/docker.before-restore") and "move it back" in message
    assert plan.notes(WANT, cut) == []
    going_on = changed(cut, ["maintenance"], True)
    assert plan.refusals(WANT, going_on) == plan.notes(WANT, going_on) == []


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
    observed = changed(GOOD, ["accounts", f"{DIR}/main/htpasswd", "mode"], "0644")
    observed["containers"] = {**GOOD["containers"], "former": {}}
    observed["answers"]["main"] = 503
    actions = planned(WANT, observed)
    assert [one["path"] for one in actions["set_accounts"]] == [f"{DIR}/main/htpasswd"]
    assert [one["service"] for one in actions["restart_containers"]] == ["main"]
    assert drift_text(actions["start_containers"]) == "container former: present -> absent"


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
        "tools": [],
    }
    assert [one["item"] for actions in planned(want, observed).values() for one in actions] == [
        "/units/a.timer",
        CONTAINER,
        "/program",
        f"{DIR}/main/",
        f"{DIR}/compose.yml",
        "/data/main/docker",
    ]
    assert plan.refusals(want, observed) == plan.notes(want, observed) == []
    # What would run on without its files cannot be told.
    (message,) = plan.refusals(want, {**observed, "engine_unreachable": True})
    assert "engine does not answer at unix:///var/run/docker.sock" in message and "systemctl start docker" in message
    nothing = {**observed, "files": {}, "containers": {}, "folders": [], "own": [], "purge": [], "units": []}
    assert planned(want, nothing) == {}
    assert plan.refusals(want, {**nothing, "engine_unreachable": True}) == []


def test_another_controller_makes_no_new_passwords_unasked():
    want = changed(WANT, ["facts", "missing_secrets"], ["secret", "passwords/alice", "passwords/new"])
    (message,) = plan.refusals(want, GOOD)
    assert message.startswith(
        "The passwords of alice were made on another controller: /secrets on this one lacks them."
    )
    assert plan.refusals({**want, "replace_secrets": True}, GOOD) == []
    assert plan.refusals(changed(want, ["facts", "missing_secrets"], ["secret"]), GOOD) == []


def test_an_address_that_the_host_has_not_is_named():
    want = changed(WANT, ["services"], [{**WANT["services"][0], "ports": [["10.9.9.9", 5000]]}])
    (message,) = plan.refusals(want, changed(GOOD, ["taken"], {"main": [[5000, "no address"]]}))
    assert message.startswith("This host has no address 10.9.9.9, at which main is to answer. Correct address")
