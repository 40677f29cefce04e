"""Errors come with what to do."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.images.remedies import remedy, with_remedy


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
        ("toomanyrequests: You have reached your unauthenticated pull rate limit", "so many times an hour"),
        ("reading manifest 1 in docker.io/library/x: received unexpected HTTP status: 429 Too Many", "so many times"),
        ("something else", ""),
    ],
)
def test_an_error_comes_with_its_remedy(said, advice):
    assert advice in remedy(said)
    assert bool(remedy(said)) == bool(advice)


def test_an_error_is_told_with_its_remedy():
    assert with_remedy("x509: unknown\n") == (
        "x509: unknown -- This host does not trust the registry's certificate: run the role registry with tasks_from: "
        "client here."
    )
    assert with_remedy("strange") == "strange"
