"""What the probe makes of a host's versions: drift, refusals, and what goes."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.singularity.plan import facts, notes, refusals
from ansible_collections.slipway.node.plugins.module_utils.singularity.tree import superfluous_trees
from singularity_state import (
    ARCHIVE,
    DISK,
    PROFILE,
    ROOT,
    TREE,
    WANT,
    converged,
    done,
    entries,
    lines,
    spoiled,
    there,
    tree,
)


def test_converged_host_has_no_drift_and_no_refusal():
    assert lines(WANT, converged()) == []
    assert refusals(WANT, converged()) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"trees": {}}, [
            f"install_tree: {TREE}: missing -> singularity-ce 4.5.1",
            "set_config: singularity.conf: bind path: missing -> /etc/hosts, /data",
            "set_config: singularity.conf: mount home: missing -> no",
        ]),
        ({"trees": {TREE: tree("4.5.1", "singularity-ce-4.5.1-go1.26.7-debian13-x86_64-ffffffffffff")}}, [
            f"install_tree: {TREE}: made from singularity-ce-4.5.1-go1.26.7-debian13-x86_64-ffffffffffff -> "
            "singularity-ce 4.5.1 as described",
        ]),
        ({"trees": {TREE: tree("4.5.1", ARCHIVE, damage=[("bin/singularity", "missing", "a file")])}}, [
            f"install_tree: {TREE}/bin/singularity: missing -> a file",
        ]),
        ({"trees": {TREE: tree("4.5.1", ARCHIVE, damage=[(str(n), "missing", "a file") for n in range(12)])}}, [
            *(f"install_tree: {TREE}/{n}: missing -> a file" for n in range(10)),
            f"install_tree: 2 more files of {TREE}: damaged -> as installed",
        ]),
        ({"config": {"mount home": ["yes"], "bind path": ["/data", "/etc/hosts"]}}, [
            "set_config: singularity.conf: bind path: /data, /etc/hosts -> /etc/hosts, /data",
            "set_config: singularity.conf: mount home: yes -> no",
        ]),
        ({"config": {"mount home": ["no"]}}, [
            "set_config: singularity.conf: bind path: unset -> /etc/hosts, /data"]),
        ({"unwanted_files": ["/etc/x"]}, ["remove_versions: /etc/x: present -> absent"]),
        ({"link": ""}, [f"switch_version: {ROOT}/current: missing -> link to {TREE}"]),
        ({"link": f"{ROOT}/4.3.7"}, [f"switch_version: {ROOT}/current: link to {ROOT}/4.3.7 -> link to {TREE}"]),
        ({"packages": {"uidmap": False}}, ["install_packages: uidmap: not installed -> installed"]),
        ({"files": {PROFILE: there(exists=False)}}, [f"write_files: {PROFILE}: missing -> Slipway's content"]),
        ({"files": {PROFILE: there(exists=False, wanted=False)}}, []),
        ({"files": {PROFILE: there(same=False)}}, [f"write_files: {PROFILE}: edited -> Slipway's content"]),
        ({"files": {PROFILE: there(mode="0600")}}, [f"write_files: {PROFILE}: mode 0600 -> mode 0644"]),
        # A changed singularity_registry_auth_group was never applied.
        ({"files": {PROFILE: there(owner="root:hpc")}}, [
            f"write_files: {PROFILE}: owned by root:hpc -> owned by root:root"]),
        ({"directories": {"/scratch": "0755"}}, ["write_files: /scratch: mode 0755 -> folder with mode 1777"]),
        ({"directories": {"/scratch": ""}}, ["write_files: /scratch: missing -> folder with mode 1777"]),
        ({"subid": {"subuid": [("1000", 1, 65536)], "subgid": [("alice", 1, 65535)]}}, [
            "give_ranges: /etc/subgid: alice: no range -> 65536 ids"]),
        ({"sysctl": {"user.max_user_namespaces": "0"}}, ["allow_namespaces: user.max_user_namespaces: 0 -> 15000"]),
        # Now and at the next boot.
        ({"sysctl": {"user.max_user_namespaces": "0"},
          "sysctl_at_boot": {"user.max_user_namespaces": {"value": "0", "file": "/etc/sysctl.d/5.conf",
                                                          "last": False}}}, [
            "allow_namespaces: user.max_user_namespaces: 0 -> 15000"]),
        # What goes off at the next boot alone.
        ({"sysctl_at_boot": {"user.max_user_namespaces": {"value": "0", "file": "/etc/sysctl.d/5.conf",
                                                          "last": False}}}, [
            "allow_namespaces: user.max_user_namespaces at the next boot (/etc/sysctl.d/5.conf): 0 -> 15000"]),
        # The kernel has no such setting.
        ({"sysctl_at_boot": {"kernel.unprivileged_userns_clone": {"value": "0", "file": "/etc/sysctl.d/5.conf",
                                                                  "last": False}}}, []),
        ({"apparmor_restricts": True, "apparmor_file": there(exists=False)}, [
            "allow_namespaces: /etc/apparmor.d/slipway-singularity: missing -> Slipway's content",
            "allow_namespaces: AppArmor profile slipway-singularity: not loaded -> loaded",
        ]),
    ],
)  # fmt: skip
def test_drift_names_what_differs(changes, expected):
    assert lines(WANT, spoiled(**changes)) == expected


NO_RANGES = {"subuid": [], "subgid": []}
OLD = {f"{ROOT}/{version}": tree(version) for version in ("4.10.0", "4.3.7", "4.5.0")}


def test_versions_to_remove_are_named_and_foreign_trees_are_not():
    observed = spoiled(trees={**converged()["trees"], **OLD, f"{ROOT}/own": {**tree("1.0.0"), "manifest": None}})
    want = {**WANT, "versions_absent": ["4.3.7", "4.5.1", "own", "9.9.9"]}
    assert superfluous_trees(want, observed) == [f"{ROOT}/4.3.7"]


def test_the_newest_versions_are_kept_and_what_is_in_use():
    observed = spoiled(trees={**converged()["trees"], **OLD})
    assert superfluous_trees({**WANT, "keep": 1}, observed) == [f"{ROOT}/4.3.7", f"{ROOT}/4.5.0"]
    assert len(superfluous_trees({**WANT, "keep": 0}, observed)) == 3
    observed["running_programs"] = {f"{ROOT}/4.5.0": ["starter (process 7)"]}
    assert superfluous_trees({**WANT, "keep": 1}, observed) == [f"{ROOT}/4.3.7"]
    assert refusals({**WANT, "keep": 1}, observed) == []


def test_absence_removes_every_version_link_and_file():
    want = {**WANT, "state": "absent"}
    observed = spoiled(trees={**converged()["trees"], **OLD})
    assert [one["item"] for _phase, one in entries(want, observed)] == [
        f"{ROOT}/current", PROFILE, f"{ROOT}/4.10.0", f"{ROOT}/4.3.7", f"{ROOT}/4.5.0", TREE,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "changes", "expected"),
    [
        (
            {"state": "absent", "link": ""},
            {"running_programs": {TREE: ["starter (process 7)"]}},
            "programs run from it: starter (process 7)",
        ),
        ({}, {"disk": {**DISK, "options": ["nosuid"]}}, "mounted nosuid"),
        (
            {},
            {"disk": {**DISK, "type": "nfs4"}},
            "type nfs4, where other hosts would write the same files. Set singularity_tree_host",
        ),
        ({}, {"trees": {TREE: {**tree("4.5.1"), "manifest": None}}}, "was not made by Slipway. Move it away"),
        ({}, {"trees": {}, "disk": {**DISK, "free": 30}}, "has 30 MiB free, and a version needs 400 MiB"),
        (
            {},
            {"trees": {}, "disk": {**DISK, "options": ["read-only"]}},
            f"{ROOT} is on a file system that is read-only",
        ),
        ({}, {"disk": {**DISK, "options": ["noexec"]}}, f"{ROOT} is on a file system that is mounted noexec"),
        ({}, {"link": "not a link"}, "is no link"),
        ({"commands": {"/b/s": "/x"}}, {"commands": {"/b/s": "/y"}}, "/b/s is there and not Slipway's (a link to /y)."),
        ({"commands": {"/b/s": "/x"}}, {"commands": {"/b/s": "not a link"}}, "/b/s is there and not Slipway's. Move"),
        ({}, {"subid": NO_RANGES, "known_ids": [(0, 1 << 31)]}, "that no user or group has"),
        ({}, {"accounts": {"ghost": None}}, "do not exist on this host: ghost"),
        ({"fakeroot_limit": 1 << 20}, {"subid": NO_RANGES}, "not enough ranges"),
        ({}, {"subid_source": "sss", "subid": NO_RANGES}, "has `subid: sss`, so ranges in /etc/subuid"),
        (
            {"modulefiles": {"folder": "/m", "texts": {"singularity-ce": "x"}}},
            {"modulefiles": {"/m/singularity/4.5.1": there(managed=False, text="")}},
            "/m/singularity/4.5.1 is not Slipway's. Move it away",
        ),
        ({}, {"missing_groups": ["hpc"]}, "singularity_registry_auth_group is hpc, and there is no such group"),
        (
            {},
            {
                "sysctl_at_boot": {
                    "user.max_user_namespaces": {"value": "0", "file": "/etc/sysctl.d/99-x.conf", "last": True}
                }
            },
            "/etc/sysctl.d/99-x.conf sets user.max_user_namespaces = 0",
        ),
    ],
)
def test_refusals_name_cause_and_remedy(more, changes, expected):
    (refused,) = refusals({**WANT, **more}, spoiled(**changes))
    assert expected in refused


def test_actions_say_all_that_is_to_be_done():
    conf = "/etc/sysctl.d/90-slipway-singularity.conf"
    name, other = "user.max_user_namespaces", "kernel.unprivileged_userns_clone"
    text = f"{other} = 1\n{name} = 15000\n"
    observed = spoiled(sysctl={name: "0", other: "1"}, sysctl_file=f"{name} = 7\n{other} = 1\n")
    assert done(WANT, observed) == [
        [
            "write",
            conf,
            text,
        ],
        ["command", ["sysctl", "-w", f"{name}=15000"]],
    ]
    load = ["command", ["apparmor_parser", "--replace", "/etc/apparmor.d/slipway-singularity"]]
    observed = spoiled(apparmor_restricts=True, apparmor_loaded=True)
    assert done(WANT, observed) == [["write", load[1][2], "d", 0o644, "root", "root"], load]
    assert done(WANT, {**observed, "apparmor_file": there(), "apparmor_loaded": False}) == [load]
    assert done(WANT, spoiled(directories={"/scratch": ""})) == [["folder", "/scratch", 0o1777]]
    assert done(WANT, spoiled(files={PROFILE: there(same=False)})) == [["write", PROFILE, "x", 0o644, "root", "root"]]
    secret = {"path": "/etc/a", "mode": "0640", "group": "hpc", "sum": "0", "salt": "1", "secret": "singularity_auths"}
    observed = spoiled(files={"/etc/a": there(exists=False)})
    assert done({**WANT, "files": [secret]}, observed) == [
        ["write_secret", "/etc/a", "singularity_auths", 0o640, "root", "hpc"]
    ]
    assert done(WANT, spoiled(link="")) == [["link", f"{ROOT}/current", TREE]]
    assert done(WANT, spoiled(unwanted_files=["/etc/x"])) == [["remove", "/etc/x"]]


def test_reports_are_told_the_default_version_and_which_archive_fits():
    assert facts(WANT, converged()) == {
        **WANT["archive"],
        "singularity": "singularity-ce 4.5.1",
        "program": f"{ROOT}/current/bin/singularity",
        "config": f"{ROOT}/current/etc/singularity/singularity.conf",
        "fakeroot": "alice",
    }
    # Beside a default version that is tried, and without one.
    other = f"{ROOT}/1.4.5"
    manifest = {"flavor": "apptainer", "version": "1.4.5"}
    observed = spoiled(trees={**converged()["trees"], other: {**tree("1.4.5"), "manifest": manifest}})
    beside = {**WANT, "link": ""}
    assert facts(beside, {**observed, "current": other})["program"] == f"{ROOT}/current/bin/apptainer"
    for current in ("", "/elsewhere"):
        assert facts(beside, {**observed, "current": current})["program"] == f"{TREE}/bin/singularity"
    assert facts(WANT, {**observed, "current": other})["program"] == f"{ROOT}/current/bin/singularity"
    assert facts(WANT, spoiled(accounts={"ghost": None, "hpc": 7}))["fakeroot"] == "hpc"
    assert facts(WANT, spoiled(trees={}))["singularity"] == ""


def test_nosuid_does_not_matter_without_the_setuid_program():
    assert refusals({**WANT, "setuid": False}, spoiled(disk={**DISK, "options": ["nosuid"]})) == []


def test_a_version_that_is_not_the_default_one_may_be_removed_by_name():
    old, beside = f"{ROOT}/4.3.7", {**WANT, "link": "", "versions_absent": ["4.3.7"]}
    observed = spoiled(trees={**converged()["trees"], **OLD}, current=TREE)
    assert refusals(beside, observed) == []
    assert "is the default version" in refusals(beside, {**observed, "current": old})[0]
    assert refusals({**beside, "link": f"{ROOT}/current"}, {**observed, "current": old}) == []


def test_one_host_writes_what_hosts_share():
    want = {**WANT, "tree_host": "a", "keep": 0}
    observed = spoiled(
        trees={f"{ROOT}/4.3.7": tree("4.3.7")}, link="", disk={**DISK, "type": "nfs4"}, packages={"uidmap": False}
    )
    assert refusals(want, observed) == []
    assert refusals({**want, "writes": False}, spoiled(trees={}, disk={**DISK, "free": 1})) == []
    # Nobody knows what runs on the others.
    assert superfluous_trees(want, observed) == []
    assert {line.split(":")[0] for line in lines(want, observed)} > {"install_tree", "set_config", "switch_version"}
    assert lines({**want, "writes": False}, observed) == ["install_packages: uidmap: not installed -> installed"]
    # What lies elsewhere is each host's own.
    observed = spoiled(unwanted_files=["/etc/x"], trees={TREE: tree("4.5.1", ARCHIVE), f"{ROOT}/4.3.7": tree("4.3.7")})
    want = {**want, "writes": False, "state": "absent"}
    assert lines(want, observed)[-1] == "remove_versions: /etc/x: present -> absent"


@pytest.mark.parametrize(
    ("more", "changes", "expected"),
    [
        ({}, {"missing_binds": ["/etc/localtime"]}, "/etc/localtime of the host"),
        (
            {"tmpdir": "/scratch"},
            {"tmpdir_options": ["noexec"]},
            "/scratch is on a file system that is mounted noexec, so no image can be built",
        ),
        ({}, {"gone_members": ["bob"]}, "are gone and get no ids: bob."),
        ({}, {"commands": {"/usr/local/bin/singularity": "not a link"}}, "/usr/local/bin/singularity is not Slipway's"),
        ({}, {"commands": {"/usr/bin/singularity": "/x"}}, "/usr/bin/singularity is not Slipway's"),
        (
            {"commands_dir": "/usr/bin"},
            {"commands": {"/usr/local/bin/apptainer": "/x", "/usr/bin/apptainer": "/x"}},
            "/usr/local/bin/apptainer is not",
        ),
        ({"fakeroot_users": []}, {"sysctl": {"user.max_user_namespaces": "0"}}, "is 0 and stays so"),
    ],
)
def test_notes_tell_what_does_not_stop_the_role(more, changes, expected):
    (note,) = notes({**WANT, **more}, spoiled(**changes))
    assert expected in note
    assert refusals({**WANT, **more}, spoiled(**changes)) == []
    assert notes({**WANT, **more, "state": "absent"}, spoiled(**changes)) == []


def test_what_is_as_it_should_be_is_not_told():
    assert notes(WANT, converged()) == []
    commands = {"/usr/local/bin/singularity": f"{ROOT}/current/./bin/singularity", "/usr/bin/apptainer": "/x"}
    assert notes({**WANT, "commands_dir": "/usr/local/bin"}, spoiled(commands=commands)) == []


@pytest.mark.parametrize("more", [{"setuid": False}, {}, {"fakeroot_users": [], "fakeroot_groups": ["hpc"]}])
def test_namespaces_are_allowed_where_they_are_needed(more):
    name = "user.max_user_namespaces"
    at_boot = {name: {"value": "0", "file": "/etc/sysctl.d/99-x.conf", "last": True}}
    for changes, is_refused in ({"sysctl": {name: "0"}}, False), ({"sysctl_at_boot": at_boot}, True):
        assert len(lines({**WANT, **more}, spoiled(**changes))) == 1
        assert bool(refusals({**WANT, **more}, spoiled(**changes))) is is_refused
        # An admin's own setting stays where the setuid program runs everything.
        assert lines({**WANT, "fakeroot_users": []}, spoiled(**changes)) == []
        assert refusals({**WANT, "fakeroot_users": []}, spoiled(**changes)) == []


def test_a_group_that_user_groups_makes_in_the_same_run_is_not_missed():
    assert refusals({**WANT, "made_groups": ["hpc"]}, spoiled(missing_groups=["hpc"])) == []
