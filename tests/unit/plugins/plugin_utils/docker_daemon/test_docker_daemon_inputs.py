"""Which inputs are wrong, and what of them reaches the node."""

import json

import pytest

from tests.unit.plugins.module_utils.docker_daemon.docker_daemon_hosts import wanted

PROBLEMS = [
    ({"registry_mirrors": ["http://u:s3cret@m"]}, "docker_daemon_registry_mirrors has http://***@m; give roots"),
    ({"registry_mirrors": ["https://m/path"]}, "docker_daemon_registry_mirrors has https://m/path"),
    ({"insecure_registries": ["http://m:5000"]}, "docker_daemon_insecure_registries has http://m:5000"),
    ({"data_root": "data/"}, "docker_daemon_data_root is data/; give an absolute path"),
    ({"options": {"data-root": "/"}}, "data-root of docker_daemon_options is /; give an absolute path"),
    ({"options": {"hosts": ["unix:///srv/d.sock", "tcp://10.0.0.1:2376"]}}, "hosts without Docker's usual socket"),
    ({"http_proxy": "p:3128"}, "must be URLs"),
    ({"options": {"proxies": {}}}, "the key proxies"),
    ({"options": {"registry-mirror": ["http://m"]}}, "has registry-mirror, a flag's name"),
    ({"probe_mirrors": "false"}, "choose off or report or skip"),
]


@pytest.mark.parametrize(("given", "expected"), PROBLEMS)
def test_wrong_inputs_are_named_with_the_remedy(given, expected):
    _want, problems, _site = wanted(**given)
    assert len(problems) == 1 and expected in problems[0]
    assert "s3cret" not in problems[0]


@pytest.mark.parametrize(
    "usual", ["fd://", "fd://docker.socket", "unix://", "unix:///run/docker.sock", "unix:///var/run/docker.sock"]
)
def test_hosts_with_the_usual_socket_are_taken(usual):
    assert wanted(options={"hosts": ["tcp://10.0.0.1:2376", usual], "data-root": "/data/docker"})[1] == []


def test_off_without_quotes_is_off():
    assert wanted(probe_mirrors=False)[0]["probe_mirrors"] == "off"


def test_secrets_reach_the_node_as_seals_alone():
    given = {
        "http_proxy": "http://u:s3cret@p",
        "log_opts": {"splunk-token": "s3cret"},
        "options": {"builder": {"x": [{"password": "s3cret"}]}},
    }
    wish, problems, site = wanted(**given)
    assert problems == [] and "s3cret" not in json.dumps(wish)
    assert sorted(site.sealed.values())[1:] == ["s3cret"]
    assert 'HTTPS_PROXY="http://u:s3cret@p"' in site.sealed[wish["proxy"]]
    # Another run has another key, so that not even equality shows.
    assert wanted(**given)[0]["proxy"] != wish["proxy"]


def test_a_proxy_for_https_follows_unless_it_is_set():
    wish, _problems, site = wanted(http_proxy="http://p", https_proxy="")
    assert "HTTPS_PROXY" not in site.sealed[wish["proxy"]]
    assert wanted(https_proxy="", http_proxy="")[0]["proxy"] == ""
