"""Inputs are made whole and judged, each problem with its remedy."""

import hashlib
import io
import json
import tarfile

import pytest
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import Site, defaults, read, specification
from ansible_collections.slipway.node.plugins.plugin_utils.images.inputs import prepare

DIGEST = "sha256:" + "0123456789abcdef" * 4
INVENTORIES = {"ansible_inventory_sources": ["/site/inventory"]}


def prepared(site=None, **inputs):
    """Return what the action plugin hands to the node, and the problems."""
    given = {f"images_{name}": value for name, value in inputs.items()}
    values, wrong = read(specification("images"), defaults("images"), given, lambda value: value, "images_")
    assert not wrong
    return prepare(values, site or Site(settings={"cache_dir": "/cache"}))


def completed(key, entries, **more):
    done, wrong = prepared(**{key: entries}, **more)
    assert not wrong
    return done["build" if key == "sif" else key]


def problems(**inputs):
    return prepared(**inputs)[1]


def site(host="node", variables=INVENTORIES, others=None, cache="/cache", **groups):
    """Return a site whose other hosts have the variables ``others``, by host."""
    hosts = {**(others or {}), host: variables}
    return Site(
        host,
        {"cache_dir": cache},
        {"all": list(hosts), **groups},
        lambda name, other="": hosts.get(other or host, {}).get(name),
    )


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
    (one,) = completed("preload", [entry])
    assert (one["local"], one["pull"], one["source"], one["digest"]) == (local, pull, source, digest)


def test_refresh_is_for_tags():
    entries = [{"name": "a"}, {"name": f"a@{DIGEST}"}, {"name": "b", "refresh": False}]
    assert [one["refresh"] for one in completed("preload", entries, refresh=True)] == [True, False, False]
    assert [one["refresh"] for one in completed("preload", [{"name": "a", "refresh": True}])] == [True]


def test_an_archive_on_the_controller_is_known_by_its_image(archive):
    path, identity = archive
    (one,) = completed("preload", [{"name": "team/app:1", "archive": path}])
    assert (one["archive"], one["ids"], one["pull"]) == (path, [identity], "")
    (one,) = completed("push", [{"name": "h:5000/app:1", "archive": path}])
    assert (one["kind"], one["pushed_digest"], one["transport"]) == ("archive", identity, "docker-archive")
    assert (one["title"], one["target"]) == ("archive app.tar", "docker://h:5000/app:1")


def test_an_archive_of_the_host_is_left_to_the_probe():
    (one,) = completed("preload", [{"name": "app:1", "archive": "/srv/none.tar", "remote": True}])
    assert (one["remote"], one["ids"]) == (True, [])
    (one,) = completed("sif", [{"name": "a.sif", "source": "oci-archive:/srv/a.tar:1.0"}])
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
    (one,) = completed("sif", [{"name": "tool.sif", "source": source}])
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
        ("images_push", {"name": "h/a:1"}, "h/a:1 needs a source or an archive"),
        ("images_push", {"name": f"h.org/a@{DIGEST}", "source": "a"}, "an image is pushed under a tag"),
        ("images_push", {"name": "h/a:1", "source": "library://u/c/a"}, "cannot come from library://u/c/a"),
        ("images_sif", {"name": "a/b.sif", "source": "a"}, "cannot name a SIF file"),
        ("images_sif", {"name": "a.sif"}, "a.sif needs a source"),
        ("images_sif", {"name": "a.sif", "source": "docker-archive:a.tar"}, "write the archive's absolute path"),
    ],
)
def test_problems_name_the_remedy(key, entry, error):
    (problem,) = problems(**{key.partition("_")[2]: [entry]})
    assert problem.startswith(f"{key}: ")
    assert error in problem


def test_what_is_listed_twice_and_bad_settings():
    assert problems(preload=[{"name": "a"}, {"name": "docker.io/library/a:latest"}]) == [
        "images_preload: a:latest is listed twice. Leave one of them."
    ]
    found = problems(sif_path="sif/", mirrors={"docker.io": ["https://m.org/path"], "h": "m"})
    assert [one.split(" ")[0] for one in found] == ["images_sif_path", "images_mirrors.h", "images_mirrors"]
    assert problems(preload=[{"name": "a"}, {"name": "a:2"}]) == []


def test_what_is_null_follows_the_engine():
    variables = {"docker_daemon_registry_mirrors": ["http://m"], "docker_daemon_insecure_registries": ["h:5000"]}
    done, wrong = prepared(site(variables=variables))
    assert (done["mirrors"], done["insecure"], wrong) == ({"docker.io": ["http://m"]}, ["h:5000"], [])
    done, _wrong = prepared(site(variables=variables), mirrors={}, insecure_registries=[])
    assert (done["mirrors"], done["insecure"]) == ({}, [])
    wrong = prepared(site(variables={"docker_daemon_registry_mirrors": "http://m"}))[1]
    assert wrong == ['docker_daemon_registry_mirrors is the text "http://m"; give a list, as in ["http://m"].']
    assert prepared(site(variables={"docker_daemon_registry_mirrors": "http://m"}), state="absent")[1] == []


@pytest.mark.parametrize("one", ["http://h:5000", "h:99999", "10.0.0.0/8/x", "h:5000/team", "[fd00::1"])
def test_registries_that_cannot_be(one):
    assert problems(insecure_registries=["h:5000", "fd00::/8", "10.1.2.3/8", one]) == [
        f"images_insecure_registries (null follows docker_daemon_insecure_registries) has {one}; give hosts such as "
        "registry.example.org:5000 and networks such as 10.0.0.0/8, without http:// and path."
    ]
    engine = site(variables={"docker_daemon_insecure_registries": [one]})
    assert len(prepared(engine, push=PUSH)[1]) == 1 and prepared(engine)[1] == []
    assert problems(mirrors={one: []}) == [f"images_mirrors has {one}; give registries such as docker.io as its keys."]


PUSH = [{"name": "reg:5000/app:1", "source": "app:1"}]
SIF = [{"name": "app.sif", "source": "reg:5000/app:1"}]


@pytest.mark.parametrize(
    ("groups", "played", "inputs", "publishers"),
    [
        ({"registry_hosts": ["reg"], "container_hosts": ["a", "reg"]}, ["a", "reg"], {}, ["reg"]),
        ({"container_hosts": ["a", "node"]}, ["node"], {}, ["a"]),
        ({}, ["b", "node"], {}, ["b"]),
        ({}, None, {}, ["node"]),
        ({"registry_hosts": ["reg"]}, None, {"sif_host": "a"}, ["reg", "a"]),
        ({"registry_hosts": ["reg"]}, None, {"push_host": "a"}, ["a"]),
    ],
)
def test_who_publishes_follows_from_the_inventory(groups, played, inputs, publishers):
    others = {name: {} for name in ("reg", "a", "b")}
    for host in ("node", *publishers):
        known = site(host, {"ansible_play_hosts_all": played}, {**others, "node": {}}, **groups)
        done, wrong = prepared(known, push=PUSH, sif=SIF, **inputs)
        assert (done["publishers"], wrong) == (publishers, [])
        assert bool(done["push"]) == (host == publishers[0])
        assert bool(done["build"]) == (host == publishers[-1])


def test_a_host_that_cannot_publish_is_named():
    known = site(others={"reg": {"slipway_roles": ["docker_ce"]}})
    assert prepared(known, push=PUSH, push_host="reg")[1] == [
        "images_push_host is reg, whose slipway_roles lacks images; add it there, or give another host."
    ]
    assert prepared(known, sif=SIF, sif_host="none")[1] == [
        "images_sif_host is none, which the inventory has not; give a host of the inventory."
    ]
    assert prepared(known, push_host="none")[1] == []


NOTE = {"source": "reg:5000/app:1", "digest": DIGEST, "sha256": "1", "size": 3}


def keep(folder, note=NOTE, name="app.sif"):
    """Put a SIF file where the controller keeps those of a site."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{note['sha256']}.sif").write_text("sif")
    (folder / f"{name}.json").write_text(json.dumps(note))


def folder_of(known):
    return prepared(known, sif=SIF, sif_host="maker")[0]["keep"]


def test_sif_files_that_the_controller_keeps(tmp_path):
    known = site(others={"maker": {}}, cache=tmp_path)
    assert prepared(known, sif=SIF, sif_host="maker")[0]["place"] == []
    folder = tmp_path / "images" / folder_of(known).rpartition("/")[2]
    keep(folder)
    placed = [{"path": "/opt/sif/app.sif", "file": f"{folder}/1.sif", **NOTE}]
    assert prepared(known, sif=SIF, sif_host="maker")[0]["place"] == placed
    assert prepared(known, sif=SIF, sif_host="maker", sif_distribute=False)[0]["place"] == []
    # Who makes them is handed none, but is told what is kept.
    done, _wrong = prepared(site("maker", others={"node": {}}, cache=tmp_path), sif=SIF, sif_host="maker")
    assert (done["place"], done["kept"]) == ([], {"/opt/sif/app.sif": placed[0]})
    # One of another source is not this one.
    keep(folder, {**NOTE, "source": "reg:5000/app:0"})
    assert prepared(known, sif=SIF, sif_host="maker")[0]["place"] == []


@pytest.mark.parametrize(
    ("variables", "maker"),
    [
        ({"ansible_inventory_sources": ["/other/inventory"]}, {}),
        # One inventory for two sites, told apart by how hosts are reached.
        (INVENTORIES, {"ansible_ssh_common_args": "-F /other/ssh_config"}),
        (INVENTORIES, {"ansible_host": "10.0.0.1"}),
    ],
)
def test_two_sites_share_a_cache_and_no_sif_file(tmp_path, variables, maker):
    one = site(others={"maker": {}}, cache=tmp_path)
    other = site(variables=variables, others={"maker": maker}, cache=tmp_path)
    assert folder_of(one) != folder_of(other)
    keep(tmp_path / "images" / folder_of(one).rpartition("/")[2])
    assert len(prepared(one, sif=SIF, sif_host="maker")[0]["place"]) == 1
    assert prepared(other, sif=SIF, sif_host="maker")[0]["place"] == []


@pytest.mark.parametrize(("sha256", "count"), [("1", 1), ("2", 0)])
def test_a_kept_file_is_the_one_that_its_maker_has_now(tmp_path, sha256, count):
    state = {"images": {"facts": {"made": {"/opt/sif/app.sif": sha256}}}}
    known = site(others={"maker": {"slipway_state": state}}, cache=tmp_path)
    keep(tmp_path / "images" / folder_of(known).rpartition("/")[2])
    assert len(prepared(known, sif=SIF, sif_host="maker")[0]["place"]) == count


def test_a_maker_that_failed_is_passed_over(tmp_path):
    known = site(others={"maker": {"slipway_state": {"failed": True, "msg": "no"}}}, cache=tmp_path)
    keep(tmp_path / "images" / folder_of(known).rpartition("/")[2])
    assert len(prepared(known, sif=SIF, sif_host="maker")[0]["place"]) == 1


def test_registries_of_the_inventory_over_plain_http_are_known_as_to_the_engine():
    plain = {"registry_instances": [{"name": "plain", "port": 5020, "tls": False, "accounts": False}]}
    of = Site("node", {"cache_dir": "/cache"}, {"registry_hosts": ["reg"]}, hostvars={"reg": plain})
    assert prepared(of)[0]["insecure"] == ["reg:5020"]
    assert prepared(of, insecure_registries=[])[0]["insecure"] == []
