"""What the probe names: images by id and digest, pushed ones by what the registry says, SIF files by their notes."""

import hashlib
import http.server
import json
import socketserver
import threading

import pytest
from ansible_collections.slipway.node.plugins.module_utils import images, platforms
from ansible_collections.slipway.node.plugins.module_utils.host import Host, NoAnswer, docker_command, sentence

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
        "mirrors": {},
        "insecure": [],
        "skopeo": False,
        "keep": "",
        "kept": {},
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
        "record": {"images": {}, "pushed": {}},
        "recorded": False,
        "images": {},
        "archives": {},
        "registry": {},
        "skopeo": True,
        "registries": None,
        "registries_wanted": "x",
        "plain": [],
        "silent": False,
        "pushed": {},
        "sources": {},
        "sif": {},
        "used": {},
        **more,
    }


def lines(wanted, found):
    return [f"{one['phase']}: {sentence(one)}" for one in images.compare(wanted, found)]


def image(identity, *digests):
    return {"id": identity, "digests": [f"app@{digest}" for digest in digests]}


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


def pushed(digest="", config="", error=""):
    return {"app:1": {"digest": digest, "config": config, "error": error}}


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
    told = images.refusals(want(**{key: [one]}), observed(sif={str(path): images.sif(Host(), str(path))}))
    assert told == [f"{path} is there and not Slipway's. Move it away, or give another name in images_sif."] * (
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


@pytest.mark.parametrize("text", ["", "{", "[]", '{"images": 1}', '{"images": {"a": {}}}', None])
def test_a_spoiled_record_is_an_empty_one(text):
    assert images.parse_record(text) == {"images": {}, "pushed": {}}


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
    monkeypatch.setattr(images, "SOCKET", f"unix://{tmp_path}/docker.sock")
    with socketserver.UnixStreamServer(str(tmp_path / "docker.sock"), Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert images.registry_digest("h:5000/app:1", str(logins)) == A
        assert images.registry_digest("busybox:1", str(logins)) == A
        server.shutdown()
    assert [path for path, _auth in seen] == ["/distribution/h:5000/app:1/json", "/distribution/busybox:1/json"]
    assert seen[0][1]
    assert seen[1][1] is None


def test_an_engine_that_does_not_answer_tells_no_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "SOCKET", f"unix://{tmp_path}/none.sock")
    assert images.registry_digest("app:1", "/none") == ""


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
    assert ("there is no such image" in images.remedy(said)) == missing


@pytest.mark.parametrize(
    ("version", "keep", "promised"),
    [
        ("skopeo version 1.4.1", True, False),
        ("skopeo version 1.5.0", True, True),
        ("skopeo version 1.18.0 commit: 3.2", True, True),
        ("skopeo version 2.0.0-dev", True, True),
        ("skopeo version 1.18.0", False, False),
        # One that does not say is taken for an old one.
        ("", True, False),
    ],
)
def test_digests_are_kept_by_a_skopeo_that_can(version, keep, promised):
    command = images.copy_command(want(), version, keep)
    assert ("--preserve-digests" in command) == promised
    assert [word for word in command if word != "--preserve-digests"] == [
        "skopeo",
        "copy",
        "--all",
        "--quiet",
        "--retry-times",
        "2",
    ]


def test_an_image_of_an_engine_is_saved_by_its_own_client():
    asked = []

    def run(command):
        asked.append(command)
        return (0, "", "") if len(asked) == 1 else (1, "", "Cannot connect to the Docker daemon at unix:///x")

    path = "/var/tmp/saved.tar"
    assert images.save(run, "app:1", "/var/tmp") == (path, "")
    assert asked == [docker_command("save", "--output", path, "app:1")]
    assert "No Docker engine answers" in images.save(run, "app:1", "/var/tmp")[1]


def test_what_was_pushed_of_containerd_s_store_is_told_by_its_configuration():
    one = {**PUSH, "kind": "docker-daemon", "location": "docker-daemon:app:1"}
    found = observed(images={"app:1": image(A)})
    assert images.source_ids(Host(), want(), one, found)["ids"] == [A]
    found["record"]["pushed"]["app:1"] = {"id": B, "from": A}
    assert images.source_ids(Host(), want(), one, found)["ids"] == [A, B]
    # Of an earlier image of that name.
    found["record"]["pushed"]["app:1"] = {"id": B, "from": C}
    assert images.source_ids(Host(), want(), one, found)["ids"] == [A]


def test_the_record_grows_image_by_image(tmp_path):
    path = str(tmp_path / "slipway" / "images.json")
    images.record(path, "images", "app:1", A, "h/app:1")
    images.record(path, "images", "tool:1", B, "")
    images.record(path, "pushed", "h/app:1", C, A)
    with open(path) as file:
        assert images.parse_record(file.read()) == {
            "images": {"app:1": {"id": A, "from": "h/app:1"}, "tool:1": {"id": B, "from": ""}},
            "pushed": {"h/app:1": {"id": C, "from": A}},
        }
    assert (tmp_path / "slipway" / "images.json").stat().st_mode & 0o777 == 0o600


def test_registries_for_skopeo():
    text = images.registries({"docker.io": ["http://upstream:5000", "https://m.org/"]}, ["h:5020"])
    assert text.splitlines()[1:] == [
        "[[registry]]",
        'location = "docker.io"',
        "insecure = false",
        "[[registry.mirror]]",
        'location = "upstream:5000"',
        "insecure = true",
        "[[registry.mirror]]",
        'location = "m.org"',
        "insecure = false",
        "",
        "[[registry]]",
        'location = "h:5020"',
        "insecure = true",
    ]
    assert "[[" not in images.registries({"docker.io": []}, [])
    # A bare name is no image of Docker Hub.
    assert 'location = "h"\ninsecure = true' in images.registries({"index.docker.io": ["https://h"]}, ["h"])
    assert 'location = "docker.io"\ninsecure = false' in images.registries({"index.docker.io": ["https://h"]}, ["h"])


@pytest.mark.parametrize(
    ("insecure", "plain"),
    [
        # A network counts by the address, as it is written or as the name resolves: a registry's or a mirror's.
        (["10.0.0.0/8"], ["10.1.2.3:5000"]),
        (["fd00::/8"], ["[fd00::1]:5000"]),
        (["127.0.0.0/8", "::1/128"], ["localhost:5000"]),
        (["10.1.2.3/8", "h:5020"], ["10.1.2.3:5000", "h:5020"]),
        (["11.0.0.0/8"], ["11.0.0.1"]),
        (["192.168.0.0/16"], []),
    ],
)
def test_networks_of_insecure_registries(insecure, plain):
    used = ["10.1.2.3:5000", "[fd00::1]:5000", "localhost:5000", "none.invalid:5000", "docker.io"]
    assert images.plain_registries(insecure, [*used, "11.0.0.1"]) == plain


def test_registries_of_a_network_count_for_skopeo_and_for_sif_files(tmp_path):
    oras = {**SIF, "location": "oras://10.0.0.1/t:1"}
    archived = {**SIF, "path": "/x", "location": "archive:/srv/app.tar:app", "archive": "/srv/app.tar"}
    local = {**PUSH, "target": "docker://[fd00::1]:5000/app:1", "location": "docker://docker.io/library/app:1"}
    wanted = want(push=[local], build=[SIF, oras, archived], skopeo=True, registries=str(tmp_path / "none"))
    wanted.update(mirrors={"docker.io": ["https://10.0.0.2"]}, insecure=["10.0.0.0/8", "fd00::/8", "0.0.0.0/0"])
    found = images.observe(Host(lambda *_, **__: (1, "", "")), wanted)
    assert found["plain"] == ["10.0.0.1", "10.0.0.2", "[fd00::1]:5000"]
    assert [one["no_https"] for one in found["todo"]["build"]] == [False, True, False]
    parts = found["registries_wanted"].split("[[")
    assert {one.split('"')[1]: "insecure = true" in one for one in parts[1:]} == {
        "10.0.0.1": True, "10.0.0.2": True, "[fd00::1]:5000": True, "docker.io": False,
    }  # fmt: skip
    # Who copies nothing asks no name service.
    assert images.observe(Host(), want(mirrors=wanted["mirrors"], insecure=wanted["insecure"]))["plain"] == []


def test_a_registry_that_cannot_be_asked_is_named():
    assert images.notes(want(), observed(registry={"app:1": A})) == []
    (note,) = images.notes(want(), observed(registry={"h/tool:1": "", "app:1": A}))
    assert "h/tool:1" in note and "app:1" not in note and "docker manifest inspect h/tool:1" in note


def inputs(**more):
    return {"state": "present", "mirrors": {"h": []}, "insecure": ["h"], "push": [], "build": [], "preload": [], **more}


@pytest.mark.parametrize(
    ("given", "skopeo", "registries"),
    [
        (inputs(), False, ""),
        (inputs(push=[PUSH]), True, images.REGISTRIES),
        (inputs(build=[SIF]), True, images.REGISTRIES),
        (inputs(push=[PUSH], insecure=[]), True, ""),
        (inputs(state="absent"), False, images.REGISTRIES),
    ],
)
def test_skopeo_is_for_hosts_that_publish(given, skopeo, registries):
    made = images.want(given, platforms.describe("Debian", "12", "bookworm", "x86_64"))
    assert (made["skopeo"], made["registries"], made["record"]) == (skopeo, registries, images.RECORD)
    assert made["manager"] == "apt"


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
    assert bool(images.todo(wanted, found)["keep"]) == bool(drift)
    # What is to be made anew is kept once it is there, and nothing where the folder is shared.
    stale = {**found, "sources": {SIF["location"]: {"ids": [B]}}}
    assert [line.partition(":")[0] for line in lines(wanted, stale)] == ["build_sif"]
    assert lines(want(build=[SIF]), found) == []


def test_what_is_to_be_done_is_what_drifts():
    entries = [{**ENTRY, "name": name, "local": name, "pull": name} for name in ("app:1", "tool:1")]
    archived = {**ENTRY, "name": "arch:1", "local": "arch:1", "pull": "", "archive": "/a.tar", "ids": [A]}
    wanted = want(preload=[*entries, archived], push=[PUSH])
    found = observed(images={"app:1": image(A)}, pushed=pushed(A), sources={PUSH["location"]: {"ids": [A]}})
    todo = images.todo(wanted, found)
    assert todo["pull"] == [{"pull": "tool:1", "local": "tool:1", "source": ""}]
    assert (todo["load"], todo["push"]) == ([archived], [])


def test_archives_that_cannot_be_used_and_images_in_use_are_refused():
    found = observed(
        archives={"a of /x": {"error": "/x does not exist."}, "b of /x": {"error": "/x does not exist."}},
        used={"app:1": ["one", "two"]},
    )
    assert images.refusals(want(), found) == [
        "/x does not exist.",
        "app:1 is used by the containers one, two. Remove them (`docker rm`), then run again.",
    ]


def test_who_uses_an_image_that_is_to_be_removed():
    answers = {"ps": "c1 c2\n", "inspect": f"{A} /one\n{B} /two\n"}
    start = len(docker_command())
    host = Host(lambda command, **_: (0, answers[command[start]], ""))
    record = {"images": {"app:1": {"id": A, "from": ""}, "gone:1": {"id": B, "from": ""}}, "pushed": {}}
    found = observed(record=record, images={"app:1": image(A), "gone:1": None})
    assert images._used(host, found) == {"app:1": ["one"]}
    with pytest.raises(NoAnswer, match="which images are in use"):
        images._used(Host(lambda *_, **__: (1, "", "")), found)


@pytest.mark.parametrize(
    ("engine", "program", "refused"),
    [("26.1.5 linux/amd64\n", 0, 0), ("", 0, 1), ("", 1, 0)],
)
def test_images_of_an_engine_that_does_not_answer_are_not_taken_for_removed(tmp_path, engine, program, refused):
    record = tmp_path / "images.json"
    images.record(str(record), "images", "app:1", A, "")

    def run(command, **_):
        if "version" in command:
            return (0 if engine else 1), engine, ""
        return (program, "", "") if "command -v dockerd" in command else (0, "", "")

    wanted = want(state="absent", record=str(record), sif_path="")
    told = images.refusals(wanted, images.observe(Host(run), wanted))
    assert len(told) == refused
    assert not refused or "stay: app:1. Start it (`systemctl status docker` says what ails it)" in told[0]


def test_the_engine_of_this_host_is_asked_whatever_root_s_context_says(tmp_path):
    asked = []

    def run(command, **_):
        asked.append(command)
        return 0, "26.1.5 linux/amd64\n" if "version" in command else "", ""

    wanted = want(preload=[ENTRY])
    images.observe(Host(run), wanted)
    assert [command[: len(docker_command())] for command in asked] == [docker_command()] * 2


def test_an_error_is_told_with_its_remedy():
    assert images.told("x509: unknown\n") == (
        "x509: unknown -- This host does not trust the registry's certificate: run the role registry with tasks_from: "
        "client here."
    )
    assert images.told("strange") == "strange"
