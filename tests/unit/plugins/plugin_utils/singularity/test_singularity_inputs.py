"""What the controller makes of the inputs of ``singularity``."""

import json
import os

import pytest
from ansible_collections.slipway.node.plugins.module_utils.singularity.credentials import pbkdf2_sum
from ansible_collections.slipway.node.plugins.module_utils.singularity.modulefiles import MODULE_MARK
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import Site
from ansible_collections.slipway.node.plugins.plugin_utils.singularity import inputs as singularity
from ansible_collections.slipway.node.plugins.plugin_utils.singularity_build import inputs as build_inputs


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
    assert set(singularity.PROFILES) < set(inputs["unwanted_files"])


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
    assert auth["sum"] == pbkdf2_sum(singularity.auths(accounts).encode(), auth["salt"])
    secrets = singularity.secrets_for_acting({"registry_auths": accounts}, Site())
    assert secrets["singularity_auths"] == singularity.auths(accounts) and auth["secret"] == "singularity_auths"
    for path, word in ((".sh", "export"), (".csh", "setenv")):
        assert f"{word} {variable}" in files[f"/etc/profile.d/slipway-singularity{path}"]["content"]


def test_a_profile_that_is_not_wanted_is_a_stray():
    inputs, _problems = prepare(profile="false")
    assert inputs["files"] == [] and set(singularity.PROFILES) < set(inputs["unwanted_files"])


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


def test_go_is_fetched_from_where_the_site_s_go_is():
    def go(**variables):
        options, default = reader.specification("singularity_build"), reader.defaults("singularity_build")
        inputs, _problems = reader.read(options, default, {}, lambda value: value, "singularity_")
        site = Site("node", {"region": "cn"}, variable=lambda name, _host="": variables.get(name))
        prepared, problems = build_inputs.prepare(inputs, site)
        return prepared["go"], problems

    made, problems = go()
    assert made["mirrors"][0] == "https://golang.google.cn/dl" and made["allow_unverified"] is False and not problems
    assert len(made["sums"]["1.26.7"]["linux-amd64"]) == 64
    assert go(golang_mirrors=["http://m"], golang_mirror_timeout="7")[0]["mirror_timeout"] == 7
    assert "golang_mirrors" in go(golang_mirrors="x")[1][0]


def test_credentials_of_an_ini_inventory_are_cast():
    text = '{"r.example.org": {"username": "hpc", "password": "x"}}'
    files = {one["path"]: one for one in prepare(registry_auths=text)[0]["files"]}
    one = files["/etc/slipway/singularity-auth.json"]
    accounts = {"r.example.org": {"username": "hpc", "password": "x"}}
    assert one["sum"] == pbkdf2_sum(singularity.auths(accounts).encode(), one["salt"])


@pytest.mark.parametrize("members", [None, {"hpc": ["alice"]}, "{hpc: [alice]}"])
def test_groups_that_user_groups_makes_are_known(members):
    options, default = reader.specification("singularity"), reader.defaults("singularity")
    inputs = reader.read(options, default, {}, lambda value: value, "singularity_")[0]

    def made(**more):
        site = Site("node", {"cache_dir": "/x"}, variable=lambda name, _host="": members, **more)
        return singularity.prepare(inputs, site)[0]["made_groups"]

    assert made() == (["hpc"] if isinstance(members, dict) else [])
    assert made(roles=["singularity"]) == []
