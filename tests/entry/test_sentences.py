"""What stops a newcomer is said in a sentence with its remedy, at the end a failure, and nothing is touched."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import PASSWORD, SETTINGS, on, write_inventory

# What a run that went on would change on the node that already has all of the ten lines.
DIFFERENT = SETTINGS.replace("{docker: [admin]}", "{docker: [admin], entry: [admin]}")
STOCK = """
find /etc /opt /usr/local /var/lib/slipway -xdev -printf '%p %T@ %s %m %u\\n' 2>/dev/null | sort
dpkg-query --show; getent passwd; getent group
"""


# --- on the controller


@pytest.fixture(scope="session", params=["newest", "9.13.0"])
def ansible(begun, request):
    """Ansible, the newest and that of ansible-core 2.16."""
    return begun.controllers[request.param].result()


def test_without_an_inventory(ansible, clone):
    run = ansible("ansible-playbook", "site.yml", cwd=clone)
    assert run.status != 0
    assert "No inventory was given, or it has no hosts. Run: ansible-playbook -i INVENTORY site.yml" in run.words


def test_an_inventory_without_a_group_of_ours(ansible, clone, tmp_path):
    (tmp_path / "hosts").write_text("[dockers]\nnode1\n")
    run = ansible.play(tmp_path / "hosts", "site.yml", cwd=clone)
    assert run.status != 0
    assert "The inventory has no host for this; its groups are: dockers." in run.words
    assert "Name the hosts in container_hosts or registry_hosts or singularity_hosts or golang_hosts" in run.words


def test_a_group_that_is_nearly_called_as_ours(ansible, clone, tmp_path):
    (tmp_path / "hosts").write_text("[container_hosts]\nnode1\n[goland_hosts]\nnode2\n")
    run = ansible.play(tmp_path / "hosts", "playbooks/plan.yml", cwd=clone)
    assert run.status != 0
    assert "The group goland_hosts is none of Slipway's (did you mean golang_hosts?)" in run.words


def test_a_checkout_that_lost_its_links(ansible, clone, tmp_path):
    lost = tmp_path / "lost"
    shutil.copytree(clone, lost, symlinks=True)
    for link in (lost / "collections/ansible_collections/slipway/node", lost / "playbooks/collections"):
        target = link.readlink()
        link.unlink()
        link.write_text(str(target))
    (tmp_path / "hosts").write_text("[container_hosts]\nnode1\n")
    run = ansible.play(tmp_path / "hosts", "site.yml", cwd=lost)
    assert run.status != 0
    assert "This checkout lost its links. Get it by `git clone`, or make the link anew: ln -sfn ../../.." in run.words


def test_an_ansible_that_is_too_old_and_has_no_collections(begun, clone, tmp_path):
    (tmp_path / "hosts").write_text("[registry_hosts]\nnode1\n")
    run = begun.controllers["ancient"].result().play(tmp_path / "hosts", "site.yml", cwd=clone)
    assert run.status != 0
    assert "This is ansible-core 2.15.13. Slipway needs 2.16.0 or newer. Install it in an environment" in run.words
    assert "The controller lacks the collections community.crypto" in run.words
    assert "pip install ansible" in run.words


# --- on a node

BECOME = r"BECOME password.*: "
# By name: options, what is typed, and what is said.
STOPPED = {
    "sudo that asks, without -K": (("-u", "asked"), None, "sudo on the host asks for a password. Run again with -K"),
    "a wrong -K": (
        ("-u", "asked", "-K"),
        {BECOME: "wrong"},
        "The password for sudo is wrong. Run again with -K",
    ),
    "a login that may not sudo": (
        ("-u", "denied", "-K"),
        {BECOME: PASSWORD},
        "The login may not use sudo on the host. Add it to the group sudo (wheel on Enterprise Linux)",
    ),
    "sudo that wants a terminal": (
        ("-u", "seated"),
        None,
        "sudo on the host wants a terminal (requiretty). Run again with -e ansible_pipelining=false",
    ),
    "no sudo at all": (
        ("-e", "ansible_become=false"),
        None,
        "This needs root on the host. Let ansible_become be true or unset, and ansible_become_user be root.",
    ),
    "--tags": (
        ("--tags", "docker"),
        None,
        "Slipway's playbooks have no tags, so --tags would leave everything out. Choose roles by slipway_only",
    ),
    "a login that the host does not know": (
        ("-u", "stranger"),
        None,
        "SSH does not let the login in. Copy your key there (ssh-copy-id USER@HOST)",
    ),
    "a vault without its password": ((), None, "give the vault's password by --ask-vault-pass"),
}


@pytest.fixture(scope="session")
def stopped(newest, clone, node1, tmp_path_factory):
    """What each of those runs said, and what the node had before and afterwards."""
    folder = tmp_path_factory.mktemp("stopped")
    inventory = write_inventory(folder / "different", "node1", settings=DIFFERENT)
    (folder / "password").write_text("secret\n")
    vault = ("ansible-vault", "encrypt_string", "--vault-password-file", folder / "password")
    secret = newest(*vault, "--name", "registry_ca_passphrase", "a long passphrase", cwd=folder).text
    text = secret[secret.index("registry_ca_passphrase:") :]
    registry = "registry_hosts: {hosts: {node1: }}\n"
    vaulted = write_inventory(folder / "vaulted", "node1", hosts=registry, settings=f"{DIFFERENT}\n{text}")

    def run(name):
        options, keyboard, _words = STOPPED[name]
        used = vaulted if "vault" in name else inventory
        return newest.play(used, "site.yml", *options, cwd=clone, keyboard=keyboard)

    before = on("node1", STOCK)
    # Mostly they wait for sudo, which takes its time over a wrong password.
    with ThreadPoolExecutor(3) as pool:
        runs = dict(zip(STOPPED, pool.map(run, STOPPED), strict=True))
    return runs, before, on("node1", STOCK)


@pytest.mark.parametrize("name", STOPPED)
def test_what_stops_a_run_is_said_with_its_remedy(stopped, name):
    run = stopped[0][name]
    assert run.status != 0
    assert STOPPED[name][2] in run.words, run.text


def test_nothing_was_touched(stopped):
    _runs, before, after = stopped
    assert before == after


def test_the_remedy_for_a_sudo_that_wants_a_terminal_mends_it(newest, clone, node1):
    run = newest.play(node1, "site.yml", "-u", "seated", "-e", "ansible_pipelining=false", cwd=clone)
    assert run.status == 0 and run.last == "1 hosts: 0 changed", run.text
