"""After all the changes images are in containerd's store, and ids are those of manifests."""

import json

IMAGE = "debian13:5000/mirrored/busybox:1.37"


def inspect(host, name):
    return json.loads(host.check_output("docker image inspect %s", name))[0]


def test_images_are_in_containerd_s_store(host):
    info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert info["ServerVersion"].startswith("29.")
    assert info["DriverStatus"] == [["driver-type", "io.containerd.snapshotter.v1"]]
    assert IMAGE in host.check_output("ctr --namespace moby images ls --quiet").splitlines()


def test_an_id_is_the_digest_that_the_registry_has(host):
    digest = host.check_output("skopeo inspect --raw docker://%s | sha256sum | cut -d' ' -f1", IMAGE)
    image = inspect(host, IMAGE)
    assert image["Id"] == f"sha256:{digest}"
    assert f"debian13:5000/mirrored/busybox@sha256:{digest}" in image["RepoDigests"]


def test_the_registry_has_the_engine_s_own_image_by_its_configuration(host):
    name = "debian13:5000/infra/registry:3.0.0"
    manifest = json.loads(host.check_output("skopeo inspect --raw docker://%s", name))
    assert manifest["config"]["digest"] != inspect(host, "registry:3.0.0")["Id"]
    host.check_output("docker pull --quiet %s", name)
    host.check_output("docker image rm %s", name)


def test_the_registry_s_authority_is_read_only(host):
    assert host.file("/etc/docker/certs.d/debian13:5000/ca.crt").mode == 0o444


def test_a_container_runs_of_each(host):
    for name in (IMAGE, "local/shell:lts"):
        assert host.check_output("docker run --rm %s echo it runs", name) == "it runs"
