"""Inputs: what is cast, what is refused, and that a refusal says what to do."""

from datetime import date

import pytest
from ansible.errors import AnsibleError
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import RELEASES
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs, settings

OPTIONS = {
    "x_version": {"type": "str"},
    "x_hold": {"type": "bool"},
    "x_port": {"type": "int"},
    "x_timeout": {"type": "float"},
    "x_mirrors": {"type": "list", "elements": "str"},
    "x_labels": {"type": "dict"},
    "x_state": {"type": "str", "choices": ["present", "absent"]},
    "x_password": {"type": "str", "no_log": True},
    "x_instances": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "port": {"type": "int", "default": 5000},
            "mode": {"type": "str", "choices": ["store", "cache"]},
        },
    },
}


def read(variables, template=lambda value: value, default=None):
    return inputs.read(OPTIONS, default or {}, variables, template, "x_")


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        # As YAML, an INI inventory and `-e name=value` give them.
        ("hold", [False, "false", "no", "0", 0, "False"], False),
        ("hold", [True, "true", "yes", "1", 1, "on"], True),
        ("port", [5000, "5000"], 5000),
        ("timeout", [2.5, "2.5"], 2.5),
        ("version", ["28.3"], "28.3"),
        ("version", [28, "28"], "28"),
        ("mirrors", [["http://a"], '["http://a"]', "[http://a]"], ["http://a"]),
        ("labels", [{"a": 1}, '{"a": 1}', "{a: 1}"], {"a": 1}),
        ("instances", ['[{"name": "a"}]', [{"name": "a"}]], [{"name": "a", "port": 5000, "mode": None}]),
        ("instances", [[{"name": "a", "port": "5001"}]], [{"name": "a", "port": 5001, "mode": None}]),
    ],
)
def test_each_source_gives_the_same_value(name, values, expected):
    for value in values:
        read_, problems = read({f"x_{name}": value})
        assert (read_[name], type(read_[name]), problems) == (expected, type(expected), [])


def test_a_default_is_taken_where_nothing_is_set():
    assert read({"x_version": None}, default={"x_version": "1"})[0]["version"] == "1"
    assert read({})[0]["version"] is None


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"x_mirrors": "http://a"}, 'x_mirrors is the text "http://a"; give a list, as in ["http://a"].'),
        # YAML takes a plain 2026-11-25 for a date.
        ({"x_mirrors": date(2026, 11, 25)}, 'x_mirrors is "2026-11-25"; give a list, as in ["2026-11-25"].'),
        ({"x_mirrors": {"a": 1}}, 'x_mirrors is the mapping {"a": 1}; give a list.'),
        ({"x_mirrors": "[http://a"}, 'x_mirrors is the text "[http://a"; give a list, as in ["[http://a"].'),
        ({"x_mirrors": [["http://a"]]}, 'x_mirrors[0] is the list ["http://a"]; give a text in quotes.'),
        ({"x_labels": "a=b"}, 'x_labels is the text "a=b"; give a mapping.'),
        ({"x_labels": ["a"]}, 'x_labels is the list ["a"]; give a mapping.'),
        (
            {"x_version": 1.2},
            'x_version is the number 1.2; give a text in quotes, as in "1.2" (in an INI file \'"1.2"\').',
        ),
        ({"x_version": True}, 'x_version is true; give a text in quotes, as in "True".'),
        ({"x_version": ["1"]}, 'x_version is the list ["1"]; give a text in quotes.'),
        ({"x_hold": "maybe"}, 'x_hold is the text "maybe"; give true or false.'),
        ({"x_hold": 2}, "x_hold is the number 2; give true or false."),
        ({"x_hold": []}, "x_hold is the list []; give true or false."),
        ({"x_port": "http"}, 'x_port is the text "http"; give a whole number.'),
        ({"x_port": 5000.5}, "x_port is the number 5000.5; give a whole number."),
        ({"x_port": True}, "x_port is true; give a whole number."),
        ({"x_timeout": "soon"}, 'x_timeout is the text "soon"; give a number.'),
        ({"x_state": "gone"}, 'x_state is the text "gone"; choose present or absent.'),
        ({"x_state": "absnet"}, 'x_state is the text "absnet"; choose present or absent (did you mean absent?).'),
        ({"x_password": ["secret"]}, "x_password is not shown; give a text in quotes."),
        ({"x_instances": {"name": "a"}}, 'x_instances is the mapping {"name": "a"}; give a list.'),
        ({"x_instances": ["a"]}, 'x_instances[0] is the text "a"; give a mapping.'),
        ({"x_instances": [{}]}, "x_instances[0] lacks the key name; give a text in quotes."),
        ({"x_instances": [{"name": "a", "port": "b"}]}, 'x_instances[0].port is the text "b"; give a whole number.'),
        (
            {"x_instances": [{"name": "a", "mode": "cahce"}]},
            'x_instances[0].mode is the text "cahce"; choose store or cache (did you mean cache?).',
        ),
        (
            {"x_instances": [{"name": "a", "prot": 1}]},
            "x_instances[0] has no key prot (did you mean port?); there are: name, port, mode.",
        ),
    ],
)
def test_a_wrong_value_is_one_sentence_with_its_remedy(variables, problem):
    assert read(variables)[1] == [problem]


def test_all_problems_come_at_once():
    assert len(read({"x_hold": "maybe", "x_port": "http", "x_mirrors": "http://a"})[1]) == 3


def test_a_long_value_is_cut():
    (problem,) = read({"x_mirrors": "a" * 500})[1]
    assert "..." in problem and len(problem) < 700


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("'x' is undefined", "correct its template."),
        ("object of type 'dict' has no attribute 'distribution'", "set slipway_gather_facts: true."),
        ("'ansible_distribution' is undefined", "set slipway_gather_facts: true."),
    ],
)
def test_a_template_that_cannot_be_resolved_is_named(reason, remedy):
    def template(_value):
        raise AnsibleError(reason)

    (problem,) = read({"x_version": "{{ x }}"}, template)[1]
    assert problem.startswith(f"x_version cannot be read: {reason}; ") and problem.endswith(remedy)


NEAR = {
    "docker_ce_versoin": "docker_ce_version",
    "docker_ce_hodl": "docker_ce_hold",
    "user_groups_exlusive": "user_groups_exclusive",
    "golang_mirors": "golang_mirrors",
    "registry_instance": "registry_instances",
    "images_perload": "images_preload",
    "singularity_fakeroot_user": "singularity_fakeroot_users",
    "slipway_roels": "slipway_roles",
}
FAR = "registry_enabled registry_port registry_storage_class golang_gopath golang_install_dir images_dir slipway_owner"
THEIRS = "docker_daemon_config docker_daemon_envs docker_daemon_graph docker_daemon_opts registry_config"


def strangers(name):
    role = next((role for role in inputs.ROLES if name.startswith(f"{role}_")), "")
    return inputs.strangers([name], f"{role or 'slipway'}_", inputs.specification(role))


def test_only_variables_that_begin_like_an_input_are_strangers():
    names = ["x_versoin", "x_version", "__x_probe", "xylophone", "x_zzz"]
    assert inputs.strangers(names, "x_", OPTIONS) == (
        ["x_versoin is no input of Slipway (did you mean x_version?)."],
        ["x_zzz is no input of Slipway and has no effect."],
    )
    assert strangers("slipway_state") == ([], [])


@pytest.mark.parametrize(("name", "meant"), NEAR.items())
def test_a_typing_error_in_a_name_is_a_problem_with_a_suggestion(name, meant):
    assert strangers(name) == ([f"{name} is no input of Slipway (did you mean {meant}?)."], [])


@pytest.mark.parametrize("name", FAR.split())
def test_a_name_that_is_no_typing_error_is_a_note(name):
    assert strangers(name) == ([], [f"{name} is no input of Slipway and has no effect."])


@pytest.mark.parametrize("name", THEIRS.split())
def test_a_variable_of_another_role_is_noted_elsewhere(name):
    assert strangers(name) == ([], [])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"slipway_roles": ["docker"]}, "slipway_roles[0] is the text"),
        ({"slipway_roles": "docker_ce"}, "slipway_roles is the text"),
        ({"slipway_region": "china"}, 'slipway_region is the text "china"; choose global or cn'),
        ({"slipway_batch": 0}, "slipway_batch is 0; give a number of hosts from 1 on"),
        ({"slipway_batch": "200%"}, "slipway_batch is 200%"),
        ({"slipway_max_fail_percentage": 200}, "slipway_max_fail_percentage is 200"),
        ({"slipway_platform": "mint"}, "slipway_platform is the text"),
    ],
)
def test_wrong_settings(given, problem):
    options = inputs.specification()
    default = {name: option.get("default") for name, option in options.items()}
    values, problems = inputs.read(options, default, given, lambda value: value, "slipway_")
    assert [one[: len(problem)] for one in problems + settings.check(values)] == [problem]


def test_the_settings_know_the_platforms_and_roles():
    options = inputs.specification()
    assert options["slipway_platform"]["choices"] == list(RELEASES)
    assert options["slipway_roles"]["choices"] == list(inputs.ROLES)
