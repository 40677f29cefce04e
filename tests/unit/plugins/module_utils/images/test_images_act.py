"""Images are pulled with patience, pushed as they are, loaded alone; a SIF file is never without its note."""

import hashlib
import io
import json
import os
import tarfile
from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import action
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed
from ansible_collections.slipway.node.plugins.module_utils.images import act, archive
from ansible_collections.slipway.node.plugins.module_utils.images import sif as sif_files
from ansible_collections.slipway.node.plugins.module_utils.images.record import parse_record
from images_examples import ENTRY, NOTE, PUSH, SIF, A, B, observed, want

GONE = (1, "", "dial tcp 10.0.0.1:5000: connect: connection refused")
UNKNOWN = (1, "", "manifest for app:1 not found: manifest unknown")
DONE = (0, "", "")
MACHINE = act.ARCHITECTURES.get(os.uname().machine, os.uname().machine)


class Run(SimpleNamespace):
    """A run whose programs answer by a function of their arguments, without those that lead to the engine."""

    def __init__(self, answer, tmp_path=None, seen=None, **wanted):
        super().__init__(answer=answer, asked=[], observed=seen or observed(), env=[])
        self.want = want(record=f"{tmp_path}/images.json", **wanted)

    def do(self, actions):
        self.asked += [command for one in actions for _name, command in one.get("do", [])]

    def command(self, argv, good=(0,), limit=0, env=None):
        start = len(docker_command())
        self.asked.append(argv[start:] if argv[:start] == docker_command() else argv)
        self.env.append(env)
        return self.answer(self.asked[-1])

    def folder(self, path):
        os.makedirs(path, exist_ok=True)


def saved(path, *names):
    """Write what `docker save` does; return the digest of the last image's configuration."""
    files, table = {}, []
    for name in names:
        config = json.dumps({"os": "linux", "architecture": MACHINE, "name": name}).encode()
        inside = f"{hashlib.sha256(config).hexdigest()}.json"
        files[inside] = config
        table.append({"Config": inside, "RepoTags": [name], "Layers": []})
    with tarfile.open(path, "w") as file:
        for inside, data in {**files, "manifest.json": json.dumps(table).encode()}.items():
            member = tarfile.TarInfo(inside)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return "sha256:" + table[-1]["Config"][:64]


@pytest.mark.parametrize(
    ("answers", "asked", "error"),
    [
        ([DONE], 1, ""),
        # A registry that does not answer is asked again; one that has no such image is not.
        ([GONE, GONE, DONE], 3, ""),
        ([GONE, GONE, GONE], 3, "cannot be reached"),
        ([UNKNOWN], 1, "no such image"),
        ([(1, "", "strange")] * 3, 3, "strange"),
    ],
)
def test_pulling(monkeypatch, answers, asked, error):
    monkeypatch.setattr(act, "PAUSE", 0)
    left = list(answers)
    run = Run(lambda _argv: left.pop(0))
    said = act.pull(run, "app:1", "app:1")
    assert error in said and bool(error) == bool(said)
    assert run.asked == [["pull", "--quiet", "app:1"]] * asked


@pytest.mark.parametrize(
    ("local", "tagged"), [("app:1", True), ("h:5000/app:1", False), (f"h:5000/app@sha256:{'0' * 64}", False)]
)
def test_a_name_of_one_s_own_is_a_tag(local, tagged):
    run = Run(lambda _argv: DONE)
    act.pull(run, "h:5000/app:1", local)
    assert (["tag", "h:5000/app:1", local] in run.asked) == tagged


def test_all_that_can_be_pulled_is_and_is_noted(tmp_path):
    entries = [{**ENTRY, "name": name, "local": name, "pull": name} for name in ("none:1", "app:1", "other:1")]
    run = Run(
        lambda argv: UNKNOWN if "none:1" in argv else (0, f"{A}\n" * (argv[0] == "image"), ""),
        tmp_path,
        preload=entries,
    )
    with pytest.raises(Failed, match=r"none:1 cannot be pulled: .*There is no such image"):
        act.pull_images(run, [action("none:1", "absent", "present"), action("app:1", "absent", "present")])
    noted = parse_record("images.json", (tmp_path / "images.json").read_text())
    assert noted["images"] == {"app:1": {"id": A, "from": ""}}


@pytest.mark.parametrize(
    ("names", "image", "source"),
    [(["app:1"], "", "docker-archive:{}"), (["app:1", "tool:1"], "tool:1", "docker-archive:{}:tool:1")],
)
def test_an_archive_is_pushed_from_where_it_is_on_the_node(tmp_path, names, image, source):
    path = str(tmp_path / "a.tar")
    saved(path, *names)
    one = {**PUSH, "kind": "archive", "archive": "/home/a.tar", "read": path, "archive_image": image}
    run = Run(lambda _argv: (0, "skopeo version 1.9.3", ""), tmp_path, push=[one])
    act.push_images(run, [action("app:1", "absent", "present")])
    # It has no digest to keep.
    assert run.asked[-1][-2:] == [source.format(path), "docker://h/app:1"]
    assert "--preserve-digests" not in run.asked[-1]
    assert not (tmp_path / "images.json").exists()


def test_what_a_registry_has_is_pushed_with_its_digest_and_a_failure_is_told():
    run = Run(lambda argv: (0, "skopeo version 1.9.3", "") if "--version" in argv else GONE, push=[PUSH])
    with pytest.raises(Failed, match=r"app:1 cannot be pushed: .*The registry cannot be reached"):
        act.push_images(run, [action("app:1", "absent", "present")])
    assert run.asked[-1][-2:] == [PUSH["location"], PUSH["target"]]
    assert "--preserve-digests" in run.asked[-1]


@pytest.mark.parametrize("same", [True, False])
def test_an_image_of_the_engine_is_saved_and_known_by_its_configuration(tmp_path, same):
    configs = []

    def answer(argv):
        if argv[0] == "save":
            configs.append(saved(argv[2], "app:1"))
        # containerd's image store has ids of its own.
        return (0, (configs[0] if same else B) if argv[0] == "image" else "", "")

    one = {**PUSH, "kind": "docker-daemon", "location": "docker-daemon:app:1"}
    run = Run(answer, tmp_path, push=[one])
    act.push_images(run, [action("app:1", "absent", "present")])
    (save,) = [argv for argv in run.asked if argv[0] == "save"]
    assert save[1:] == ["--output", save[2], "app:1"]
    assert run.asked[2][-2] == f"docker-archive:{save[2]}"
    assert not os.path.exists(save[2])
    noted = parse_record("images.json", (tmp_path / "images.json").read_text()) if not same else {"pushed": {}}
    assert noted["pushed"] == ({} if same else {"app:1": {"id": configs[0], "from": B}})


def test_an_engine_that_does_not_give_its_image_is_told():
    one = {**PUSH, "kind": "docker-daemon", "location": "docker-daemon:app:1"}
    run = Run(lambda argv: (1, "", "Cannot connect to the Docker daemon at unix:///x"), push=[one])
    with pytest.raises(Failed, match=r"app:1 cannot be had from the engine: .*No Docker engine answers"):
        act.push_images(run, [action("app:1", "absent", "present")])


def test_nothing_is_loaded_into_an_engine_that_does_not_answer():
    with pytest.raises(Failed, match=r"app:1 cannot be loaded: .*No Docker engine answers"):
        act.load("/none", "app:1", "", None)


def test_a_program_is_handed_one_image_of_several(tmp_path):
    path = str(tmp_path / "a.tar")
    config = saved(path, "app:1", "tool:1")
    one = {**SIF, "kind": "archive", "archive": path, "read": path, "archive_image": "tool:1"}
    location = act.sif_source(Run(None), one, str(tmp_path))
    assert location == f"docker-archive:{tmp_path}/image.tar"
    (image,) = archive.read(f"{tmp_path}/image.tar")["images"]
    assert image["parts"][0]["config"] == config
    # One that has no other is read where it is, and a registry by the program.
    saved(path, "app:1")
    assert act.sif_source(Run(None), {**one, "archive_image": ""}, str(tmp_path)) == f"docker-archive:{path}"
    assert act.sif_source(Run(None), SIF, str(tmp_path)) == SIF["location"]


def test_a_sif_file_of_the_engine_s_image_is_made_of_what_docker_saves(tmp_path):
    one = {**SIF, "kind": "docker-daemon", "location": "docker-daemon:app:1"}
    run = Run(lambda argv: saved(argv[2], "app:1") and DONE)
    assert act.sif_source(run, one, str(tmp_path)) == f"docker-archive:{tmp_path}/image.tar"
    # The saved one is not needed beside it.
    assert os.listdir(tmp_path) == ["image.tar"]


@pytest.mark.parametrize(
    ("more", "plain_http", "no_https"),
    [
        ({}, ["h"], False),
        ({"no_https": True}, [], True),
        ({"location": "oras://10.0.0.1/t:1"}, ["10.0.0.1"], True),
        ({"location": "archive:/srv/app.tar:app"}, ["10.0.0.1"], False),
    ],
)
def test_a_sif_file_is_made_with_a_note(tmp_path, more, plain_http, no_https):
    folder, one = tmp_path / "sif", {**SIF, "path": str(tmp_path / "sif/app.sif"), **more}
    logins = tmp_path / "logins"
    logins.write_text("{}")

    def answer(argv):
        with open(argv[-2], "w") as file:
            file.write("sif")
        return DONE

    seen = observed(sources={one["location"]: {"ids": [A, B]}}, plain_http=plain_http)
    given = {"build": [one], "sif_path": str(folder), "sif_command": "/bin/sh", "sif_arguments": ["--force"]}
    run = Run(answer, tmp_path, seen, **given, authfile=str(logins))
    act.build_sif(run, [action(one["path"], "absent", "present")])
    assert run.asked[0][:-2] == ["/bin/sh", "build", *["--no-https"] * no_https, "--force"]
    assert run.asked[0][-1] == one["location"]
    assert {run.env[0][name] for name in ("SINGULARITY_AUTHFILE", "APPTAINER_AUTH_FILE")} == {str(logins)}
    assert os.path.dirname(run.env[0]["SINGULARITY_TMPDIR"]) == str(folder)
    note = {"source": "app:1", "digest": A, "sha256": hashlib.sha256(b"sif").hexdigest(), "size": 3}
    assert json.loads((folder / ".app.sif.slipway.json").read_text()) == note
    assert sorted(os.listdir(folder)) == [".app.sif.slipway.json", "app.sif"]
    run.answer = lambda _argv: (1, "INFO: x\nFATAL: manifest unknown\nbye", "")
    with pytest.raises(
        Failed, match=r"app[.]sif cannot be made from app:1: FATAL: manifest unknown -- There is no such"
    ):
        act.build_sif(run, [action(one["path"], "absent", "present")])
    assert sorted(os.listdir(folder)) == [".app.sif.slipway.json", "app.sif"]


@pytest.mark.parametrize("program", ["/no/such", "/etc"])
def test_a_program_that_is_none_is_told(program):
    with pytest.raises(Failed, match=f"{program}, which makes SIF files on this host, is no program"):
        act.build_sif(Run(None, build=[SIF], sif_command=program), [action(SIF["path"], "absent", "present")])


def test_a_sif_file_is_placed_with_the_note_of_its_maker(tmp_path):
    copied, path = tmp_path / ".slipway/0.sif", tmp_path / "app.sif"
    copied.parent.mkdir()
    copied.write_text("sif")
    one = {"path": str(path), "file": "/cache/0.sif", "read": str(copied), **NOTE}
    act.place_sif(
        Run(None, place=[one], sif_path=str(tmp_path)), [action(str(path), "absent", "the build", src="/x", dest="/y")]
    )
    assert path.read_text() == "sif" and path.stat().st_mode & 0o777 == 0o755
    assert json.loads((tmp_path / ".app.sif.slipway.json").read_text()) == NOTE


@pytest.mark.parametrize("old", [None, "old"])
def test_a_file_is_never_without_a_note(tmp_path, monkeypatch, old):
    part, path, note = tmp_path / "part", tmp_path / "app.sif", tmp_path / ".app.sif.slipway.json"
    part.write_text("new")
    if old:
        path.write_text(old)
        note.write_text(old)

    def broken(source, target):
        if source == str(part):
            raise OSError
        rename(source, target)

    rename = os.rename
    monkeypatch.setattr(sif_files.os, "rename", broken)
    with pytest.raises(OSError):
        sif_files.put(str(part), str(path), NOTE)
    assert note.read_text() == (old or json.dumps(NOTE, sort_keys=True))


def test_a_file_of_which_the_mode_alone_differs_is_not_made_again(tmp_path):
    run = Run(lambda argv: (0, "", ""), tmp_path, build=[SIF], sif_path=str(tmp_path), sif_command="/no/such")
    run.folder = lambda _path: None
    act.build_sif(run, [{"item": SIF["path"], "do": [["command", ["chmod", "0755", SIF["path"]]]]}])
    assert run.asked == [["chmod", "0755", SIF["path"]]]
