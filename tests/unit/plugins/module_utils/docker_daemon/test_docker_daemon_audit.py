"""The rules by which auditd watches the engine's files."""

from fnmatch import fnmatch

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import audit
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import sentence

LOAD = ["command", ["augenrules", "--load"]]
DOCKERD, RULE = "/usr/bin/dockerd", "-w /usr/bin/dockerd -p rwxa -k docker\n"


class FakeHost:
    """A host with files, and what its kernel watches."""

    def __init__(self, files, loaded="No rules\n", status="enabled 1\n"):
        self.files, self.answers = files, {"-l": loaded, "-s": status}

    def run(self, program, option):
        assert program == "auditctl" and "/usr/sbin/auditctl" in self.files
        return int(not self.answers[option]), self.answers[option]

    def read(self, path):
        return self.files.get(path)

    def glob(self, *patterns):
        return [path for path in self.files if any(fnmatch(path, one) for one in patterns)]


def observed(files, wanted=True, tools=True, **more):
    return audit.observe(FakeHost({**files, **({"/usr/sbin/auditctl": ""} if tools else {})}, **more), wanted)


def lines(found):
    return [sentence(one) for actions in audit.plan(found).values() for one in actions]


def test_rules_are_for_what_is_there():
    found = observed({DOCKERD: "", "/etc/docker/daemon.json": "{}"})
    assert audit.rules(found).splitlines()[1:] == [
        "-w /usr/bin/dockerd -p rwxa -k docker",
        "-w /etc/docker/daemon.json -p rwxa -k docker",
    ]
    # Before the engine is installed the rules are drift all the same, so that one run suffices.
    for files in ({DOCKERD: ""}, {}):
        assert lines(observed(files)) == [f"{audit.FILE}: absent -> rules for the engine's files"]


def test_a_file_that_came_later_and_rules_that_somebody_changed_are_drift():
    text = audit.rules(observed({DOCKERD: ""}))
    assert lines(observed({DOCKERD: "", "/usr/bin/runc": "", audit.FILE: text})) == [
        f"{audit.FILE}: other content -> rules for the engine's files"
    ]
    assert lines(observed({DOCKERD: "", audit.FILE: text}, loaded=RULE)) == []


@pytest.mark.parametrize(("status", "phase"), [("enabled 1\n", "watch_files"), ("enabled 2\n", "later")])
def test_what_the_kernel_does_not_watch_is_drift_and_waits_where_it_takes_no_rule(status, phase):
    text = audit.rules(observed({DOCKERD: ""}))
    ((found, (entry,)),) = audit.plan(observed({DOCKERD: "", audit.FILE: text}, status=status)).items()
    assert (sentence(entry), found) == (f"{DOCKERD}: not watched by auditd -> watched", phase)
    assert entry.get("do") == (None if phase == "later" else [LOAD])


@pytest.mark.parametrize(
    ("theirs", "left"),
    [
        ("-D\n-w /usr/bin/dockerd -k docker\n", ["/etc/docker"]),
        ("-w /usr/bin/dockerd", ["/etc/docker"]),
        ("  -w /etc/docker/ -p wa -k x\n-w /usr/bin/dockerd -k y\n", []),
        ("# -w /usr/bin/dockerd\n-w /usr/bin/dockerd-other\n-w /etc/docker/key.json\n", [DOCKERD, "/etc/docker"]),
    ],
)
def test_what_a_sites_own_rules_watch_is_left_to_them(theirs, left):
    files = {DOCKERD: "", "/etc/docker": "", "/etc/audit/rules.d/50-site.rules": theirs}
    found = observed(files)
    assert audit.rules(found).splitlines()[1:] == ["-w %s -p rwxa -k docker" % path for path in left]
    # Who watches them is all the same.
    assert lines(observed({**files, audit.FILE: audit.rules(found)}, loaded=RULE)) == [
        "/etc/docker: not watched by auditd -> watched"
    ]


def test_rules_that_nobody_wants_go_and_only_they():
    text = audit.rules(observed({DOCKERD: ""}))
    assert lines(observed({DOCKERD: "", audit.FILE: text}, wanted=False, tools=False)) == [
        f"{audit.FILE}: present -> absent"
    ]
    assert lines(observed({DOCKERD: ""}, wanted=False, tools=False)) == []


def test_rules_are_written_or_removed_and_loaded_once():
    files = {DOCKERD: "", "/etc/docker": ""}
    found = observed(files)
    text = audit.rules(found)

    def calls(found):
        return [one.get("do") for one in audit.plan(found)["watch_files"]]

    assert calls(found) == [[["write", audit.FILE, text, 0o640], LOAD]]
    assert calls(observed(files, status="enabled 2")) == [[["write", audit.FILE, text, 0o640]]]
    assert calls(observed({**files, audit.FILE: text})) == [[LOAD], None]
    assert calls(observed({audit.FILE: text}, wanted=False)) == [[["remove", audit.FILE], LOAD]]
    assert calls(observed({audit.FILE: text}, wanted=False, tools=False)) == [[["remove", audit.FILE]]]


def test_a_host_without_auditd_is_refused():
    (reason,) = audit.refusals(observed({DOCKERD: ""}, tools=False))
    assert "auditd is not installed. Install its package" in reason
    (reason,) = audit.refusals(observed({DOCKERD: ""}, status=""))
    assert "kernel takes no audit rules" in reason
    assert audit.refusals(observed({DOCKERD: ""})) == audit.refusals(observed({}, wanted=False, tools=False)) == []


def test_a_rule_that_is_loaded_at_boot_needs_no_folder_that_comes_later():
    # /run is empty then, and one failing rule would keep auditctl from those after it.
    assert [path for path in audit.PATHS if path.count("/") > 2 and path.startswith("/run/")] == []
