"""The sections ``registry`` and ``registry_client``: what is read, what is decided, and how it reads."""

import copy
import datetime
import http.server
import ipaddress
import ssl
import threading

import pytest
from ansible_collections.slipway.node.plugins.filter.report import drift_lines
from ansible_collections.slipway.node.plugins.module_utils import registry, registry_client
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DIR = "/etc/slipway/registry"
SERVICE = {
    "service": "main",
    "container": "slipway-registry-main",
    "digest": "d1",
    "address": "127.0.0.1",
    "port": 5000,
    "tls": True,
    "answer": 401,
    "data": "/data/main",
    "endpoint": "",
    "htpasswd": f"{DIR}/main/htpasswd",
    "certificate": f"{DIR}/tls/tls.crt",
}
WANT = {
    "state": "present",
    "project": "slipway-registry",
    "config_dir": DIR,
    "image": "registry:2.8.3",
    "files": {f"{DIR}/main/config.yml": {"sha256": "s1", "mode": "0600"}},
    "services": [SERVICE],
    "accounts": {"alice": "f1"},
    "tls": {
        "certificate": f"{DIR}/tls/tls.crt",
        "key": f"{DIR}/tls/tls.key",
        "authority": f"{DIR}/tls/ca.crt",
        "authority_sha256": "a1",
        "names": ["registry.example.org"],
        "renew_days": 30,
        "given": False,
        "system_trust": False,
    },
    "timer": "collect.timer",
    "open_ports": [5000],
    "minimum_free": 0,
    "purge": [],
}
GOOD = {
    "files": {f"{DIR}/main/config.yml": {"sha256": "s1", "mode": "0600", "owner": "0:0"}},
    "folders": [f"{DIR}/main/", f"{DIR}/tls/"],
    "config_dir": True,
    "containers": {
        "slipway-registry-main": {
            "status": "running",
            "image": "sha256:i1",
            "digest": "d1",
            "read_only": False,
        }
    },
    "maintenance": False,
    "purge": [],
    "image": "sha256:i1",
    "data": {"/data/main": True},
    "accounts": {f"{DIR}/main/htpasswd": {"accounts": {"alice": True}, "mode": "0600"}},
    "names": ["localhost", "registry.example.org"],
    "certificate": {"error": "", "names": ["localhost", "registry.example.org"], "days": 300, "mode": "0600"},
    "answers": {"main": 401},
    "refused": [],
    "timer": "active",
    "closed_ports": [],
}
CONTAINER = "container slipway-registry-main"


def changed(base, path, value):
    result = copy.deepcopy(base)
    place = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return result


def test_a_host_as_wanted_has_no_drift():
    assert registry.compare(WANT, GOOD) == []


@pytest.mark.parametrize(
    ("path", "value", "phase", "line"),
    [
        (["image"], "", "provide_image", "registry:2.8.3 missing, presence wanted"),
        (
            ["files", f"{DIR}/main/config.yml"],
            None,
            "write_files",
            f"{DIR}/main/config.yml missing, Slipway's content wanted",
        ),
        (
            ["files", f"{DIR}/main/config.yml", "mode"],
            "0644",
            "write_files",
            f"{DIR}/main/config.yml mode 0644 of 0:0, mode 0600 of root wanted",
        ),
        (
            ["folders"],
            [f"{DIR}/main/", f"{DIR}/old/", f"{DIR}/tls/"],
            "write_files",
            f"{DIR}/old/ present, absence wanted",
        ),
        (
            ["certificate", "days"],
            12,
            "issue_certificate",
            f"certificate {DIR}/tls/tls.crt expires in 12 days, 30 days or more wanted",
        ),
        (
            ["names"],
            ["10.0.0.5", "localhost"],
            "issue_certificate",
            f"certificate {DIR}/tls/tls.crt lacks 10.0.0.5, a valid one for all names of the host wanted",
        ),
        (
            ["accounts", f"{DIR}/main/htpasswd", "accounts"],
            {"alice": False},
            "set_accounts",
            f"account alice in {DIR}/main/htpasswd other password, the wanted password wanted",
        ),
        (["containers"], {}, "start_containers", f"{CONTAINER} missing, running wanted"),
        (
            ["containers", "slipway-registry-main", "digest"],
            "d0",
            "start_containers",
            f"{CONTAINER} made from other settings, a new one wanted",
        ),
        (
            ["containers", "slipway-registry-main", "image"],
            "sha256:i0",
            "start_containers",
            f"{CONTAINER} made from another image, a new one wanted",
        ),
        (
            ["containers", "slipway-registry-main", "read_only"],
            True,
            "start_containers",
            f"{CONTAINER} read-only, writable wanted",
        ),
        (["answers", "main"], 200, "restart_containers", f"{CONTAINER} answers 200, an answer of 401 wanted"),
        # What a registry says whose storage fails its health check.
        (["answers", "main"], 503, "restart_containers", f"{CONTAINER} answers 503, an answer of 401 wanted"),
        (
            ["answers", "main"],
            "another certificate",
            "restart_containers",
            f"{CONTAINER} serves an older certificate, the one in its folder wanted",
        ),
        (["timer"], "inactive", "schedule_collection", "collect.timer inactive, active wanted"),
        (["closed_ports"], ["5000/tcp"], "open_firewall", "port 5000/tcp closed by the firewall, open wanted"),
        (["data", "/data/main"], False, "start_containers", "/data/main missing, a folder wanted"),
    ],
)
def test_drift_reads_well_and_names_its_phase(path, value, phase, line):
    drift = registry.compare(WANT, changed(GOOD, path, value))
    assert (drift_lines(drift), [one["phase"] for one in drift]) == (line, [phase])


def test_read_only_is_no_drift_while_maintenance_goes_on():
    observed = changed(GOOD, ["containers", "slipway-registry-main", "read_only"], True)
    assert registry.compare(WANT, changed(observed, ["maintenance"], True)) == []


def test_a_given_certificate_may_lack_names_of_the_host():
    want = changed(WANT, ["tls", "given"], True)
    assert registry.compare(want, changed(GOOD, ["names"], ["10.0.0.5"])) == []


def test_removal_names_what_is_left():
    want = changed(WANT, ["state"], "absent")
    observed = {**GOOD, "files": {"/etc/systemd/system/a.timer": {}}, "purge": ["/data/main"]}
    observed["files"]["/etc/systemd/system/a.timer"] = {"sha256": "x", "mode": "0644", "owner": "0:0"}
    assert [one["item"] for one in registry.compare(want, observed)] == [
        CONTAINER,
        "/etc/systemd/system/a.timer",
        DIR,
        "/data/main",
    ]
    assert registry.compare(want, {"files": {}, "containers": {}, "config_dir": False, "purge": []}) == []


def test_accounts_are_known_by_what_stands_before_them():
    good = registry.mark("f1", "alice", "$2b$10$x")
    text = f"{registry.MARK}{good}\nalice:$2b$10$x\nmallory:$2b$10$y\n"
    assert registry.accounts((text, "0600"), {"alice": "f1"})["accounts"] == {"alice": True, "mallory": False}
    assert registry.accounts((text, "0600"), {"alice": "f2"})["accounts"]["alice"] is False
    assert registry.accounts((text, "0600"), {"alice": ""})["accounts"]["alice"] is False
    assert registry.accounts((text.replace("x\n", "z\n"), ""), {"alice": "f1"})["accounts"]["alice"] is False
    assert registry.accounts((None, ""), {"alice": "f1"}) == {"accounts": {}, "mode": ""}


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("2001:db8::5", "2001:DB8:0:0:0:0:0:5"),
        ("10.0.0.5", "10.0.0.5"),
        ("Registry.Example.org", "registry.example.org"),
    ],
)
def test_names_are_written_as_certificates_have_them(name, normal):
    assert registry.normal(name) == normal


class FakeHost:
    def __init__(self, answers):
        self.answers = answers

    def run(self, *command):
        return 0, self.answers.get(" ".join(command), "")


def test_names_are_the_wanted_ones_and_the_host_s_but_not_of_container_networks():
    listing = """2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0\\       valid_lft forever
3: docker0    inet 172.17.0.1/16 scope global docker0
4: br-0123456789ab    inet 172.18.0.1/16 scope global br-0123456789ab
5: bond0.12@bond0    inet6 2001:db8::5/64 scope global
5: bond0.12@bond0    inet6 2001:db8::99/64 scope global temporary dynamic
"""
    host = FakeHost(
        {"ip -o addr show scope global": listing, "hostname": "reg\n", "hostname --fqdn": "reg.example.org\n"}
    )
    assert registry.names(host, WANT) == sorted(
        ["10.0.0.5", "127.0.0.1", "2001:DB8:0:0:0:0:0:5", "localhost", "reg", "reg.example.org", "registry.example.org"]
    )


def certificate(folder, days=100, names=("localhost",), authority=None):
    """Make a certificate and a key in a folder, by an authority or by itself; return both."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority" if authority is None else "host")])
    issuer, signer = authority or (None, key)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=200))
        .not_valid_after(now + datetime.timedelta(days=days, minutes=5))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
                    for name in names
                ]
            ),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )
    name = "ca" if authority is None else "tls"
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / f"{name}.key").chmod(0o600)
    return made, key


@pytest.fixture
def tls(tmp_path):
    import hashlib

    authority = certificate(tmp_path)
    certificate(tmp_path, authority=authority, names=("localhost", "10.0.0.5", "2001:db8::5"))
    return {
        "certificate": str(tmp_path / "tls.crt"),
        "key": str(tmp_path / "tls.key"),
        "authority": str(tmp_path / "ca.crt"),
        "authority_sha256": hashlib.sha256((tmp_path / "ca.crt").read_bytes()).hexdigest(),
        "system_trust": False,
        "made_by": authority,
    }


def test_a_good_certificate_tells_its_names_and_days(tls):
    assert registry.certificate(tls) == {
        "error": "",
        "names": ["localhost", "10.0.0.5", "2001:DB8:0:0:0:0:0:5"],
        "days": 100,
        "mode": "0600",
    }


def test_an_expired_certificate_is_not_valid(tls, tmp_path):
    certificate(tmp_path, days=-1, authority=tls["made_by"])
    assert registry.certificate(tls)["error"] == "not valid: certificate has expired"


def test_a_key_of_another_certificate_is_not_valid(tls, tmp_path):
    (tmp_path / "tls.key").write_bytes((tmp_path / "ca.key").read_bytes())
    assert "KEY_VALUES_MISMATCH" in registry.certificate(tls)["error"]


def test_a_certificate_of_another_authority_is_not_valid(tls, tmp_path):
    (tmp_path / "other").mkdir()
    certificate(tmp_path, authority=certificate(tmp_path / "other"))
    assert registry.certificate(tls)["error"].startswith("not valid: ")
    tls["authority_sha256"] = "other"
    assert registry.certificate(tls)["error"] == "of another authority"


def test_a_certificate_that_is_not_there_is_missing(tls, tmp_path):
    (tmp_path / "tls.key").unlink()
    assert registry.certificate(tls)["error"] == "missing"


class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(401)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.end_headers()

    def log_message(self, *_args):
        pass


def test_a_registry_is_asked_over_tls_and_for_its_certificate(tls, tmp_path):
    server = http.server.HTTPServer(("127.0.0.1", 0), Registry)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls["certificate"], tls["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    one = {"address": "127.0.0.1", "port": server.server_port, "tls": True, "certificate": tls["certificate"]}
    assert registry.answer(one, tls["authority"]) == 401
    certificate(tmp_path, authority=tls["made_by"])
    assert registry.answer(one, tls["authority"]) == "another certificate"
    server.shutdown()
    server.server_close()
    assert str(registry.answer(one, tls["authority"])).startswith("does not answer")


CLIENT = {
    "files": {"/etc/docker/certs.d/reg:5000/ca.crt": "a1", "/anchor.crt": "a1"},
    "anchor": "/anchor.crt",
    "bundle": "/bundle.crt",
    "logins": [{"user": "root", "account": "slipway", "address": "reg:5000", "fingerprint": "f1"}],
}
CLIENT_GOOD = {"files": dict(CLIENT["files"]), "trusted": True, "logins": ["logged in"]}


def test_a_client_as_wanted_has_no_drift():
    assert registry_client.compare(CLIENT, CLIENT_GOOD) == []


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (
            ["files", "/etc/docker/certs.d/reg:5000/ca.crt"],
            "",
            "/etc/docker/certs.d/reg:5000/ca.crt missing, the registries' authority wanted",
        ),
        (["trusted"], False, "/bundle.crt without the registries' authority, with it wanted"),
        (["logins"], ["another password"], "login of root to reg:5000 another password, slipway's password wanted"),
    ],
)
def test_a_client_s_drift_reads_well(path, value, line):
    assert drift_lines(registry_client.compare(CLIENT, changed(CLIENT_GOOD, path, value))) == line


def test_the_system_s_store_is_searched_for_the_certificate(tls, tmp_path):
    text = (tmp_path / "ca.crt").read_text()
    other = (tmp_path / "tls.crt").read_text()
    assert registry_client.in_bundle(f"# a comment\n{other}\n{text}", text.replace("\n", "\r\n"))
    assert not registry_client.in_bundle(other, text)
    assert not registry_client.in_bundle(other, "")
