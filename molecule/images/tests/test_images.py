"""What a user finds: images that run on every node, and a registry that has them whole for who may ask."""

import json

import pytest

REGISTRY = "debian13:5000"
HELLO = ("hello-world", "team/saved:1", f"{REGISTRY}/team/app:1")
SHELL = ("busybox:1.37", "local/shell:lts", "team/oci:1", "team/multi:1", f"{REGISTRY}/team/multi:1")


@pytest.fixture
def pusher(host):
    if host.check_output("hostname") != "debian13":
        pytest.skip("of the host that pushes")
    return host


@pytest.fixture
def client(host):
    if host.check_output("hostname") != "debian12":
        pytest.skip("of a node that does not push")
    return host


def listed(host, reference):
    """Return the manifest that the registry has."""
    return json.loads(host.check_output(f"skopeo inspect --raw docker://{reference}"))


@pytest.mark.parametrize("image", HELLO)
def test_hello_says_hello(host, image):
    assert "ello" in host.check_output(f"docker run --rm --pull=never {image}")


@pytest.mark.parametrize("image", SHELL)
def test_shell_runs(host, image):
    assert host.check_output(f"docker run --rm --pull=never {image} sh -c 'echo $((6 * 7))'") == "42"


def test_other_images_of_an_archive_were_not_loaded(host):
    # The archive saved.tar holds busybox:latest too.
    assert host.run("docker image inspect busybox:latest").rc != 0


def test_list_of_architectures_is_kept_whole(pusher):
    found = listed(pusher, f"{REGISTRY}/team/multi:1")
    assert [one["platform"]["architecture"] for one in found["manifests"]] == ["amd64", "arm64"]
    for one in found["manifests"]:
        assert listed(pusher, f"{REGISTRY}/team/multi@{one['digest']}")["layers"]


def test_registry_over_plain_http_has_an_image_of_an_engine(pusher):
    image = json.loads(pusher.check_output("docker image inspect registry:3.0.0"))[0]["Id"]
    found = json.loads(
        pusher.check_output("skopeo inspect --raw --tls-verify=false docker://debian13:5020/infra/registry:3.0.0")
    )
    assert found["config"]["digest"] == image


def test_node_pulls_what_was_pushed_by_its_digest(client):
    (digest,) = json.loads(
        client.check_output(
            f"docker image inspect --format '{{{{json .RepoDigests}}}}' {REGISTRY}/mirrored/busybox:1.37"
        )
        if client.run(f"docker pull --quiet {REGISTRY}/mirrored/busybox:1.37").rc == 0
        else "[]"
    )[:1]
    client.check_output(f"docker image rm {REGISTRY}/mirrored/busybox:1.37")
    name = f"{REGISTRY}/mirrored/busybox@{digest.partition('@')[2]}"
    client.check_output(f"docker pull --quiet {name}")
    assert client.check_output(f"docker run --rm --pull=never {name} echo pulled") == "pulled"


def test_registry_refuses_who_has_no_password(pusher):
    said = pusher.run(f"skopeo inspect --no-creds docker://{REGISTRY}/team/multi:1")
    assert said.rc != 0
    assert "unauthorized" in said.stderr or "authentication required" in said.stderr


def test_another_authority_is_not_trusted(pusher):
    said = pusher.run(
        "env SSL_CERT_FILE=/usr/share/ca-certificates/mozilla/ISRG_Root_X1.crt SSL_CERT_DIR=/none "
        f"skopeo inspect --cert-dir /etc/slipway docker://{REGISTRY}/team/multi:1"
    )
    assert said.rc != 0
    assert "x509" in said.stderr


def test_files_of_the_role(host):
    record = host.file("/var/lib/slipway/images.json")
    assert (record.mode, record.user) == (0o600, "root")
    assert "team/saved:1" in json.loads(record.content_string)["images"]
    assert host.run("ls -d /var/tmp/slipway-image-* /var/lib/slipway/image-*").stdout == ""
