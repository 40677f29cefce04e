"""What the probe names: images by id and digest, pushed ones by what the registry says, SIF files by their notes."""

import http.server
import json
import socketserver
import threading

import pytest
from ansible_collections.slipway.node.plugins.module_utils import images
from ansible_collections.slipway.node.plugins.module_utils.host import Host

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
ENTRY = {
    "name": "app:1",
    "local": "app:1",
    "pull": "app:1",
    "source": "",
    "digest": "",
    "refresh": False,
    "archive": "",
    "remote": False,
    "archive_image": "",
    "ids": [],
    "whole": "",
    "transport": "",
    "inside": "",
}
PUSH = {
    **ENTRY,
    "kind": "docker",
    "location": "docker://docker.io/library/app:1",
    "title": "app:1",
    "target": "docker://h/app:1",
}
SIF = {**PUSH, "path": "/opt/sif/app.sif", "name": "app.sif", "no_https": False}
NOTE = {"source": "app:1", "digest": A, "sha256": "0", "size": 10}


def want(**more):
    return {
        "state": "present",
        "record": "/var/lib/slipway/images.json",
        "authfile": "/none",
        "registries": "",
        "registries_content": "",
        "skopeo": False,
        "preload": [],
        "push": [],
        "build": [],
        "place": [],
        "sif_path": "/opt/sif",
        **more,
    }


def observed(**more):
    return {
        "engine": {"version": "26.1.5", "platform": "linux/amd64"},
        "record": {"images": {}},
        "recorded": False,
        "images": {},
        "archives": {},
        "registry": {},
        "skopeo": True,
        "registries": None,
        "pushed": {},
        "sources": {},
        "sif": {},
        **more,
    }


def lines(wanted, found):
    return [f"{one['phase']}: {one['item']} {one['is']}, {one['want']} wanted" for one in images.compare(wanted, found)]


def image(identity, *digests):
    return {"id": identity, "digests": [f"app@{digest}" for digest in digests]}


@pytest.mark.parametrize(
    ("entry", "more", "drift"),
    [
        ({}, {}, ["pull_images: app:1 missing, presence wanted"]),
        ({}, {"images": {"app:1": image(A)}}, []),
        # A digest is looked for among the image's digests.
        ({"digest": B}, {"images": {"app:1": image(A, B)}}, []),
        (
            {"digest": B},
            {"images": {"app:1": image(A, C)}},
            ["pull_images: app:1 image aaaaaaaaaaaa, digest bbbbbbbbbbbb wanted"],
        ),
        # A tag moved in the registry counts where that is asked.
        (
            {"refresh": True},
            {"images": {"app:1": image(A, B)}, "registry": {"app:1": C}},
            ["pull_images: app:1 digest bbbbbbbbbbbb, digest cccccccccccc of the registry wanted"],
        ),
        ({"refresh": True}, {"images": {"app:1": image(A, B)}, "registry": {"app:1": B}}, []),
        ({"refresh": True}, {"images": {"app:1": image(A, B)}, "registry": {"app:1": ""}}, []),
        # An archive is told by the id of the image in it.
        (
            {"archive": "/srv/app.tar", "ids": [A], "pull": ""},
            {},
            ["load_images: app:1 missing, image of archive app.tar wanted"],
        ),
        ({"archive": "/srv/app.tar", "ids": [A], "pull": ""}, {"images": {"app:1": image(A)}}, []),
        (
            {"archive": "/srv/app.tar", "ids": [A], "pull": ""},
            {"images": {"app:1": image(B)}},
            ["load_images: app:1 image bbbbbbbbbbbb, image of archive app.tar wanted"],
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
            ["load_images: app:1 image bbbbbbbbbbbb, image of archive app.tar wanted"],
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
            ["pull_images: app:1 image aaaaaaaaaaaa, image of h/app:2 wanted"],
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


def pushed(digest="", config="", error=""):
    return {"app:1": {"digest": digest, "config": config, "error": error}}


@pytest.mark.parametrize(
    ("found", "ids", "drift"),
    [
        ({}, [A], ["push_images: app:1 not to be seen without skopeo, image of app:1 wanted"]),
        (pushed(error="manifest unknown"), [A], ["push_images: app:1 missing, image of app:1 wanted"]),
        (
            pushed(error="pinging: Get https://h/v2/: connection refused"),
            [A],
            ["push_images: app:1 not to be seen (connection refused), image of app:1 wanted"],
        ),
        (pushed(A), [A], []),
        # What `docker save` wrote gets a new manifest, with the same configuration.
        (pushed(B, A), [A], []),
        (pushed(B, C), [A], ["push_images: app:1 digest bbbbbbbbbbbb, image of app:1 wanted"]),
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
        (None, {}, [A], ["missing, image of app:1 wanted"]),
        (10, {}, [A], ["not Slipway's, image of app:1 wanted"]),
        (10, NOTE, [A], []),
        (10, NOTE, [], []),
        (9, NOTE, [A], ["of 9 bytes instead of 10, image of app:1 wanted"]),
        (10, {**NOTE, "source": "app:0"}, [A], ["made from app:0, image of app:1 wanted"]),
        (10, NOTE, [B], ["made from digest aaaaaaaaaaaa, digest bbbbbbbbbbbb of app:1 wanted"]),
    ],
)
def test_sif_files_to_make(size, note, ids, drift):
    found = observed(
        sif={SIF["path"]: {"size": size, "note": note}}, sources={SIF["location"]: {"ids": ids, "error": ""}}
    )
    assert lines(want(build=[SIF]), found) == [f"build_sif: /opt/sif/app.sif {one}" for one in drift]


@pytest.mark.parametrize(
    ("size", "note", "drift"),
    [
        (None, {}, ["missing"]),
        (9, NOTE, ["of 9 bytes instead of 10"]),
        (10, {**NOTE, "sha256": "1"}, ["another build"]),
        (10, NOTE, []),
    ],
)
def test_sif_files_to_place(size, note, drift):
    found = observed(sif={"/opt/sif/app.sif": {"size": size, "note": note}})
    place = {"path": "/opt/sif/app.sif", "file": "/x", **NOTE}
    expected = [f"place_sif: /opt/sif/app.sif {one}, the build from app:1 wanted" for one in drift]
    assert lines(want(place=[place]), found) == expected


def test_settings():
    wanted = want(skopeo=True, registries="/etc/r.conf", registries_content="x")
    assert lines(wanted, observed(skopeo=False)) == [
        "install_skopeo: skopeo missing, presence wanted",
        "write_registries: /etc/r.conf missing, Slipway's content wanted",
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
        "remove_images: app:1 present, absence wanted",
        "remove_files: /opt/sif/.app.sif.slipway.json present, absence wanted",
        "remove_files: /opt/sif/app.sif present, absence wanted",
        "remove_files: /var/lib/slipway/images.json present, absence wanted",
    ]
    assert lines(want(state="absent"), observed()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"images": 1}', '{"images": {"a": {}}}', None])
def test_a_spoiled_record_is_an_empty_one(text):
    assert images.parse_record(text) == {"images": {}}


def test_an_engine_s_images_are_found_under_all_their_names():
    answer = {"Id": A, "RepoTags": ["busybox:1", "h:5000/x:1"], "RepoDigests": [f"busybox@{B}"]}
    host = Host(lambda command, **_: (1, json.dumps(answer) + "\n", "No such image"))
    found = images._images(host, ["busybox:1", f"busybox@{B}", "h:5000/x:1", "other:1"])
    assert {name: bool(about) for name, about in found.items()} == {
        "busybox:1": True,
        f"busybox@{B}": True,
        "h:5000/x:1": True,
        "other:1": False,
    }


def test_a_manifest_s_digest_is_of_its_bytes():
    text = '{"config": {"digest": "%s"}}' % A
    host = Host(lambda command, **_: (0, text, "level=warning"))
    found = images.skopeo_inspect(host, want(), "docker://h/app:1")
    assert found == {"digest": images.digest_of(text), "config": A, "error": ""}
    assert found["digest"].startswith("sha256:")


def test_an_error_of_skopeo_is_told_without_its_decoration():
    said = 'time="2026-01-01" level=fatal msg="Error parsing image name \\"docker://h/a\\": manifest unknown"\n'
    host = Host(lambda command, **_: (1, said if "sh" in command else "", said))
    assert images.skopeo_inspect(host, want(), "docker://h/a")["error"] == (
        'Error parsing image name "docker://h/a": manifest unknown'
    )


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "tasks_from: client"),
        ("http: server gave HTTP response to HTTPS client", "docker_daemon_insecure_registries"),
        ("unauthorized: authentication required", "registry_client_logins"),
        ("no basic auth credentials", "registry_client_logins"),
        ("write /var/lib/docker/tmp/x: no space left on device", "the disk is full"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "docker_ce"),
        ("dial tcp 10.0.0.1:5000: connect: connection refused", "cannot be reached"),
        ("manifest for x:1 not found: manifest unknown", "no such image"),
        ("something else", ""),
    ],
)
def test_an_error_comes_with_its_remedy(said, advice):
    assert advice in images.remedy(said)
    assert bool(images.remedy(said)) == bool(advice)


class Engine(http.server.BaseHTTPRequestHandler):
    """A stand-in for the engine's API, which answers with the login that it got."""

    def do_GET(self):
        seen.append((self.path, self.headers.get("X-Registry-Auth")))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"Descriptor": {"digest": A}}).encode())

    def log_message(self, *_):
        pass

    def address_string(self):
        return ""


seen = []


def test_the_engine_is_asked_for_a_registry_s_digest_with_the_login(tmp_path, monkeypatch):
    logins = tmp_path / "config.json"
    logins.write_text(json.dumps({"auths": {"h:5000": {"auth": "bWU6c2VjcmV0"}}}))
    monkeypatch.setattr(images, "SOCKET", str(tmp_path / "docker.sock"))
    with socketserver.UnixStreamServer(images.SOCKET, Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert images.registry_digest("h:5000/app:1", str(logins)) == A
        assert images.registry_digest("busybox:1", str(logins)) == A
        server.shutdown()
    assert [path for path, _auth in seen] == ["/distribution/h:5000/app:1/json", "/distribution/busybox:1/json"]
    assert seen[0][1]
    assert seen[1][1] is None


def test_an_engine_that_does_not_answer_tells_no_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "SOCKET", str(tmp_path / "none.sock"))
    assert images.registry_digest("app:1", "/none") == ""
