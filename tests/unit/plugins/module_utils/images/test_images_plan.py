"""What differs of images, told by id and digest, and what stands in the way."""

import hashlib
import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import sentence
from ansible_collections.slipway.node.plugins.module_utils.images import plan
from ansible_collections.slipway.node.plugins.module_utils.images.remedies import remedy
from ansible_collections.slipway.node.plugins.module_utils.images.sif import sif
from images_examples import ENTRY, NOTE, PUSH, SIF, A, B, C, image, observed, pushed, want


def lines(wanted, found):
    return [f"{one['phase']}: {sentence(one)}" for one in plan.compare(wanted, found)]


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
        sif={SIF["path"]: {"size": size, "note": note}}, sources={SIF["location"]: {"ids": ids, "error": ""}}
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
    found = observed(sif={"/opt/sif/app.sif": {"size": size, "note": note}})
    place = {"path": "/opt/sif/app.sif", "file": "/x", **NOTE}
    expected = [f"place_sif: /opt/sif/app.sif: {one} -> the build from app:1" for one in drift]
    assert lines(want(place=[place]), found) == expected


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
    assert lines(wanted, observed(registries="x")) == []


def test_absent_removes_what_the_role_put_there_and_is_still_that():
    found = observed(
        record={
            "images": {"app:1": {"id": A, "from": ""}, "tool:1": {"id": A, "from": ""}, "gone:1": {"id": A, "from": ""}}
        },
        recorded=True,
        images={"app:1": image(A), "tool:1": image(B), "gone:1": None},
        sif={"/opt/sif/app.sif": {"size": 10, "note": NOTE}, "/opt/sif/other.sif": {"size": 10, "note": {}}},
    )
    assert lines(want(state="absent"), found) == [
        "remove_images: app:1: present -> absent",
        "remove_files: /opt/sif/.app.sif.slipway.json: present -> absent",
        "remove_files: /opt/sif/app.sif: present -> absent",
        "remove_files: /var/lib/slipway/images.json: present -> absent",
    ]
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


@pytest.mark.parametrize(
    ("kept", "drift"),
    [
        ({}, ["keep_sif: /opt/sif/app.sif on the controller: absent -> the build from app:1"]),
        (
            {SIF["path"]: {"sha256": "1"}},
            ["keep_sif: /opt/sif/app.sif on the controller: another build -> the build from app:1"],
        ),
        ({SIF["path"]: {"sha256": "0"}}, []),
    ],
)
def test_the_controller_keeps_what_was_made(kept, drift):
    found = observed(sif={SIF["path"]: {"size": 10, "note": NOTE}}, sources={SIF["location"]: {"ids": [A]}})
    wanted = want(build=[SIF], keep="/cache/site", kept=kept)
    assert lines(wanted, found) == drift
    assert bool(plan.todo(wanted, found)["keep"]) == bool(drift)
    # What is to be made anew is kept once it is there, and nothing where the folder is shared.
    stale = {**found, "sources": {SIF["location"]: {"ids": [B]}}}
    assert [line.partition(":")[0] for line in lines(wanted, stale)] == ["build_sif"]
    assert lines(want(build=[SIF]), found) == []


def test_what_is_to_be_done_is_what_drifts():
    entries = [{**ENTRY, "name": name, "local": name, "pull": name} for name in ("app:1", "tool:1")]
    archived = {**ENTRY, "name": "arch:1", "local": "arch:1", "pull": "", "archive": "/a.tar", "ids": [A]}
    wanted = want(preload=[*entries, archived], push=[PUSH])
    found = observed(images={"app:1": image(A)}, pushed=pushed(A), sources={PUSH["location"]: {"ids": [A]}})
    todo = plan.todo(wanted, found)
    assert todo["pull"] == [{"pull": "tool:1", "local": "tool:1", "source": ""}]
    assert (todo["load"], todo["push"]) == ([archived], [])


def test_archives_that_cannot_be_used_and_images_in_use_are_refused():
    found = observed(
        archives={"a of /x": {"error": "/x does not exist."}, "b of /x": {"error": "/x does not exist."}},
        in_use={"app:1": ["one", "two"]},
    )
    assert plan.refusals(want(), found) == [
        "/x does not exist.",
        "app:1 is used by the containers one, two. Remove them (`docker rm`), then run again.",
    ]
