"""What is read of a host: its versions, their modulefiles, and whose ranges of ids there are."""

import json

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.singularity import modulefiles, observe, plan, tree
from ansible_collections.slipway.node.plugins.module_utils.singularity.modulefiles import MODULE_MARK
from singularity_state import ARCHIVE, WANT, entries, lines


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
    observed = observe.observe(Host(), want)
    assert sorted(observed["trees"]) == [f"{root}/4.3.7", f"{root}/4.5.1"]
    assert observed["link"] == want["tree"]
    assert plan.facts(want, observed)["singularity"] == "singularity-ce 4.5.1"
    assert tree.superfluous_trees(want, observed) == []
    assert tree.superfluous_trees({**want, "keep": 0}, observed) == [f"{root}/4.3.7"]
    # A version beside the default one leaves that alone, and does not remove it by name either.
    beside = {**want, "tree": f"{root}/4.3.7", "link": "", "keep": 0}
    assert tree.superfluous_trees(beside, observed) == []
    named = {**beside, "versions_absent": ["4.5.1"]}
    assert any("4.5.1 is the default version" in reason for reason in plan.refusals(named, observed))


def test_each_version_has_a_modulefile_and_the_default_is_marked(tmp_path, monkeypatch):
    monkeypatch.setattr(observe, "MODULE_FOLDERS", (str(tmp_path / "other"),))
    root, modules = str(tmp_path / "root"), tmp_path / "modules"
    for version, flavor in (("4.3.7", "singularity-ce"), ("4.5.1", "singularity-ce"), ("1.4.5", "apptainer")):
        (tmp_path / "root" / version).mkdir(parents=True)
        manifest = {"archive": ARCHIVE, "flavor": flavor, "version": version, "files": []}
        (tmp_path / "root" / version / ".slipway.json").write_text(json.dumps(manifest))
    (tmp_path / "root" / "current").symlink_to(f"{root}/4.3.7")
    mark = MODULE_MARK % root
    texts = {flavor: mark + f"{flavor} @VERSION@ @TREE@\n" for flavor in ("singularity-ce", "apptainer")}
    want = {**WANT, "root": root, "tree": f"{root}/4.5.1", "link": f"{root}/current", "commands_dir": "", "files": []}
    want.update(packages=[], fakeroot_users=[], current=f"{root}/current", unwanted_files=[], directories=[], config={})
    want["modulefiles"] = {"folder": str(modules), "texts": texts}

    def wanted(**more):
        asked = {**want, **more}
        made = modulefiles.modulefiles(asked, observe.observe(Host(), asked))
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
        "modules/singularity/4.1.0": MODULE_MARK % "/opt/sw",
        "modules/singularity/4.3.7": mark + f"singularity-ce 4.3.7 {root}/4.3.7\n",
        "modules/singularity/4.2.0": mark,
        "other/apptainer/.version": mark,
    }
    for path, text in files.items():
        (tmp_path / path).write_text(text)
    observed = observe.observe(Host(), want)
    assert modulefiles.unmanaged_modulefiles(want, observed) == [f"{modules}/singularity/4.5.1"]
    gone = [f"{modules}/singularity/4.2.0", f"{tmp_path}/other/apptainer/.version"]
    assert [f"remove_versions: {path}: present -> absent" for path in gone] == lines(want, observed)[-2:]
    named = [line for line in lines(want, observed) if line.startswith("write_modulefiles")]
    assert [line.replace(str(modules), "") for line in named] == [
        "write_modulefiles: /apptainer/1.4.5: missing -> Slipway's content",
        "write_modulefiles: /singularity/.version: missing -> Slipway's content",
        "write_modulefiles: /singularity/4.5.1: edited -> Slipway's content",
    ]
    absent = {**want, "state": "absent"}
    removed = [one["item"] for _phase, one in entries(absent, observe.observe(Host(), absent))]
    assert {*gone, f"{modules}/singularity/4.3.7"} < set(removed) and f"{modules}/singularity/4.5.1" not in removed


def test_members_by_primary_group_get_ranges_too():
    passwd = "alice:x:1000:1000::/:/bin/sh\nbob:x:1001:2990::/:/bin/sh\n"
    host = FakeHost({
        "getent group hpc": (0, "hpc:x:2990:alice\n"),
        "getent passwd": (0, passwd + "root:x:0:0::/:/bin/sh\n"),
        "getent passwd alice bob carol dave": (0, passwd),
    })  # fmt: skip
    host.answers["getent group hpc"] = (0, "hpc:x:2990:alice,carol\n")
    want = {**WANT, "fakeroot_users": ["dave"], "fakeroot_groups": ["hpc", "gone", "new"], "made_groups": ["new"]}
    # Who is listed and does not exist is wrong; a member who is gone is told.
    accounts = {"alice": 1000, "bob": 1001, "dave": None, "group gone": None}
    assert observe._accounts(host, want) == (accounts, ["carol"])
    assert observe._accounts(host, {**want, "state": "absent"}) == ({}, [])


def test_ids_that_users_and_groups_have_are_asked_for():
    answers = {
        "getent passwd": (0, "root:x:0:0::/:/bin/sh\n"),
        "getent group": (0, "root:x:0:\nhpc:x:2990:alice,7\n"),
        "getent passwd alice": (0, "alice:x:1879100500:1879100513::/:/bin/sh\n"),
    }
    host = FakeHost(answers)
    known = [(0, 1), (2990, 1), (1879100500, 1), (1879100513, 1)]
    assert observe._known_ids(host, ["alice"]) == known
    # A domain's slice is its own whole.
    host.files["/etc/nsswitch.conf"] = "passwd: files sss\n"
    assert observe._known_ids(host, ["alice"]) == [(0, 1), (2990, 1), (1879000000, 200000)]


def test_ranges_of_a_directory_are_asked_for():
    host = FakeHost(
        {"getsubids alice": (0, "0: alice 100000 65536\n"), "getsubids -g alice": (1, "Error fetching ranges\n")},
        {"/etc/nsswitch.conf": "passwd: files sss\nsubid:  sss\n"},
    )
    source = observe._subid_source(host)
    assert source == "sss" and observe._subid_source(FakeHost()) == "files"
    assert observe._ranges(host, source, ["alice"]) == {"subuid": [("alice", 100000, 65536)], "subgid": []}
