"""What the probe makes of a host's versions, and where ranges of ids go."""

import copy
import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils import singularity
from hypothesis import given
from hypothesis import strategies as st

ROOT = "/opt/singularity"
TREE = f"{ROOT}/4.5.1"
ARCHIVE = "singularity-ce-4.5.1-go1.26.7-debian13-x86_64-0123456789ab"
WANT = {
    "state": "present",
    "flavor": "singularity-ce",
    "version": "4.5.1",
    "root": ROOT,
    "tree": TREE,
    "link": f"{ROOT}/current",
    "archive_pattern": r"^singularity\-ce\-4\.5\.1-go[0-9.]+\-debian13\-x86_64\-0123456789ab$",
    "setuid": True,
    "manager": "apt",
    "packages": ["uidmap"],
    "config": {"mount home": False, "bind path": ["/etc/hosts", "/data"]},
    "config_file": f"{TREE}/etc/singularity/singularity.conf",
    "files": [{"path": "/etc/profile.d/slipway-singularity.sh", "mode": "0644", "sha256": "abc"}],
    "apparmor": {
        "path": "/etc/apparmor.d/slipway-singularity",
        "profile": "slipway-singularity",
        "mode": "0644",
        "sha256": "d",
    },
    "strays": ["/etc/slipway/singularity-auth.json"],
    "directories": [{"path": "/scratch", "mode": "1777"}],
    "fakeroot_users": ["alice"],
    "fakeroot_groups": [],
    "fakeroot_first": 1 << 20,
    "fakeroot_limit": 1 << 30,
    "versions_absent": [],
    "keep": 1000000,
    "need": 400,
}


def tree(version: str, archive: str = "", **more) -> dict:
    manifest = {
        "archive": archive or f"singularity-ce-{version}-go1.22.1-debian13-x86_64-x",
        "flavor": "singularity-ce",
    }
    manifest["version"] = version
    return {"exists": True, "empty": False, "manifest": manifest, "error": "", "damage": [], **more}


def converged() -> dict:
    ranges = [("alice", 1 << 21, 65536)]
    return {
        "trees": {TREE: tree("4.5.1", ARCHIVE)},
        "link": TREE,
        "config": {"mount home": ["no"], "bind path": ["/etc/hosts", "/data"]},
        "packages": {"uidmap": True},
        "files": {
            "/etc/profile.d/slipway-singularity.sh": {"exists": True, "sha256": "abc", "mode": "0644", "wanted": True}
        },
        "strays": [],
        "directories": {"/scratch": "1777"},
        "accounts": {"alice": 1000},
        "subid": {"subuid": ranges, "subgid": ranges},
        "subid_text": {"subuid": "alice:2097152:65536\n", "subgid": "alice:2097152:65536\n"},
        "busy": {},
        "nosuid": False,
        "free": 400,
        "sysctl": {"user.max_user_namespaces": "15000", "kernel.unprivileged_userns_clone": ""},
        "restricted": False,
        "apparmor_file": {"exists": False, "sha256": "", "mode": "", "wanted": True},
        "apparmor_loaded": False,
        "subid_new": {},
        "refused": [],
    }


def lines(want: dict, observed: dict) -> list[str]:
    return [
        f"{one['phase']}: {one['item']} {one['is']}, {one['want']} wanted"
        for one in singularity.compare(want, observed)
    ]


def test_converged_host_has_no_drift_and_no_refusal():
    assert lines(WANT, converged()) == []
    assert singularity.refusals(WANT, converged()) == []


def spoiled(**changes) -> dict:
    observed = copy.deepcopy(converged())
    observed.update(changes)
    return observed


PROFILE = "/etc/profile.d/slipway-singularity.sh"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"trees": {}}, [
            f"install_tree: {TREE} missing, singularity-ce 4.5.1 wanted",
            "set_config: singularity.conf: bind path missing, /etc/hosts, /data wanted",
            "set_config: singularity.conf: mount home missing, no wanted",
        ]),
        ({"trees": {TREE: tree("4.5.1", "singularity-ce-4.5.1-go1.26.7-debian13-x86_64-ffffffffffff")}}, [
            f"install_tree: {TREE} made from singularity-ce-4.5.1-go1.26.7-debian13-x86_64-ffffffffffff, "
            "singularity-ce 4.5.1 as described wanted",
        ]),
        ({"trees": {TREE: tree("4.5.1", ARCHIVE, damage=[("bin/singularity", "missing", "a file")])}}, [
            f"install_tree: {TREE}/bin/singularity missing, a file wanted",
        ]),
        ({"trees": {TREE: tree("4.5.1", ARCHIVE, damage=[(str(n), "missing", "a file") for n in range(12)])}}, [
            *(f"install_tree: {TREE}/{n} missing, a file wanted" for n in range(10)),
            f"install_tree: 2 more files of {TREE} damaged, as installed wanted",
        ]),
        ({"config": {"mount home": ["yes"], "bind path": ["/data", "/etc/hosts"]}}, [
            "set_config: singularity.conf: bind path /data, /etc/hosts, /etc/hosts, /data wanted",
            "set_config: singularity.conf: mount home yes, no wanted",
        ]),
        ({"config": {"mount home": ["no"]}}, [
            "set_config: singularity.conf: bind path unset, /etc/hosts, /data wanted"]),
        ({"strays": ["/etc/x"]}, ["remove_versions: /etc/x present, absence wanted"]),
        ({"link": ""}, [f"switch_version: {ROOT}/current missing, link to {TREE} wanted"]),
        ({"link": f"{ROOT}/4.3.7"}, [f"switch_version: {ROOT}/current {ROOT}/4.3.7, link to {TREE} wanted"]),
        ({"packages": {"uidmap": False}}, ["install_packages: uidmap not installed, installed wanted"]),
        ({"files": {PROFILE: {"exists": False, "sha256": "", "mode": "", "wanted": True}}}, [
            f"write_files: {PROFILE} missing, Slipway's content wanted"]),
        ({"files": {PROFILE: {"exists": False, "sha256": "", "mode": "", "wanted": False}}}, []),
        ({"files": {PROFILE: {"exists": True, "sha256": "x", "mode": "0644", "wanted": True}}}, [
            f"write_files: {PROFILE} edited, Slipway's content wanted"]),
        ({"files": {PROFILE: {"exists": True, "sha256": "abc", "mode": "0600", "wanted": True}}}, [
            f"write_files: {PROFILE} mode 0600, mode 0644 wanted"]),
        ({"directories": {"/scratch": "0755"}}, ["write_files: /scratch 0755, directory with mode 1777 wanted"]),
        ({"subid": {"subuid": [("1000", 1, 65536)], "subgid": [("alice", 1, 65535)]}}, [
            "give_ranges: /etc/subgid: alice no range, 65536 ids wanted"]),
        ({"sysctl": {"user.max_user_namespaces": "0"}}, ["allow_namespaces: user.max_user_namespaces 0, 15000 wanted"]),
        ({"restricted": True}, [
            "allow_namespaces: /etc/apparmor.d/slipway-singularity missing, Slipway's content wanted",
            "allow_namespaces: AppArmor profile slipway-singularity not loaded, loaded wanted",
        ]),
    ],
)  # fmt: skip
def test_drift_names_what_differs(changes, expected):
    assert lines(WANT, spoiled(**changes)) == expected


OLD = {f"{ROOT}/{version}": tree(version) for version in ("4.10.0", "4.3.7", "4.5.0")}


def test_versions_to_remove_are_named_and_foreign_trees_are_not():
    observed = spoiled(trees={**converged()["trees"], **OLD, f"{ROOT}/own": {**tree("1.0.0"), "manifest": None}})
    want = {**WANT, "versions_absent": ["4.3.7", "4.5.1", "own", "9.9.9"]}
    assert singularity.superfluous(want, observed) == [f"{ROOT}/4.3.7"]


def test_the_newest_versions_are_kept_and_what_is_in_use():
    observed = spoiled(trees={**converged()["trees"], **OLD})
    assert singularity.superfluous({**WANT, "keep": 1}, observed) == [f"{ROOT}/4.3.7", f"{ROOT}/4.5.0"]
    observed["busy"] = {f"{ROOT}/4.5.0": ["starter (process 7)"]}
    assert singularity.superfluous({**WANT, "keep": 1}, observed) == [f"{ROOT}/4.3.7"]
    assert singularity.refusals({**WANT, "keep": 1}, observed) == []


def test_absence_removes_every_version_link_and_file():
    want = {**WANT, "state": "absent"}
    observed = spoiled(trees={**converged()["trees"], **OLD})
    assert [one["item"] for one in singularity.compare(want, observed)] == [
        f"{ROOT}/current", PROFILE, f"{ROOT}/4.10.0", f"{ROOT}/4.3.7", f"{ROOT}/4.5.0", TREE,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "changes", "expected"),
    [
        ({"state": "absent"}, {"busy": {TREE: ["starter (process 7)"]}}, "programs run from it: starter (process 7)"),
        ({}, {"nosuid": True}, "mounted nosuid"),
        ({}, {"trees": {TREE: {**tree("4.5.1"), "manifest": None}}}, "was not made by Slipway. Move it away"),
        ({}, {"trees": {}, "free": 30}, "has 30 MiB free, and a version needs 400 MiB"),
        ({}, {"link": "not a link"}, "is no link"),
        ({}, {"accounts": {"ghost": None}}, "who does not exist: ghost"),
        ({}, {"subid_new": None}, "not enough free ranges"),
    ],
)
def test_refusals_name_cause_and_remedy(more, changes, expected):
    (refused,) = singularity.refusals({**WANT, **more}, spoiled(**changes))
    assert expected in refused


def test_nosuid_does_not_matter_without_the_setuid_program():
    assert singularity.refusals({**WANT, "setuid": False}, spoiled(nosuid=True)) == []


FILES = [
    {"path": "bin/starter-suid", "type": "file", "mode": "4755", "size": 9, "target": "", "config": False},
    {"path": "etc/x.conf", "type": "file", "mode": "0644", "size": 9, "target": "", "config": True},
    {"path": "bin/run", "type": "link", "mode": "0777", "size": 0, "target": "starter", "config": False},
    {"path": "var", "type": "folder", "mode": "0755", "size": 0, "target": "", "config": False},
]


def found() -> dict:
    return {one["path"]: {**one, "owner": "0:0"} for one in FILES}


@pytest.mark.parametrize(
    ("path", "change", "expected"),
    [
        ("bin/starter-suid", None, [("bin/starter-suid", "missing", "a file")]),
        ("bin/starter-suid", {"mode": "0755"}, [("bin/starter-suid", "mode 0755", "mode 4755")]),
        ("bin/starter-suid", {"owner": "7:7"}, [("bin/starter-suid", "owned by 7:7", "owned by 0:0")]),
        ("bin/starter-suid", {"size": 8}, [("bin/starter-suid", "8 bytes", "9 bytes")]),
        ("etc/x.conf", {"size": 8}, []),
        ("bin/run", {"mode": "0755"}, []),
        ("bin/run", {"target": "x"}, [("bin/run", "a link to x", "a link to starter")]),
        ("var", {"size": 4096}, []),
        ("var", {"type": "link"}, [("var", "a link", "a folder")]),
    ],
)
def test_damage_is_what_differs_from_the_manifest(path, change, expected):
    state = found()
    state[path] = None if change is None else {**state[path], **change}
    assert singularity.damage(FILES, state) == expected


def test_a_broken_manifest_is_none():
    assert singularity.parse_manifest('{"archive": 1')[0] is None
    assert singularity.parse_manifest('{"archive": 1, "files": []}') == (
        None,
        ".slipway.json is broken: ValueError a name is not a string",
    )
    assert singularity.parse_manifest(json.dumps({"archive": "a", "files": FILES}))[1] == ""


def test_configuration_is_read_as_keys_with_values():
    text = "# mount home = yes\nmount home = no\nbind path = /a\nbind path = /b=c\ncni configuration path =\n"
    assert singularity.parse_config(text) == {
        "mount home": ["no"],
        "bind path": ["/a", "/b=c"],
        "cni configuration path": [""],
    }


ids = st.integers(min_value=0, max_value=1 << 32)


@given(
    users=st.dictionaries(st.text("abcdef", min_size=1, max_size=4), ids, max_size=40),
    taken=st.lists(st.tuples(ids, st.integers(min_value=0, max_value=1 << 20)), max_size=20),
)
def test_ranges_never_overlap(users, taken):
    first, limit = 1 << 20, (1 << 20) + 200 * singularity.RANGE
    given_ = singularity.allot(users, taken, first, limit)
    if given_ is None:
        return
    spans = [(start, start + count) for start, count in taken if count]
    for start in given_.values():
        assert first <= start <= limit - singularity.RANGE
        assert all(start + singularity.RANGE <= low or high <= start for low, high in spans)
        spans.append((start, start + singularity.RANGE))
    assert set(given_) == set(users)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=4), ids, min_size=1, max_size=20), st.randoms())
def test_ranges_do_not_depend_on_the_order_of_users(users, random):
    shuffled = list(users.items())
    random.shuffle(shuffled)
    bounds = (1 << 20, 1 << 30)
    assert singularity.allot(users, [], *bounds) == singularity.allot(dict(shuffled), [], *bounds)


def test_a_user_has_the_same_range_on_every_host():
    first = WANT["fakeroot_first"]
    assert singularity.allot({"alice": 1000}, [], first, WANT["fakeroot_limit"]) == {"alice": first + 1000 * 65536}


def test_no_room_for_ranges_is_said():
    assert singularity.allot({"a": 1, "b": 2}, [], 65536, 2 * 65536) is None
    observed = spoiled(subid={"subuid": [], "subgid": []}, subid_text={"subuid": "", "subgid": ""})
    assert singularity.subid_files({**WANT, "fakeroot_limit": WANT["fakeroot_first"]}, observed) is None


def test_new_ranges_are_added_and_existing_lines_stay():
    observed = spoiled(
        accounts={"alice": 1000, "bob": 1001},
        subid={"subuid": [("alice", 100000, 65536)], "subgid": []},
        subid_text={"subuid": "alice:100000:65536", "subgid": "# own\n"},
    )
    first = WANT["fakeroot_first"]
    bob, alice = first + 1001 * 65536, first + 1000 * 65536
    assert singularity.subid_files(WANT, observed) == {
        "/etc/subuid": f"alice:100000:65536\nbob:{bob}:65536\n",
        "/etc/subgid": f"# own\nalice:{alice}:65536\nbob:{bob}:65536\n",
    }
