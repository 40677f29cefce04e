"""The filters of the role registry: defaults, errors, and the files that come of the inputs."""

import json
import subprocess

import pytest
import yaml
from ansible_collections.slipway.node.plugins.filter import registry

SETTINGS = {
    "config_dir": "/etc/slipway/registry",
    "data_dir": "/opt/data/registry",
    "image": "registry:2.8.3",
    "tls": True,
    "anonymous_pull": False,
    "delete_untagged": False,
    "retention": [],
    "schedule": "Sun 03:30",
    "accounts": [{"name": "slipway"}],
}
S3 = {"driver": "s3", "options": {"bucket": "b", "region": "r"}, "secrets": {"accesskey": "AK", "secretkey": "SK"}}


def files(*instances, secret="secret", **settings):
    return registry.registry_files(list(instances), {**SETTINGS, **settings}, secret)


def config(*instances, service="main", **settings):
    return yaml.safe_load(files(*instances, **settings)[f"/etc/slipway/registry/{service}/config.yml"]["content"])


def compose(*instances, **settings):
    return yaml.safe_load(files(*instances, **settings)["/etc/slipway/registry/compose.yml"]["content"])["services"]


def test_a_store_has_tls_and_accounts_unless_told_otherwise():
    (one,) = registry.registry_instances([{"name": "main"}], SETTINGS)
    assert (one["tls"], one["accounts"], one["port"], one["path"]) == (True, True, 5000, "/opt/data/registry/main")
    settings = config({"name": "main"})
    assert settings["auth"]["htpasswd"]["path"] == "/etc/slipway/htpasswd"
    assert settings["http"]["tls"]["certificate"] == "/etc/slipway-tls/tls.crt"
    assert settings["storage"]["delete"] == {"enabled": True}


def test_a_cache_has_an_upstream_and_no_accounts():
    settings = config({"name": "main", "mode": "cache", "upstream": {"username": "me", "password": "pw"}})
    assert "auth" not in settings
    assert settings["proxy"] == {
        "remoteurl": "https://registry-1.docker.io",
        "ttl": "168h",
        "username": "me",
        "password": "pw",
    }


def test_a_cache_is_started_by_a_script_that_a_shell_takes():
    service = compose({"name": "hub", "mode": "cache"})["hub"]
    shell, option, script = service["entrypoint"]
    # As compose hands it on; a single dollar would be a variable of compose's.
    assert "$" not in script.replace("$$", "")
    subprocess.run([shell, "-n", option, script.replace("$$", "$")], check=True)
    assert "entrypoint" not in compose({"name": "main"})["main"]


def test_plain_http_is_what_was_asked_for():
    settings = config({"name": "main", "tls": False, "accounts": False})
    assert "tls" not in settings["http"]
    assert "auth" not in settings


def test_rules_of_retention_are_made_whole():
    made = files({"name": "main"}, retention=[{"repository": "ci/*", "keep": 3}])
    table = json.loads(made["/etc/slipway/registry/instances.json"]["content"])
    assert table["retention"] == [{"repository": "ci/*", "tag": "*", "keep": 3, "days": 0.0}]


@pytest.mark.parametrize("rule", [{"repository": "ci/*"}, {"keep": 1}])
def test_a_rule_of_retention_says_of_what_and_how_much(rule):
    problems = registry.registry_problems([{"name": "main"}], {**SETTINGS, "retention": [rule]})
    assert len(problems) == 1 and "must name a repository and what is kept" in problems[0]


def test_anonymous_pull_is_a_second_registry_that_cannot_write():
    store = {"name": "main", "port": 5000, "anonymous_pull": True}
    reader = config(store, service="main-pull")
    assert reader["storage"]["maintenance"]["readonly"] == {"enabled": True}
    assert "auth" not in reader and "cache" not in reader["storage"]
    services = compose(store)
    assert services["main-pull"]["ports"] == ["5001:5000"]
    data = {name: one["volumes"][-1] for name, one in services.items()}
    assert data["main"]["source"] == data["main-pull"]["source"]
    assert (data["main"]["read_only"], data["main-pull"]["read_only"]) == (False, True)


def test_secrets_are_in_private_files_alone():
    written = files(
        {"name": "main", "storage": S3},
        {
            "name": "g",
            "port": 1,
            "storage": {"driver": "gcs", "options": {"bucket": "b"}, "secrets": {"keyfile": "SK"}},
        },
    )
    holding = {path: file for path, file in written.items() if "SK" in file["content"]}
    assert sorted(holding) == ["/etc/slipway/registry/g/keyfile.json", "/etc/slipway/registry/main/config.yml"]
    assert {(file["mode"], file["secret"]) for file in holding.values()} == {("0600", True)}
    assert "SK" not in json.dumps(registry.registry_wanted_services([{"name": "main", "storage": S3}], SETTINGS, "s"))


def test_an_object_store_needs_no_folder():
    service = compose({"name": "main", "storage": S3})["main"]
    assert all(one["target"] != "/var/lib/registry" for one in service["volumes"])
    assert "/var/lib/registry" in service["tmpfs"]


def test_a_container_is_made_anew_where_its_settings_change():
    def digest(instance, **more):
        return compose(instance, **more)["main"]["labels"]["slipway.digest"]

    plain = {"name": "main"}
    assert digest(plain) == digest(plain)
    others = [{**plain, "port": 5001}, {**plain, "memory": "1g"}, {**plain, "config": {"log": {"level": "debug"}}}]
    assert len({digest(one) for one in [plain, *others]}) == 4
    assert digest(plain, image="registry:3.0.0") != digest(plain)


def test_further_configuration_is_merged():
    settings = config({"name": "main", "config": {"log": {"level": "debug"}, "http": {"relativeurls": True}}})
    assert settings["log"]["level"] == "debug"
    assert settings["log"]["fields"]["service"] == "registry"
    assert settings["http"]["relativeurls"] and settings["http"]["addr"] == ":5000"


def test_each_instance_has_a_secret_of_its_own():
    both = [{"name": "main"}, {"name": "other", "port": 5001}]
    secrets = {config(*both, service=name)["http"]["secret"] for name in ("main", "other")}
    assert len(secrets) == 2 and "secret" not in secrets


def test_no_schedule_means_no_units():
    assert not [path for path in files({"name": "main"}, schedule="") if "systemd" in path]
    assert (
        "OnCalendar=Sun 03:30"
        in files({"name": "main"})["/etc/systemd/system/slipway-registry-collect.timer"]["content"]
    )


@pytest.mark.parametrize(
    ("instances", "problem"),
    [
        ([{"name": "Main"}], "'Main' cannot name an instance"),
        ([{"name": "-a"}], "'-a' cannot name an instance"),
        ([{"name": "a"}, {"name": "a", "port": 1}], "Two instances have the name a"),
        ([{"name": "a"}, {"name": "b"}], "The port of b and the port of a are both 5000"),
        ([{"name": "a", "anonymous_pull": True}, {"name": "b", "port": 5001}], "port of b and the anonymous_port of a"),
        ([{"name": "a", "port": 70000}], "give a number from 1 to 65535"),
        ([{"name": "a", "storage": {"path": "data"}}], "give an absolute path"),
        (
            [{"name": "a", "storage": {"path": "/d"}}, {"name": "b", "port": 1, "storage": {"path": "/d"}}],
            "storage path /d",
        ),
        ([{"name": "a", "storage": {"driver": "s3"}}], "name its bucket or container"),
        ([{"name": "a", "storage": {"driver": "s3", "options": {"secretkey": "SK"}}}], "Move secretkey of a"),
        ([{"name": "a", "mode": "cache", "upstream": {"url": "http://me:SK@hub"}}], "must be a URL"),
        ([{"name": "a", "mode": "cache", "anonymous_pull": True}], "a is a cache"),
        ([{"name": "a", "upstream": {"url": "http://hub"}}], "set mode: cache"),
        ([{"name": "a", "accounts": False, "anonymous_pull": True}], "everyone may pull and push"),
    ],
)
def test_what_cannot_be_is_told_without_secrets(instances, problem):
    told = "\n".join(registry.registry_problems(instances, SETTINGS))
    assert problem in told
    assert "SK" not in told


@pytest.mark.parametrize(
    ("accounts", "problem"),
    [
        ([], "a has no account: list some in registry_accounts, or say accounts: false"),
        ([{"name": "a:b"}], "'a:b' cannot name an account"),
        ([{"name": "a"}, {"name": "a"}], "Account a is listed twice"),
        ([{"name": "a", "password": "é" * 37}], "longer than 72 bytes"),
    ],
)
def test_accounts_that_cannot_be_are_told(accounts, problem):
    assert problem in "\n".join(registry.registry_problems([{"name": "a"}], {**SETTINGS, "accounts": accounts}))


def test_good_inputs_have_no_problems():
    instances = [
        {"name": "main", "anonymous_pull": True},
        {"name": "hub", "port": 5010, "mode": "cache", "upstream": {"url": "https://mirror.example.org/"}},
        {"name": "objects", "port": 5020, "storage": S3},
    ]
    assert registry.registry_problems(instances, SETTINGS) == []


@pytest.mark.parametrize(
    ("options", "endpoint"),
    [
        ({"region": "eu-central-1"}, "s3.eu-central-1.amazonaws.com:443"),
        ({"regionendpoint": "http://minio:9000"}, "minio:9000"),
        ({"regionendpoint": "https://s3.example.org"}, "s3.example.org:443"),
        ({"regionendpoint": "http://s3.example.org"}, "s3.example.org:80"),
    ],
)
def test_the_object_store_s_address_is_known_beforehand(options, endpoint):
    instance = {"name": "a", "storage": {"driver": "s3", "options": options}}
    (one,) = registry.registry_wanted_services([instance], SETTINGS, "s")
    assert one["endpoint"] == endpoint


def test_fingerprints_tell_passwords_apart_and_need_the_secret():
    accounts = [{"name": "a", "password": "x"}, {"name": "b"}]
    made = registry.registry_fingerprints(accounts, {"b": "x"}, "secret")
    assert len(set(made.values())) == 2
    assert made != registry.registry_fingerprints(accounts, {"b": "x"}, "other")
    assert registry.registry_fingerprints(accounts, {}, "secret")["b"] == ""
    assert set(registry.registry_fingerprints(accounts, {"b": "x"}, "").values()) == {""}


def test_clients_learn_mirrors_and_plain_registries_from_the_inventory():
    hostvars = {
        "reg": {
            "registry_hostname": "registry.example.org",
            "registry_instances": [
                {"name": "main", "port": 5000, "anonymous_pull": True},
                {"name": "hub", "port": 5010, "mode": "cache"},
                {"name": "plain", "port": 5020, "tls": False, "accounts": False},
            ],
        },
        "other": {},
    }
    hosts = ["reg", "other"]
    assert registry.registry_mirrors(hosts, hostvars) == ["https://registry.example.org:5010"]
    assert registry.registry_insecure(hosts, hostvars) == ["registry.example.org:5020"]
    found = registry.registry_endpoints(hosts, hostvars, [{"name": "main", "port": 5000}])
    assert [(one["address"], one["mode"], one["accounts"]) for one in found] == [
        ("registry.example.org:5000", "store", True),
        ("registry.example.org:5001", "pull", False),
        ("registry.example.org:5010", "cache", False),
        ("registry.example.org:5020", "store", False),
        ("other:5000", "store", True),
    ]


@pytest.mark.parametrize(
    ("options", "style"),
    [
        ({"region": "eu-central-1"}, None),
        ({"regionendpoint": "http://minio:9000"}, True),
        ({"regionendpoint": "https://s3.example.org", "forcepathstyle": False}, False),
    ],
)
def test_a_store_that_is_not_aws_is_asked_by_paths(options, style):
    written = config({"name": "main", "storage": {"driver": "s3", "options": options}})
    assert written["storage"]["s3"].get("forcepathstyle") is style
