"""What the collection holds, that its names are found without a checkout, and that its plugins are documented."""

import json
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
TOP = {
    *(
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "FILES.json",
        "LICENSE",
        "MANIFEST.json",
        "README.md",
        "README.zh.md",
        "SECURITY.md",
    ),
    *("docs", "examples", "inventories", "meta", "playbooks", "plugins", "requirements.yml", "roles"),
}
# This very machine, as whoever runs the tests.
HERE = (
    "-i",
    str(ROOT / "inventories/localhost"),
    "-e",
    '{"ansible_become": false, "plan_fail_on": []}',
    "slipway.node.plan",
)


def test_the_archive_holds_what_users_need_and_nothing_else(files):
    assert {name.partition("/")[0] for name in files} == TOP
    assert {name for name in files if name.startswith("inventories/example/")} >= {
        "inventories/example/hosts.yml",
        "inventories/example/group_vars/all/slipway.yml",
    }
    assert not [name for name in files if name.startswith("inventories/lab") or "cache" in Path(name).parts]
    assert not [name for name in files if name.endswith((".pyc", ".orig")) or name.startswith("docs/write")]


def test_plan_looks_at_this_machine_and_changes_nothing(site):
    told = site("ansible-playbook", *HERE, "-e", f"plan_json={site.work}/plan.json", "-vvv")
    assert f"Using module file {site.installed}/plugins/modules/state.py" in told
    assert " changed=0 " in told and " failed=0 " in told
    written = json.loads((site.work / "plan.json").read_text())
    plan = written["hosts"]["localhost"]
    assert written["format"] == 1
    assert plan["problems"] == [] and plan["errors"] == {}
    assert {"role", "phase", "item", "is", "want"} == set(plan["drift"][0])


@pytest.mark.parametrize("result_format", ["json", "yaml"])
def test_the_plan_is_readable_in_the_words_of_ansible_s_own_callback(site, result_format):
    told = site("ansible-playbook", *HERE, ANSIBLE_CALLBACK_RESULT_FORMAT=result_format)
    lines = [line.strip(" \",-'").split() for line in told.splitlines()]
    # A table's lines are lines of the output, and not one text with its line ends spelt out.
    assert ["node", "role", "phase", "change"] in lines, told
    # In a phase, or refused where containers of this machine would stop.
    assert any(line[:2] == ["localhost", "docker_ce"] and "->" in line for line in lines), told
    assert "[WARNING]: Could not match supplied host pattern" not in told


def test_the_short_report_is_found(site):
    told = site("ansible-playbook", *HERE, ANSIBLE_STDOUT_CALLBACK="slipway.node.brief")
    assert told.splitlines()[-1] == "1 hosts: 0 changed"


def test_the_playbooks_roles_and_modules_are_found(site):
    names = [f"slipway.node.{playbook}" for playbook in PLAYBOOKS]
    (site.work / "hosts").write_text("[registry_hosts]\nlocalhost\n")
    told = site("ansible-playbook", "-i", str(site.work / "hosts"), "--syntax-check", *names)
    assert told.count(f"playbook: {site.installed}/playbooks/") == len(PLAYBOOKS)


@pytest.mark.parametrize("kind", ["module", "filter", "callback"])
def test_every_plugin_is_documented(site, kind):
    folder = "modules" if kind == "module" else kind
    listed = json.loads(site("ansible-doc", "-t", kind, "--list", "--json", "slipway.node"))
    shown = json.loads(site("ansible-doc", "-t", kind, "--json", *listed))
    assert len(shown) >= len(list((ROOT / "plugins" / folder).glob("*.py")))
    for name, text in shown.items():
        assert text["doc"]["description"] and text["doc"]["short_description"], name
        assert kind == "callback" or text["examples"], name
        assert kind != "filter" or text["return"], name


def test_every_role_is_documented(site):
    roles = {f"slipway.node.{path.name}" for path in (ROOT / "roles").iterdir()}
    listed = json.loads(site("ansible-doc", "-t", "role", "--list", "--json", "slipway.node"))
    assert set(listed) == roles


def test_an_execution_environment_gets_what_the_controller_needs(site, archive, tmp_path):
    """As far as it goes without a registry to pull the base image from."""
    for path in (ROOT / "examples/execution-environment/execution-environment.yml", archive):
        shutil.copy(path, tmp_path)
    site("ansible-builder", "create", cwd=tmp_path)
    assert (tmp_path / "context/_build" / archive.name).exists()
    told = site("ansible-builder", "introspect", str(site.installed.parents[2]))
    assert "bcrypt" in told and "sshpass" in told and "ansible-lint" not in told
