"""The layout's promises: every role's inputs agree with their specification, every scenario is whole."""

import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
SCENARIOS = sorted(path.name for path in (ROOT / "molecule").iterdir() if path.is_dir() and path.name != "shared")
PLAYBOOKS = ["molecule.yml", "converge.yml"]


def load(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", ROLES)
def test_defaults_and_argument_specs_name_the_same_inputs(role):
    defaults = set(load(ROOT / "roles" / role / "defaults" / "main.yml"))
    for entry_point, spec in load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"].items():
        if entry_point == "inputs":
            assert set(spec["options"]) == defaults, entry_point


# Ansible checks an entry point that has a file of tasks by itself, and shows its whole specification with an error;
# inputs are the action's to check.
@pytest.mark.parametrize("role", ROLES)
def test_ansible_checks_no_inputs(role):
    specs = load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
    assert specs.pop("inputs")["options"] and not (ROOT / "roles" / role / "tasks" / "inputs.yml").exists()
    assert not [name for name, spec in specs.items() if spec.get("options")]


@pytest.mark.parametrize("role", ROLES)
def test_public_inputs_carry_the_role_s_name(role):
    assert all(name.startswith(f"{role}_") for name in load(ROOT / "roles" / role / "defaults" / "main.yml"))
    internal = ROOT / "roles" / role / "vars" / "main.yml"
    assert not internal.exists() or all(name.startswith(f"__{role}_") for name in load(internal))


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_scenario(role):
    assert role in SCENARIOS


# Molecule passes over a missing playbook or missing tests without a word, so they are looked for here.
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_has_its_playbooks_and_its_tests(scenario):
    folder = ROOT / "molecule" / scenario
    missing = [name for name in PLAYBOOKS if not (folder / name).is_file()]
    assert not missing
    tests = [path.read_text(encoding="utf-8") for path in (folder / "tests").glob("test_*.py")]
    assert any("\ndef test_" in text for text in tests), "no test in tests/"
    sequence = (load(folder / "molecule.yml") or {}).get("scenario", {}).get("test_sequence", [])
    assert not sequence or {"create", "converge", "idempotence", "verify", "destroy"} <= set(sequence)
    steps = {"side_effect": "side_effect.yml"}
    assert all((folder / file).is_file() for step, file in steps.items() if step in sequence)


def test_every_filter_that_is_used_is_there():
    known = {name for plugin in (ROOT / "plugins/filter").glob("*.py") for name in filters(plugin.stem)}
    files = [
        path for folder in ("roles", "playbooks", "molecule", "inventories") for path in (ROOT / folder).rglob("*.yml")
    ]
    used = {
        name for path in files for name in re.findall(r"\|\s*slipway\.node\.(\w+)", path.read_text(encoding="utf-8"))
    }
    assert used <= known and known <= {path.stem for path in (ROOT / "plugins/filter").glob("*.yml")}


def filters(module):
    return import_module(f"ansible_collections.slipway.node.plugins.filter.{module}").FilterModule().filters()


def test_what_acts_is_packed_for_acting_alone():
    utils, act = ROOT / "plugins/module_utils", (ROOT / "plugins/modules/act.py").read_text(encoding="utf-8")
    for section in (path.parent.name for path in utils.glob("*/act.py")):
        assert f"module_utils.{section} import act as" in act
    assert not re.search(r"import .*\bact\b", (utils / "engine/phases.py").read_text(encoding="utf-8"))


# One that is skipped would leave no state to those after it.
def test_what_registers_the_state_is_never_skipped():
    for path in (ROOT / "roles").glob("*/tasks/*.yml"):
        assert not [task["name"] for task in load(path) if task.get("register") == "slipway_state" and "when" in task]
