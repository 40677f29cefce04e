"""Inputs are made whole and judged, each problem with its remedy."""

import hashlib
import io
import json
import tarfile

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.node.plugins.filter.images import FilterModule

FILTERS = FilterModule().filters()
DIGEST = "sha256:" + "0123456789abcdef" * 4
SETTINGS = {"sif_path": "/opt/sif", "mirrors": {}}


def problems(settings=SETTINGS, **inputs):
    return FILTERS["images_problems"]({"images_preload": [], "images_push": [], "images_sif": [], **inputs}, settings)


@pytest.fixture
def archive(tmp_path):
    config = b'{"os": "linux", "architecture": "amd64"}'
    name = hashlib.sha256(config).hexdigest()
    table = json.dumps([{"Config": f"{name}.json", "RepoTags": ["app:1"], "Layers": []}]).encode()
    with tarfile.open(tmp_path / "app.tar", "w") as target:
        for path, data in ((f"{name}.json", config), ("manifest.json", table)):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            target.addfile(member, io.BytesIO(data))
    return str(tmp_path / "app.tar"), f"sha256:{name}"


@pytest.mark.parametrize(
    ("entry", "local", "pull", "source", "digest"),
    [
        ({"name": "busybox"}, "busybox:latest", "busybox:latest", "", ""),
        ({"name": f"h:5000/a@{DIGEST}"}, f"h:5000/a@{DIGEST}", f"h:5000/a@{DIGEST}", "", DIGEST),
        # With both, the digest is pulled and gets the tag.
        ({"name": f"h:5000/a:1@{DIGEST}"}, "h:5000/a:1", f"h:5000/a@{DIGEST}", f"h:5000/a@{DIGEST}", DIGEST),
        ({"name": "app:1", "source": "h:5000/a:2"}, "app:1", "h:5000/a:2", "h:5000/a:2", ""),
        ({"name": "app:1", "source": "docker://docker.io/library/app:1"}, "app:1", "app:1", "", ""),
    ],
)
def test_an_image_to_preload(entry, local, pull, source, digest):
    (one,) = FILTERS["images_preload"]([entry])
    assert (one["local"], one["pull"], one["source"], one["digest"]) == (local, pull, source, digest)


def test_refresh_is_for_tags():
    entries = [{"name": "a"}, {"name": f"a@{DIGEST}"}, {"name": "b", "refresh": False}]
    assert [one["refresh"] for one in FILTERS["images_preload"](entries, True)] == [True, False, False]
    assert [one["refresh"] for one in FILTERS["images_preload"]([{"name": "a", "refresh": True}])] == [True]


def test_an_archive_on_the_controller_is_known_by_its_image(archive):
    path, identity = archive
    (one,) = FILTERS["images_preload"]([{"name": "team/app:1", "archive": path}])
    assert (one["archive"], one["ids"], one["pull"]) == (path, [identity], "")
    (one,) = FILTERS["images_push"]([{"name": "h:5000/app:1", "archive": path}])
    assert (one["kind"], one["whole"], one["transport"]) == ("archive", identity, "docker-archive")
    assert (one["title"], one["target"]) == ("archive app.tar", "docker://h:5000/app:1")


def test_an_archive_of_the_host_is_left_to_the_probe():
    (one,) = FILTERS["images_preload"]([{"name": "app:1", "archive": "/srv/none.tar", "remote": True}])
    assert (one["remote"], one["ids"]) == (True, [])
    (one,) = FILTERS["images_sif"]([{"name": "a.sif", "source": "oci-archive:/srv/a.tar:1.0"}], "/opt/sif")
    assert (one["archive"], one["remote"], one["archive_image"], one["kind"]) == ("/srv/a.tar", True, "1.0", "archive")


@pytest.mark.parametrize(
    ("source", "kind", "location", "title"),
    [
        ("h:5000/a:1", "docker", "docker://h:5000/a:1", "h:5000/a:1"),
        ("docker-daemon:a:1", "docker-daemon", "docker-daemon:a:1", "docker-daemon:a:1"),
        ("library://u/c/t:1", "library", "library://u/c/t:1", "library://u/c/t:1"),
        ("oras://h/t:1", "oras", "oras://h/t:1", "oras://h/t:1"),
    ],
)
def test_a_sif_file(source, kind, location, title):
    (one,) = FILTERS["images_sif"]([{"name": "tool.sif", "source": source}], "/opt/sif")
    assert (one["path"], one["kind"], one["location"], one["title"]) == ("/opt/sif/tool.sif", kind, location, title)


@pytest.mark.parametrize(
    ("key", "entry", "error"),
    [
        (
            "images_preload",
            {"name": "Team/App"},
            "images_preload: 'Team/App': repositories are written in small letters",
        ),
        ("images_preload", {"name": "a", "source": "b", "archive": "/c"}, "both a source and an archive"),
        ("images_preload", {"name": "a", "archive": "c.tar"}, "no absolute path. Write one such as {{ playbook_dir }}"),
        ("images_preload", {"name": "a", "archive": "/no/such.tar"}, "cannot be read on the controller (No such file"),
        ("images_preload", {"name": f"a@{DIGEST}", "archive": "/c", "remote": True}, "cannot be pulled by"),
        ("images_preload", {"name": f"a@{DIGEST}", "source": "b"}, "give it a tag instead of a digest"),
        ("images_preload", {"name": "a", "source": "oras://h/a"}, "an engine cannot pull from oras://h/a"),
        ("images_push", {"name": "h/a:1"}, "h/a:1 comes from nowhere. Give it a source or an archive"),
        ("images_push", {"name": f"h.org/a@{DIGEST}", "source": "a"}, "an image is pushed under a tag"),
        ("images_push", {"name": "h/a:1", "source": "library://u/c/a"}, "cannot come from library://u/c/a"),
        ("images_sif", {"name": "a/b.sif", "source": "a"}, "cannot name a SIF file"),
        ("images_sif", {"name": "a.sif"}, "a.sif comes from nowhere"),
        ("images_sif", {"name": "a.sif", "source": "docker-archive:a.tar"}, "write the archive's absolute path"),
    ],
)
def test_problems_name_the_remedy(key, entry, error):
    (problem,) = problems(**{key: [entry]})
    assert problem.startswith(f"{key}: ")
    assert error in problem


def test_what_is_listed_twice_and_bad_settings():
    assert problems(images_preload=[{"name": "a"}, {"name": "docker.io/library/a:latest"}]) == [
        "images_preload: a:latest is listed twice. Leave one of them."
    ]
    found = problems({"sif_path": "sif/", "mirrors": {"docker.io": ["https://m.org/path"]}})
    assert [one.split(" ")[0] for one in found] == ["images_sif_path", "images_mirrors"]
    assert problems(images_preload=[{"name": "a"}, {"name": "a:2"}]) == []


def test_a_bad_input_that_was_not_judged_is_an_error():
    with pytest.raises(AnsibleFilterError, match=r"images_push: h/a:latest comes from nowhere"):
        FILTERS["images_push"]([{"name": "h/a"}])


def test_registries_for_skopeo():
    text = FILTERS["images_registries"]({"docker.io": ["http://upstream:5000", "https://m.org/"]}, ["h:5020"])
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
    assert FILTERS["images_registries"]({"docker.io": []}, []) == ""


def test_the_record_holds_what_was_acted_on():
    wanted = FILTERS["images_preload"]([{"name": "a:1"}, {"name": "b:1", "source": "h.org/b:1"}, {"name": "c:1"}])
    observed = {
        "record": {"images": {"old:1": {"id": "sha256:0", "from": ""}}},
        "images": {name: {"id": f"sha256:{name}", "digests": []} for name in ("a:1", "b:1", "c:1")},
    }
    assert FILTERS["images_record"](observed, wanted, ["a:1", "b:1"]) == {
        "images": {
            "old:1": {"id": "sha256:0", "from": ""},
            "a:1": {"id": "sha256:a:1", "from": ""},
            "b:1": {"id": "sha256:b:1", "from": "h.org/b:1"},
        }
    }


def test_sif_files_that_the_controller_keeps(tmp_path):
    wanted = FILTERS["images_sif"](
        [{"name": "a.sif", "source": "h.org/a:1"}, {"name": "b.sif", "source": "b"}], "/opt/sif"
    )
    assert FILTERS["images_place"](wanted, str(tmp_path)) == []
    note = {"source": "h.org/a:1", "digest": DIGEST, "sha256": "1", "size": 3}
    (tmp_path / "a.sif").write_text("sif")
    (tmp_path / "a.sif.json").write_text(json.dumps(note))
    assert FILTERS["images_place"](wanted, str(tmp_path)) == [
        {"path": "/opt/sif/a.sif", "file": f"{tmp_path}/a.sif", **note}
    ]
    # One of another source is not this one.
    (tmp_path / "a.sif.json").write_text(json.dumps({**note, "source": "h.org/a:0"}))
    assert FILTERS["images_place"](wanted, str(tmp_path)) == []


def test_an_error_with_its_remedy():
    assert FILTERS["images_remedy"]("x509: unknown\n") == (
        "x509: unknown -- This host does not trust the registry's certificate: run the role registry with tasks_from: "
        "client here."
    )
    assert FILTERS["images_remedy"]("strange") == "strange"
