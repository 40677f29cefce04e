"""The sections ``registry`` and ``registry_client``: what is read, what is decided, and how it reads."""

import copy
import datetime
import http.server
import ipaddress
import json
import socket
import ssl
import threading

import pytest
from ansible_collections.slipway.node.plugins.filter.report import drift_text
from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, docker_command, seal
from ansible_collections.slipway.node.plugins.module_utils.registry import section as registry
from ansible_collections.slipway.node.plugins.module_utils.registry_client import section as registry_client
from ansible_collections.slipway.node.plugins.plugin_utils.registry import inputs as controller
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
    "ports": [["", 5000]],
    "tls": True,
    "answer": 401,
    "data": "/data/main",
    "writes": True,
    "upstream": "",
    "endpoint": "",
    "htpasswd": f"{DIR}/main/htpasswd",
    "certificate": f"{DIR}/tls/tls.crt",
}
WANT = {
    "state": "present",
    "project": "slipway-registry",
    "config_dir": DIR,
    "image": "registry:2.8.3",
    "files": {f"{DIR}/main/config.yml": {"seal": "s1", "mode": "0600", "secret": True}},
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
        "replace": False,
    },
    "secrets_dir": "/secrets",
    "timer": "collect.timer",
    "open_ports": [5000],
    "minimum_free": 0,
    "purge": [],
}
GOOD = {
    "files": {f"{DIR}/main/config.yml": {"same": True, "mode": "0600", "owner": "0:0"}},
    "units": [],
    "silent": False,
    "folders": [f"{DIR}/main/", f"{DIR}/tls/"],
    "containers": {
        "slipway-registry-main": {
            "status": "running",
            "image": "sha256:i1",
            "digest": "d1",
            "ports": ["5000"],
            "read_only": False,
        }
    },
    "maintenance": False,
    "purge": [],
    "image": "sha256:i1",
    "data": {"/data/main": {"there": True, "marked": True, "empty": False, "broken_off": False, "foreign": ""}},
    "accounts": {f"{DIR}/main/htpasswd": {"accounts": {"alice": True}, "mode": "0600"}},
    "names": ["localhost", "registry.example.org"],
    "certificate": {"error": "", "names": ["localhost", "registry.example.org"], "days": 300, "mode": "0600"},
    "answers": {"main": 401},
    "blocked": [],
    "unwritable": [],
    "lost": [],
    "no_schedule": [],
    "forwards": True,
    "upstreams": {},
    "said": {},
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
        (["image"], "", "provide_image", "registry:2.8.3: absent -> present"),
        (
            ["files", f"{DIR}/main/config.yml"],
            None,
            "write_files",
            f"{DIR}/main/config.yml: absent -> Slipway's content",
        ),
        (
            ["files", f"{DIR}/main/config.yml", "mode"],
            "0644",
            "write_files",
            f"{DIR}/main/config.yml: mode 0644 of 0:0 -> mode 0600 of root",
        ),
        (
            ["folders"],
            [f"{DIR}/main/", f"{DIR}/old/", f"{DIR}/tls/"],
            "write_files",
            f"{DIR}/old/: present -> absent",
        ),
        (
            ["certificate", "days"],
            12,
            "issue_certificate",
            f"certificate {DIR}/tls/tls.crt: expires in 12 days -> 30 days or more",
        ),
        (
            ["names"],
            ["10.0.0.5", "localhost"],
            "issue_certificate",
            f"certificate {DIR}/tls/tls.crt: lacks 10.0.0.5 -> valid for all names of the host",
        ),
        (
            ["accounts", f"{DIR}/main/htpasswd", "accounts"],
            {"alice": False},
            "set_accounts",
            f"account alice in {DIR}/main/htpasswd: another password -> the wanted password",
        ),
        (["containers"], {}, "start_containers", f"{CONTAINER}: absent -> running"),
        (
            ["containers", "slipway-registry-main", "digest"],
            "d0",
            "start_containers",
            f"{CONTAINER}: made from other settings -> made anew",
        ),
        (
            ["containers", "slipway-registry-main", "image"],
            "sha256:i0",
            "start_containers",
            f"{CONTAINER}: made from another image -> made anew",
        ),
        (
            ["containers", "slipway-registry-main", "read_only"],
            True,
            "start_containers",
            f"{CONTAINER}: read-only -> writable",
        ),
        (["answers", "main"], 200, "restart_containers", f"{CONTAINER}: answers 200 -> answers 401"),
        # What a registry says whose storage fails its health check.
        (["answers", "main"], 503, "restart_containers", f"{CONTAINER}: answers 503 -> answers 401"),
        (
            ["answers", "main"],
            "another certificate",
            "restart_containers",
            f"{CONTAINER}: serves an older certificate -> serves the one in its folder",
        ),
        (["timer"], "inactive", "schedule_collection", "collect.timer: inactive -> active"),
        (["units"], ["/units/a.timer"], "unschedule_collection", "/units/a.timer: present -> absent"),
        (["closed_ports"], ["5000/tcp"], "open_firewall", "port 5000/tcp: closed by the firewall -> open"),
        (
            ["data", "/data/main"],
            {"there": False, "marked": False, "empty": True, "broken_off": False, "foreign": ""},
            "create_folders",
            "/data/main: absent -> a folder with Slipway's mark",
        ),
        (
            ["data", "/data/main", "marked"],
            False,
            "create_folders",
            "/data/main: without Slipway's mark -> a folder with Slipway's mark",
        ),
    ],
)
def test_drift_reads_well_and_names_its_phase(path, value, phase, line):
    drift = registry.compare(WANT, changed(GOOD, path, value))
    assert (drift_text(drift), [one["phase"] for one in drift]) == (line, [phase])


def test_read_only_is_no_drift_while_maintenance_goes_on():
    observed = changed(GOOD, ["containers", "slipway-registry-main", "read_only"], True)
    assert registry.compare(WANT, changed(observed, ["maintenance"], True)) == []


def test_a_given_certificate_may_lack_names_of_the_host():
    want = changed(WANT, ["tls", "given"], True)
    assert registry.compare(want, changed(GOOD, ["names"], ["10.0.0.5"])) == []


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (
            ["certificate", "error"],
            "of another authority",
            "is of an authority that is not in /secrets on this controller",
        ),
        (["forwards"], False, "net.ipv4.ip_forward is 0 on this host"),
        (["unwritable"], ["/data/main cannot be written to."], "cannot be written to"),
        (["blocked"], ["Port 5000 is taken."], "Port 5000 is taken"),
        (["lost"], ["/data/main is empty or gone."], "/data/main is empty or gone"),
        (["no_schedule"], ["give it as systemd.time(7) has it."], "systemd.time"),
    ],
)
def test_what_stands_in_the_way_is_told_with_its_remedy(path, value, reason):
    assert registry.refusals(WANT, GOOD) == []
    (told,) = registry.refusals(WANT, changed(GOOD, path, value))
    assert reason in told


def test_nothing_is_changed_during_maintenance_or_after_half_a_restore():
    busy = changed(GOOD, ["maintenance"], True)
    half = changed(GOOD, ["data", "/data/main", "broken_off"], True)
    assert registry.refusals(WANT, busy) == registry.refusals(WANT, half) == []
    assert "Run again when it is done" in registry.refusals(WANT, changed(busy, ["timer"], "inactive"))[0]
    assert "broke off" in registry.refusals(WANT, changed(half, ["containers"], {}))[0]


def test_an_upstream_that_does_not_answer_is_named():
    assert registry.notes(WANT, GOOD) == []
    (told,) = registry.notes(WANT, changed(GOOD, ["upstreams"], {"hub": "https://hub: timed out", "near": ""}))
    assert "The cache hub does not reach its upstream: https://hub: timed out" in told


def test_last_words_of_what_does_not_answer_are_told():
    said = {"slipway-registry-main": ["level=fatal msg=no space"]}
    assert registry.notes(WANT, changed(GOOD, ["said"], said)) == [
        "slipway-registry-main says: level=fatal msg=no space"
    ]


def test_phases_are_told_what_to_act_on():
    observed = changed(GOOD, ["files", f"{DIR}/main/config.yml", "same"], False)
    observed["accounts"][f"{DIR}/main/htpasswd"]["mode"] = "0644"
    observed["folders"].append(f"{DIR}/old/")
    made = registry.changes(WANT, observed)
    assert (made["write"], made["write_secret"]) == ([], [f"{DIR}/main/config.yml"])
    assert (made["remove"], made["accounts"]) == ([f"{DIR}/old/"], [f"{DIR}/main/htpasswd"])
    # It may run with what somebody else wrote.
    assert made["reread"] == ["main"]
    ill = registry.changes(WANT, changed(GOOD, ["answers", "main"], 503))
    assert (ill["restart"], ill["reread"], ill["accounts"]) == (["main"], [], [])


def test_a_folder_of_images_is_judged(tmp_path):
    path = tmp_path / "main"
    assert registry.data(str(path))["there"] is False
    (path / "docker").mkdir(parents=True)
    (path / "lost+found").mkdir()
    found = registry.data(str(path))
    assert (found["there"], found["marked"], found["empty"]) == (True, False, False)
    (path / "docker").rmdir()
    assert registry.data(str(path))["empty"] is True
    (path / registry.DATA_MARK).touch()
    assert registry.data(str(path))["marked"] is True
    (path / "docker/registry/v2/blobs").mkdir(parents=True)
    # As root's in the container, which has no right over the files of others.
    (path / "docker/registry/v2/blobs").chmod(0o555)
    assert registry.data(str(path))["foreign"].endswith("/blobs")


@pytest.mark.parametrize(("status", "told"), [(1, 1), (0, 0), (124, 0)])
def test_the_container_is_asked_whether_it_can_write(status, told):
    host, asked = FakeHost({}), []
    host.run = lambda *command: asked.append(command) or (status, "")
    found = {"/data/main": {"foreign": "/data/main/docker"}}
    assert len(registry._unwritable(host, [SERVICE], found)) == told
    assert asked[0][-1] == "/var/lib/registry/docker"
    assert registry._unwritable(host, [SERVICE], {"/data/main": {"foreign": ""}}) == []


def test_a_disk_that_is_not_mounted_is_known_by_what_was_written_before(tmp_path):
    table = [{"driver": "filesystem", "path": "/data/main"}, {"driver": "s3", "path": ""}]
    (tmp_path / "instances.json").write_text(json.dumps({"data_mark": ".slipway", "instances": table}))
    want = {**WANT, "config_dir": str(tmp_path)}
    gone = {"/data/main": {"there": True, "marked": False, "empty": True}}
    (told,) = registry._lost(Host(), want, gone)
    assert "Mount its disk and run again" in told
    assert registry._lost(Host(), want, changed(gone, ["/data/main", "marked"], True)) == []
    # A folder that is new.
    assert registry._lost(Host(), want, {"/data/other": gone["/data/main"]}) == []


def test_only_folders_of_ours_are_removed(tmp_path):
    for name, text in (("main", f"{registry.WRITTEN}: changes here are lost.\n"), ("foreign", "key: value\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yml").write_text(text)
    (tmp_path / "images").mkdir()
    ours = [name for name in ("foreign", "images", "main") if registry._is_ours(Host(), f"{tmp_path}/{name}/")]
    assert ours == ["main"]


def test_removal_names_what_is_left():
    want = {"state": "absent", "config_dir": DIR}
    observed = {
        "containers": GOOD["containers"],
        "silent": False,
        "units": ["/units/a.timer"],
        "files": {"/program": {"same": False, "mode": "0644", "owner": "0:0"}, "/gone": None},
        "folders": [f"{DIR}/main/"],
        "own": [f"{DIR}/compose.yml"],
        "purge": ["/data/main/docker"],
        "maintenance": False,
    }
    assert [one["item"] for one in registry.compare(want, observed)] == [
        "/units/a.timer",
        CONTAINER,
        "/program",
        f"{DIR}/main/",
        f"{DIR}/compose.yml",
        "/data/main/docker",
    ]
    made = registry._removals(want, observed)
    # What somebody else keeps there stays: a folder goes only where it is empty by then.
    assert made["rmdir"] == [DIR, "/data/main"]
    assert registry.refusals(want, observed) == registry.notes(want, observed) == []
    # What would run on without its files cannot be told.
    (told,) = registry.refusals(want, {**observed, "silent": True})
    assert "engine does not answer at unix:///var/run/docker.sock" in told and "systemctl start docker" in told
    nothing = {**observed, "files": {}, "containers": {}, "folders": [], "own": [], "purge": [], "units": []}
    assert registry.compare(want, nothing) == registry.refusals(want, {**nothing, "silent": True}) == []


@pytest.mark.parametrize(
    ("rc", "engines", "silent"), [(1, ["/usr/bin/dockerd"], True), (127, [], False), (0, [], False)]
)
def test_an_engine_that_does_not_answer_is_told_from_none(rc, engines, silent):
    host, asked = FakeHost({}), []
    host.run = lambda *command: asked.append(command) or (rc, "")
    host.glob = lambda *_patterns: engines
    assert registry._containers(host, "slipway-registry") == ({}, silent)
    # Not the engine of root's context or environment.
    assert list(asked[0][:6]) == docker_command()


def test_a_file_is_compared_by_a_seal_that_the_run_s_key_made(tmp_path):
    (tmp_path / "environment").write_text("HTTP_PROXY=http://user:SK@proxy\n")
    for key, same in (("k1", True), ("k2", False)):
        mark = seal("k1", "HTTP_PROXY=http://user:SK@proxy\n")
        assert registry._file(Host(key=key), str(tmp_path / "environment"), mark)["same"] is same


@pytest.mark.parametrize("address", ["", "::1", "::"])
def test_a_port_is_free_or_taken_whatever_the_address(address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as other:
        other.bind((address, 0))
        other.listen()
        port = other.getsockname()[1]
        assert registry._listener(FakeHost({}), address or "127.0.0.1", port) == "another program"
    assert registry._listener(FakeHost({}), address or "127.0.0.1", port) == ""


@pytest.mark.parametrize(
    ("address", "status", "ports", "refused"),
    [
        ("127.0.0.1", "running", ["5000"], True),
        ("", "running", ["5000"], True),
        # Of another address.
        ("127.0.0.2", "running", ["5000"], False),
        # Its own, and that of an instance that goes or takes another port.
        ("127.0.0.1", "running", ["5000", "TAKEN"], False),
        ("127.0.0.1", "exited", ["TAKEN"], True),
    ],
)
def test_a_port_that_a_running_registry_is_to_have_is_asked_for_first(address, status, ports, refused):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        want = {**WANT, "services": [{**SERVICE, "data": "", "ports": [["", 5000], [address, taken]]}]}
        listed = [str(taken) if port == "TAKEN" else port for port in ports]
        found = {"slipway-registry-main": {"status": "running"}, "slipway-registry-other": {"status": status}}
        found["slipway-registry-main"]["ports"], found["slipway-registry-other"]["ports"] = ["5000"], listed
        told = registry._blocked(FakeHost({}), want, found)
    assert (
        told
        == [
            f"Port {taken}, wanted for main, is taken by another program. Stop that, or set another port in "
            "registry_instances."
        ][: int(refused)]
    )


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


def encrypt(path):
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    how = serialization.BestAvailableEncryption(b"long")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how))


@pytest.mark.parametrize(
    ("spoil", "with_authority", "without"),
    [
        (lambda folder, by: None, False, False),
        (lambda folder, by: encrypt(folder / "tls.key"), True, True),
        (lambda folder, by: (folder / "tls.key").write_bytes((folder / "ca.key").read_bytes()), True, True),
        (lambda folder, by: (folder / "tls.crt").write_text("nothing"), True, True),
        # Whom the host's system trusts the controller does not know.
        (lambda folder, by: certificate(folder, days=-1, authority=by), True, False),
        (lambda folder, by: certificate(folder), True, False),
    ],
)
def test_a_given_certificate_is_judged_before_a_host_is_asked(tls, tmp_path, spoil, with_authority, without):
    spoil(tmp_path, tls["made_by"])
    given = {"certificate": tls["certificate"], "certificate_key": tls["key"]}
    for authority, told in ((tls["authority"], with_authority), ("", without)):
        error = controller._certificate_error({**given, "certificate_authority": authority})
        assert error.startswith("not valid: ") is bool(error) is told


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
    assert registry.answer(one) == 401
    certificate(tmp_path, authority=tls["made_by"])
    assert registry.answer(one) == "another certificate"
    server.shutdown()
    server.server_close()
    assert str(registry.answer(one)).startswith("does not answer")


class Upstream(Registry):
    def do_GET(self):
        self.send_response({"/v2/": 401, "/closed/v2/": 403}[self.path])
        self.end_headers()


def test_an_upstream_is_asked_with_its_authority_and_named_where_it_does_not_answer(tls, tmp_path):
    server = http.server.HTTPServer(("127.0.0.1", 0), Upstream)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls["certificate"], tls["key"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    want = {"config_dir": str(tmp_path)}
    url = f"https://localhost:{server.server_port}"
    (tmp_path / "hub").mkdir()
    assert "certificate verify failed" in registry.upstream(Host(), want, {"service": "hub", "upstream": url})
    (tmp_path / "hub/upstream.crt").write_text((tmp_path / "ca.crt").read_text())
    assert registry.upstream(Host(), want, {"service": "hub", "upstream": url}) == ""
    assert registry.upstream(Host(), want, {"service": "hub", "upstream": f"{url}/closed"}).endswith("answers 403")
    (tmp_path / "hub/environment").write_text("HTTPS_PROXY=http://127.0.0.1:9\n")
    assert "connection refused" in registry.upstream(Host(), want, {"service": "hub", "upstream": url})
    server.shutdown()
    server.server_close()


LOGIN = {"user": "root", "account": "slipway", "address": "reg:5000", "tls": True, "fingerprint": "f1"}
CLIENT_INPUTS = {
    "state": "present",
    "addresses": ["reg:5000"],
    "system_trust": True,
    "authority_file": "/secrets/ca.crt",
    "authority_sha256": "a1",
    "logins": [LOGIN],
    "registries": [],
}
CERT, ANCHOR = "/etc/docker/certs.d/reg:5000/ca.crt", "/usr/local/share/ca-certificates/slipway-registry.crt"
DEBIAN, ROCKY = (platforms.describe(name, "12", "", "x86_64") for name in ("Debian", "Rocky"))
CLIENT = registry_client.want(CLIENT_INPUTS, DEBIAN)
CLIENT_GOOD = {
    "files": {CERT: "a1", ANCHOR: "a1"},
    "writable": [],
    "trusted": True,
    "logins": ["logged in"],
    "recorded": {},
}


def test_a_client_s_authority_is_where_its_platform_looks():
    assert CLIENT["files"] == {CERT: "a1", ANCHOR: "a1"}
    rocky = registry_client.want(CLIENT_INPUTS, ROCKY)
    assert (rocky["anchor"], rocky["renew"]) == (
        "/etc/pki/ca-trust/source/anchors/slipway-registry.pem",
        "update-ca-trust",
    )
    plain = registry_client.want({**CLIENT_INPUTS, "addresses": []}, DEBIAN)
    assert (plain["files"], plain["bundle"]) == ({}, "")


def test_a_client_as_wanted_has_no_drift():
    assert registry_client.compare(CLIENT, CLIENT_GOOD) == []


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (["files", CERT], "", f"{CERT}: absent -> the registries' authority"),
        (["writable"], [CERT], f"{CERT}: writable -> mode 0444"),
        (["trusted"], False, "/etc/ssl/certs/ca-certificates.crt: without the registries' authority -> with it"),
        (["logins"], ["another password"], "login of root to reg:5000: another password -> slipway's password"),
        (["recorded"], {"root": ["old:1", "reg:5000"]}, "login of root to old:1: present -> absent"),
        (["recorded"], {"alice": ["reg:5000"]}, "login of alice to reg:5000: present -> absent"),
    ],
)
def test_a_client_s_drift_reads_well(path, value, line):
    assert drift_text(registry_client.compare(CLIENT, changed(CLIENT_GOOD, path, value))) == line


def test_who_is_listed_no_longer_is_logged_out():
    observed = changed(CLIENT_GOOD, ["recorded"], {"alice": ["reg:5000"], "root": ["old:1", "reg:5000"]})
    # Logging in takes back what is not listed beside it.
    made = registry_client.changes(CLIENT, observed)
    assert (made["log_in"], made["log_out"]) == (["root"], ["alice"])
    assert {one["phase"] for one in registry_client.compare(CLIENT, observed)} == {"log_in", "log_out"}


def test_removal_takes_back_logins_and_trust_and_leaves_what_is_of_others():
    want = registry_client.want({**CLIENT_INPUTS, "state": "absent", "logins": []}, DEBIAN)
    observed = {**CLIENT_GOOD, "recorded": {"root": ["reg:5000"]}}
    assert drift_text(registry_client.compare(want, observed)).splitlines() == [
        "login of root to reg:5000: present -> absent",
        f"{CERT}: present -> absent",
        f"{ANCHOR}: present -> absent",
    ]
    foreign = changed(observed, ["files", CERT], "of another")
    assert registry_client.changes(want, foreign)["remove"] == [ANCHOR]
    gone = {"files": {CERT: "", ANCHOR: ""}, "trusted": True, "logins": [], "recorded": {}}
    assert registry_client.compare(want, gone) == []


def test_the_system_s_store_is_searched_for_the_certificate(tls, tmp_path):
    text = (tmp_path / "ca.crt").read_text()
    other = (tmp_path / "tls.crt").read_text()
    assert registry_client.in_bundle(f"# a comment\n{other}\n{text}", text.replace("\n", "\r\n"))
    assert not registry_client.in_bundle(other, text)
    assert not registry_client.in_bundle(other, "")
