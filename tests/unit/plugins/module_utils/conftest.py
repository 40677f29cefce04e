"""Certificates for tests."""

import datetime
import hashlib
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


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
def make_certificate():
    """Return the function that makes a certificate and a key in a folder."""
    return certificate


@pytest.fixture
def tls(tmp_path):
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
