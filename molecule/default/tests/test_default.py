"""What users find after one run over fresh hosts."""

import pytest

IMAGE = "store:5000/library/busybox:1.37"
DOCKER = {"rocky9": "20.10.24", "store": "29."}


@pytest.fixture
def node(host):
    return host.check_output("hostname")


def test_go_is_there_on_every_host(host):
    assert host.check_output("bash -lc 'go version'").startswith("go version go1.27.3 ")


def test_a_host_without_docker_has_none_of_it(host, node):
    if node in DOCKER:
        pytest.skip("takes Docker")
    assert not host.exists("docker") and not host.file("/etc/docker").exists
    assert "admin" in host.group("hpc").members and not host.group("docker").exists
    with host.sudo("admin"):
        assert host.check_output("bash -lc 'singularity --version'") == "apptainer version 1.4.5"


def test_the_image_that_a_host_of_the_last_batch_pushed_runs_for_a_user(host, node):
    if node not in DOCKER:
        pytest.skip("takes no Docker")
    assert host.check_output("docker version --format '{{.Server.Version}}'").startswith(DOCKER[node])
    with host.sudo("admin"):
        assert host.check_output(f"docker run --rm --network none {IMAGE} echo works") == "works"


def test_the_registry_serves_what_was_pushed(host, node):
    if node != "store":
        pytest.skip("of the registry host")
    assert host.check_output("skopeo list-tags docker://store:5000/library/busybox").count("1.37") == 1
