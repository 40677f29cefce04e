"""Accounts and logins as the modules write them."""

import ctypes.util
import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.registry import parse_htpasswd
from ansible_collections.slipway.node.plugins.modules import registry_accounts, registry_login

COST = 4
ALICE = {"name": "alice", "password": "correct horse", "fingerprint": "f1"}
BOB = {"name": "bob", "password": "pässword", "fingerprint": "f2"}


def verify(password, hashed):
    library = ctypes.CDLL(ctypes.util.find_library("crypt"))
    library.crypt.restype = ctypes.c_char_p
    return library.crypt(password.encode(), hashed.encode()).decode() == hashed


def test_hashes_are_bcrypt_and_of_the_password():
    text, changes = registry_accounts.settle("", [ALICE, BOB], COST)
    hashes = {name: hashed for name, hashed, _mark in parse_htpasswd(text)}
    assert changes == ["alice: added", "bob: added"]
    assert all(hashed.startswith("$2b$04$") for hashed in hashes.values())
    assert verify("correct horse", hashes["alice"]) and verify("pässword", hashes["bob"])
    assert not verify("wrong", hashes["alice"])


def test_nothing_changes_where_the_passwords_are_the_same():
    text, _changes = registry_accounts.settle("", [ALICE, BOB], COST)
    assert registry_accounts.settle(text, [ALICE, BOB], COST) == (text, [])


def test_only_what_changed_is_written():
    text, _changes = registry_accounts.settle("", [ALICE, BOB], COST)
    new, changes = registry_accounts.settle(text, [{**ALICE, "password": "new", "fingerprint": "f3"}], COST)
    assert changes == ["alice: new password", "bob: removed"]
    assert verify("new", parse_htpasswd(new)[0][1])


def test_a_hash_that_somebody_replaced_is_made_anew():
    text, _changes = registry_accounts.settle("", [ALICE], COST)
    theirs = registry_accounts.bcrypt("theirs", COST)
    spoiled = "\n".join(f"alice:{theirs}" if line.startswith("alice") else line for line in text.splitlines())
    assert registry_accounts.settle(spoiled, [ALICE], COST)[1] == ["alice: new password"]


LOGIN = {"address": "reg:5000", "account": "alice", "password": "pw"}


def test_a_login_is_merged_with_what_is_there():
    before = json.dumps({"auths": {"other:1": {"auth": "x"}}, "proxies": {}})
    text, addresses = registry_login.merged(before, [LOGIN])
    assert json.loads(text) == {
        "auths": {"other:1": {"auth": "x"}, "reg:5000": {"auth": "YWxpY2U6cHc="}},
        "proxies": {},
    }
    assert addresses == ["reg:5000"]
    assert registry_login.merged(text, [LOGIN])[1] == []


@pytest.mark.parametrize("helpers", [{"credsStore": "pass"}, {"credHelpers": {"reg:5000": "pass"}}])
def test_a_credential_helper_is_not_gone_round(helpers):
    with pytest.raises(ValueError, match="credential helper pass"):
        registry_login.merged(json.dumps(helpers), [LOGIN])
