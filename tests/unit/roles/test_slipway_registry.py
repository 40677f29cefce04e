"""The program slipway-registry: copies that are proved, and restores that lose nothing."""

import contextlib
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.lock import Held, hold, is_held_by

PROGRAM = Path(__file__).parents[3] / "roles" / "registry" / "files" / "slipway-registry"
V2 = "docker/registry/v2"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """The program with one store in a folder, and no engine to talk to."""
    loader = importlib.machinery.SourceFileLoader("slipway_registry", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("slipway_registry", loader))
    loader.exec_module(module)
    table = [
        {
            "name": "main",
            "mode": "store",
            "driver": "filesystem",
            "path": str(tmp_path / "data"),
            "anonymous_pull": True,
        },
        {"name": "objects", "mode": "store", "driver": "s3", "path": "", "anonymous_pull": False},
    ]
    made = {"instances": table, "data_mark": ".slipway", "delete_untagged": False, "retention": []}
    monkeypatch.setattr(module, "settings", lambda: made)
    monkeypatch.setattr(module, "FSTAB", str(tmp_path / "fstab"))
    monkeypatch.setattr(module, "read_only", lambda name: contextlib.nullcontext())
    monkeypatch.setattr(module, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(module, "containers", lambda *_filters: [])
    module.asked = []
    monkeypatch.setattr(module, "compose", lambda *words, **more: module.asked.append(words))
    return module


@pytest.fixture
def store(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/.slipway").touch()
    return Store(tmp_path / "data")


class Store:
    """A registry's folder, as it writes it."""

    def __init__(self, root):
        self.root = root

    def blob(self, content):
        name = hashlib.sha256(content).hexdigest()
        path = self.root / V2 / "blobs/sha256" / name[:2] / name / "data"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        return f"sha256:{name}"

    def image(self, repository, tag, layer):
        config, layers = self.blob(b'{"os": "' + layer + b'"}'), [{"digest": self.blob(layer)}]
        digest = self.blob(json.dumps({"config": {"digest": config}, "layers": layers}).encode())
        manifests = self.root / V2 / "repositories" / repository / "_manifests"
        for path in (f"revisions/sha256/{digest[7:]}/link", f"tags/{tag}/current/link"):
            (manifests / path).parent.mkdir(parents=True)
            (manifests / path).write_text(digest)
        return digest

    def path(self, digest):
        return self.root / V2 / "blobs/sha256" / digest[7:9] / digest[7:] / "data"


def backup(program, folder, capsys):
    program.backup("main", str(folder))
    return json.loads(capsys.readouterr().out)


def test_a_copy_holds_all_images_and_is_restored_with_the_same_digests(program, store, tmp_path, capsys):
    images = {"app": {"1": store.image("app", "1", b"one")}, "team/app": {"2": store.image("team/app", "2", b"two")}}
    made = backup(program, tmp_path / "copies", capsys)
    assert made["images"] == images
    assert os.stat(made["archive"]).st_mode & 0o777 == 0o600
    content = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}
    store.image("later", "1", b"later")
    program.restore("main", made["archive"], replace=True)
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == content
    assert json.loads(capsys.readouterr().out)["sha256"] == made["sha256"]
    assert [words[0] for words in program.asked] == ["rm", "up"]
    assert "main-pull" in program.asked[0]


def test_copies_of_another_instance_are_never_removed(program, store, tmp_path, capsys):
    folder = tmp_path / "copies"
    folder.mkdir()
    others = ["main-2-20200101T000000Z.tar", "main-2-20200101T000000Z.tar.part", "main-20200101.tar"]
    # The first is of a backup that was killed.
    for name in ["main-20200101T000000Z.tar.part", *others, "main-20200101T000000Z.tar", "main-20200102T000000Z.tar"]:
        (folder / name).touch()
    program.backup("main", str(folder), keep=2)
    told = json.loads(capsys.readouterr().out)
    assert told["removed"] == [str(folder / "main-20200101T000000Z.tar")]
    kept = {*others, "main-20200102T000000Z.tar", Path(told["archive"]).name}
    assert {path.name for path in folder.iterdir()} == kept
    program.restore("main", str(folder), replace=True)
    assert json.loads(capsys.readouterr().out)["archive"] == told["archive"]
    with pytest.raises(program.Problem, match="has no copy of main"):
        program.restore("main", str(tmp_path), replace=True)


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ("mv data/.slipway elsewhere", r"data lacks the file \.slipway .*run `touch .*/data/\.slipway`"),
        ("echo /dev/sdb $PWD/data ext4 >> fstab", r"data, of /etc/fstab, is not mounted: mount it"),
        ("echo nas:/copies $PWD/copies nfs >> fstab", r"copies, of /etc/fstab, is not mounted: mount it"),
    ],
)
def test_a_disk_that_is_not_mounted_costs_no_good_copy(program, store, tmp_path, capsys, broken, problem):
    store.image("app", "1", b"one")
    (tmp_path / "fstab").write_text(
        f"# {tmp_path}/data\n/dev/sda / ext4\n/dev/sdc {tmp_path}/data2 ext4\n/swap none swap\n"
    )
    made = backup(program, tmp_path / "copies", capsys)
    subprocess.run(["sh", "-c", broken], cwd=tmp_path, check=True)
    with pytest.raises(program.Problem, match=problem):
        program.backup("main", str(tmp_path / "copies"), keep=1)
    assert Path(made["archive"]).exists()


def failing(monkeypatch, program, times):
    """Let the renames of a restore fail but for the first one."""
    done, rename = [], os.rename

    def fail(old, new):
        done.append(new)
        if len(done) in times:
            raise OSError("no space")
        rename(old, new)

    monkeypatch.setattr(program.os, "rename", fail)


def test_a_restore_that_fails_half_way_puts_back_what_was_there(program, store, tmp_path, capsys, monkeypatch):
    digest = store.image("app", "1", b"one")
    made = backup(program, tmp_path / "copies", capsys)
    failing(monkeypatch, program, {2})
    with pytest.raises(program.Problem, match="what was there is back: no space"):
        program.restore("main", made["archive"], replace=True)
    assert store.path(digest).exists()
    assert [words[0] for words in program.asked] == ["rm", "up"]


def test_nothing_is_started_where_it_cannot_be_put_back(program, store, tmp_path, capsys, monkeypatch):
    store.image("app", "1", b"one")
    made = backup(program, tmp_path / "copies", capsys)
    failing(monkeypatch, program, {2, 3})
    with pytest.raises(program.Problem, match=r"It is in .*docker.before-restore, and the registry stays down"):
        program.restore("main", made["archive"], replace=True)
    assert [words[0] for words in program.asked] == ["rm"]


def test_images_are_not_replaced_unasked(program, store, tmp_path, capsys):
    store.image("app", "1", b"one")
    made = backup(program, tmp_path / "copies", capsys)
    with pytest.raises(program.Problem, match=r"add --replace .*to lose them"):
        program.restore("main", made["archive"], replace=False)
    assert program.asked == []


def test_a_damaged_copy_is_refused_before_anything_is_touched(program, store, tmp_path, capsys):
    digest = store.image("app", "1", b"x" * 100000)
    made = backup(program, tmp_path / "copies", capsys)
    raw = bytearray(Path(made["archive"]).read_bytes())
    raw[raw.index(b"xxxx") + 50000] = ord("y")
    Path(made["archive"]).write_bytes(raw)
    with pytest.raises(program.Problem, match="is damaged: its content has the digest"):
        program.restore("main", made["archive"], replace=True)
    assert store.path(digest).exists() and program.asked == []


def test_a_copy_that_is_cut_short_is_refused(program, store, tmp_path, capsys):
    store.image("app", "1", b"x" * 100000)
    made = backup(program, tmp_path / "copies", capsys)
    Path(made["archive"]).write_bytes(Path(made["archive"]).read_bytes()[:50000])
    with pytest.raises(program.Problem, match=r"cannot be read|lacks|damaged"):
        program.inspect(made["archive"])


def test_an_image_that_lacks_a_layer_is_no_copy(program, store, tmp_path):
    store.image("app", "1", b"layer")
    store.path(f"sha256:{hashlib.sha256(b'layer').hexdigest()}").unlink()
    with pytest.raises(program.Problem, match=r"app@sha256:.* lacks its part sha256:"):
        program.backup("main", str(tmp_path / "copies"))
    assert not list((tmp_path / "copies").iterdir())


def test_uploads_and_tags_of_deleted_images_are_left_out(program, store, tmp_path, capsys):
    store.image("app", "1", b"one")
    upload = store.root / V2 / "repositories/app/_uploads/id/data"
    upload.parent.mkdir(parents=True)
    upload.write_bytes(b"half")
    dangling = store.root / V2 / "repositories/gone/_manifests/tags/1/current/link"
    dangling.parent.mkdir(parents=True)
    dangling.write_text("sha256:" + "0" * 64)
    made = backup(program, tmp_path / "copies", capsys)
    assert list(made["images"]) == ["app"]
    assert b"_uploads" not in Path(made["archive"]).read_bytes()


def test_an_empty_store_has_a_copy_too(program, store, tmp_path, capsys):
    made = backup(program, tmp_path / "copies", capsys)
    program.restore("main", made["archive"], replace=False)
    assert made["images"] == {}


@pytest.mark.parametrize(("name", "problem"), [("objects", "back up its object store"), ("other", "no instance other")])
def test_what_cannot_be_copied_is_told(program, tmp_path, name, problem):
    with pytest.raises(program.Problem, match=problem):
        program.backup(name, str(tmp_path))


def test_an_empty_store_is_no_failure_and_a_failure_stops_no_other_store(program, store, capsys, monkeypatch):
    def compose(*words, **_more):
        where = "/docker/registry/v2/repositories" if words[4] == "objects" else "/elsewhere"
        raise program.Problem(f"failed to garbage collect: failed to mark: s3aws: Path not found: {where}")

    monkeypatch.setattr(program, "compose", compose)
    with pytest.raises(program.Problem, match=r"^main: failed to garbage collect.*elsewhere$"):
        program.collect_all(["main", "objects"], False)
    assert capsys.readouterr().out == "objects: empty\n"


DAY = 86400
NOW = 1_800_000_000


def tagged(store, repository, **days):
    """Push an image for each tag, set some days ago."""
    digests = {}
    for tag, age in days.items():
        digests[tag] = store.image(repository, tag, f"{repository} {tag}".encode())
        link = store.root / V2 / "repositories" / repository / "_manifests/tags" / tag / "current/link"
        os.utime(link, (NOW - age * DAY, NOW - age * DAY))
    return digests


@pytest.mark.parametrize(
    ("rules", "old"),
    [
        ([], {}),
        ([{"repository": "ci/*", "keep": 2}], {"ci/app": ["c", "v1"]}),
        ([{"repository": "ci/*", "days": 7}], {"ci/app": ["c", "v1"]}),
        ([{"repository": "*", "keep": 3, "days": 20}], {"ci/app": ["v1"]}),
        ([{"repository": "ci/*", "tag": "v*", "keep": 9}, {"repository": "*", "keep": 2}], {"ci/app": ["c"]}),
        ([{"repository": "CI/*", "keep": 0, "days": 1}, {"repository": "other", "days": 1}], {"other": ["a"]}),
        # From inputs that an older version took.
        ([{"repository": "*", "keep": -1, "days": 0}], {}),
        ([{"repository": "*", "keep": 0, "days": 0}], {}),
        ([{"repository": "*", "keep": 1, "days": -1.5}, {"repository": "*", "keep": 1}], {}),
    ],
)
def test_the_first_rule_says_which_tags_are_kept(program, store, rules, old):
    tagged(store, "ci/app", a=1, b=2, c=10, v1=30)
    tagged(store, "other", a=3)
    assert program.outdated(str(store.root), rules, NOW) == old


def test_an_image_goes_with_its_last_tag_and_takes_no_other_s_parts(program, store, capsys):
    digests = tagged(store, "app", old=9, new=1)
    manifests = store.root / V2 / "repositories/app/_manifests"

    def index(tag, *parts):
        digest = store.blob(json.dumps({"manifests": [{"digest": part} for part in parts], "tag": tag}).encode())
        for path in (f"revisions/sha256/{digest[7:]}/link", f"tags/{tag}/current/link"):
            (manifests / path).parent.mkdir(parents=True)
            (manifests / path).write_text(digest)
        return digest

    shared, own, loose = (store.image("app", tag, tag.encode()) for tag in ("shared", "own", "loose"))
    for tag in ("shared", "own", "loose"):
        (manifests / "tags" / tag / "current/link").unlink()
    first, second = index("first", shared, own), index("second", shared)
    (manifests / "tags/same/current").mkdir(parents=True)
    (manifests / "tags/same/current/link").write_text(digests["old"])
    program.retire(str(store.root), "app", ["first", "old"])

    def revisions():
        return {f"sha256:{path.name}" for path in (manifests / "revisions/sha256").iterdir()}

    assert first not in revisions() and own not in revisions()
    assert revisions() == {second, shared, loose, *digests.values()}
    program.retire(str(store.root), "app", ["same", "second"])
    assert revisions() == {loose, digests["new"]}


def test_a_folder_without_copies_tells_where_there_are_some(program, store, tmp_path, capsys):
    store.image("app", "1", b"one")
    made = backup(program, tmp_path / "disk/reg1", capsys)
    with pytest.raises(
        program.Problem, match=f"disk/reg2 has no copy of main; there is {made['archive']}: name the one"
    ):
        program.restore("main", str(tmp_path / "disk/reg2"), replace=True)
    with pytest.raises(program.Problem, match="nowhere/reg has no copy of main; a backup makes one"):
        program.restore("main", str(tmp_path / "nowhere/reg"), replace=True)
    program.restore("main", str(tmp_path / "disk/reg1"), replace=True)


def test_this_host_s_engine_is_asked_whatever_root_s_context_is(monkeypatch):
    loader = importlib.machinery.SourceFileLoader("slipway_registry", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("slipway_registry", loader))
    loader.exec_module(module)
    asked = []
    monkeypatch.setattr(module, "run", lambda *command: asked.append(command))
    module.compose("stop", "main")
    engine = ("env", "--unset=DOCKER_TLS_VERIFY", "docker", "--host", "unix:///var/run/docker.sock", "compose")
    assert asked[0][:6] == engine and asked[0][-2:] == ("stop", "main")


SIGNED = "sha256-%s"


def test_signatures_are_no_images_and_follow_theirs(program, store):
    digests = tagged(store, "app", a=1, b=2, c=3)
    names = {tag: SIGNED % digest[7:] for tag, digest in digests.items()}
    for tag, more in (("a", ".sig"), ("b", ".att"), ("c", ".sig"), ("c", "")):
        store.image("app", names[tag] + more, f"{tag}{more}".encode())
    # Of an image that is not there.
    store.image("app", SIGNED % ("0" * 64) + ".sig", b"other")
    old = program.outdated(str(store.root), [{"repository": "*", "keep": 2}], NOW)
    assert sorted(old["app"]) == sorted(["c", names["c"] + ".sig", names["c"]])
    link = store.root / V2 / "repositories/app/_manifests/tags/a/current/link"
    link.write_text(digests["c"])
    os.utime(link, (NOW, NOW))
    assert program.outdated(str(store.root), [{"repository": "*", "keep": 2}], NOW) == {"app": ["c"]}


def test_a_restore_that_was_killed_is_put_right(program, store, tmp_path, capsys):
    store.image("app", "1", b"one")
    old, new, kept = program.places(str(store.root))
    os.rename(old, kept)
    os.mkdir(new)
    program.settle()
    assert os.path.isdir(old) and not os.path.exists(kept) and not os.path.exists(new)
    assert program.asked == [("up", "--detach", "--no-deps", "main", "main-pull")]
    # Nobody can tell which of both is wanted.
    os.mkdir(kept)
    program.settle()
    assert os.path.isdir(kept) and len(program.asked) == 1
    with pytest.raises(program.Problem, match=r"docker\.before-restore is what was there before another restore"):
        program.restore("main", backup(program, tmp_path / "copies", capsys)["archive"], replace=True)


def test_what_a_collection_that_was_killed_left_is_put_right(program, monkeypatch):
    def one(name, oneoff, env):
        labels = {"com.docker.compose.service": name, "com.docker.compose.oneoff": oneoff}
        return {"Id": name, "Config": {"Env": env, "Labels": labels}}

    tool, main = one("tool", "True", []), one("main", "False", ["REGISTRY_STORAGE_MAINTENANCE_READONLY={}"])
    found = {(): [main, one("hub", "False", None)], ("label=com.docker.compose.oneoff=True",): [tool]}
    monkeypatch.setattr(program, "containers", lambda *filters: found.get(filters, []))
    monkeypatch.setattr(program, "run", lambda *command: program.asked.append(command[-3:]))
    program.settle()
    assert program.asked == [("rm", "--force", "tool"), ("up", "--detach", "--no-deps", "--force-recreate", "main")]


def test_who_holds_the_host_is_waited_for_and_named(program, monkeypatch, capsys):
    owner = {"person": "ann", "controller": "ctl", "since": "02:00"}
    monkeypatch.setattr(program, "TELL_AFTER", 0)
    monkeypatch.setattr(program, "GIVE_UP_AFTER", 1)
    with hold(owner, path=program.LOCK), pytest.raises(program.Problem, match="ann on ctl runs Slipway on this host"):
        program.alone("collect").__enter__()
    assert capsys.readouterr().err.count("waits, since ann on ctl runs Slipway on this host, since 02:00") == 1
    assert not is_held_by("slipway-registry", program.LOCK)
    with program.alone("backup"):
        assert is_held_by("slipway-registry", program.LOCK)
        with pytest.raises(Held, match="runs slipway-registry backup on this host"), hold(owner, 0, program.LOCK):
            pass
    assert not is_held_by("slipway-registry", program.LOCK)
    with hold(owner, path=program.LOCK):
        assert not is_held_by("slipway-registry", program.LOCK)


def test_what_docker_could_not_start_is_started_and_what_somebody_stopped_is_not(program, monkeypatch):
    late, stopped = (
        {"Id": name, "State": {"Error": error}, "HostConfig": {"RestartPolicy": {"Name": "always"}}}
        for name, error in (("late", "cannot assign requested address"), ("stopped", ""))
    )
    monkeypatch.setattr(
        program, "containers", lambda *filters: [late, stopped] if filters == ("status=exited",) else []
    )
    tries = []

    def run(*command):
        tries.append(command[-2:])
        if len(tries) < 3:
            raise program.Problem("docker start failed")

    monkeypatch.setattr(program, "run", run)
    monkeypatch.setattr(program.time, "sleep", lambda _seconds: None)
    # What else is asked of the program does not wait for it.
    assert program.settle() == ["docker start failed"]
    program.settle_within(60)
    assert tries == [("start", "late")] * 3
