"""What a client finds: registries that let in who has a password and the right authority, and nobody else."""

import json

import pytest

STORE, ANONYMOUS, CACHE, PLAIN, OBJECTS = (f"debian13:{port}" for port in (5000, 5001, 5010, 5020, 5030))
ROOT_ONLY = (
    "/etc/slipway/registry/main/config.yml",
    "/etc/slipway/registry/main/htpasswd",
    "/etc/slipway/registry/objects/config.yml",
    "/etc/slipway/registry/tls/tls.key",
    "/root/.docker/config.json",
)
# Written so that the search does not find itself in the log of sudo.
SECRETS = "a-key-that-nobody-may-se[e]|correct-horse-batter[y]"


@pytest.fixture
def node(host):
    return host.check_output("hostname")


@pytest.fixture
def server(host, node):
    if node != "debian13":
        pytest.skip("of the registry host")
    return host


@pytest.fixture
def client(host, node):
    if node != "debian12":
        pytest.skip("of the client")
    host.run("command -v skopeo || (apt-get update -q; apt-get install -qy --no-install-recommends skopeo)")
    return host


@pytest.fixture
def image(client):
    """An image of the client's own, named after the test's process so that none is there already."""
    client.check_output("docker pull --quiet busybox")
    return "busybox"


def push(client, image, reference):
    return client.run(f"docker tag {image} {reference} && docker push --quiet {reference}")


def digest(client, reference, *options):
    return json.loads(client.check_output(f"skopeo inspect {' '.join(options)} docker://{reference}"))["Digest"]


@pytest.mark.parametrize("registry", [STORE, OBJECTS, PLAIN])
def test_image_is_pushed_and_pulled_by_digest(client, image, registry):
    reference = f"{registry}/team/app:1"
    assert push(client, image, reference).rc == 0
    listed = client.check_output(f"docker image inspect --format '{{{{json .RepoDigests}}}}' {reference}")
    (pushed,) = [name for name in json.loads(listed) if name.startswith(registry)]
    client.check_output(f"docker image rm {reference}")
    client.check_output(f"docker pull --quiet {pushed}")


def test_push_without_a_password_is_refused(client, image):
    client.check_output(f"docker tag {image} {STORE}/team/stranger:1")
    pushed = client.run(f"docker --config /nonexistent push {STORE}/team/stranger:1")
    assert pushed.rc != 0
    assert "no basic auth credentials" in pushed.stderr


def test_pull_without_a_password_is_refused(client, image):
    assert push(client, image, f"{STORE}/team/app:1").rc == 0
    assert client.run(f"docker --config /nonexistent pull {STORE}/team/app:1").rc != 0


def test_wrong_authority_is_refused(server):
    """By the engine of the node whose system does not trust the authority, at an address that it knows nothing of."""
    address = server.check_output("getent ahostsv4 debian13").split()[0]
    folder = f"/etc/docker/certs.d/{address}:5000"
    subject = "-subj '/CN=Slipway registry authority' -days 2 -nodes"
    server.check_output(
        f"mkdir -p {folder} && openssl req -x509 -newkey rsa:2048 {subject} -keyout /dev/null -out {folder}/ca.crt"
    )
    refused = server.run(f"docker pull {address}:5000/team/app:1")
    # The same address with the right authority, so that it was that and nothing else.
    server.check_output(f"cp /etc/docker/certs.d/{STORE}/ca.crt {folder}/ca.crt")
    accepted = server.run(f"docker pull {address}:5000/team/app:1")
    server.check_output(f"rm -r {folder}")
    assert "failed to verify certificate" in refused.stderr
    assert "no basic auth credentials" in accepted.stderr


def test_unknown_authority_is_refused_without_trust(client):
    assert client.run(f"curl -sS --cacert /dev/null https://{STORE}/v2/").rc != 0


@pytest.mark.parametrize(
    ("path", "has"), [("_catalog", '"team/app"'), ("team/app/tags/list", '"tags":["1"'), ("", "{}")]
)
def test_api_answers_only_with_an_account(client, image, path, has):
    assert push(client, image, f"{STORE}/team/app:1").rc == 0
    url = f"https://{STORE}/v2/{path}"
    assert client.check_output(f"curl -s -o /dev/null -w '%{{http_code}}' {url}") == "401"
    assert has in client.check_output(f"curl -sS --user alice:correct-horse-battery {url}")
    assert client.check_output(f"curl -s -o /dev/null -w '%{{http_code}}' --user alice:wrong {url}") == "401"


def test_everyone_pulls_from_the_reader_and_nobody_pushes_there(client, image):
    assert push(client, image, f"{STORE}/team/app:1").rc == 0
    client.check_output(f"docker --config /nonexistent pull --quiet {ANONYMOUS}/team/app:1")
    assert digest(client, f"{ANONYMOUS}/team/app:1", "--no-creds") == digest(client, f"{STORE}/team/app:1")
    assert push(client, image, f"{ANONYMOUS}/team/other:1").rc != 0


def test_skopeo_speaks_to_the_store(client, image):
    """A client that is not Docker: it copies between registries, lists tags, and deletes."""
    source = f"{STORE}/team/app:1"
    assert push(client, image, source).rc == 0
    for target in (f"{STORE}/oci/app:1", f"{OBJECTS}/oci/app:1"):
        client.check_output(f"skopeo copy --format oci docker://{source} docker://{target}")
        assert json.loads(client.check_output(f"skopeo list-tags docker://{target[:-2]}"))["Tags"] == ["1"]
        manifest = json.loads(client.check_output(f"skopeo inspect --raw docker://{target}"))
        assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
        client.check_output(f"skopeo delete docker://{target}")
        assert client.run(f"skopeo inspect docker://{target}").rc != 0


def test_client_s_engine_was_not_restarted_for_the_authority(client):
    """It reads certs.d at each request, so it is older than what it trusts."""
    started = client.check_output("stat --format %Y /proc/$(pidof dockerd)")
    written = client.check_output(f"stat --format %Y /etc/docker/certs.d/{STORE}/ca.crt")
    assert int(started) <= int(written)


@pytest.mark.parametrize("path", ROOT_ONLY)
def test_secrets_are_root_s_alone(server, path):
    file = server.file(path)
    assert (file.user, file.group, file.mode) == ("root", "root", 0o600)


def test_no_other_file_holds_a_secret(server):
    found = server.run(f"grep -rlE '{SECRETS}' /etc /opt /usr/local /var/lib/slipway /var/log /run/log").stdout
    assert set(found.split()) <= {"/etc/slipway/registry/objects/config.yml"}


def test_certificate_has_all_names(server):
    text = server.check_output("openssl x509 -noout -ext subjectAltName -in /etc/slipway/registry/tls/tls.crt")
    address = server.check_output("getent ahostsv4 debian13").split()[0]
    for name in ("DNS:debian13", "DNS:localhost", "IP Address:127.0.0.1", f"IP Address:{address}"):
        assert name in text


@pytest.mark.parametrize("name", ["main", "main-pull", "hub", "plain", "objects"])
def test_container_restarts_by_itself_and_may_do_little(server, name):
    (one,) = json.loads(server.check_output(f"docker inspect slipway-registry-{name}"))
    assert one["State"]["Running"]
    assert one["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert one["HostConfig"]["ReadonlyRootfs"] and one["HostConfig"]["CapDrop"] == ["ALL"]
    assert one["State"]["Health"]["Status"] in ("healthy", "starting")


def test_limits_are_in_force(server):
    (one,) = json.loads(server.check_output("docker inspect slipway-registry-main"))
    assert (one["HostConfig"]["Memory"], one["HostConfig"]["NanoCpus"]) == (512 * 2**20, 1_500_000_000)


def test_metrics_and_health_are_told_on_loopback(server):
    assert "registry_http_requests_total" in server.check_output("curl -sS http://127.0.0.1:5090/metrics")
    assert server.check_output("curl -sS http://127.0.0.1:5090/debug/health").strip() == "{}"
    assert server.run("curl -s -m 5 http://$(hostname --ip-address):5090/metrics").rc != 0


def test_timer_is_set(server):
    assert server.service("slipway-registry-collect.timer").is_enabled
    assert server.service("slipway-registry-collect.timer").is_running
