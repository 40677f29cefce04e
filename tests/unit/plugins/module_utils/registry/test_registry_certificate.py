"""Certificates: the names that they must have, and what a client makes of one."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.registry.certificate import canonical, certificate, names
from ansible_collections.slipway.node.plugins.plugin_utils.registry.certificate import certificate_problem
from cryptography.hazmat.primitives import serialization
from registry_examples import WANT, FakeHost


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("2001:db8::5", "2001:DB8:0:0:0:0:0:5"),
        ("10.0.0.5", "10.0.0.5"),
        ("Registry.Example.org", "registry.example.org"),
    ],
)
def test_names_are_written_as_certificates_have_them(name, written):
    assert canonical(name) == written


def test_an_interface_without_the_default_route_gives_no_name():
    listing = """2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0
3: wg0    inet 10.9.0.1/24 scope global wg0
4: kube-ipvs0    inet 10.96.0.1/32 scope global kube-ipvs0
"""
    answers = {
        "ip -o addr show scope global": listing,
        "ip -4 -o route show default": "default via 10.0.0.1 dev eth0 \n",
    }
    assert [name for name in names(FakeHost(answers), WANT) if name.startswith("10.")] == ["10.0.0.5"]
    del answers["ip -4 -o route show default"]
    assert len([name for name in names(FakeHost(answers), WANT) if name.startswith("10.")]) == 3


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
    assert names(host, WANT) == sorted(
        ["10.0.0.5", "127.0.0.1", "2001:DB8:0:0:0:0:0:5", "localhost", "reg", "reg.example.org", "registry.example.org"]
    )


def test_a_good_certificate_tells_its_names_and_days(tls):
    assert certificate(tls) == {
        "error": "",
        "names": ["localhost", "10.0.0.5", "2001:DB8:0:0:0:0:0:5"],
        "days": 100,
        "mode": "0600",
    }


def test_an_expired_certificate_is_not_valid(tls, tmp_path, make_certificate):
    make_certificate(tmp_path, days=-1, authority=tls["made_by"])
    assert certificate(tls)["error"] == "not valid: certificate has expired"


def test_a_key_of_another_certificate_is_not_valid(tls, tmp_path):
    (tmp_path / "tls.key").write_bytes((tmp_path / "ca.key").read_bytes())
    assert "KEY_VALUES_MISMATCH" in certificate(tls)["error"]


def test_a_certificate_of_another_authority_is_not_valid(tls, tmp_path, make_certificate):
    (tmp_path / "other").mkdir()
    make_certificate(tmp_path, authority=make_certificate(tmp_path / "other"))
    assert certificate(tls)["error"].startswith("not valid: ")
    tls["authority_sha256"] = "other"
    assert certificate(tls)["error"] == "of another authority"


def test_a_certificate_that_is_not_there_is_missing(tls, tmp_path):
    (tmp_path / "tls.key").unlink()
    assert certificate(tls)["error"] == "missing"


def encrypt(path):
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    how = serialization.BestAvailableEncryption(b"long")
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how))


@pytest.mark.parametrize(
    ("spoil", "with_authority", "without"),
    [
        (lambda folder, by, make: None, False, False),
        (lambda folder, by, make: encrypt(folder / "tls.key"), True, True),
        (lambda folder, by, make: (folder / "tls.key").write_bytes((folder / "ca.key").read_bytes()), True, True),
        (lambda folder, by, make: (folder / "tls.crt").write_text("nothing"), True, True),
        # Whom the host's system trusts the controller does not know.
        (lambda folder, by, make: make(folder, days=-1, authority=by), True, True),
        (lambda folder, by, make: make(folder), True, False),
    ],
)
def test_a_given_certificate_is_judged_before_a_host_is_asked(
    tls, tmp_path, make_certificate, spoil, with_authority, without
):
    spoil(tmp_path, tls["made_by"], make_certificate)
    given = {"certificate": tls["certificate"], "certificate_key": tls["key"], "hostname": "Localhost"}
    for authority, refused in ((tls["authority"], with_authority), ("", without)):
        problem = certificate_problem({**given, "certificate_authority": authority})
        assert problem.startswith("registry_certificate cannot be used: not valid: ") is bool(problem) is refused


@pytest.mark.parametrize("by_authority", [True, False])
@pytest.mark.parametrize(
    ("hostname", "has"),
    [("localhost", True), ("2001:db8::5", True), ("registry", False), ("host.localhost", False)],
)
def test_a_given_certificate_has_the_name_by_which_clients_come(tls, hostname, has, by_authority):
    given = {"certificate": tls["certificate"], "certificate_key": tls["key"], "hostname": hostname}
    problem = certificate_problem({**given, "certificate_authority": tls["authority"] if by_authority else ""})
    assert problem == "" if has else "is for localhost, 10.0.0.5, 2001:DB8" in problem and f"as {hostname}." in problem
