"""Variables of other roles: each is noted with our input, nothing is said where that is given, nothing is refused."""

import re
from types import SimpleNamespace

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.slipway.node.plugins.plugin_utils.engine import elsewhere, inputs, sections

ALL = inputs.ROLES
LOST = "docker_daemon_options has no effect here, since docker_daemon is not among this host's roles. Add it."


@pytest.mark.parametrize(
    ("name", "note"),
    [
        (
            "docker_users",
            "docker_users is a variable of geerlingguy.docker and haxorof.docker_ce; Slipway does not read it. "
            "Use user_groups_members: {docker: [alice]}.",
        ),
        (
            "docker_version",
            "docker_version is a variable of haxorof.docker_ce and kubespray; Slipway does not read it, so a host "
            "without Docker gets the newest engine. Use docker_ce_version.",
        ),
        (
            "docker_edition",
            "docker_edition is a variable of geerlingguy.docker; Slipway does not read it, so the Enterprise Edition "
            "is not installed. Remove it.",
        ),
        (
            "docker_log_opts",
            "docker_log_opts is a variable of kubespray; Slipway does not read it, so Slipway sets no log-opts. "
            "Use docker_daemon_log_opts: {max-size: 50m, max-file: 5}.",
        ),
    ],
)
def test_a_note_says_whose_it_is_what_holds_now_and_what_to_use(name, note):
    assert elsewhere.notes([name], ALL) == [note]


def test_notes_are_one_line_each_and_sorted():
    given = ["docker_version", "docker_users", "docker_edition", "docker_users", "docker_host", "ansible_host"]
    notes = elsewhere.notes(given, ALL)
    assert [note.split()[0] for note in notes] == ["docker_edition", "docker_users", "docker_version"]
    assert notes == elsewhere.notes(reversed(given), set(ALL))


def test_nothing_is_said_where_our_input_is_given():
    assert elsewhere.notes(["docker_version", "docker_ce_version"], ALL) == []
    assert elsewhere.notes(["docker_apt_ansible_distribution", "slipway_platform"], ALL) == []


def test_only_the_taken_roles_are_spoken_for():
    given = ["docker_version", "docker_users", "docker_log_opts"]
    assert [note.split()[0] for note in elsewhere.notes(given, ["user_groups"])] == ["docker_users"]
    assert elsewhere.notes(given, ["golang"]) == []


def test_options_that_may_hold_the_same_key_leave_the_consequence_open():
    (note,) = elsewhere.notes(["docker_log_opts", "docker_daemon_profile"], ALL)
    assert note.startswith("docker_log_opts is a variable of kubespray; Slipway does not read it. Use ")


def test_options_of_both_are_noted_where_the_role_that_reads_them_is_not_taken():
    assert elsewhere.notes(["docker_daemon_options"], ["docker_ce"]) == [LOST]
    assert elsewhere.notes(["docker_daemon_options"], ["docker_ce", "docker_daemon"]) == []
    assert elsewhere.notes(["docker_daemon_options"], ["golang"]) == []
    # A play that lists docker_ce alone.
    assert elsewhere.notes(["docker_daemon_options"], ALL, ["docker_ce"]) == [LOST]
    assert elsewhere.notes(["docker_daemon_options"], ALL, ["docker_ce", "docker_daemon"]) == []


@pytest.mark.parametrize("name", elsewhere.FOREIGN)
def test_every_remedy_names_inputs_that_exist(name):
    foreign = elsewhere.FOREIGN[name]
    known = {*inputs.specification(), *inputs.specification(foreign.role)}
    assert set(foreign.ours()) <= known and (name not in known or name == "docker_daemon_options")
    # An input of another role would not be seen to be given.
    inputs_of_all = {one for role in ALL for one in inputs.specification(role)}
    assert set(re.findall(r"\w+", foreign.remedy)) & inputs_of_all <= set(foreign.ours())


def test_no_variable_is_listed_twice():
    listed = [name for rows in elsewhere._TABLE.values() for *_, names in rows for name in names.split()]
    assert len(listed) == len(elsewhere.FOREIGN)


def read(asked, **variables):
    action = SimpleNamespace(_templar=Templar(loader=DataLoader()))
    given = {"inventory_hostname": "a", "groups": {"container_hosts": ["a"]}, **variables}
    found, site, problems = sections.read(action, given, {}, asked)
    return list(found), [note.split()[0] for note in site.notes], problems


def test_a_host_s_notes_are_sorted_and_stop_nothing():
    found, notes, problems = read(None, docker_users=[], docker_daemon_config={}, registry_enabled=True, slipway_x=1)
    assert found and (notes, problems) == (["docker_daemon_config", "docker_users", "slipway_x"], [])
    client = {"groups": {"container_hosts": ["a"], "registry_hosts": ["b"]}, "hostvars": {"b": {}}}
    assert "registry_enabled" in read(None, registry_enabled=True, **client)[1]


def test_docker_ce_alone_speaks_for_all_roles_of_the_host():
    assert read(["docker_ce"], docker_users=[], docker_daemon_options={})[1] == ["docker_users"]
    assert read(["golang"], docker_users=[])[1] == []
    alone = {"slipway_roles": ["docker_ce"], "docker_users": [], "docker_daemon_options": {}}
    assert read(["docker_ce"], **alone)[1] == ["docker_daemon_options"]


def test_a_role_that_is_removed_has_no_notes():
    assert read(["golang"], golang_state="absent", golang_gopath="/go")[1] == []
