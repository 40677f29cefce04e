"""Accounts of registries, and the marks before them."""

from ansible_collections.slipway.node.plugins.module_utils.registry.accounts import MARK, accounts, mark


def test_accounts_are_known_by_what_stands_before_them():
    good = mark("f1", "alice", "$2b$10$x")
    text = f"{MARK}{good}\nalice:$2b$10$x\nmallory:$2b$10$y\n"
    assert accounts((text, "0600"), {"alice": "f1"})["accounts"] == {"alice": True, "mallory": False}
    assert accounts((text, "0600"), {"alice": "f2"})["accounts"]["alice"] is False
    assert accounts((text, "0600"), {"alice": ""})["accounts"]["alice"] is False
    assert accounts((text.replace("x\n", "z\n"), ""), {"alice": "f1"})["accounts"]["alice"] is False
    assert accounts((None, ""), {"alice": "f1"}) == {"accounts": {}, "mode": ""}
