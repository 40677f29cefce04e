"""A newcomer's first day: plan, run, run again, verify, with the three Ansibles that people have."""

import json

import pytest
from conftest import SSH_CONFIG, on, write_inventory

DAYS = {
    "by key, with the newest from PyPI": ("by_key", "node1"),
    "by password and -K, with ansible-core 2.16": ("by_password", "node2"),
    "Debian's package, an ordinary user's key": ("from_debian", "node3"),
}
HEADING = "node role phase change"


@pytest.fixture(scope="module", params=DAYS.values(), ids=DAYS)
def day(request, begun):
    """The runs of a day and the node that they were for."""
    story, node = request.param
    runs = getattr(begun, story).result()
    assert [run.status for run in runs] == [0, 0, 0, 0], runs[-1].text
    return runs, node


def test_the_plan_says_what_would_come_and_changes_nothing(day):
    (plan, *_rest), node = day
    assert HEADING in plan.words
    assert f"{node} docker_ce install_packages docker-ce: not installed -> 28.5" in plan.words
    assert " golang " not in plan.words and " singularity " not in plan.words
    assert plan.last == "1 hosts: 0 changed"


def test_the_first_run_installs_and_the_second_changes_nothing(day):
    (_plan, first, second, _verify), node = day
    assert first.last == "1 hosts: 1 changed"
    assert f"{node} Debian 13." in first.words
    assert second.last == "1 hosts: 0 changed"
    assert "changed  " not in second.text


def test_the_verification_runs_a_container(day):
    verify, node = day[0][-1], day[1]
    assert f"{node} 28.5" in verify.words and "container runs" in verify.words


def test_nothing_is_warned_of(day):
    for run in day[0]:
        assert "[WARNING]" not in run.text and "[DEPRECATION" not in run.text, run.text


def test_the_node_has_docker_held_and_nothing_else(day):
    _runs, node = day
    assert on(node, "docker version --format '{{.Server.Version}}'").startswith("28.5.")
    assert {"docker-ce", "docker-ce-cli", "containerd.io"} <= set(on(node, "apt-mark showhold").split())
    assert "admin" in on(node, "getent group docker")
    others = "command -v go singularity apptainer gcc cc make; ls -d /usr/local/go* /opt/singularity 2>/dev/null"
    assert on(node, f"({others}) || true") == ""


def test_debian_s_package_is_what_the_user_there_had(begun):
    begun.from_debian.result()
    assert "dist-packages/ansible" in on("control", "ansible --version")
    # Ansible comes without it, and Docker alone does not need it; where other packages want it it is no harm.
    assert begun.controllers["newest"].result()("python", "-c", "import bcrypt", cwd="/").status == 1


INI = "[container_hosts]\nnode1 ansible_ssh_common_args='{ssh}'\n"
SCRIPT = "#!/bin/sh\necho '{answer}'\n"


@pytest.mark.parametrize("kind", ["hosts.yml", "hosts.ini", "hosts.sh"])
def test_any_kind_of_inventory_from_any_folder(kind, newest, clone, node1, tmp_path):
    """Without the checkout's ansible.cfg, which Ansible finds in the current folder alone."""
    inventory = write_inventory(tmp_path / "inventory", "node1")
    ssh = f"-F {SSH_CONFIG}"
    if kind == "hosts.ini":
        inventory.with_name(kind).write_text(INI.format(ssh=ssh))
    if kind == "hosts.sh":
        groups = {
            "container_hosts": {"hosts": ["node1"]},
            "_meta": {"hostvars": {"node1": {"ansible_ssh_common_args": ssh}}},
        }
        inventory.with_name(kind).write_text(SCRIPT.format(answer=json.dumps(groups)))
        inventory.with_name(kind).chmod(0o755)
    run = newest.play(inventory.with_name(kind), clone / "playbooks/plan.yml", cwd=tmp_path)
    assert run.status == 0 and "nothing to do" in run.text, run.text
    assert "Could not match supplied host pattern" not in run.text
    # In the words of Ansible's own callback, a line for each row.
    assert [line for line in run.text.splitlines() if " ".join(line.strip(' ",-').split()) == HEADING], run.text
