"""The section ``registry_client``: whose authority is trusted, and who is logged in where."""

import contextlib
import copy
import hashlib

import pytest
from ansible_collections.slipway.node.plugins.filter.report import drift_text
from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.registry_client import observe, plan
from ansible_collections.slipway.node.plugins.module_utils.registry_client.observe import TRUSTED
from ansible_collections.slipway.node.plugins.module_utils.registry_client.want import want

LOGIN = {"user": "root", "account": "slipway", "address": "reg:5000", "tls": True, "fingerprint": "f1"}
CLIENT_INPUTS = {
    "state": "present",
    "addresses": ["reg:5000"],
    "hostnames": ["reg"],
    "refused_hosts": [],
    "serves": False,
    "system_trust": True,
    "authority": "text",
    "logins": [LOGIN],
    "registries": [],
    "hosts": ["reg"],
}
SUM = hashlib.sha256(b"text").hexdigest()
CERT, ANCHOR = "/etc/docker/certs.d/reg:5000/ca.crt", "/usr/local/share/ca-certificates/slipway-registry.crt"
DEBIAN, ROCKY = (platforms.describe(name, "12", "", "x86_64") for name in ("Debian", "Rocky"))
CLIENT = want(CLIENT_INPUTS, DEBIAN)
CLIENT_GOOD = {
    "files": {CERT: SUM, ANCHOR: SUM},
    "writable": [],
    "trusted": True,
    "logins": ["logged in"],
    "recorded": {},
    "unknown": [],
    "made": {CERT: SUM},
    "serves": False,
}


def changed(base, path, value):
    result = copy.deepcopy(base)
    place = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return result


def planned(want, observed):
    return {phase: actions for phase, actions in plan.plan(want, observed).items() if actions}


def test_a_client_s_authority_is_where_its_platform_looks():
    assert CLIENT["files"] == {CERT: SUM, ANCHOR: SUM}
    rocky = want(CLIENT_INPUTS, ROCKY)
    assert (rocky["anchor"], rocky["renew"]) == (
        "/etc/pki/ca-trust/source/anchors/slipway-registry.pem",
        "update-ca-trust",
    )
    plain = want({**CLIENT_INPUTS, "addresses": []}, DEBIAN)
    assert (plain["files"], plain["bundle"]) == ({}, "")


def test_a_client_as_wanted_has_no_drift():
    assert planned(CLIENT, CLIENT_GOOD) == {}


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (["files", CERT], "", f"{CERT}: absent -> the registries' authority"),
        (["made"], {}, "/var/lib/slipway/registry_trust.json: not up to date -> the registries' names"),
        (["writable"], [CERT], f"{CERT}: writable -> mode 0444"),
        (["trusted"], False, "/etc/ssl/certs/ca-certificates.crt: without the registries' authority -> with it"),
        (["logins"], ["another password"], "login of root to reg:5000: another password -> slipway's password"),
        (["recorded"], {"root": ["old:1", "reg:5000"]}, "login of root to old:1: present -> absent"),
        (["recorded"], {"alice": ["reg:5000"]}, "login of alice to reg:5000: present -> absent"),
    ],
)
def test_a_client_s_drift_reads_well(path, value, line):
    assert drift_text(plan.plan(CLIENT, changed(CLIENT_GOOD, path, value))) == line


@pytest.mark.parametrize(
    ("platform", "renew", "fresh"),
    [(DEBIAN, "update-ca-certificates", ["--fresh"]), (ROCKY, "update-ca-trust", [])],
)
def test_the_system_s_store_is_renewed_with_its_file_alone(platform, renew, fresh):
    wanted = want(CLIENT_INPUTS, platform)
    anchor = wanted["anchor"]
    nothing = {**CLIENT_GOOD, "files": {CERT: "", anchor: ""}}
    by_path = {one["item"]: one["do"] for one in planned(wanted, nothing)["trust_authority"]}
    folder = "/etc/docker/certs.d/reg:5000"
    assert by_path[CERT] == [["folder", folder], ["write", CERT, "text", 0o444]]
    assert by_path[anchor][1:] == [["write", anchor, "text", 0o444], ["command", [renew]]]
    ((again,),) = planned(wanted, {**CLIENT_GOOD, "files": {CERT: SUM, anchor: SUM}, "trusted": False}).values()
    assert again["do"] == [["command", [renew]]]
    gone = want({**CLIENT_INPUTS, "state": "absent", "logins": []}, platform)
    there = {**CLIENT_GOOD, "files": {CERT: SUM, anchor: SUM}}
    by_path = {one["item"]: one["do"] for one in planned(gone, there)["distrust_authority"]}
    assert by_path[CERT] == [["remove", CERT], ["remove_if_empty", folder]]
    assert by_path[anchor] == [["remove", anchor], ["command", [renew, *fresh]]]


def test_who_is_listed_no_longer_is_logged_out():
    observed = changed(CLIENT_GOOD, ["recorded"], {"alice": ["reg:5000"], "root": ["old:1", "reg:5000"]})
    # Logging in takes back what is not listed beside it.
    actions = planned(CLIENT, observed)
    users = {phase: [one["user"] for one in actions[phase]] for phase in actions}
    assert users == {"log_in": ["root"], "log_out": ["alice"]}


def test_removal_takes_back_logins_and_trust_and_leaves_what_is_of_others():
    wanted = want({**CLIENT_INPUTS, "state": "absent", "logins": []}, DEBIAN)
    observed = {**CLIENT_GOOD, "recorded": {"root": ["reg:5000"]}}
    assert drift_text(plan.plan(wanted, observed)).splitlines() == [
        "login of root to reg:5000: present -> absent",
        f"{CERT}: present -> absent",
        f"{ANCHOR}: present -> absent",
        "/var/lib/slipway/registry_trust.json: present -> absent",
    ]
    foreign = changed(observed, ["files", CERT], "of another")
    assert [one["item"] for one in planned(wanted, foreign)["distrust_authority"]] == [ANCHOR, TRUSTED]
    gone = {"files": {CERT: "", ANCHOR: ""}, "trusted": True, "logins": [], "recorded": {}, "made": {}}
    assert planned(wanted, gone) == {}


def test_the_system_s_store_is_searched_for_the_certificate(tls, tmp_path):
    text = (tmp_path / "ca.crt").read_text()
    other = (tmp_path / "tls.crt").read_text()
    assert observe.in_bundle(f"# a comment\n{other}\n{text}", text.replace("\n", "\r\n"))
    assert observe.in_bundle(f"{other}between\n{text}", text + other)
    assert not observe.in_bundle(other, text + other)
    assert not observe.in_bundle(other, text)
    assert not observe.in_bundle(other, "")


def test_a_name_that_a_host_does_not_know_is_refused_before_and_told_of_after():
    unknown = {**CLIENT_GOOD, "unknown": ["reg1"]}
    (note,) = plan.notes(CLIENT, unknown)
    assert note.startswith(
        "reg1, by which this host is to reach registries, is a name that it does not know. Set registry_ho"
    )
    assert plan.refusals(CLIENT, unknown) == []
    fresh = changed(unknown, ["files", CERT], "")
    assert plan.refusals(CLIENT, fresh) == [note] and plan.notes(CLIENT, fresh) == []
    assert plan.refusals({**CLIENT, "state": "absent"}, fresh) == []


def test_trust_of_a_former_name_goes_and_what_others_put_there_stays():
    old, by_others = ("/etc/docker/certs.d/%s/ca.crt" % name for name in ("reg:4000", "other:1"))
    observed = changed(CLIENT_GOOD, ["made"], {CERT: SUM, old: SUM, by_others: SUM})
    observed["files"].update({old: SUM, by_others: "another"})
    other, former = planned(CLIENT, observed)["distrust_authority"]
    assert (former["item"], former["is"]) == (old, "of a former name")
    assert [one[:2] for one in former["do"]] == [
        ["remove", old],
        ["remove_if_empty", "/etc/docker/certs.d/reg:4000"],
        ["write", TRUSTED],
    ]
    assert [one[:2] for one in other["do"]] == [["write", TRUSTED]] and CERT in other["do"][0][2]
    # A new name is noted before its file is there, with those that still are.
    new = changed(observed, ["made"], {old: SUM})
    (note,) = planned(CLIENT, new)["trust_authority"][0]["do"]
    assert CERT in note[2] and old in note[2]


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (
            "cannot: there is no such user. Make that user, or name another",
            "root cannot be logged in: there is no such",
        ),
        (
            "cannot: /c is no JSON that Docker reads. Correct or remove it",
            "root cannot be logged in: /c is no JSON that",
        ),
    ],
)
def test_a_login_that_cannot_be_is_refused_once_in_the_plan(found, reason):
    wanted = want({**CLIENT_INPUTS, "logins": [LOGIN, {**LOGIN, "address": "reg:5001"}]}, DEBIAN)
    (message,) = plan.refusals(wanted, {**CLIENT_GOOD, "logins": [found] * 2})
    assert message.startswith(reason) and message.endswith((" another.", " it."))


def test_clients_of_a_refused_registry_stay_as_they_are_and_a_former_host_of_registries_is_told():
    wanted = want({**CLIENT_INPUTS, "refused_hosts": ["reg"]}, DEBIAN)
    nothing = {**CLIENT_GOOD, "files": {CERT: "of another", ANCHOR: ""}, "logins": ["missing"]}
    assert planned(wanted, nothing) == {} and plan.refusals(wanted, nothing) == []
    assert plan.notes(wanted, nothing) == ["The registries of reg were refused, so this client of them stays as it is."]
    assert planned({**wanted, "state": "absent"}, nothing) != {}
    (note,) = plan.notes(CLIENT, {**CLIENT_GOOD, "serves": True})
    assert "which is not in registry_hosts. Put it back with registry_state: absent" in note
    assert plan.notes({**CLIENT, "serves": True}, {**CLIENT_GOOD, "serves": True}) == []


@pytest.fixture
def me(monkeypatch, tmp_path):
    """A user whose file of logins is in this folder; to act as another needs root."""
    path = tmp_path / "home/.docker/config.json"
    path.parent.mkdir(parents=True)
    monkeypatch.setattr(observe, "config_path", lambda user: str(path) if user == "root" else "")
    monkeypatch.setattr(observe, "acting_as", contextlib.nullcontext)
    return path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, "missing"),
        ("{", "cannot: {} is no JSON that Docker reads. Correct or remove it"),
        ("[]", "cannot: {} is no JSON that Docker reads. Correct or remove it"),
        ('{"auths": {"reg:5000": {"auth": "x"}}}', "another password"),
        (
            '{"credsStore": "pass", "auths": {"reg:5000": {}}}',
            "cannot: {} leaves logins to the credential helper pass.",
        ),
    ],
)
def test_a_file_of_logins_is_judged_before_it_is_written(me, text, found):
    if text is not None:
        me.write_text(text)
        me.chmod(0o600)
    assert observe._login(LOGIN, {}).startswith(found.format(me))
    assert observe._login({**LOGIN, "user": "ghost"}, {}).startswith("cannot: there is no such user")


def test_a_home_that_nobody_reads_hides_no_other_section(me, monkeypatch):
    @contextlib.contextmanager
    def closed(_account):
        raise PermissionError(13, "Permission denied")
        yield

    monkeypatch.setattr(observe, "acting_as", closed)
    assert observe._login(LOGIN, {}) == f"cannot: {me}: permission denied. Give the user that file and its folder"
