"""The section ``user_groups``: what is read, what is decided, and how it reads."""

import json
import os
from fnmatch import fnmatch
from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import sentence
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed
from ansible_collections.slipway.node.plugins.module_utils.user_groups import act
from ansible_collections.slipway.node.plugins.module_utils.user_groups.observe import observe, parse_group
from ansible_collections.slipway.node.plugins.module_utils.user_groups.plan import changes, plan, refusals
from ansible_collections.slipway.node.plugins.module_utils.user_groups.record import parse_record
from ansible_collections.slipway.node.plugins.module_utils.user_groups.want import want as wanted_state

RECORD = "/var/lib/slipway/user_groups.json"
GROUP = "root:x:0:\nsudo:x:27:admin\ndocker:x:998:alice,mallory\n"
PASSWD = (
    "root:x:0:0::/root:/bin/sh\nadmin:x:1000:1000::/:/bin/sh\nalice:x:1001:1001::/:/bin/sh\nbob:x:1002:998::/:/bin/sh\n"
)


def wanted(**change):
    inputs = {
        "state": "present",
        "members": {"docker": ["alice"]},
        "exclusive": [],
        "gids": {},
        "missing_users": "fail",
    }
    return wanted_state({**inputs, **change}, None)


class FakeHost:
    """A host of given databases, of which ``directory`` is not in local files. It counts the commands."""

    def __init__(
        self, group=GROUP, passwd=PASSWD, directory="", directory_users="", record=None, further="", ps="", files=()
    ):
        self.files = {"/etc/group": group, "/etc/passwd": passwd, "/proc/self/loginuid": "4294967295"}
        if record is not None:
            self.files[RECORD] = record if isinstance(record, str) else json.dumps(record)
        self.databases = {"group": group + directory, "passwd": passwd + directory_users}
        self.files.update(files)
        self.further, self.ps, self.commands, self.engine = further, ps, [], False

    def read(self, path):
        return self.files.get(path)

    def glob(self, *patterns):
        paths = [*self.files, *(["/usr/bin/dockerd"] if self.engine else [])]
        return sorted(path for path in paths if any(fnmatch(path, pattern) for pattern in patterns))

    def run(self, *command):
        self.commands.append(" ".join(command[:2]))
        assert len(command) > 2, "a database is never listed whole"
        if command[:2] == ("getent", "initgroups"):
            return 0, self.further
        if command[0] == "ps":
            return 0, self.ps
        if command[0] == "id":
            lines = [line.split(":") for line in self.databases["passwd"].splitlines()]
            return 0, next((line[0] if command[1] == "-un" else line[3] for line in lines if line[0] == command[2]), "")
        lines = self.databases[command[1]].splitlines()
        index = {"group": 2, "passwd": 2}[command[1]]
        found = [line for key in command[2:] for line in lines if key in (line.split(":")[0], line.split(":")[index])]
        return 0 if len(found) == len(command) - 2 else 2, "\n".join(found)


@pytest.fixture(autouse=True)
def login(monkeypatch):
    monkeypatch.setenv("SUDO_USER", "admin")
    monkeypatch.delenv("DOAS_USER", raising=False)


def sentences(want, host):
    return [sentence(one) for actions in plan(want, observe(host, want)).values() for one in actions]


def decided(host, want):
    return changes(want, observe(host, want))


def test_a_converged_host_has_no_drift_and_is_asked_two_things():
    host = FakeHost()
    assert sentences(wanted(), host) == []
    assert host.commands == ["getent group", "getent passwd"]


def test_without_inputs_and_record_nothing_is_asked():
    host = FakeHost()
    assert sentences(wanted(members={}), host) == [] and host.commands == []
    assert sentences(wanted(state="absent"), host) == [] and host.commands == []


DRIFT = [
    ({"members": {"docker": ["admin"]}}, {}, ["docker admin: not a member -> member"]),
    ({"members": {"hpc": []}}, {}, ["hpc: missing -> a group"]),
    (
        {"members": {"hpc": ["alice"]}, "gids": {"hpc": 990}},
        {},
        ["hpc: missing -> a group with gid 990", "hpc alice: not a member -> member"],
    ),
    ({"gids": {"docker": 990}}, {}, ["docker: gid 998 -> gid 990"]),
    (
        {"exclusive": ["docker"], "members": {"docker": ["alice", "bob"]}},
        {},
        ["docker mallory: member -> not a member"],
    ),
    ({"members": {"docker": ["alice", "ghost"]}}, {}, ["docker ghost: no such user -> member"]),
    ({"members": {"docker": ["alice", "ghost"]}, "missing_users": "skip"}, {}, []),
    # Bob's primary group is docker.
    ({"members": {"docker": ["bob"]}}, {}, []),
    (
        {"members": {"docker": ["alice", "mallory"]}, "missing_users": "skip", "exclusive": ["docker"]},
        {},
        ["docker bob: member by primary group -> not a member"],
    ),
    # Given earlier and no longer listed: revoked. What was there before stays.
    (
        {},
        {"record": {"groups": [], "members": {"docker": ["mallory"]}}},
        ["docker mallory: member -> not a member"],
    ),
    (
        {"members": {}},
        {"record": {"groups": [], "members": {"docker": ["alice"]}}},
        ["docker alice: member -> not a member"],
    ),
    ({"members": {}}, {"record": {"groups": ["docker"], "members": {}}}, []),
    (
        {"members": {}},
        {"record": {"groups": ["hpc"], "members": {"hpc": ["alice"]}}, "group": GROUP + "hpc:x:990:alice\n"},
        ["hpc alice: member -> not a member", "hpc: present -> absent"],
    ),
    # A user's name of digits alone is not a uid.
    (
        {"members": {"docker": ["20210001", "1001"]}},
        {"passwd": PASSWD + "20210001:x:2000:2000::/:/bin/sh\n"},
        ["docker 20210001: not a member -> member", "docker 1001: no such user -> member"],
    ),
    (
        {"state": "absent"},
        {"record": {"groups": [], "members": {"docker": ["mallory"]}}},
        ["docker mallory: member -> not a member", "%s: present -> absent" % RECORD],
    ),
]


@pytest.mark.parametrize(("change", "host", "expected"), DRIFT)
def test_drift_is_named_and_nothing_else(change, host, expected):
    assert sentences(wanted(**change), FakeHost(**host)) == expected


DIRECTORY = "hpc:*:5000:lara\n"
LARA = "lara:*:5001:5001::/:/bin/sh\n"
REFUSED = [
    (
        {"members": {"docker": ["ghost", "alice"], "sudo": ["phantom", "ghost"]}},
        {},
        "no such user: ghost, phantom. Correct user_groups_members, make the host know them",
    ),
    ({"gids": {"docker": 990}}, {}, "`groupmod --gid 990 docker`, then chgrp what gid 998 owned"),
    ({"members": {"hpc": []}, "gids": {"hpc": 27}}, {}, "gid 27, wanted for hpc, is that of sudo"),
    (
        {"members": {"hpc": ["lara", "alice"]}},
        {"directory": DIRECTORY, "directory_users": LARA},
        "hpc is a group of a directory (LDAP, NIS), and this role changes /etc/group alone. Add alice there",
    ),
    (
        {"members": {"hpc": []}, "exclusive": ["hpc"]},
        {"directory": DIRECTORY, "directory_users": LARA},
        "lara is a member of hpc by directory, which this role does not change. Take them out there",
    ),
    (
        {"members": {"docker": ["alice", "mallory"]}, "missing_users": "skip", "exclusive": ["docker"]},
        {},
        "bob is a member of docker by primary group, which this role does not change. Give them another",
    ),
    (
        {"members": {"sudo": ["alice"]}, "exclusive": ["sudo"]},
        {},
        "This run logs in as admin. Removing admin from sudo would end",
    ),
    (
        {"members": {"sudo": ["ghost"]}, "exclusive": ["sudo"], "missing_users": "skip"},
        {"group": GROUP.replace("27:admin", "27:alice,bob")},
        "sudo would lose its members (alice, bob), and of those listed there is none (ghost). List one who exists",
    ),
    ({}, {"record": "{"}, "%s is not the record that Slipway keeps" % RECORD),
    ({}, {"record": '{"groups": [1], "members": {}}'}, "a name is not a string"),
]


@pytest.mark.parametrize(("change", "host", "expected"), REFUSED)
def test_what_cannot_be_done_is_refused_with_the_remedy(change, host, expected):
    want = wanted(**change)
    refused = refusals(want, observe(FakeHost(**host), want))
    assert len(refused) == 1 and expected in refused[0]


LOGIN_GROUPS = [
    ("/etc/ssh/sshd_config", "allowgroups ssh-users ops\n", 1),
    ("/etc/ssh/sshd_config.d/10-site.conf", 'Port 22\n  AllowGroups = "op?"\n', 1),
    ("/etc/ssh/sshd_config", "#AllowGroups ops\nAllowGroups * # ops\nDenyGroups ops\n", 0),
    ("/etc/sudoers", "Defaults env_reset\n%ops\tALL=(ALL:ALL) NOPASSWD: ALL\n", 1),
    ("/etc/sudoers.d/site", "User_Alias ADMINS = bob, %ops\n", 1),
    ("/etc/sudoers", "# %ops ALL=(ALL) ALL\nops ALL=(ALL) ALL\n", 0),
    ("/etc/security/access.conf", "-:ALL EXCEPT root (ops):ALL\n", 1),
]


@pytest.mark.parametrize("listed", [{}, {"ops": ["alice"]}], ids=["given up", "exclusive"])
@pytest.mark.parametrize(("path", "text", "refused"), LOGIN_GROUPS)
def test_the_login_keeps_the_group_that_lets_it_in(path, text, refused, listed):
    record = {"groups": [], "members": {"ops": ["admin"]}}
    host = FakeHost(GROUP + "ops:x:900:admin,alice\n", record=record, files={path: text})
    done = decided(host, wanted(members=listed, exclusive=list(listed)))
    assert done["revoke"] == [("ops", "admin")] and len(done["refused"]) == refused
    assert all("from ops would end that login's right to log in" in reason for reason in done["refused"])


def test_an_admin_group_may_be_for_nobody():
    want = wanted(members={"sudo": []}, exclusive=["sudo"])
    done = decided(FakeHost(GROUP.replace("27:admin", "27:alice")), want)
    assert (done["revoke"], done["refused"]) == ([("sudo", "alice")], [])


def test_members_of_a_directory_group_are_no_drift():
    host = FakeHost(directory=DIRECTORY, directory_users=LARA)
    assert sentences(wanted(members={"hpc": ["lara"]}), host) == []


def test_a_directory_that_hides_its_members_is_asked_for_the_user():
    host = FakeHost(directory="hpc:*:5000:\n", directory_users=LARA, further="lara                  5000 27\n")
    assert sentences(wanted(members={"hpc": ["lara"]}), host) == []
    assert host.commands[-1] == "getent initgroups"


@pytest.mark.parametrize("others", [[], ["ghost"]], ids=["by position", "one by one"])
def test_a_user_has_the_name_that_the_directory_answers_with(others):
    class Renaming(FakeHost):
        def run(self, *command):
            return super().run(*[key.replace("lara@example.org", "lara") for key in command])

    want = wanted(members={"docker": ["lara@example.org", *others]}, missing_users="skip", exclusive=["docker"])
    host = Renaming(passwd=PASSWD.replace(":998:", ":1002:"), directory_users=LARA)
    assert decided(host, want)["add"] == [("docker", "lara")]
    host = Renaming(GROUP.replace("alice,mallory", "lara"), PASSWD.replace(":998:", ":1002:"), directory_users=LARA)
    assert sentences(want, host) == []


RECORDS = [
    # Additions are recorded before they are made; those that were there are not.
    ({"members": {"docker": ["alice", "admin"]}}, None, ([], {"docker": ["admin"]}), None),
    ({"members": {"hpc": ["alice"]}}, None, (["hpc"], {"hpc": ["alice"]}), None),
    # Revocations afterwards.
    ({}, ([], {"docker": ["mallory"]}), None, ([], {})),
    (
        {"members": {"docker": ["admin"]}},
        ([], {"docker": ["mallory"]}),
        ([], {"docker": ["admin", "mallory"]}),
        ([], {"docker": ["admin"]}),
    ),
    # What was given and is gone is forgotten at the next occasion.
    (
        {"members": {"docker": ["admin"]}},
        (["gone"], {"docker": ["nobody"], "gone": ["alice"]}),
        ([], {"docker": ["admin"]}),
        None,
    ),
    ({}, ([], {"docker": ["alice"]}), None, None),
    ({"state": "absent"}, ([], {"docker": ["alice"]}), None, ([], {})),
]


@pytest.mark.parametrize(("change", "record", "before", "after"), RECORDS)
def test_the_record_is_written_when_it_has_to_be(change, record, before, after):
    def mapping(pair):
        return pair and {"groups": pair[0], "members": pair[1]}

    done = decided(FakeHost(record=mapping(record)), wanted(**change))
    assert (done["before"], done["after"]) == (mapping(before), mapping(after))


NEEDED = [
    ({"group": GROUP + "hpc:x:990:\n"}, False, ""),
    ({"group": GROUP + "hpc:x:990:carol\n"}, False, "has members: carol"),
    ({"group": GROUP + "hpc:x:1001:\n"}, False, "is the primary group of alice"),
    ({"group": GROUP + "hpc:x:990:\n", "ps": "    0     0\n  990     0\n"}, False, "is the group of a running process"),
    ({"group": "docker:x:990:\n"}, True, "owns the socket of the Docker engine"),
    ({"group": "docker:x:990:\n"}, False, ""),
]


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize(("host", "engine", "why"), NEEDED)
def test_a_group_that_was_made_goes_only_when_nothing_needs_it(host, engine, why, state):
    name = "hpc" if "hpc" in host["group"] else "docker"
    fake = FakeHost(record={"groups": [name], "members": {}}, **host)
    fake.engine = engine
    done = decided(fake, wanted(state=state, members={}))
    assert done["remove"] == ([] if why else [name])
    # On removal the engine may go before it.
    told = why and not (engine and state == "absent")
    assert done["notes"] == (["The group %s, which Slipway made, stays, since it %s" % (name, why)] if told else [])
    kept = why and state == "present"
    assert done["after"] == (None if kept else {"groups": [], "members": {}})


def test_skipped_users_are_noted():
    want = wanted(members={"docker": ["alice", "ghost"]}, missing_users="skip")
    assert decided(FakeHost(), want)["notes"] == ["skipped, no such user: ghost"]


@pytest.mark.parametrize("record", [None, {"groups": [], "members": {"docker": ["mallory"]}}])
@pytest.mark.parametrize("missing_users", ["fail", "skip"])
def test_a_member_who_is_gone_is_told(record, missing_users):
    want = wanted(members={"docker": ["alice", "mallory"]}, missing_users=missing_users)
    observed = observe(FakeHost(record=record), want)
    assert refusals(want, observed) == [] and not any(plan(want, observed).values())
    assert changes(want, observed)["notes"] == [
        "These members are no users of the host any more: mallory. Take them out of user_groups_members, or see "
        "whether the directory's client runs."
    ]
    # Who never was in the group is a mistake.
    want = wanted(members={"docker": ["mallory"], "sudo": ["ghost"]})
    assert refusals(want, observe(FakeHost(record=record), want))[0].startswith("no such user: ghost. Correct")


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("", "group.lock was left by a program that has ended. Remove it, and run again."),
        ("4999999", "group.lock was left by a program that has ended."),
        (str(os.getpid()), f"(process {os.getpid()}) holds "),
    ],
)
def test_who_locks_the_files_of_accounts_is_told(tmp_path, monkeypatch, number, told):
    monkeypatch.setattr(act, "LOCKS", f"{tmp_path}/*g*.lock")

    def do(_actions):
        raise Failed("gpasswd: cannot lock /etc/group; try again later.")

    run = SimpleNamespace(do=do, host=Host())
    with pytest.raises(Failed, match=r"^gpasswd: .* try again later\.$"):
        act.add_members(run, [])
    (tmp_path / "group.lock").write_text(number)
    with pytest.raises(Failed, match=r"try again later\.\n") as failed:
        act.add_members(run, [])
    assert told in str(failed.value)


def test_the_logins_are_those_of_sudo_and_of_the_audit(monkeypatch):
    host = FakeHost()
    assert observe(host, wanted())["logins"] == ["admin"]
    monkeypatch.delenv("SUDO_USER")
    assert observe(host, wanted())["logins"] == []
    host.files["/proc/self/loginuid"] = "0"
    assert observe(host, wanted())["logins"] == ["root"]


def test_marks_of_nis_are_no_groups():
    assert parse_group("docker:x:998:a, b\n+:::\n+hpc:::\n-x:*:1:\nbroken\n") == {
        "docker": {"gid": 998, "members": ["a", "b"]}
    }


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"groups": {}, "members": []}', '{"groups": [], "members": {"a": "b"}}']
)
def test_a_record_that_is_none_is_told(text):
    record, why = parse_record(text)
    assert record is None and why


def test_a_plan_has_what_is_needed_to_do_it():
    want = wanted(members={"docker": ["admin"], "hpc": ["alice"]}, gids={"hpc": 990}, exclusive=["docker"])
    observed = json.loads(json.dumps(observe(FakeHost(), want)))
    made = plan(want, observed)
    assert [one["do"] for phase in ("create_groups", "add_members") for one in made[phase]] == [
        [["command", ["groupadd", "--system", "--gid", "990", "hpc"], (0, 9)]],
        [["command", ["gpasswd", "-a", "admin", "docker"]]],
        [["command", ["gpasswd", "-a", "alice", "hpc"]]],
    ]
    # A change of the login's own groups needs another connection.
    assert [one.get("of_login") for one in made["add_members"]] == ["docker", None]
    assert all("of_login" in one for one in plan(want, {**observed, "logins": []})["revoke_members"] if "do" in one)


def test_additions_are_recorded_before_and_revocations_after(monkeypatch):
    want = wanted(members={"docker": ["admin"]})
    run = SimpleNamespace(
        want=want, observed=observe(FakeHost(record={"groups": [], "members": {"docker": ["mallory"]}}), want)
    )
    written = []
    run.write = lambda path, text, mode: written.append((path, json.loads(text)["members"], mode))
    run.remove = lambda path: written.append((path, "removed"))
    act.begin(run)
    act.finish(run)
    assert written == [(RECORD, {"docker": ["admin", "mallory"]}, 0o600), (RECORD, {"docker": ["admin"]}, 0o600)]
    run.observed = observe(FakeHost(record={"groups": [], "members": {"docker": ["alice"]}}), wanted(state="absent"))
    run.want = wanted(state="absent")
    act.begin(run)
    act.finish(run)
    assert written[2:] == [(RECORD, "removed")]
