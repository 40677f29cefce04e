"""What differs of images, told by id and digest, and what stands in the way."""

import hashlib
import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, docker_command
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import rows, sentence
from ansible_collections.slipway.node.plugins.module_utils.images import plan
from ansible_collections.slipway.node.plugins.module_utils.images.remedies import remedy
from ansible_collections.slipway.node.plugins.module_utils.images.sif import sif
from ansible_collections.slipway.node.plugins.module_utils.images.skopeo import registries
from images_examples import ENTRY, FILE, NOTE, PUSH, SIF, A, B, C, image, observed, pushed, want


def lines(wanted, found):
    return [f"{one['phase']}: {sentence(one)}" for one in rows("images", plan.plan(wanted, found))]


def do(wanted, found):
    return [one["do"] for one in rows("images", plan.plan(wanted, found)) if "do" in one]


@pytest.mark.parametrize(
    ("entry", "more", "drift"),
    [
        ({}, {}, ["pull_images: app:1: absent -> present"]),
        ({}, {"images": {"app:1": image(A)}}, []),
        # A digest is looked for among the image's digests.
        ({"digest": B}, {"images": {"app:1": image(A, B)}}, []),
        (
            {"digest": B},
            {"images": {"app:1": image(A, C)}},
            ["pull_images: app:1: image aaaaaaaaaaaa -> digest bbbbbbbbbbbb"],
        ),
        # A tag moved in the registry counts where that is asked.
        (
            {"refresh": True},
            {"images": {"app:1": image(A, B)}, "registry": {"app:1": C}},
            ["pull_images: app:1: digest bbbbbbbbbbbb -> digest cccccccccccc of the registry"],
        ),
        ({"refresh": True}, {"images": {"app:1": image(A, B)}, "registry": {"app:1": B}}, []),
        ({"refresh": True}, {"images": {"app:1": image(A, B)}, "registry": {"app:1": ""}}, []),
        # An archive is told by the id of the image in it.
        (
            {"archive": "/srv/app.tar", "ids": [A], "pull": ""},
            {},
            ["load_images: app:1: absent -> image of archive app.tar"],
        ),
        ({"archive": "/srv/app.tar", "ids": [A], "pull": ""}, {"images": {"app:1": image(A)}}, []),
        (
            {"archive": "/srv/app.tar", "ids": [A], "pull": ""},
            {"images": {"app:1": image(B)}},
            ["load_images: app:1: image bbbbbbbbbbbb -> image of archive app.tar"],
        ),
        # Another kind of store gives it an id of its own, which the record knows.
        (
            {"archive": "/srv/app.tar", "ids": [A], "pull": ""},
            {"images": {"app:1": image(B)}, "record": {"images": {"app:1": {"id": B, "from": A}}}},
            [],
        ),
        (
            {"archive": "/srv/app.tar", "ids": [C], "pull": ""},
            {"images": {"app:1": image(B)}, "record": {"images": {"app:1": {"id": B, "from": A}}}},
            ["load_images: app:1: image bbbbbbbbbbbb -> image of archive app.tar"],
        ),
        (
            {"archive": "/srv/app.tar", "remote": True, "pull": ""},
            {"images": {"app:1": image(B)}, "archives": {"app:1 of /srv/app.tar": {"ids": [B]}}},
            [],
        ),
        # A name of one's own means the same image as its source.
        (
            {"source": "h/app:2", "pull": "h/app:2"},
            {"images": {"app:1": image(A), "h/app:2": image(B)}},
            ["pull_images: app:1: image aaaaaaaaaaaa -> image of h/app:2"],
        ),
        ({"source": "h/app:2", "pull": "h/app:2"}, {"images": {"app:1": image(A), "h/app:2": image(A)}}, []),
        (
            {"source": "h/app:2", "pull": "h/app:2"},
            {"images": {"app:1": image(A)}, "record": {"images": {"app:1": {"id": A, "from": "h/app:2"}}}},
            [],
        ),
    ],
)
def test_preloaded_images(entry, more, drift):
    assert lines(want(preload=[{**ENTRY, **entry}]), observed(**more)) == drift


@pytest.mark.parametrize(
    ("found", "ids", "drift"),
    [
        ({}, [A], ["push_images: app:1: unknown, skopeo is not installed -> image of app:1"]),
        (pushed(error="manifest unknown"), [A], ["push_images: app:1: absent -> image of app:1"]),
        (
            pushed(error="pinging: Get https://h/v2/: connection refused"),
            [A],
            ["push_images: app:1: not to be seen (connection refused) -> image of app:1"],
        ),
        (pushed(A), [A], []),
        # What `docker save` wrote gets a new manifest, with the same configuration.
        (pushed(B, A), [A], []),
        (pushed(B, C), [A], ["push_images: app:1: digest bbbbbbbbbbbb -> image of app:1"]),
        # A source that does not answer.
        (pushed(B, C), [], []),
    ],
)
def test_pushed_images(found, ids, drift):
    sources = {PUSH["location"]: {"ids": ids, "error": ""}}
    assert lines(want(push=[PUSH]), observed(pushed=found, sources=sources)) == drift


@pytest.mark.parametrize(
    ("size", "note", "ids", "drift"),
    [
        (None, {}, [A], ["absent -> image of app:1"]),
        (10, {}, [A], ["not Slipway's -> image of app:1"]),
        (10, NOTE, [A], []),
        (10, NOTE, [], []),
        (9, NOTE, [A], ["of 9 bytes instead of 10 -> image of app:1"]),
        (10, {**NOTE, "source": "app:0"}, [A], ["made from app:0 -> image of app:1"]),
        (10, NOTE, [B], ["made from digest aaaaaaaaaaaa -> digest bbbbbbbbbbbb of app:1"]),
    ],
)
def test_sif_files_to_make(size, note, ids, drift):
    found = observed(
        sif={SIF["path"]: {**FILE, "size": size, "note": note}}, sources={SIF["location"]: {"ids": ids, "error": ""}}
    )
    assert lines(want(build=[SIF]), found) == [f"build_sif: /opt/sif/app.sif: {one}" for one in drift]


@pytest.mark.parametrize(
    ("size", "note", "drift"),
    [
        (None, {}, ["absent"]),
        (9, NOTE, ["of 9 bytes instead of 10"]),
        (10, {**NOTE, "sha256": "1"}, ["another build"]),
        (10, NOTE, []),
    ],
)
def test_sif_files_to_place(size, note, drift):
    found = observed(sif={"/opt/sif/app.sif": {**FILE, "size": size, "note": note}})
    place = {"path": "/opt/sif/app.sif", "file": "/x", "copy": {"src": "/x", "dest": "/opt/sif/.slipway/"}, **NOTE}
    expected = [f"place_sif: /opt/sif/app.sif: {one} -> the build from app:1" for one in drift]
    assert lines(want(place=[place]), found) == expected
    for one in plan.plan(want(place=[place]), found)["place_sif"]:
        assert (one["src"], one["dest"]) == ("/x", "/opt/sif/.slipway/")


@pytest.mark.parametrize("key", ["build", "place"])
@pytest.mark.parametrize(
    ("file", "note", "refused"),
    [
        (None, None, set()),
        # Somebody else's.
        ("own", None, {"build", "place"}),
        # What is wanted, from a run that broke off or from somebody who copied it there.
        ("wanted", None, {"build"}),
        # Slipway's, however spoiled, or claimed by a run that broke off.
        ("own", json.dumps(NOTE), set()),
        ("own", '{"source": "app:1"}', set()),
        ("own", "{", set()),
        (None, json.dumps(NOTE), set()),
    ],
)
def test_a_sif_file_of_somebody_else_is_left_alone(tmp_path, key, file, note, refused):
    path = tmp_path / "app.sif"
    for name, text in ((path, file), (tmp_path / ".app.sif.slipway.json", note)):
        if text is not None:
            name.write_text(text)
    one = {**SIF, "path": str(path), **({"sha256": hashlib.sha256(b"wanted").hexdigest()} if key == "place" else {})}
    reasons = plan.refusals(want(**{key: [one]}), observed(sif={str(path): sif(Host(), str(path))}))
    assert reasons == [f"{path} is there and not Slipway's. Move it away, or give another name in images_sif."] * (
        key in refused
    )


def test_settings():
    wanted = want(skopeo=True, registries="/etc/r.conf")
    assert lines(wanted, observed(skopeo=False)) == [
        "install_skopeo: skopeo: absent -> present",
        "write_registries: /etc/r.conf: absent -> Slipway's content",
    ]
    text = registries({}, ["h"])
    assert do(wanted, observed(plain_http=["h"])) == [[["write", "/etc/r.conf", text]]]
    assert lines(wanted, observed(plain_http=["h"], registries=text)) == []
    assert lines(wanted, observed(registries=text)) == [
        "write_registries: /etc/r.conf: other content -> Slipway's content"
    ]


def test_absent_removes_what_the_role_put_there_and_is_still_that():
    found = observed(
        record={
            "images": {"app:1": {"id": A, "from": ""}, "tool:1": {"id": A, "from": ""}, "gone:1": {"id": A, "from": ""}}
        },
        recorded=True,
        images={"app:1": image(A), "tool:1": image(B), "gone:1": None},
        registries="x",
        sif={
            "/opt/sif/app.sif": {**FILE, "size": 10, "note": NOTE},
            "/opt/sif/gone.sif": {"size": None, "note": NOTE},
            "/opt/sif/other.sif": {"size": 10, "note": {}},
        },
    )
    wanted, note = want(state="absent", registries="/etc/r.conf"), "/opt/sif/.app.sif.slipway.json"
    assert lines(wanted, found) == [
        "remove_images: app:1: present -> absent",
        "remove_files: /opt/sif/.app.sif.slipway.json: present -> absent",
        "remove_files: /opt/sif/app.sif: present -> absent",
        "remove_files: /opt/sif/.gone.sif.slipway.json: present -> absent",
        "remove_files: /etc/r.conf: present -> absent",
        "remove_files: /var/lib/slipway/images.json: present -> absent",
    ]
    # What tells that they are Slipway's goes last.
    removed = [path for actions in do(wanted, found)[1:] for _remove, path in actions]
    assert removed == [
        "/opt/sif/app.sif",
        note,
        "/opt/sif/gone.sif",
        "/opt/sif/.gone.sif.slipway.json",
        "/etc/r.conf",
        "/var/lib/slipway/images.json",
    ]
    assert do(wanted, found)[0] == [["command", docker_command("image", "rm", "app:1")]]
    assert lines(want(state="absent"), observed()) == []


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("reading manifest 1 in h:5000/app: manifest unknown", True),
        ("name unknown: repository name not known to registry", True),
        ("unknown: artifact team/app:1 not found", True),
        ("error parsing HTTP 404 response body: invalid character", True),
        ("received unexpected HTTP status: 404 Not Found", True),
        ('reading manifest 1 in h/app: StatusCode: 404, "404 page not found"', True),
        ('failed to resolve reference "h:5000/app:1": h:5000/app:1: not found', True),
        # A port, a name or a digest with that number is no status, and what else is not found is no image.
        ("pinging container registry h:5404: connect: connection refused", False),
        ("dial tcp 10.0.0.1:404: connect: connection refused", False),
        ("received unexpected HTTP status: 503 Service Unavailable for app404", False),
        ("lookup registry404.example.org: no such host", False),
        ("open /etc/slipway/policy.json: file not found", False),
    ],
)
def test_an_image_is_missing_by_status_codes(said, missing):
    (line,) = lines(want(push=[PUSH]), observed(pushed=pushed(error=said), sources={PUSH["location"]: {"ids": [A]}}))
    assert line.startswith("push_images: app:1: absent ->") == missing
    assert ("there is no such image" in remedy(said)) == missing


def test_a_registry_that_cannot_be_asked_is_named():
    assert plan.notes(want(), observed(registry={"app:1": A})) == []
    (note,) = plan.notes(want(), observed(registry={"h/tool:1": "", "app:1": A}))
    assert "h/tool:1" in note and "app:1" not in note and "docker manifest inspect h/tool:1" in note


OLD = {SIF["path"]: {"sha256": "1", "file": "/cache/site/1.sif"}}


@pytest.mark.parametrize(
    ("kept", "is_", "replaced"),
    [
        ({}, "absent", ""),
        (OLD, "another build", "/cache/site/1.sif"),
        # Files of equal contents are one.
        ({**OLD, "/opt/sif/b.sif": {"sha256": "1", "file": "/cache/site/1.sif"}}, "another build", ""),
    ],
)
def test_the_controller_keeps_what_was_made(kept, is_, replaced):
    found = observed(sif={SIF["path"]: {**FILE, "size": 10, "note": NOTE}}, sources={SIF["location"]: {"ids": [A]}})
    wanted = want(build=[SIF], keep="/cache/site", kept=kept)
    assert plan.plan(wanted, found)["keep_sif"] == [
        {
            "item": "/opt/sif/app.sif on the controller",
            "is": is_,
            "want": "the build from app:1",
            "path": "/opt/sif/app.sif",
            "file": "/cache/site/0.sif",
            "note": "/opt/sif/.app.sif.slipway.json",
            "kept_note": "/cache/site/app.sif.json",
            "replaced": replaced,
        }
    ]
    # What is to be made anew is kept once it is there, and nothing where the folder is shared.
    stale = {**found, "sources": {SIF["location"]: {"ids": [B]}}}
    assert [line.partition(":")[0] for line in lines(wanted, stale)] == ["build_sif"]
    assert lines(want(build=[SIF]), found) == []
    assert lines({**wanted, "kept": {SIF["path"]: {"sha256": "0", "file": "/cache/site/0.sif"}}}, found) == []


def test_a_file_that_moved_to_another_name_stays_with_the_controller():
    other = {**SIF, "path": "/opt/sif/b.sif", "name": "b.sif"}
    notes = {SIF["path"]: NOTE, other["path"]: {**NOTE, "sha256": "1"}}
    found = observed(
        sif={path: {**FILE, "size": 10, "note": note} for path, note in notes.items()},
        sources={SIF["location"]: {"ids": [A]}},
    )
    kept = {**OLD, other["path"]: {"sha256": "2", "file": "/cache/site/2.sif"}}
    actions = plan.plan(want(build=[SIF, other], keep="/cache/site", kept=kept), found)["keep_sif"]
    assert [one["replaced"] for one in actions] == ["", "/cache/site/2.sif"]


def test_what_is_to_be_done_is_what_drifts_and_the_controller_s_archives_are_copied_for_it():
    entries = [{**ENTRY, "name": name, "local": name, "pull": name} for name in ("app:1", "tool:1")]
    copy = {"src": "/a.tar", "dest": "/var/lib/slipway/image-0/"}
    archived = {**ENTRY, "name": "arch:1", "local": "arch:1", "pull": "", "archive": "/a.tar", "ids": [A], "copy": copy}
    wanted = want(preload=[archived, *entries], push=[{**PUSH, "copy": copy}], build=[{**SIF, "copy": copy}])
    found = observed(
        images={"app:1": image(A)},
        pushed=pushed(B),
        sources={PUSH["location"]: {"ids": [A]}},
        sif={SIF["path"]: {**FILE, "size": None, "note": {}}},
    )
    made = plan.plan(wanted, found)
    assert {phase: [one["item"] for one in actions] for phase, actions in made.items() if actions} == {
        "push_images": ["app:1"],
        "build_sif": ["/opt/sif/app.sif"],
        "pull_images": ["tool:1"],
        "load_images": ["arch:1"],
    }
    for phase in ("push_images", "build_sif", "load_images"):
        assert {key: made[phase][0][key] for key in copy} == copy


def test_what_other_hosts_are_told():
    found = observed(sif={SIF["path"]: {"note": NOTE}, "/opt/sif/b.sif": {"note": {"source": "b"}}})
    assert plan.facts(want(build=[SIF]), found) == {
        "publishers": ["node"],
        "builds": True,
        "made": {"/opt/sif/app.sif": "0"},
    }
    assert plan.facts(want(), observed())["builds"] is False


def test_archives_that_cannot_be_used_and_images_in_use_are_refused():
    found = observed(archives={"a of /x": {"error": "/x does not exist."}, "b of /x": {"error": "/x does not exist."}})
    assert plan.refusals(want(), found) == ["/x does not exist."]
    found = observed(
        record={"images": {name: {"id": A, "from": ""} for name in ("app:1", "b:1")}},
        images={"app:1": {**image(A), "tags": ["app:1"]}, "b:1": image(B)},
        containers={A: ["one", "two"], B: ["three"]},
    )
    # Under another name of its own the image stays.
    tagged = {**found, "images": {**found["images"], "app:1": {**image(A), "tags": ["app:1", "other:1"]}}}
    assert plan.refusals(want(state="absent"), tagged) == []
    assert plan.refusals(want(state="absent"), found) == [
        "app:1 is used by the containers one, two. Remove them (`docker rm`), then run again.",
    ]
    assert plan.refusals(want(), found) == []


@pytest.mark.parametrize(
    ("more", "refused"),
    [
        ({}, 0),
        ({"engine": None}, 1),
        # Without an engine there are no images.
        ({"engine": None, "dockerd": False}, 0),
        ({"engine": None, "record": {"images": {}}}, 0),
    ],
)
def test_images_of_an_engine_that_does_not_answer_are_not_taken_for_removed(more, refused):
    found = observed(**{"record": {"images": {"b:1": {"id": A, "from": ""}, "app:1": {"id": A, "from": ""}}}, **more})
    reasons = plan.refusals(want(state="absent"), {**found, "images": {}})
    assert len(reasons) == refused
    assert not refused or "stay: app:1, b:1. Start it (`systemctl status docker` says what ails it)" in reasons[0]
    assert plan.refusals(want(), found) == []


@pytest.mark.parametrize("key", ["build", "place"])
@pytest.mark.parametrize(
    ("more", "is_", "commands"),
    [
        ({"mode": 0o600}, "mode 0600 of user 0", [["chmod", "0755", "/opt/sif/app.sif"]]),
        (
            {"owner": 1000},
            "mode 0755 of user 1000",
            [["chown", "0", "/opt/sif/app.sif"], ["chmod", "0755", "/opt/sif/app.sif"]],
        ),
        # Where root's files are nobody's, and one that is closed to writing alone.
        ({"owner": 65534, "note_owner": 65534, "mode": 0o555}, None, None),
    ],
)
def test_a_sif_file_is_root_s_and_for_all_to_run(key, more, is_, commands):
    entry = SIF if key == "build" else {**SIF, "source": "app:1", "sha256": "0", "size": 10}
    found = observed(
        sif={SIF["path"]: {**FILE, "size": 10, "note": NOTE, **more}}, sources={SIF["location"]: {"ids": [A]}}
    )
    made = [one for actions in plan.plan(want(**{key: [entry]}), found).values() for one in actions]
    assert [(one["is"], [command for _name, command in one["do"]]) for one in made] == (
        [(is_, commands)] if is_ else []
    )
