"""What the controller makes of the inputs of ``singularity``, which Go is taken, and who compiles."""

import json
import os

import pytest
from ansible_collections.slipway.node.plugins.module_utils.singularity.section import MODULE_MARK, guarded_sum
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import Site
from ansible_collections.slipway.node.plugins.plugin_utils.singularity import inputs as singularity


def prepare(cache="/nowhere", **given):
    variables = {f"singularity_{name}": value for name, value in given.items()}
    options, default = reader.specification("singularity"), reader.defaults("singularity")
    inputs, problems = reader.read(options, default, variables, lambda value: value, "singularity_")
    return (inputs, problems) if problems else singularity.prepare(inputs, Site("node", {"cache_dir": cache}))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {},
            {
                "version": "4.5.1",
                "prefix": "/opt/singularity/4.5.1",
                "setuid": True,
                "libsubid": None,
                "packages": None,
            },
        ),
        ({"flavor": "apptainer"}, {"version": "1.4.5", "setuid": False, "name": "apptainer"}),
        ({"flavor": "apptainer", "setuid": "yes"}, {"setuid": True}),
        ({"root": "/sw", "version": "4.3.7"}, {"prefix": "/sw/4.3.7"}),
        ({"release_api": ""}, {"release_api": ""}),
        ({"mirrors": ["http://m/{version}/x"]}, {"mirrors": ["http://m/4.5.1/x"]}),
    ],
)
def test_what_is_not_given_follows_from_what_is(given, expected):
    inputs, problems = prepare(**given)
    assert not problems
    assert {name: inputs[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"version": "4.5"}, 'singularity_version is "4.5"; give a release\'s three numbers'),
        ({"version": 4.5}, "singularity_version is the number 4.5; give a text in quotes"),
        ({"version": "3.7.9"}, "from 3.8.0 on"),
        ({"prefix": "sw/4"}, 'singularity_prefix is "sw/4"; give an absolute path'),
        ({"prefix": "/opt/singularity/current"}, "give a folder of its own"),
        ({"mirrors": []}, "singularity_mirrors has no URL"),
        ({"mirrors": ["ftp://x"]}, "singularity_mirrors has ftp://x"),
        ({"mirrors": "http://x"}, "give a list"),
        ({"archive_checksum": "abc"}, "give a SHA-256 sum"),
        ({"config": {"bind path": {"a": 1}}}, "no usable value of bind path"),
        ({"registry_auths": {"r": {"username": "u"}}}, "lacks a user name or a password"),
        ({"registry_auths": {"r": {"username": "u", "password": "p"}}, "version": "4.0.3"}, "has no effect"),
        ({"remotes": {"campus": {"uri": "https://x/"}}}, "cannot have campus"),
        ({"fakeroot_first": 1000}, "give a first id from 65536 on"),
        ({"keep_versions": -2}, "or -1 for all"),
    ],
)  # fmt: skip
def test_a_problem_says_what_is_and_what_to_do(given, expected):
    _inputs, (problem,) = prepare(**given)
    assert expected in problem and problem.endswith(".")


def test_removal_reads_no_other_input():
    inputs, problems = prepare(state="absent")
    assert not problems and inputs["files"] == []
    assert set(singularity.PROFILES) < set(inputs["strays"])


SUM = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("release", "told"),
    [
        ({"assets": [{"name": "b.tar.gz"}, {"name": "a.tar.gz", "digest": f"sha256:{SUM}"}]}, SUM),
        # Releases before 2025.
        ({"assets": [{"name": "a.tar.gz", "digest": None}]}, ""),
        ({"assets": [{"name": "a.tar.gz", "digest": "sha512:00"}]}, ""),
        ({"assets": None}, ""),
        ({"message": "Not Found"}, ""),
        (["a captive portal"], ""),
        ({"assets": ["a.tar.gz"]}, ""),
    ],
)
def test_what_the_release_api_tells_of_a_sum(release, told):
    assert singularity.told_sum(json.dumps(release), "a.tar.gz") == told


@pytest.mark.parametrize("answer", ["", "<html>Please log in</html>", '{"assets": [', "1e999"])
def test_what_a_captive_portal_answers_is_no_sum(answer):
    assert singularity.told_sum(answer, "a.tar.gz") == ""


def test_modulefiles_set_what_profiles_set():
    given = {"registry_auths": {"r": {"username": "u", "password": "p"}}, "tmpdir": "/scratch", "root": "/sw"}
    inputs, problems = prepare(modulefiles="/etc/modulefiles", **given)
    assert not problems
    text = inputs["modulefiles"]["texts"]["apptainer"]
    assert text.startswith(MODULE_MARK % "/sw")
    assert "prepend-path PATH @TREE@/bin\n" in text
    assert "{ setenv APPTAINER_TMPDIR /scratch/$user }" in text and "CACHEDIR" not in text
    assert "setenv APPTAINER_AUTH_FILE" in text
    assert "setenv SINGULARITY_AUTHFILE" in inputs["modulefiles"]["texts"]["singularity-ce"]
    assert prepare()[0]["modulefiles"] == {"folder": "", "texts": {}}
    assert "give an absolute path" in prepare(modulefiles="modules")[1][0]


@pytest.mark.parametrize(
    ("flavor", "variable"),
    # Apptainer's has one more underscore.
    [("singularity-ce", "SINGULARITY_AUTHFILE"), ("apptainer", "APPTAINER_AUTH_FILE")],
)
def test_credentials_go_to_the_node_as_a_sum_and_are_named_in_the_profile(flavor, variable):
    accounts = {"r.example.org": {"username": "u", "password": "very secret"}}
    inputs, _problems = prepare(flavor=flavor, registry_auths=accounts, registry_auth_group="hpc")
    assert "very secret" not in json.dumps(inputs)
    assert singularity.auths(accounts).split('"')[7] not in json.dumps(inputs)
    files = {one["path"]: one for one in inputs["files"]}
    auth = files["/etc/slipway/singularity-auth.json"]
    assert (auth["group"], auth["mode"]) == ("hpc", "0640")
    assert auth["sum"] == guarded_sum(singularity.auths(accounts).encode(), auth["salt"])
    for path, word in ((".sh", "export"), (".csh", "setenv")):
        assert f"{word} {variable}" in files[f"/etc/profile.d/slipway-singularity{path}"]["content"]


def test_a_profile_that_is_not_wanted_is_a_stray():
    inputs, _problems = prepare(profile="false")
    assert inputs["files"] == [] and set(singularity.PROFILES) < set(inputs["strays"])


def test_remotes_are_written_as_the_program_writes_them():
    inputs, _problems = prepare(remotes={"campus": {"uri": "cloud.example.org", "exclusive": True}, "b": {"uri": "b"}})
    (remote,) = [one for one in inputs["files"] if one["path"].endswith("etc/singularity/remote.yaml")]
    assert remote["content"].startswith("# Written by Slipway (role singularity).\nActive: campus\n")
    assert "    System: true\n    Exclusive: true\n  b:\n" in remote["content"]


def test_apparmor_covers_a_prefix_elsewhere():
    inputs, _problems = prepare()
    assert "profile slipway-singularity /opt/singularity/*/libexec/" in inputs["apparmor"]["content"]
    inputs, _problems = prepare(prefix="/sw/ce")
    assert "profile slipway-singularity {/opt/singularity/*,/sw/ce}/libexec/" in inputs["apparmor"]["content"]


def test_a_sum_comes_from_the_input_the_table_or_what_the_api_said(tmp_path):
    assert prepare(archive_checksum="0" * 64)[0]["known_sum"] == "0" * 64
    assert len(prepare(version="4.3.7")[0]["known_sum"]) == 64
    assert prepare(version="9.9.9")[0]["known_sum"] == ""
    kept = tmp_path / "singularity/sums/singularity-ce-9.9.9.sha256"
    os.makedirs(kept.parent)
    kept.write_text("1" * 64 + "\n")
    assert prepare(cache=str(tmp_path), version="9.9.9")[0]["known_sum"] == "1" * 64


def test_credentials_are_in_docker_s_format():
    text = singularity.auths({"b.example.org": {"username": "u", "password": "p:w"}})
    assert json.loads(text) == {"auths": {"b.example.org": {"auth": "dTpwOnc="}}}


FOUND = ["/usr/local/go go1.22.5", "/usr/local/go-1.26.10 go1.26.10", "/usr/local/go-1.26.9 go1.26.9", "broken"]


@pytest.mark.parametrize(
    ("needed", "wanted", "expected"),
    [
        ("1.13", "", "/usr/local/go-1.26.10 go1.26.10"),
        ("1.26.10", "", "/usr/local/go-1.26.10 go1.26.10"),
        ("1.26.11", "", ""),
        ("1.20", "1.22.5", "/usr/local/go go1.22.5"),
        ("1.25.9", "1.22.5", ""),
    ],
)
def test_the_newest_toolchain_that_suffices_is_taken(needed, wanted, expected):
    assert singularity.toolchain(FOUND, needed, wanted) == expected


def test_a_link_and_its_toolchain_are_one():
    found = ["/usr/local/go-1.26.9 go1.26.9", "/usr/local/go go1.26.9"]
    assert singularity.toolchain(found, "1.20") == "/usr/local/go go1.26.9"


@pytest.mark.parametrize(
    ("needed", "expected"), [("1.25.9", "1.25.14"), ("1.25.20", "1.26.7"), ("1.13", "1.25.14"), ("1.30", "")]
)
def test_the_oldest_release_that_suffices_is_installed_in_its_newest_patch(needed, expected):
    assert singularity.nearest(["1.26.7", "1.25.14", "1.25.9"], needed) == expected


def test_a_go_is_known_for_every_architecture_of_the_newest_release():
    assert all(singularity.oldest("1.25.9", f"linux-{name}") for name in ("amd64", "arm64"))


def state(distribution="Debian", version="13.1", phases=("install_tree",), pattern="p13"):
    platform = {"distribution": distribution, "version": version, "architecture": "x86_64"}
    own = {"phases": list(phases), "want": {"archive_pattern": pattern}}
    return {"slipway_state": {"platform": platform, "singularity": own}}


HOSTS = {
    "a": state(phases=["write_files"]),
    "b": state(),
    "c": state(),
    "d": state(version="12.4", pattern="p12"),
    "e": {"slipway_state": {"failed": True, "msg": "unreachable"}},
    "f": {},
}


@pytest.mark.parametrize(
    ("host", "build_hosts", "asked", "expected"),
    [
        # The first that waits compiles for all that wait for the same.
        ("b", [], [], "b"),
        ("c", [], [], ""),
        ("d", [], [], "d"),
        # A build host of the platform, were it complete itself, comes first; one of another platform does not count.
        ("b", ["d", "a"], [], "a"),
        ("d", ["a", "e"], [], "d"),
        # A build host that the play does not know was asked, or could not be.
        (
            "d",
            ["f"],
            [{"item": "f", "platform": {"distribution": "Debian", "version": "12.9", "architecture": "x86_64"}}],
            "f",
        ),
        ("d", ["f"], [{"item": "f", "unreachable": True}], "d"),
    ],
)
def test_one_host_compiles_for_a_platform(host, build_hosts, asked, expected):
    assert singularity.builder(HOSTS, ["a", "b", "c", "d", "e"], build_hosts, host, asked) == expected


def test_the_next_host_compiles_where_the_first_has_failed():
    assert singularity.builder(HOSTS, ["a", "c", "d"], [], "c", []) == "c"
