"""Fingerprints and signatures, on keys made by GnuPG."""

from pathlib import Path

import pytest
from ansible_collections.slipway.node.plugins.module_utils.openpgp import (
    OpenPGPError,
    dearmor,
    fingerprints,
    verify_cleartext,
    verify_detached,
)

DATA = Path(__file__).parent / "data"
EXPECTED = "3DAFA8BCAAA0B9F841800001283A05C4553E5610"
OTHER = "75840F22771A16010BA25C696BAAA724D8349D4A"


def data(name):
    return (DATA / name).read_bytes()


@pytest.mark.parametrize(("name", "fingerprint"), [("expected.asc", EXPECTED), ("other.asc", OTHER)])
def test_reads_fingerprints_of_armored_and_binary_keys(name, fingerprint):
    assert fingerprints(data(name)) == [fingerprint]
    assert fingerprints(dearmor(data(name))) == [fingerprint]


def test_reads_every_key_of_a_file():
    assert fingerprints(data("expected.asc") + data("other.asc")) == [EXPECTED, OTHER]


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x99", data("expected.asc")[:200]])
def test_refuses_what_is_no_key(content):
    with pytest.raises(OpenPGPError, match="it holds no OpenPGP public key"):
        fingerprints(content)


def test_returns_the_text_that_was_signed():
    assert b"Origin: Docker\n" in verify_cleartext(data("expected.asc"), data("InRelease"))


@pytest.mark.parametrize(
    "message",
    [data("InRelease.other"), data("InRelease").replace(b"Docker", b"Dicker")],
    ids=["another key", "changed text"],
)
def test_refuses_a_message_that_the_key_did_not_sign(message):
    with pytest.raises(OpenPGPError, match="its signature is not by the expected key"):
        verify_cleartext(data("expected.asc"), message)


@pytest.mark.parametrize("message", [b"Origin: Docker\n", b"Origin: evil\n" + data("InRelease"), data("InRelease") * 2])
def test_refuses_what_is_not_one_signed_text_alone(message):
    with pytest.raises(OpenPGPError, match="not a cleartext-signed message"):
        verify_cleartext(data("expected.asc"), message)


def test_checks_a_detached_signature():
    verify_detached(data("expected.asc"), data("repomd.xml.asc"), data("repomd.xml"))
    with pytest.raises(OpenPGPError, match="its signature is not by the expected key"):
        verify_detached(data("other.asc"), data("repomd.xml.asc"), data("repomd.xml"))
