"""Inputs of the role registry: what cannot be, and the files that come of them."""

import dataclasses
import json
import multiprocessing
import subprocess

import bcrypt
import pytest
import yaml
from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.slipway.node.plugins.module_utils.registry.accounts import accounts, parse_htpasswd
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.registry import endpoints, secrets
from ansible_collections.slipway.node.plugins.plugin_utils.registry import files as written
from ansible_collections.slipway.node.plugins.plugin_utils.registry.inputs import (
    prepare,
    secrets_for_acting,
    with_defaults,
)
from ansible_collections.slipway.node.plugins.plugin_utils.registry.instances import complete_instances

SITE = reader.Site("reg", {"cache_dir": "/nonexistent"}, {"registry_hosts": ["reg"]}, hostvars={"reg": {}})
S3 = {"driver": "s3", "options": {"bucket": "b", "region": "r"}, "secrets": {"accesskey": "AK", "secretkey": "SK"}}
HUB = {"name": "hub", "port": 5010, "mode": "cache"}


def read(*instances, **inputs):
    """Return the inputs as the action plugin reads them of a play's variables."""
    given = {f"registry_{name}": value for name, value in inputs.items()}
    if instances:
        given["registry_instances"] = list(instances)
    values, problems = reader.read(
        reader.specification("registry"), reader.defaults("registry"), given, lambda value: value, "registry_"
    )
    assert problems == []
    return values


def files(*instances, **inputs):
    return written.files(with_defaults(read(*instances, **inputs), SITE), SITE)


def problems(*instances, **inputs):
    return "\n".join(prepare(read(*instances, **inputs), SITE)[1])


def config(*instances, service="main", **inputs):
    return yaml.safe_load(files(*instances, **inputs)[f"/etc/slipway/registry/{service}/config.yml"]["content"])


def compose(*instances, **inputs):
    return yaml.safe_load(files(*instances, **inputs)["/etc/slipway/registry/compose.yml"]["content"])["services"]


@pytest.fixture
def secrets_dir(tmp_path):
    """What a controller has on which the secrets were made."""
    (tmp_path / "passwords").mkdir()
    (tmp_path / "passwords/slipway").write_text("made\n")
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "ca.crt").write_text("authority\n")
    return str(tmp_path)


def test_a_store_has_tls_and_accounts_unless_told_otherwise():
    (one,) = complete_instances(read({"name": "main"}))
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
    made = files(HUB)
    assert yaml.safe_load(made["/etc/slipway/registry/compose.yml"]["content"])["services"]["hub"]["entrypoint"] == [
        "/bin/sh",
        "/etc/slipway/serve-cache",
    ]
    script = made["/etc/slipway/registry/hub/serve-cache"]["content"]
    subprocess.run(["/bin/sh", "-n", "-c", script], check=True)
    assert "entrypoint" not in compose({"name": "main"})["main"]


def test_a_cache_reaches_its_upstream_by_a_proxy_and_with_an_authority(tmp_path):
    (tmp_path / "ca.pem").write_text("PEM")
    upstream = {"proxy": "http://me:SK@proxy:3128", "authority": str(tmp_path / "ca.pem")}
    made = files({**HUB, "upstream": upstream})
    service = yaml.safe_load(made["/etc/slipway/registry/compose.yml"]["content"])["services"]["hub"]
    assert service["env_file"] == ["hub/environment"]
    # Where Go looks for authorities beside the system's file.
    assert service["environment"]["SSL_CERT_DIR"] == "/etc/slipway"
    assert made["/etc/slipway/registry/hub/upstream.crt"]["content"] == "PEM"
    assert {path for path, file in made.items() if "SK" in file["content"]} == {"/etc/slipway/registry/hub/environment"}
    assert "upstream.authority of hub is /no, which is no file" in problems({**HUB, "upstream": {"authority": "/no"}})


def test_containers_are_not_subject_to_a_mapping_of_users():
    assert {one["userns_mode"] for one in compose({"name": "main"}, HUB).values()} == {"host"}


def test_addresses_of_version_6_are_published():
    service = compose({"name": "main", "address": "::", "metrics_port": 5090, "metrics_address": "::1"})["main"]
    assert service["ports"] == ["[::]:5000:5000", "[::1]:5090:5001"]
    assert "The address of main is eth0: give an IP address" in problems({"name": "main", "address": "eth0"})


def test_the_program_knows_its_folder():
    made = files({"name": "main"}, config_dir="/opt/conf")
    assert 'CONFIG = "/opt/conf"\n' in made["/usr/local/sbin/slipway-registry"]["content"]
    assert "/opt/conf/instances.json" in made


def test_plain_http_is_what_was_asked_for():
    settings = config({"name": "main", "tls": False, "accounts": False})
    assert "tls" not in settings["http"]
    assert "auth" not in settings


def test_rules_of_retention_are_made_whole():
    made = files({"name": "main"}, retention=[{"repository": "ci/*", "keep": 3}])
    table = json.loads(made["/etc/slipway/registry/instances.json"]["content"])
    assert table["retention"] == [{"repository": "ci/*", "tag": "*", "keep": 3, "days": 0}]


@pytest.mark.parametrize(
    ("rule", "good"),
    [
        ({}, False),
        ({"keep": 0}, False),
        ({"days": 0}, False),
        ({"keep": -1}, False),
        ({"keep": 3, "days": -1}, False),
        ({"keep": 3, "days": 0}, True),
        ({"keep": 0, "days": 0.5}, True),
    ],
)
def test_a_rule_of_retention_says_how_much(rule, good):
    message = problems({"name": "main"}, retention=[{"repository": "ci/*", **rule}])
    assert message == "" if good else "does not say what is kept: give keep, days or both, above 0" in message


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
    assert "SK" not in json.dumps(prepare(read({"name": "main", "storage": S3}), SITE))


def test_nothing_that_a_password_could_be_guessed_by_stands_in_a_module_s_arguments():
    """Not even before the controller has the secret that is in every file with passwords."""
    cache = {**HUB, "upstream": {"url": "https://quay.io", "proxy": "http://user:SK@proxy:3128"}}
    path = "/etc/slipway/registry/hub/environment"
    one, other = (reader.Site("reg", SITE.settings, SITE.groups, hostvars=SITE.hostvars) for _site in range(2))
    want = prepare(read(cache, accounts=[]), one)[0]
    assert one.sealed[want["files"][path]["seal"]] == files(cache, accounts=[])[path]["content"]
    # Sealed by a key that each run makes anew.
    assert prepare(read(cache, accounts=[]), other)[0]["files"][path]["seal"] not in one.sealed
    labels = {
        prepare(read({**cache, "upstream": {**cache["upstream"], "password": guess}}), SITE)[0]["services"][0]["digest"]
        for guess in ("SK", "guess")
    }
    assert len(labels) == 1


def test_hosts_that_share_a_disk_for_copies_have_a_folder_each():
    facts = prepare(read(backup_dir="/mnt/backup", restore_dir="/mnt/copies"), SITE)[0]["facts"]
    assert (facts["backup_dir"], facts["restore_dir"]) == ("/mnt/backup/reg", "/mnt/copies/reg")


def test_an_object_store_needs_no_folder():
    service = compose({"name": "main", "storage": S3})["main"]
    assert all(one["target"] != "/var/lib/registry" for one in service["volumes"])
    assert "/var/lib/registry" in service["tmpfs"]


def test_a_container_is_made_anew_where_its_settings_change(secrets_dir):
    def digest(instance, **more):
        return compose(instance, secrets_dir=secrets_dir, **more)["main"]["labels"]["slipway.digest"]

    plain = {"name": "main"}
    assert digest(plain) == digest(plain)
    others = [{**plain, "port": 5001}, {**plain, "memory": "1g"}, {**plain, "config": {"log": {"level": "debug"}}}]
    assert len({digest(one) for one in [plain, *others]}) == 4
    assert digest(plain, image="registry:3.1.0") != digest(plain)


def test_further_configuration_is_merged():
    settings = config({"name": "main", "config": {"log": {"level": "debug"}, "http": {"relativeurls": True}}})
    assert settings["log"]["level"] == "debug"
    assert settings["log"]["fields"]["service"] == "registry"
    assert settings["http"]["relativeurls"] and settings["http"]["addr"] == ":5000"


def test_each_instance_has_a_secret_of_its_own(secrets_dir):
    both = [{"name": "main"}, {"name": "other", "port": 5001}]
    secrets = {config(*both, service=name, secrets_dir=secrets_dir)["http"]["secret"] for name in ("main", "other")}
    assert len(secrets) == 2 and "secret" not in secrets


def test_no_schedule_means_no_units(secrets_dir):
    assert not [path for path in files({"name": "main"}, collect_schedule="") if "registry-collect." in path]
    never, sundays = (
        prepare(read({"name": "main"}, secrets_dir=secrets_dir, collect_schedule=one), SITE)[0]
        for one in ("", "Sun 03:30")
    )
    assert (never["timer"], len(never["unwanted_units"]), sundays["unwanted_units"]) == ("", 2, [])
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
        ([{"name": "a", "anonymous_pull": True}, {"name": "a-pull", "port": 1}], "The name a-pull is that of the"),
        ([{"name": "a", "port": 70000}], "give a number from 1 to 65535"),
        ([{"name": "a", "storage": {"path": "data"}}], "give an absolute path"),
        (
            [{"name": "a", "storage": {"path": "/d"}}, {"name": "b", "port": 1, "storage": {"path": "/d"}}],
            "a has its images in /d/docker and b in /d/docker, so that one would collect the other's as garbage",
        ),
        (
            [{"name": "a", "storage": {"path": "/d"}}, {"name": "b", "port": 1, "storage": {"path": "/d/docker/b"}}],
            "a has its images in /d/docker and b in /d/docker/b/docker",
        ),
        (
            [{"name": "a", "storage": S3}, {"name": "b", "port": 1, "storage": S3}],
            "a has its images in s3/s3.r.amazonaws.com:443/b/docker and b in s3/s3.r.amazonaws.com:443/b/docker",
        ),
        ([{"name": "a", "storage": {"path": "/var/lib"}}], "a has its images in /var/lib/docker, and /var/lib/docker"),
        ([{"name": "a", "storage": {"driver": "s3"}}], "name its bucket or container"),
        ([{"name": "a", "storage": {"driver": "s3", "options": {"secretkey": "SK"}}}], "Move secretkey of a"),
        ([{"name": "a", "mode": "cache", "upstream": {"url": "http://me:SK@hub"}}], "must be a URL"),
        ([{"name": "a", "mode": "cache", "anonymous_pull": True}], "a is a cache"),
        ([{"name": "a", "upstream": {"url": "http://hub"}}], "set mode: cache"),
        ([{"name": "a", "config": {"http": {"addr": ":80"}}}], "The config of a has http.addr, http.net or http.tls"),
        ([{"name": "a", "accounts": False, "anonymous_pull": True}], "everyone may pull and push"),
    ],
)
def test_what_cannot_be_is_told_without_secrets(instances, problem):
    message = problems(*instances)
    assert problem in message
    assert "SK" not in message


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
    assert problem in problems({"name": "a"}, accounts=accounts)


def test_good_inputs_have_no_problems():
    beside = {**S3, "options": {**S3["options"], "rootdirectory": "/b"}}
    instances = [
        {"name": "main", "anonymous_pull": True},
        # Beside each other in one folder, or bucket.
        {"name": "disk", "port": 5030, "storage": {"path": "/opt/data"}},
        {"name": "beside", "port": 5040, "storage": beside},
        {"name": "hub", "port": 5010, "mode": "cache", "upstream": {"url": "https://mirror.example.org/"}},
        {"name": "objects", "port": 5020, "storage": S3},
    ]
    assert problems(*instances) == ""


@pytest.mark.parametrize(
    ("root", "path", "refused"),
    [
        ("/data/docker", "/data", True),
        ("/data/docker/", "/data/docker/registry", True),
        ("/data/docker/engine", "/data", True),
        # What is of the one is in no folder of the other.
        ("/data/engine", "/data", False),
        (None, "/var/lib/docker/volumes/registry/_data", True),
        ("/data/docker", "/var/lib", True),
        ("/data/docker", "/data/docker-registry", False),
    ],
)
def test_images_are_not_where_the_engine_has_its_data(root, path, refused):
    site = dataclasses.replace(SITE, variable={"docker_daemon_data_root": root}.get)
    instance = {"name": "a", "storage": {"path": path}}
    # Whatever removes them is refused as well, but no removal that leaves them.
    for inputs, count in (({}, refused), ({"state": "absent", "purge_data": True}, refused), ({"state": "absent"}, 0)):
        wrong = prepare(read(instance, **inputs), site)[1]
        assert len(wrong) == count and all("Choose another storage path" in one for one in wrong)


@pytest.mark.parametrize(
    ("other", "inputs", "refused"),
    [
        ({}, {}, True),
        ({"registry_state": "absent"}, {}, False),
        ({"slipway_roles": ["docker_ce"]}, {}, False),
        ({"registry_instances": [{"name": "a"}]}, {}, False),
        # A pair behind a load balancer, of which none collects.
        ({}, {"collect_schedule": ""}, False),
        ({"registry_instances": "{{ nothing }}"}, {}, False),
    ],
)
def test_what_another_host_pushes_to_is_collected_by_none(other, inputs, refused):
    seen = {"registry_instances": [{"name": "b", "port": 1, "storage": S3}], **other}
    site = reader.Site("reg", SITE.settings, {"registry_hosts": ["reg", "two"]}, hostvars={"reg": {}, "two": seen})
    message = "\n".join(prepare(read({"name": "a", "storage": S3}, **inputs), site)[1])
    assert ("and b of two in s3/" in message) is refused


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
    (one,) = prepare(read(instance), SITE)[0]["services"]
    assert one["endpoint"] == endpoint


def test_fingerprints_tell_passwords_apart_and_need_the_secret(secrets_dir, tmp_path):
    accounts = [{"name": "a", "password": "made"}, {"name": "slipway"}]
    credentials = secrets.secrets(read(accounts=accounts, secrets_dir=secrets_dir))
    assert len(set(credentials["fingerprints"].values())) == 2
    assert "made" not in json.dumps(prepare(read(accounts=accounts, secrets_dir=secrets_dir), SITE))
    (tmp_path / "secret").unlink()
    assert set(secrets.secrets(read(accounts=accounts, secrets_dir=secrets_dir))["fingerprints"].values()) == {""}


def test_accounts_are_hashed_on_the_controller_and_known_on_the_host(secrets_dir):
    inputs = read(accounts=[{"name": "slipway"}, {"name": "a", "password": "x"}], secrets_dir=secrets_dir)
    text = secrets.htpasswd(inputs, cost=4)
    entries = {name: hashed for name, hashed, _mark in parse_htpasswd(text)}
    assert bcrypt.checkpw(b"made", entries["slipway"].encode()) and bcrypt.checkpw(b"x", entries["a"].encode())
    found = accounts((text, "0600"), prepare(inputs, SITE)[0]["accounts"])
    assert found["accounts"] == {"slipway": True, "a": True}


def test_a_controller_without_bcrypt_needs_it_for_accounts_alone(secrets_dir, monkeypatch):
    monkeypatch.setattr(secrets, "bcrypt", None)
    wrong = prepare(read(accounts=[{"name": "a"}], secrets_dir=secrets_dir), SITE)[1]
    assert [text.partition(":")[2].split(" -m ")[1] for text in wrong] == ["pip install bcrypt."]
    assert prepare(read(instances=[HUB], secrets_dir=secrets_dir), SITE)[1] == []


def test_only_acting_is_given_accounts_and_what_was_issued(secrets_dir):
    site = dataclasses.replace(SITE, variable={"__registry_issued": {"key": "K"}}.get)
    given = secrets_for_acting(read(secrets_dir=secrets_dir), site)
    assert [name for name, _hash, _mark in parse_htpasswd(given["registry_htpasswd"])] == ["slipway"]
    assert given["registry_issued"] == {"key": "K", "authority": "authority\n"}
    given = secrets_for_acting(read({"name": "main", "accounts": False}, secrets_dir=secrets_dir), SITE)
    assert given == {"registry_htpasswd": "", "registry_issued": {"authority": "authority\n"}}
    assert secrets_for_acting(read(state="absent"), SITE) == {}


def test_a_file_of_accounts_without_passwords_is_never_made():
    with pytest.raises(ValueError, match="no password for slipway"):
        secrets.htpasswd(with_defaults(read(), SITE))


def test_what_is_to_be_made_on_the_controller_is_named(secrets_dir):
    assert prepare(read(), SITE)[0]["facts"]["missing_secrets"] == ["secret", "passwords/slipway", "authority"]
    assert prepare(read(secrets_dir=secrets_dir), SITE)[0]["facts"]["missing_secrets"] == []
    plain = read({"name": "a", "tls": False}, accounts=[{"name": "b", "password": "x"}])
    assert prepare(plain, SITE)[0]["facts"]["missing_secrets"] == ["secret"]


@pytest.mark.parametrize("passphrase", ["", "a long one"])
def test_several_runs_make_the_secrets_once(tmp_path, passphrase):
    inputs = with_defaults(read(secrets_dir=f"{tmp_path}/kept", ca_passphrase=passphrase), SITE)
    runs = [multiprocessing.get_context("fork").Process(target=secrets.make, args=(inputs,)) for _one in range(5)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    folder = tmp_path / "kept"
    kept = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    modes = {path.relative_to(folder).as_posix(): oct(path.stat().st_mode & 0o777) for path in kept if path.suffix}
    assert [run.exitcode for run in runs] == [0] * 5 and modes == {"ca.crt": "0o644", "ca.key": "0o600"}
    assert secrets.missing(inputs, secrets.secrets(inputs)) == []
    secrets.make(inputs)
    assert kept == {path: path.read_bytes() for path in kept}
    # Its key signs with it, as openssl has it, and it is an authority.
    text = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-CAfile", folder / "ca.crt", folder / "ca.crt"], capture_output=True
    )
    assert text.returncode == 0, text
    of_key = ["openssl", "pkey", "-in", folder / "ca.key", "-pubout", "-passin", f"pass:{passphrase}"]
    of_certificate = ["openssl", "x509", "-in", folder / "ca.crt", "-noout", "-pubkey"]
    assert subprocess.check_output(of_key) == subprocess.check_output(of_certificate)
    # A passphrase that is wrong makes no other.
    (folder / "ca.crt").unlink()
    with pytest.raises(ValueError, match="cannot be read with registry_ca_passphrase"):
        secrets.make({**inputs, "ca_passphrase": "" if passphrase else "given"})
    assert (folder / "ca.key").read_bytes() == kept[folder / "ca.key"] and not (folder / "ca.crt").exists()
    secrets.make(inputs)
    assert subprocess.check_output(of_key) == subprocess.check_output(of_certificate)


def test_secrets_are_not_in_a_cache_by_default(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    site = reader.Site("reg", {"cache_dir": "~/.cache/slipway"})
    assert with_defaults(read(), site)["secrets_dir"] == str(tmp_path / ".local/share/slipway/registry")
    # Where they are already, they stay.
    (tmp_path / ".cache/slipway/registry").mkdir(parents=True)
    assert with_defaults(read(), site)["secrets_dir"] == str(tmp_path / ".cache/slipway/registry")


def test_defaults_follow_others():
    inputs = with_defaults(read(version="2.8.3"), SITE)
    assert (inputs["hostname"], inputs["image"]) == ("reg", "registry:2.8.3")
    assert (inputs["secrets_dir"], inputs["client_hosts"]) == ("/nonexistent/registry", ["reg"])


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ({"certificate": "/no"}, "registry_certificate is /no, which is no file on the controller"),
        ({"certificate_key": "/etc/hostname"}, "belong together"),
        (
            {"certificate": "/etc/hostname", "certificate_key": "/etc/hostname"},
            "registry_certificate cannot be used: not valid",
        ),
        ({"certificate_days": 30}, "registry_certificate_days is 30; give more than registry_certificate_renew_days"),
        ({"backup_keep": 0}, "registry_backup_keep is 0; give a number from 1 on"),
    ],
)
def test_what_belongs_to_the_controller_is_checked(inputs, problem):
    assert problem in problems(**inputs)


def test_a_certificate_that_nothing_uses_is_not_judged():
    assert problems({"name": "a", "tls": False}, certificate="/etc/hostname", certificate_key="/etc/hostname") == ""


def test_removal_takes_the_registry_s_own_and_needs_no_accounts():
    want, wrong = prepare(read({"name": "a", "storage": {"path": "/data"}}, state="absent", purge_data=True), SITE)
    assert wrong == []
    assert want["purge"] == ["/data/docker", "/data/.gone-docker", "/data/scheduler-state.json", "/data/.slipway"]
    assert prepare(read(state="absent", accounts=[]), SITE)[0]["purge"] == []


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


class Unknown(dict):
    """Another host's variables as ansible-core 2.19 has them, with a template that cannot be resolved."""

    def __getitem__(self, name):
        raise AnsibleUndefinedVariable("'dict object' has no attribute 'fqdn'")


@pytest.mark.parametrize("kind", [dict, Unknown])
def test_facts_of_another_host_that_nobody_gathered_are_told(kind):
    found, (problem,) = endpoints.endpoints(["reg"], {"reg": kind(registry_hostname="{{ ansible_facts.fqdn }}")})
    assert found == [] and problem.startswith("Other hosts need registry_hostname of reg, but it cannot be read: ")
    assert "Write a fixed value, or gather" in problem and "slipway_gather_facts" not in problem


def test_what_a_play_sets_and_other_hosts_do_not_see_is_told():
    inventory = {"registry_hostname": "a", "registry_tls": False}
    # As a role's tasks have them.
    default = reader.defaults("registry")
    for played, named in (
        (inventory, []),
        ({**default, **inventory}, []),
        ({**default, **inventory, "registry_tls": True}, ["registry_tls"]),
        ({**inventory, "slipway_roles": ["docker_ce", "registry"]}, []),
        ({**inventory, "slipway_roles": ["docker_ce"]}, ["slipway_roles"]),
        ({**default, **inventory, "registry_data_dir": "/data"}, ["registry_data_dir"]),
    ):
        site = reader.Site("b", variable=played.get, hostvars={"b": inventory})
        assert [problem.split(" is set by a play")[0] for problem in endpoints.play_only_problems(site)] == named


def test_a_password_without_quotes_is_no_number():
    given = {
        "registry_accounts": [{"name": "a", "password": 42798}, {"name": "b", "password": "0123"}],
        "registry_instances": [{"name": "hub", "upstream": {"password": 7}}, {"name": "main"}],
    }
    assert secrets.number_problems(dataclasses.replace(SITE, variable=given.get)) == [
        "The password of a in registry_accounts is a number: write it in quotes.",
        "The password of hub in registry_instances is a number: write it in quotes.",
    ]
    assert secrets.number_problems(SITE) == []


def test_the_engine_s_own_options_hold_for_the_registries_too(secrets_dir):
    def made(**options):
        site = dataclasses.replace(SITE, variable={"docker_daemon_options": options}.get)
        found = written.files(with_defaults(read(secrets_dir=secrets_dir), site), site)
        return yaml.safe_load(found["/etc/slipway/registry/compose.yml"]["content"])

    plain, small, labelled = made(), made(mtu=1400), made(**{"selinux-enabled": True})
    assert "networks" not in plain and small["networks"]["default"] == {
        "name": "slipway-registry_mtu1400",
        "driver_opts": {"com.docker.network.driver.mtu": "1400"},
    }
    binds = [[one["bind"].get("selinux") for one in made["services"]["main"]["volumes"]] for made in (plain, labelled)]
    assert binds == [[None] * 3, ["z"] * 3]
    assert len({one["services"]["main"]["labels"]["slipway.digest"] for one in (plain, small, labelled)}) == 3


def test_no_port_is_opened_for_what_only_the_host_reaches():
    both = ({"name": "a"}, {"name": "b", "port": 1, "address": "127.0.0.1"}, {"name": "c", "port": 2, "address": "::1"})
    assert prepare(read(*both), SITE)[0]["open_ports"] == [5000]
