"""The filters by which an inventory names registries."""

import dataclasses

import pytest
from ansible_collections.slipway.node.plugins.filter import registry
from ansible_collections.slipway.node.plugins.plugin_utils.docker_daemon import inputs as docker_daemon
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.registry.endpoints import endpoints, for_engine
from ansible_collections.slipway.node.plugins.plugin_utils.registry_client import inputs as registry_client

HOSTS = ["reg", "other"]
HOSTVARS = {
    "reg": {
        "registry_hostname": "registry.example.org",
        "registry_instances": [
            {"name": "main", "port": 5000, "anonymous_pull": True},
            {"name": "hub", "port": 5010, "mode": "cache"},
            {"name": "quay", "port": 5011, "mode": "cache", "upstream": {"url": "https://quay.io"}},
            {
                "name": "near",
                "port": 5012,
                "mode": "cache",
                "upstream": {"url": "https://hub.near", "registry": "docker.io"},
            },
            {"name": "plain", "port": 5020, "tls": False, "accounts": False},
        ],
    },
    "other": {},
}


def test_clients_learn_registries_from_the_inventory():
    found, problems = endpoints(HOSTS, HOSTVARS)
    assert problems == []
    assert [(one["address"], one["mode"], one["accounts"]) for one in found] == [
        ("registry.example.org:5000", "store", True),
        ("registry.example.org:5001", "pull", False),
        ("registry.example.org:5010", "cache", False),
        ("registry.example.org:5011", "cache", False),
        ("registry.example.org:5012", "cache", False),
        ("registry.example.org:5020", "store", False),
        ("other:5000", "store", True),
    ]


@pytest.mark.parametrize("gone", [{"registry_state": "absent"}, {"slipway_roles": ["docker_ce"]}])
def test_registries_that_a_host_is_not_to_have_are_told_of_to_nobody_but_removal(gone):
    hostvars = {**HOSTVARS, "reg": {**HOSTVARS["reg"], **gone}}
    assert [one["address"] for one in endpoints(HOSTS, hostvars)[0]] == ["other:5000"]
    assert registry.registry_mirrors(HOSTS, hostvars) == registry.registry_insecure(HOSTS, hostvars) == []
    assert len(endpoints(HOSTS, hostvars, removed=True)[0]) == 7


def test_caches_of_docker_hub_alone_are_its_mirrors():
    mirrors = ["https://registry.example.org:5010", "https://registry.example.org:5012"]
    assert registry.registry_mirrors(HOSTS, HOSTVARS) == mirrors


def test_registries_over_plain_http_are_insecure():
    assert registry.registry_insecure(HOSTS, HOSTVARS) == ["registry.example.org:5020"]


@pytest.mark.parametrize("value", [False, "false", "no"])
def test_text_from_the_command_line_means_the_same_to_server_and_clients(value):
    hostvars = {"reg": {"registry_tls": value}}
    assert registry.registry_insecure(["reg"], hostvars) == ["reg:5000"]
    assert endpoints(["reg"], hostvars)[0][0]["tls"] is False


def client(hostvars=HOSTVARS, **inputs):
    given = {f"registry_{name}": value for name, value in inputs.items()}
    values, problems = reader.read(
        reader.specification("registry"), reader.defaults("registry"), given, lambda value: value, "registry_"
    )
    assert problems == []
    site = reader.Site("node", {"cache_dir": "/nonexistent"}, {"registry_hosts": HOSTS}, hostvars=hostvars)
    return values, site


def test_a_client_is_told_of_registries_and_of_no_password(tmp_path):
    (tmp_path / "ca.crt").write_text("authority")
    (tmp_path / "secret").write_text("s")
    inputs, site = client(
        secrets_dir=str(tmp_path),
        accounts=[{"name": "alice", "password": "SK"}],
        client_logins=[{"user": "root", "account": "alice"}],
    )
    want, problems = registry_client.prepare(inputs, site)
    assert problems == []
    assert "registry.example.org:5020" not in want["addresses"] and "other:5000" in want["addresses"]
    assert [login["address"] for login in want["logins"]] == ["registry.example.org:5000", "other:5000"]
    tried = {one["address"]: (one["tls"], one["user"]) for one in want["registries"]}
    assert tried["registry.example.org:5000"] == (True, "root") and len(tried) == 7
    assert tried["registry.example.org:5001"] == (True, None) and tried["registry.example.org:5020"] == (False, None)
    assert "SK" not in str(want)
    assert registry_client.secrets_for_acting(inputs, site) == {"registry_passwords": {"alice": "SK"}}
    assert registry_client.secrets_for_acting({**inputs, "state": "absent"}, site) == {}


@pytest.mark.parametrize(
    ("inputs", "hostvars", "problem"),
    [
        (
            {"client_logins": [{"user": "root", "account": "bob"}]},
            HOSTVARS,
            "accounts that registry_accounts has not: bob",
        ),
        ({"client_hosts": ["gone"]}, HOSTVARS, "registry_client_hosts has gone, which is not in the inventory"),
        ({"client_hosts": ["a"]}, {"a": {"registry_tls": "perhaps"}}, "registry_tls is"),
    ],
)
def test_what_cannot_be_is_told(inputs, hostvars, problem):
    values, site = client(hostvars, **inputs)
    assert problem in "\n".join(registry_client.prepare(values, site)[1])


def test_names_are_small_and_port_443_may_be_left_out_and_loopback_has_no_clients():
    instances = [
        {"name": "a", "port": 443},
        {"name": "b", "port": 1, "address": "127.0.0.1"},
        {"name": "c", "port": 2, "address": "no address"},
    ]
    hostvars = {"Reg": {"registry_hostname": "Registry.Example.org", "registry_instances": instances}}
    found = [one["address"] for one in endpoints(["Reg"], hostvars)[0]]
    assert found == ["registry.example.org:443", "registry.example.org:2"]
    inputs, site = client(
        hostvars,
        client_hosts=["Reg"],
        accounts=[{"name": "alice", "password": "SK"}],
        client_logins=[{"user": "root", "account": "alice"}],
    )
    want = registry_client.prepare(inputs, site)[0]
    assert [one["address"] for one in want["logins"]] == [
        "registry.example.org:443",
        "registry.example.org",
        "registry.example.org:2",
    ]
    assert want["hostnames"] == ["registry.example.org"]


def test_an_engine_knows_the_registries_of_its_site_without_being_told():
    site = reader.Site("node", groups={"registry_hosts": HOSTS}, hostvars=HOSTVARS)
    assert for_engine(site) == (["registry.example.org:5020"], ["registry.example.org", "other"])
    assert for_engine(dataclasses.replace(site, roles=["docker_daemon"])) == ([], [])
    given = {"docker_daemon_http_proxy": "http://proxy:3128", "docker_daemon_no_proxy": "other,10.0.0.0/8"}
    values, _wrong = reader.read(
        reader.specification("docker_daemon"),
        reader.defaults("docker_daemon"),
        given,
        lambda one: one,
        "docker_daemon_",
    )
    made = docker_daemon.prepare(values, site)[0]
    assert made["insecure_registries"] == ["registry.example.org:5020"]
    assert 'NO_PROXY="other,10.0.0.0/8,registry.example.org"' in site.sealed[made["proxy"]]


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        (None, []),
        ({"registry": {"refused": []}}, []),
        ({"registry": {"refused": ["of another authority"]}}, ["reg"]),
        ({"failed": True, "msg": "of another authority"}, ["reg"]),
    ],
)
def test_clients_know_a_registry_that_was_refused(state, refused):
    inputs, site = client(HOSTVARS, client_hosts=["reg"])
    site = dataclasses.replace(
        site, variable=lambda name, host="": state if (name, host) == ("slipway_state", "reg") else None
    )
    assert registry_client.prepare(inputs, site)[0]["refused_hosts"] == refused
