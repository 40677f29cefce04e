"""What publishing needs: one address, metadata, issue forms, CI that runs what README says, a sound example."""

import importlib.resources
import json
import os
import re
import subprocess

import jsonschema
import pytest
import yaml

from tests.unit.docs import pages

ROOT = pages.ROOT
EXAMPLE = ROOT / "examples/molecule"


def load(path):
    return yaml.safe_load(pages.read(ROOT / path))


def test_the_address_is_set_in_one_place():
    galaxy = load("galaxy.yml")
    assert all(galaxy[key].startswith(galaxy["repository"]) for key in ("homepage", "documentation", "issues"))
    host = galaxy["repository"].split("/")[2]
    listed = subprocess.run(["git", "grep", "-l", "-F", host], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    # README's command to clone it is compared below.
    assert set(listed.stdout.split()) <= {"galaxy.yml", "README.md", "README.zh.md"}
    assert f"git clone {galaxy['repository']} slipway" in pages.read(ROOT / "README.md")


@pytest.mark.parametrize("role", pages.ROLES)
def test_a_role_s_metadata_say_what_the_collection_s_do(role):
    info = load(f"roles/{role}/meta/main.yml")["galaxy_info"]
    needed = load("meta/runtime.yml")["requires_ansible"]
    assert needed == f">={info['min_ansible_version']}.0" and [info["license"]] == load("galaxy.yml")["license"]
    assert len(info["description"]) > 30 and info["platforms"] and info["galaxy_tags"]


@pytest.mark.parametrize("path", sorted(ROOT.glob(".github/ISSUE_TEMPLATE/*.yml")), ids=lambda path: path.stem)
def test_an_issue_form_is_one(path):
    form = load(path)
    if path.stem == "config":
        assert form == {"blank_issues_enabled": True}
        return
    assert {"name", "description", "body"} <= set(form) <= {"name", "description", "body", "labels", "title"}
    ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    for part in form["body"]:
        assert part["type"] in ("markdown", "textarea", "input", "checkboxes", "dropdown")
        assert part["attributes"].get("value" if part["type"] == "markdown" else "label")


def steps_of(one):
    """Return the commands of a CI's file, wherever they stand."""
    if isinstance(one, dict):
        own = [one["run"]] if isinstance(one.get("run"), str) else one.get("script", [])
        return [*own, *(step for value in one.values() for step in steps_of(value))]
    return [step for value in one for step in steps_of(value)] if isinstance(one, list) else []


@pytest.mark.parametrize("path", [".github/workflows/test.yml", ".gitlab-ci.yml"])
def test_ci_runs_what_readme_says(path):
    steps = steps_of(load(path))
    assert "make lint unit" in steps and ".ci/run" in steps
    assert "exec make test" in pages.read(ROOT / ".ci/run") and os.access(ROOT / ".ci/run", os.X_OK)
    targets = re.findall(r"(?m)^([a-z-]+):", pages.read(ROOT / "Makefile"))
    assert {"lint", "unit", "test"} <= set(targets)


def test_what_an_execution_environment_gets_is_there():
    given = load("meta/execution-environment.yml")["dependencies"]
    assert "bcrypt" in pages.read(ROOT / given["python"]) and "sshpass" in pages.read(ROOT / given["system"])
    wanted = load("examples/execution-environment/execution-environment.yml")["dependencies"]["galaxy"]["collections"]
    assert wanted == [{"name": f"slipway-node-{load('galaxy.yml')['version']}.tar.gz", "type": "file"}]


def test_the_example_of_a_scenario_is_what_molecule_takes(tmp_path):
    rules = json.loads((importlib.resources.files("molecule") / "data/molecule.json").read_text(encoding="utf-8"))
    scenario = load(EXAMPLE / "molecule/default/molecule.yml")
    jsonschema.validate(scenario, rules)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**scenario, "driver": {"name": "no-such"}}, rules)
    inventory = tmp_path / "hosts"
    inventory.write_text("[container_hosts]\nlocalhost\n")
    playbooks = [EXAMPLE / "playbook.yml", EXAMPLE / "molecule/default/verify.yml"]
    run = subprocess.run(
        ["ansible-playbook", "--syntax-check", "-i", inventory, *playbooks],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    inputs = scenario["provisioner"]["inventory"]["group_vars"]["container_hosts"]
    assert set(inputs) <= pages.inputs()
