"""What the probe makes of a host's versions, and where ranges of ids go."""

import copy
import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils import platforms, singularity
from ansible_collections.slipway.node.plugins.module_utils.host import Host, sentence
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
    "files": [{"path": "/etc/profile.d/slipway-singularity.sh", "mode": "0644", "group": "root", "content": "x"}],
    "apparmor": {
        "path": "/etc/apparmor.d/slipway-singularity",
        "profile": "slipway-singularity",
        "mode": "0644",
        "group": "root",
        "content": "d",
    },
    "commands": {},
    "modulefiles": {"folder": "", "texts": {}},
    "writes": True,
    "tree_host": "",
    "strays": ["/etc/slipway/singularity-auth.json"],
    "directories": [{"path": "/scratch", "mode": "1777"}],
    "fakeroot_users": ["alice"],
    "fakeroot_groups": [],
    "fakeroot_first": 1 << 20,
    "fakeroot_limit": 1 << 30,
    "versions_absent": [],
    "keep": None,
    "need": 400,
}


def tree(version: str, archive: str = "", **more) -> dict:
    manifest = {
        "archive": archive or f"singularity-ce-{version}-go1.22.1-debian13-x86_64-x",
        "flavor": "singularity-ce",
    }
    manifest["version"] = version
    return {"exists": True, "empty": False, "manifest": manifest, "error": "", "damage": [], **more}


PROFILE = "/etc/profile.d/slipway-singularity.sh"


def there(**changes) -> dict:
    """Return how a file is found."""
    return {"exists": True, "same": True, "mode": "0644", "owner": "root:root", "wanted": True, **changes}


def converged() -> dict:
    ranges = [("alice", 1 << 21, 65536)]
    return {
        "trees": {TREE: tree("4.5.1", ARCHIVE)},
        "link": TREE,
        "commands": {},
        "modulefiles": [],
        "foreign": [],
        "unbound": [],
        "config": {"mount home": ["no"], "bind path": ["/etc/hosts", "/data"]},
        "packages": {"uidmap": True},
        "files": {
            PROFILE: there(),
        },
        "strays": [],
        "directories": {"/scratch": "1777"},
        "accounts": {"alice": 1000},
        "subid": {"subuid": ranges, "subgid": ranges},
        "subid_source": "files",
        "missing_groups": [],
        "sysctl_at_boot": {},
        "busy": {},
        "file_system": "ext4",
        "nosuid": False,
        "free": 400,
        "sysctl": {"user.max_user_namespaces": "15000", "kernel.unprivileged_userns_clone": ""},
        "restricted": False,
        "apparmor_file": there(exists=False),
        "apparmor_loaded": False,
    }


def lines(want: dict, observed: dict) -> list[str]:
    return [f"{one['phase']}: {sentence(one)}" for one in singularity.compare(want, observed)]


def test_converged_host_has_no_drift_and_no_refusal():
    assert lines(WANT, converged()) == []
    assert singularity.refusals(WANT, converged()) == []


def spoiled(**changes) -> dict:
    observed = copy.deepcopy(converged())
    observed.update(changes)
    return observed


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
        ({"strays": ["/etc/x"]}, ["remove_versions: /etc/x: present -> absent"]),
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
        # What goes off at the next boot alone.
        ({"sysctl_at_boot": {"user.max_user_namespaces": {"value": "0", "file": "/etc/sysctl.d/5.conf",
                                                          "last": False}}}, [
            "allow_namespaces: user.max_user_namespaces at the next boot (/etc/sysctl.d/5.conf): 0 -> 15000"]),
        # The kernel has no such setting.
        ({"sysctl_at_boot": {"kernel.unprivileged_userns_clone": {"value": "0", "file": "/etc/sysctl.d/5.conf",
                                                                  "last": False}}}, []),
        ({"restricted": True, "apparmor_file": there(exists=False)}, [
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
    assert singularity.superfluous(want, observed) == [f"{ROOT}/4.3.7"]


def test_the_newest_versions_are_kept_and_what_is_in_use():
    observed = spoiled(trees={**converged()["trees"], **OLD})
    assert singularity.superfluous({**WANT, "keep": 1}, observed) == [f"{ROOT}/4.3.7", f"{ROOT}/4.5.0"]
    assert len(singularity.superfluous({**WANT, "keep": 0}, observed)) == 3
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
        (
            {},
            {"file_system": "nfs4"},
            "type nfs4, where other hosts would write the same files. Set singularity_tree_host",
        ),
        ({}, {"trees": {TREE: {**tree("4.5.1"), "manifest": None}}}, "was not made by Slipway. Move it away"),
        ({}, {"trees": {}, "free": 30}, "has 30 MiB free, and a version needs 400 MiB"),
        ({}, {"link": "not a link"}, "is no link"),
        ({}, {"accounts": {"ghost": None}}, "do not exist on this host: ghost"),
        ({"fakeroot_limit": 1 << 20}, {"subid": NO_RANGES}, "not enough free ranges"),
        ({}, {"subid_source": "sss", "subid": NO_RANGES}, "has `subid: sss`, so ranges in /etc/subuid"),
        ({}, {"foreign": ["/m/singularity/4.5.1"]}, "/m/singularity/4.5.1 is not Slipway's. Move it away"),
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
    assert singularity.give_ranges({"a": 1}, {"subuid": "", "subgid": ""}, 65536, 65536) is None


def test_new_ranges_are_added_and_existing_lines_stay():
    first = WANT["fakeroot_first"]
    bob, alice = first + 1001 * 65536, first + 1000 * 65536
    texts = {"subuid": "alice:100000:65536", "subgid": "# own\n"}
    assert singularity.give_ranges({"alice": 1000, "bob": 1001}, texts, first, WANT["fakeroot_limit"]) == {
        "subuid": f"alice:100000:65536\nbob:{bob}:65536\n",
        "subgid": f"# own\nalice:{alice}:65536\nbob:{bob}:65536\n",
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], ("", "")),
        ([("/usr/lib/sysctl.d/50.conf", "# user.max = 1\n;user.max=2\nuser.other = 3\n")], ("", "")),
        ([("/usr/lib/sysctl.d/50.conf", "user.max = 7\n-user/max=8\n")], ("8", "/usr/lib/sysctl.d/50.conf")),
        # The later name wins, whatever the folder; of two files with one name the stronger folder's alone is read.
        ([("/usr/lib/sysctl.d/99.conf", "user.max=0"), ("/etc/sysctl.d/90.conf", "user.max=9")],
         ("0", "/usr/lib/sysctl.d/99.conf")),
        ([("/usr/lib/sysctl.d/99.conf", "user.max=0"), ("/etc/sysctl.d/99.conf", "")], ("", "")),
    ],
)  # fmt: skip
def test_settings_at_boot_are_read_as_the_boot_reads_them(files, expected):
    assert singularity.boot_value(files, "user.max") == expected


class FakeHost:
    """A host that answers commands and has files as given."""

    def __init__(self, answers=None, files=None):
        self.answers, self.files = answers or {}, files or {}

    def run(self, *command):
        return self.answers.get(" ".join(command), (2, ""))

    def read(self, path):
        return self.files.get(path)


def test_a_link_to_a_version_is_no_version(tmp_path):
    for version in ("4.3.7", "4.5.1"):
        (tmp_path / version).mkdir()
        manifest = {"archive": ARCHIVE, "flavor": "singularity-ce", "version": version, "files": []}
        (tmp_path / version / ".slipway.json").write_text(json.dumps(manifest))
    (tmp_path / "current").symlink_to(tmp_path / "4.5.1")
    root = str(tmp_path)
    want = {**WANT, "root": root, "tree": f"{root}/4.5.1", "link": f"{root}/current", "commands_dir": ""}
    want.update(packages=[], fakeroot_users=[], keep=1, current=f"{root}/current")
    observed = singularity.observe(Host(), want)
    assert sorted(observed["trees"]) == [f"{root}/4.3.7", f"{root}/4.5.1"]
    assert observed["link"] == want["tree"] and observed["version"] == "singularity-ce 4.5.1"
    assert singularity.superfluous(want, observed) == []
    assert singularity.superfluous({**want, "keep": 0}, observed) == [f"{root}/4.3.7"]
    # A version beside the default one leaves that alone, and does not remove it by name either.
    beside = {**want, "tree": f"{root}/4.3.7", "link": "", "keep": 0}
    assert singularity.superfluous(beside, observed) == []
    named = {**beside, "versions_absent": ["4.5.1"]}
    assert any("4.5.1 is the default version" in reason for reason in singularity.refusals(named, observed))


def test_each_version_has_a_modulefile_and_the_default_is_marked(tmp_path, monkeypatch):
    monkeypatch.setattr(singularity, "MODULE_FOLDERS", (str(tmp_path / "other"),))
    root, modules = str(tmp_path / "root"), tmp_path / "modules"
    for version, flavor in (("4.3.7", "singularity-ce"), ("4.5.1", "singularity-ce"), ("1.4.5", "apptainer")):
        (tmp_path / "root" / version).mkdir(parents=True)
        manifest = {"archive": ARCHIVE, "flavor": flavor, "version": version, "files": []}
        (tmp_path / "root" / version / ".slipway.json").write_text(json.dumps(manifest))
    (tmp_path / "root" / "current").symlink_to(f"{root}/4.3.7")
    mark = singularity.MODULE_MARK % root
    texts = {flavor: mark + f"{flavor} @VERSION@ @TREE@\n" for flavor in ("singularity-ce", "apptainer")}
    want = {**WANT, "root": root, "tree": f"{root}/4.5.1", "link": f"{root}/current", "commands_dir": "", "files": []}
    want.update(packages=[], fakeroot_users=[], current=f"{root}/current", strays=[], directories=[], config={})
    want["modulefiles"] = {"folder": str(modules), "texts": texts}

    def wanted(**more):
        made = singularity.observe(Host(), {**want, **more})["modulefiles"]
        return {one["path"].replace(str(modules), ""): one["content"].replace(mark, "") for one in made}

    beside = {
        "/apptainer/1.4.5": f"apptainer 1.4.5 {root}/1.4.5\n",
        "/singularity/4.3.7": f"singularity-ce 4.3.7 {root}/4.3.7\n",
        "/singularity/4.5.1": f"singularity-ce 4.5.1 {root}/4.5.1\n",
    }
    assert wanted() == {**beside, "/singularity/.version": 'set ModulesVersion "4.5.1"\n'}
    # A version beside the default one leaves the mark where it is; one that goes takes its modulefile along.
    assert wanted(link="") == {**beside, "/singularity/.version": 'set ModulesVersion "4.3.7"\n'}
    assert "/singularity/4.3.7" not in wanted(versions_absent=["4.3.7"])
    assert wanted(state="absent") == wanted(modulefiles={"folder": "", "texts": {}}) == {}

    # What is there: one of somebody else, one of another root, one that is no longer wanted, and one in another folder.
    (modules / "singularity").mkdir(parents=True)
    (tmp_path / "other" / "apptainer").mkdir(parents=True)
    files = {
        "modules/singularity/4.5.1": "#%Module1.0\n",
        "modules/singularity/4.1.0": singularity.MODULE_MARK % "/opt/sw",
        "modules/singularity/4.3.7": mark + f"singularity-ce 4.3.7 {root}/4.3.7\n",
        "modules/singularity/4.2.0": mark,
        "other/apptainer/.version": mark,
    }
    for path, text in files.items():
        (tmp_path / path).write_text(text)
    observed = singularity.observe(Host(), want)
    assert observed["foreign"] == [f"{modules}/singularity/4.5.1"]
    gone = [f"{modules}/singularity/4.2.0", f"{tmp_path}/other/apptainer/.version"]
    assert sorted(observed["strays"]) == gone and observed["remove"] == observed["strays"]
    named = [line for line in lines(want, observed) if line.startswith("write_modulefiles")]
    assert [line.replace(str(modules), "") for line in named] == [
        "write_modulefiles: /apptainer/1.4.5: missing -> Slipway's content",
        "write_modulefiles: /singularity/.version: missing -> Slipway's content",
        "write_modulefiles: /singularity/4.5.1: edited -> Slipway's content",
    ]
    absent = {**want, "state": "absent"}
    removed = [one["item"] for one in singularity.compare(absent, singularity.observe(Host(), absent))]
    assert {*gone, f"{modules}/singularity/4.3.7"} < set(removed) and f"{modules}/singularity/4.5.1" not in removed


def test_members_by_primary_group_get_ranges_too():
    passwd = "alice:x:1000:1000::/:/bin/sh\nbob:x:1001:2990::/:/bin/sh\n"
    host = FakeHost({
        "getent group hpc": (0, "hpc:x:2990:alice\n"),
        "getent passwd": (0, passwd + "root:x:0:0::/:/bin/sh\n"),
        "getent passwd alice bob": (0, passwd),
    })  # fmt: skip
    want = {**WANT, "fakeroot_users": [], "fakeroot_groups": ["hpc", "gone"]}
    assert singularity._accounts(host, want) == {"alice": 1000, "bob": 1001, "group gone": None}


def test_ranges_of_a_directory_are_asked_for():
    host = FakeHost(
        {"getsubids alice": (0, "0: alice 100000 65536\n"), "getsubids -g alice": (1, "Error fetching ranges\n")},
        {"/etc/nsswitch.conf": "passwd: files sss\nsubid:  sss\n"},
    )
    source = singularity._subid_source(host)
    assert source == "sss" and singularity._subid_source(FakeHost()) == "files"
    assert singularity._ranges(host, source, ["alice"]) == {"subuid": [("alice", 100000, 65536)], "subgid": []}


INPUTS = {
    "state": "present",
    "flavor": "singularity-ce",
    "name": "singularity",
    "version": "4.5.1",
    "root": ROOT,
    "prefix": TREE,
    "modulefiles": {"folder": "", "texts": {}},
    "default": True,
    "build_profile": "release-stripped",
    "setuid": True,
    "network": True,
    "seccomp": True,
    "libsubid": None,
    "localstatedir": "",
    "mconfig_extra": [],
    "archive_checksum": "",
    "go_version": "",
    "commands_dir": "",
    "tree_host": "",
    "writes": True,
    "tmpdir": "/scratch",
    "cachedir": "/scratch",
    "build_dir": "/var/cache/slipway/singularity",
    "packages": None,
    "keep_versions": -1,
    **dict.fromkeys(("config", "files", "strays", "apparmor", "cache_dir", "versions_absent"), ""),
    **dict.fromkeys(("fakeroot_users", "fakeroot_groups", "fakeroot_first", "fakeroot_limit"), ""),
    **dict.fromkeys(("keep_build", "goproxy", "mirrors", "mirror_timeout", "allow_unverified", "release_api"), ""),
    **dict.fromkeys(("known_sum", "kept_sum"), ""),
}


def platform(name: str, machine: str = "x86_64") -> platforms.Platform:
    distribution, _, version = name.partition(" ")
    return platforms.describe(distribution, version, "", machine)


def test_links_to_commands_are_made_found_and_removed():
    def asked(folder):
        return singularity.want({**INPUTS, "commands_dir": folder}, platform("Debian 13.1"))["commands"]

    path, target = "/usr/local/bin/singularity", f"{ROOT}/current/./bin/singularity"
    assert asked("/usr/local/bin") == {path: target} and asked("") == {}
    want = {**WANT, "commands": {path: target}}
    assert lines(want, spoiled()) == [f"switch_version: {path}: missing -> link to {target}"]
    assert lines(want, spoiled(commands={path: target})) == []
    assert lines(WANT, spoiled(commands={path: target})) == [f"remove_versions: {path}: present -> absent"]
    assert "singularity" in " ".join(lines({**WANT, "state": "absent"}, spoiled(commands={path: target})))
    foreign = spoiled(commands={path: "/usr/bin/apptainer", "/usr/bin/singularity": "not a link"})
    assert "not Slipway's (a link to /usr/bin/apptainer)" in singularity.refusals(want, foreign)[0]
    assert lines(WANT, foreign) == []


def test_one_host_writes_what_hosts_share():
    want = {**WANT, "tree_host": "a", "keep": 0}
    observed = spoiled(trees={f"{ROOT}/4.3.7": tree("4.3.7")}, link="", file_system="nfs4", packages={"uidmap": False})
    assert singularity.refusals(want, observed) == []
    assert singularity.refusals({**want, "writes": False}, spoiled(trees={}, free=1)) == []
    # Nobody knows what runs on the others.
    assert singularity.superfluous(want, observed) == []
    assert {line.split(":")[0] for line in lines(want, observed)} > {"install_tree", "set_config", "switch_version"}
    assert lines({**want, "writes": False}, observed) == ["install_packages: uidmap: not installed -> installed"]
    # What lies elsewhere is each host's own.
    observed = spoiled(strays=["/etc/x"], trees={TREE: tree("4.5.1", ARCHIVE), f"{ROOT}/4.3.7": tree("4.3.7")})
    want = {**want, "writes": False, "state": "absent"}
    assert lines(want, observed)[-1] == "remove_versions: /etc/x: present -> absent"


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/opt/singularity", "nfs4"), ("/optional", "ext4"), ("/opt/my dir/x", "tmpfs"), ("/", "ext4")],
)
def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(path, expected):
    mounts = (
        "/dev/a / ext4 rw 0 0\nx /opt autofs rw 0 0\nn:/x /opt nfs4 rw 0 0\nt /opt/my\\040dir tmpfs rw 0 0\nbroken\n"
    )
    assert singularity.file_system(mounts, path) == expected


def test_a_file_that_every_container_gets_and_that_is_missing_is_told():
    assert singularity.notes(WANT, converged()) == []
    assert "/etc/localtime of the host" in singularity.notes(WANT, spoiled(unbound=["/etc/localtime"]))[0]


@pytest.mark.parametrize(
    ("name", "changes", "run", "build", "libsubid"),
    [
        ("Debian 12.15", {}, ["libsubid4", "fuse3", "squashfs-tools-ng"], ["libfuse3-dev", "libsubid-dev"], True),
        ("Debian 13.1", {"flavor": "apptainer", "version": "1.4.5"}, ["libsubid5", "squashfuse"], [], True),
        ("Ubuntu 22.04", {}, ["libseccomp2"], ["zlib1g-dev"], False),
        ("Ubuntu 24.04", {"version": "4.1.3"}, ["fuse", "crun"], ["libfuse-dev", "libglib2.0-dev"], False),
        ("Rocky 9.6", {"version": "3.11.5", "seccomp": False}, ["crun"], ["glib2-devel"], False),
        ("Redhat 8.10", {}, ["shadow-utils"], ["fuse3-devel"], False),
        ("Almalinux 10.0", {}, ["shadow-utils-subid"], ["shadow-utils-subid-devel"], True),
    ],
)
def test_packages_follow_flavour_version_and_platform(name, changes, run, build, libsubid):
    want = singularity.want({**INPUTS, **changes}, platform(name))
    assert set(run) <= set(want["packages"]) and set(build) <= set(want["build"]["packages"])
    assert bool([one for one in want["packages"] if "subid" in one]) is libsubid
    assert bool(want["repositories"]) is (want["manager"] == "dnf")
    assert not set(build) & set(want["packages"])


def test_one_archive_serves_all_hosts_of_a_platform():
    want = singularity.want(INPUTS, platform("Ubuntu 24.04", "aarch64"))
    assert want["archive_glob"].startswith("singularity-ce-4.5.1-go*-ubuntu24-aarch64-")
    assert want["build"]["go_kind"] == "linux-arm64"
    other = singularity.want({**INPUTS, "network": False}, platform("Ubuntu 24.04", "aarch64"))
    assert other["archive_glob"] != want["archive_glob"]


def test_a_build_has_a_folder_of_its_own():
    build = singularity.want({**INPUTS, "build_dir": "/data"}, platform("Debian 13.1"))["build"]
    assert [build[name] for name in ("dir", "folder", "source")] == [
        "/data/slipway-singularity",
        "/data/slipway-singularity/build",
        "/data/slipway-singularity/singularity-ce-4.5.1.tar.gz",
    ]


def test_a_platform_that_the_role_does_not_serve_is_named_but_for_removal():
    with pytest.raises(platforms.InputProblem, match="Gentoo 2 is not a platform of singularity"):
        singularity.want(INPUTS, platform("Gentoo 2"))
    assert singularity.want({**INPUTS, "state": "absent", "default": False}, platform("Gentoo 2"))["link"]


BASE = ["--prefix=/opt/singularity/4.5.1", "-P", "release-stripped"]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, []),
        ({"setuid": False}, ["--without-suid"]),
        ({"flavor": "apptainer"}, ["--with-suid"]),
        ({"flavor": "apptainer", "setuid": False}, ["--without-suid"]),
        ({"network": False, "seccomp": False}, ["--without-network", "--without-seccomp"]),
        ({"libsubid": False}, ["--without-libsubid"]),
        ({"libsubid": False, "version": "4.2.2"}, []),
        ({"libsubid": False, "version": "1.4.5", "flavor": "apptainer"}, ["--with-suid", "--without-libsubid"]),
        (
            {"localstatedir": "/var/lib", "mconfig_extra": ["--reproducible"]},
            ["--localstatedir=/var/lib", "--reproducible"],
        ),
    ],
)
def test_mconfig_is_told_what_the_version_knows(inputs, expected):
    assert singularity.mconfig({**INPUTS, "libsubid": True, **inputs}) == BASE + expected


CONF = """# ALLOW SETUID
allow setuid = yes

# bind path = /x
bind path = /a
other = 1
bind path = /b
# empty =
end = 1
"""


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, CONF),
        ({"allow setuid": False}, CONF.replace("setuid = yes", "setuid = no")),
        ({"bind path": ["/c", "/a"]}, CONF.replace("bind path = /a\n", "bind path = /c\nbind path = /a\n").replace(
            "bind path = /b\n", "")),
        ({"bind path": []}, CONF.replace("bind path = /a\n", "").replace("bind path = /b\n", "")),
        ({"empty": 5}, CONF.replace("# empty =\n", "# empty =\nempty = 5\n")),
        ({"new key": "x=y"}, CONF + "new key = x=y\n"),
    ],
)  # fmt: skip
def test_keys_are_set_in_their_place_and_all_else_stays(wanted, expected):
    assert singularity.config_text(CONF, wanted) == expected
    assert singularity.config_text(expected, wanted) == expected
