"""The controller's half of the state: what of a module's answer reaches an admin, and how."""

import importlib
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible_collections.slipway.node.plugins.action import state
from ansible_collections.slipway.node.plugins.module_utils.engine import plans
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.engine import sections


@pytest.mark.parametrize(
    "answer",
    [
        {"msg": "ansible-core requires a minimum of Python version 3.8. Current version: 3.6.8 (default)"},
        {"msg": "MODULE FAILURE", "module_stderr": "/bin/sh: 1: /usr/bin/python3: not found"},
        # Enterprise Linux 8 has platform-python alone unless somebody installed another.
        {"msg": "MODULE FAILURE", "module_stderr": "/bin/sh: /usr/bin/python3: No such file or directory"},
        {"msg": "MODULE FAILURE", "module_stdout": "SyntaxError: future feature annotations is not defined"},
    ],
)
def test_a_host_whose_python_is_too_old_gets_the_command_to_use(answer):
    message = sections.explain({"failed": True, **answer})["msg"]
    assert message.splitlines()[0].startswith("The host's Python cannot run modules") and "ANSIBLE=2.16" in message


def test_the_facts_of_such_a_host_cannot_be_gathered_either():
    old = {"failed": True, "msg": "ansible-core requires a minimum of Python version 3.8. Current version: 3.6.8"}
    with pytest.raises(sections.FactsError) as error:
        inputs({}, lambda *_args, **_named: old, slipway_gather_facts=True)
    assert error.value.args[0]["msg"].startswith("The host's Python cannot run modules")


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("Missing sudo password", "Run again with -K"),
        ("Task failed: Incorrect sudo password", "The password for sudo is wrong."),
        ("No start of json char found\neve is not in the sudoers file.", "The login may not use sudo"),
        ("sudo: sorry, you must have a tty to run sudo", "ansible_pipelining=false"),
        ("Failed to create temporary directory. In some cases ... No space left on device", "ansible_remote_tmp"),
        ("Failed to connect to the host via ssh: bob@n1: Permission denied (publickey,password).", "ssh-copy-id"),
    ],
)
def test_a_login_that_is_not_let_in_or_may_not_become_root_is_told_what_to_do(said, remedy):
    def fails(*_args, **_named):
        raise AnsibleError(said)

    answer = sections.ask(SimpleNamespace(_execute_module=fails), "m", {}, {})
    assert remedy in answer["lines"][0] and answer["failed"] and said in answer["msg"]


@pytest.mark.parametrize(
    ("tags", "asked", "fine"),
    [
        (["always"], ["all"], True),
        (["always"], None, True),
        (["always"], ["docker"], False),
        (["always"], ["always"], False),
        (["always"], ["untagged"], True),
        # Of a playbook that imports ours.
        (["always", "docker"], ["docker"], True),
        ([], ["docker"], True),
    ],
)
def test_tags_that_leave_everything_out_are_refused(tags, asked, fine):
    assert sections.are_tags_asked_for(tags, asked) is fine


@pytest.mark.parametrize(
    ("playbook", "direct"),
    [
        (str(reader.COLLECTION / "site.yml"), True),
        (str(reader.COLLECTION / "playbooks/plan.yml"), True),
        ("slipway.node.plan", True),
        ("/srv/site/all.yml", False),
        (str(reader.COLLECTION / "mysite/all.yml"), False),
    ],
)
def test_tags_stop_slipway_s_own_playbooks_and_nobody_else_s(monkeypatch, playbook, direct):
    monkeypatch.setattr(sections.context, "CLIARGS", {"args": [playbook]})
    assert sections.is_run_directly() is direct


@pytest.mark.parametrize("name", ["plan_fail_on_drfit", "plan_jsn", "verify_imgae"])
def test_a_typing_error_in_a_playbook_s_variable_is_a_problem(name):
    (problem,) = inputs({}, **{name: True})[1]
    assert problem.startswith(f"{name} is no input of Slipway (did you mean ")
    assert inputs({}, plan_json="a", plan_fail_on=[], verify_image="b", plan_b=1, verify_certs=2)[1] == []


def test_a_run_may_be_for_some_of_a_host_s_roles():
    host = {"groups": {"container_hosts": ["a"]}, "slipway_only": ["golang", "docker_daemon"]}
    assert list(inputs({}, **host)[0]) == ["docker_daemon"]
    assert list(inputs({}, **host, slipway_roles=["golang", "images"])[0]) == ["golang"]


@pytest.mark.parametrize(
    ("groups", "given", "roles"),
    [
        (["container_hosts"], None, ["user_groups", "docker_ce", "docker_daemon", "registry", "images"]),
        (["registry_hosts"], None, ["user_groups", "docker_ce", "docker_daemon", "registry", "images"]),
        (["singularity_hosts"], None, ["singularity", "registry", "images"]),
        (["golang_hosts"], None, ["golang"]),
        (["golang_hosts", "singularity_hosts"], None, ["golang", "singularity", "registry", "images"]),
        (["container_hosts"], ["golang"], ["golang"]),
        (["container_hosts"], [None], list(reader.ROLES)),
        (["others"], None, []),
    ],
)
def test_a_host_takes_what_its_groups_say_unless_slipway_roles_does(groups, given, roles):
    assert reader.roles_of("a", {group: ["a"] for group in groups}, given) == roles


def test_inputs_of_roles_that_a_host_does_not_take_are_known():
    given = {"golang_version": 1, "images_sif": [], "images_push": [], "docker_ce_version": "28"}
    assert reader.unused(given, ["docker_ce", "images"]) == {
        "golang": ["golang_version"],
        "singularity": ["images_sif"],
    }


def test_another_failure_is_left_as_it_is():
    answer = {"failed": True, "msg": "no route to host"}
    assert sections.explain(answer) == answer


def test_all_that_stands_in_the_way_is_told_by_role():
    found = {"problems": ["a."], "refused": ["c."], "error": "b."}
    assert plans.reasons_of("golang", found) == ["a.", "golang could not look at the host: b.", "c."]


def inputs(arguments, module=None, **variables):
    """Return what the action makes of a play's variables: each role's inputs, and what is wrong."""
    action = SimpleNamespace(_templar=Templar(loader=DataLoader()), _execute_module=module)
    given = {"inventory_hostname": "a", **variables}
    found, _site, problems = sections.read(action, given, {}, arguments.get("roles"))
    return found, problems


def test_variables_of_all_sources_are_read_and_cast():
    found, problems = inputs({"roles": ["user_groups"]}, user_groups_members='{"docker": ["alice"]}')
    assert (found["user_groups"]["members"], problems) == ({"docker": ["alice"]}, [])


def test_all_problems_of_settings_and_roles_come_at_once():
    problems = inputs({}, slipway_roles=["docker"], slipway_batch=0, user_groups_exlusive=["a"])[1]
    assert [one.split()[0] for one in problems] == ["slipway_roles[0]", "slipway_batch", "user_groups_exlusive"]


def test_a_role_that_the_host_does_not_take_is_not_asked_for():
    assert inputs({}, slipway_roles=["images"], user_groups_members="wrong")[0].keys() & {"user_groups"} == set()


def test_removal_needs_no_valid_inputs_but_those_it_uses():
    wrong = {"user_groups_members": "wrong", "user_groups_exlusive": []}
    assert len(inputs({"roles": ["user_groups"]}, **wrong)[1]) == 2
    found, problems = inputs({"roles": ["user_groups"]}, user_groups_state="absent", **wrong)
    assert (found["user_groups"]["state"], problems) == ("absent", [])


@pytest.mark.parametrize("role", reader.SECTIONS)
def test_removal_reads_none_of_the_inputs_that_it_does_not_use(role):
    plugin = importlib.import_module(f"ansible_collections.slipway.node.plugins.plugin_utils.{role}.inputs")
    prefix = f"{reader.folder(role)}_"
    wrong = {
        name: object() for name in reader.specification(role) if name.removeprefix(prefix) not in plugin.REMOVAL_INPUTS
    }
    assert len(wrong) > 1 or role == "user_groups"
    found, problems = inputs({"roles": [role]}, **{f"{prefix}state": "absent"}, **wrong)
    assert (list(found), problems) == ([role], [])


class Host:
    """A host of which each look finds other drift, and the action that looks at it."""

    def __init__(self, monkeypatch):
        monkeypatch.setattr(ActionBase, "run", lambda *_args, **_named: {})
        self.action, self.state = object.__new__(state.ActionModule), {}
        self.action._execute_module = lambda *_args, **_named: {"platform": {}, "golang": self.found}
        self.action._templar = Templar(loader=DataLoader())
        self.action._display = SimpleNamespace(verbosity=0)

    def look(self, *drift, prove=False, refused=(), **arguments):
        """Return what a look at the host comes to; ``drift`` are phases, each with an item of that name."""
        plan = {one: [{"item": one, "is": "a", "want": "b"}] for one in drift}
        self.found = {"plan": plan, "refused": list(refused), "problems": [], "error": "", "notes": []}
        arguments = {"roles": ["golang"], "prove": prove, **arguments}
        self.action._task = SimpleNamespace(args=arguments, check_mode=False, tags=[])
        answer = self.action.run(task_vars={"slipway_state": self.state})
        self.state = self.state if answer.get("failed") else answer
        return answer


def test_a_proof_tells_what_was_mended_and_fails_for_what_is_left(monkeypatch):
    host = Host(monkeypatch)
    host.look("install_toolchain", "switch_links")
    left = host.look("switch_links", prove=True)
    assert left["failed"] and left["msg"].splitlines() == [
        "golang made its changes, but the host still differs:",
        "  switch_links: a -> b",
    ]
    assert [one["item"] for one in host.look(prove=True)["golang"]["mended"]] == ["install_toolchain", "switch_links"]
    # A further proof forgets nothing; a new comparison begins anew.
    assert len(host.look(prove=True)["golang"]["mended"]) == 2
    assert host.look()["golang"]["mended"] == []


def test_drift_that_went_by_itself_or_waits_is_no_failure(monkeypatch):
    host = Host(monkeypatch)
    host.look("write_profile", "later")
    proved = host.look("later", prove=True)
    assert not proved.get("failed") and list(proved["golang"]["plan"]) == ["later"]
    # In the middle of a role's work other phases may be left.
    assert not host.look("write_profile", prove=True, phases=["switch_links"]).get("failed")
    assert host.look("write_profile", prove=True, phases=["write_profile"])["failed"]


def test_what_stands_in_the_way_fails_unless_it_is_only_shown(monkeypatch):
    host = Host(monkeypatch)
    assert host.look("write_profile", refused=["no."])["msg"] == "no."
    assert host.look("write_profile", refused=["no.", "nor this."])["lines"] == ["no.", "nor this."]
    assert host.look("write_profile", refused=["no."], refuse=False)["golang"]["refused"] == ["no."]
