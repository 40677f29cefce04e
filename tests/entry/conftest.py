"""The way in, as a newcomer has it: a clone, Ansible from a package index or from Debian, ten lines of inventory.

Nothing of the tests' own environment helps: each controller has its programs, a home of its own and no variables. What
takes long is begun at once and side by side: three environments, a lab, and on each of its nodes an admin's first day,
which is a plan, two runs and a verification. The clone has what is committed, so commit before you run this.
"""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import termios
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from lab import apt, cluster  # noqa: E402 of this checkout

LAB = f"entry{os.environ.get('SLIPWAY_LAB_SUFFIX', '')}"
NODES = ("node1", "node2", "node3", "control")
SSH_CONFIG = cluster.folder(LAB) / "ssh_config"
# Seconds; a run that hangs is ended.
LIMIT = 300
PASSWORD = "horse battery 1"

HOSTS = """\
container_hosts:
  hosts:
    {host}:
      ansible_ssh_common_args: {ssh}
"""
# Docker only, pinned.
SETTINGS = """\
docker_ce_version: "28.5"
docker_ce_mirrors: [http://upstream/docker-ce]
docker_ce_key_file: "{{ inventory_dir }}/apt.asc"
user_groups_members: {docker: [admin]}
"""
# Logins beside admin, whose sudo asks for nothing: one who is asked, one who may not, one who must have a terminal.
ACCOUNTS = f"""
set -eu
for name in asked denied seated; do
    useradd --create-home --shell /bin/bash $name
    echo "$name:{PASSWORD}" | chpasswd
    install -d -m 700 -o $name -g $name /home/$name/.ssh
    install -m 600 -o $name -g $name /home/admin/.ssh/authorized_keys /home/$name/.ssh
done
usermod --append --groups sudo asked
printf '%s\\n' 'seated ALL=(ALL) NOPASSWD: ALL' 'Defaults:seated requiretty' > /etc/sudoers.d/seated
chmod 440 /etc/sudoers.d/seated
sed -i 's/^PasswordAuthentication no/PasswordAuthentication yes/' /etc/ssh/sshd_config.d/lab.conf
systemctl reload ssh
"""
# As the package's users have it: a login without privileges there, and a key of its own.
OPERATOR = """
set -eu
useradd --create-home --shell /bin/bash webmaster
runuser -l webmaster -c 'mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N "" -f .ssh/id_ed25519'
chown -R webmaster: /slipway /inventory
runuser -l webmaster -c 'ssh-keyscan node3 2>/dev/null > .ssh/known_hosts && cat .ssh/id_ed25519.pub'
"""


class Run:
    """What a command said, on both of its outputs, and how it ended."""

    def __init__(self, status, text):
        self.status = status
        self.text = text.replace("\r\n", "\n")
        # As one line, since messages are wrapped to a terminal's width.
        self.words = " ".join(self.text.split())

    @property
    def last(self):
        return self.text.splitlines()[-1]


class Controller:
    """An environment of Python's with Ansible in it, and a home."""

    def __init__(self, folder, python, *packages):
        self.programs = folder / "bin"
        self.home = folder / "home"
        subprocess.run([python, "-m", "venv", folder], check=True)
        # Compiled when it is imported, of which there is little.
        install = [self.programs / "pip", "install", "--quiet", "--no-compile", *packages]
        for tries_left in (2, 1, 0):
            done = subprocess.run(install, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode == 0:
                break
            assert tries_left, done.stdout
        self.home.mkdir()

    def __call__(self, *command, cwd, keyboard=None):
        """Run a command of the environment.

        :param keyboard: what is typed at which prompt of a terminal, in this order; there is none without it.
        """
        variables = {
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "PATH": f"{self.programs}:/usr/local/bin:/usr/bin:/bin:/usr/sbin",
        }
        if keyboard:
            return at_terminal(command, cwd, variables, keyboard)
        return ended(command, cwd=cwd, env=variables)

    def play(self, inventory, playbook, *options, cwd, **more):
        """Run a playbook."""
        return self("ansible-playbook", "-i", inventory, playbook, *options, cwd=cwd, **more)


def ended(command, **options):
    """Run a command to its end, with nobody at the keyboard."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        check=False,
        **options,
    )
    return Run(done.returncode, done.stdout)


def at_terminal(command, cwd, variables, keyboard):
    """Run a command with a terminal of its own, at which somebody types passwords when asked for them."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (50, 200))
    # So that prompts, which programs open /dev/tty for, come here.
    words = ["setsid", "--ctty", "--wait", *map(str, command)]
    process = subprocess.Popen(words, cwd=cwd, env=variables, stdin=its, stdout=its, stderr=its)
    os.close(its)
    said, end, expected = "", time.monotonic() + LIMIT, list(keyboard.items())
    while time.monotonic() < end:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            said += os.read(ours, 65536).decode(errors="replace")
        except OSError:  # Linux's end of file on the terminal of a process that is gone
            break
        if expected and re.search(expected[0][0], said):
            os.write(ours, f"{expected.pop(0)[1]}\n".encode())
    else:
        process.kill()
    os.close(ours)
    assert not expected, f"not asked for {expected}: {said}"
    return Run(process.wait(LIMIT), said)


def on(node, script, stdin=None):
    """Run a script on a node as root and return what it prints."""
    command = ["docker", "exec", "--interactive", f"slipway-{LAB}-{node}", "sh", "-c", script]
    done = subprocess.run(command, input=stdin or "", capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
    return done.stdout


def pythons(*versions):
    """Return those of these versions of Python that the machine has and that can make an environment."""
    installed = Path.home() / ".pyenv/versions"
    found = {}
    for version in versions:
        paths = [f"python{version}", *installed.glob(f"{version}.*/bin/python{version}")]
        if sys.version_info[:2] == tuple(map(int, version.split("."))):
            paths.append(sys.executable)
        for path in paths:
            if shutil.which(path) and ended([path, "-c", "import ensurepip"]).status == 0:
                found[version] = str(path)
    return found


def write_inventory(folder, host, ssh=f"-F {SSH_CONFIG}", hosts="", settings=SETTINGS):
    """Write an inventory into a new folder and return its file.

    :param hosts: more lines of hosts.yml.
    """
    (folder / "group_vars/all").mkdir(parents=True)
    (folder / "hosts.yml").write_text(HOSTS.format(host=host, ssh=ssh) + hosts)
    (folder / "group_vars/all/slipway.yml").write_text(settings)
    shutil.copy(cluster.CACHE / "keys/apt.asc", folder)
    return folder / "hosts.yml"


def first_day(play):
    """Return the plan, the first and the second run, and the verification.

    :param play: runs a playbook of the clone.
    """
    runs = []
    for playbook in ("playbooks/plan.yml", "site.yml", "site.yml", "playbooks/verify.yml"):
        runs.append(play(playbook))
        # What comes after would fail for the same reason.
        if runs[-1].status:
            break
    return runs


def lab_up():
    """Bring the lab up, with its accounts."""
    done = ended([sys.executable, "-m", "lab", "up", "--name", LAB, *(f"{node}=debian13" for node in NODES)], cwd=ROOT)
    assert done.status == 0, done.text
    for node in NODES[:-1]:
        on(node, ACCOUNTS)


class Begun:
    """What takes long, each begun when what it needs is there."""

    def __init__(self, folder):
        self.folder = folder
        self.pool = ThreadPoolExecutor()
        self.lab = self.pool.submit(lab_up)
        self.sshpass = self.pool.submit(apt.require, "sshpass", "sshpass")
        self.clone = folder / "clone"
        cloned = ended(["git", "clone", "--quiet", ROOT, self.clone])
        assert cloned.status == 0, cloned.text
        newest, old = pythons("3.11", "3.12", "3.13", "3.14"), pythons("3.10", "3.11", "3.12")
        ancient = pythons("3.9", "3.10", "3.11")
        self.controllers: dict[str, Future[Controller]] = {
            "ancient": self._controller("ancient", ancient, "ansible-core==2.15.13"),
            # Whatever is the newest that the newest Python here takes.
            "newest": self._controller("newest", newest, "ansible"),
            "9.13.0": self._controller("9.13.0", old, "ansible==9.13.0"),
        }
        self.by_key = self.pool.submit(self._by_key)
        self.by_password = self.pool.submit(self._by_password)
        self.from_debian = self.pool.submit(self._from_debian)

    def _controller(self, name, found, *packages):
        def made():
            if not found:
                # Of what needs it alone: it is said where the result is asked for.
                pytest.skip(f"this machine has no Python for {' '.join(packages)}")
            return Controller(self.folder / name, list(found.values())[-1], *packages)

        return self.pool.submit(made)

    def _by_key(self):
        self.lab.result()
        ansible = self.controllers["newest"].result()
        inventory = write_inventory(self.folder / "by_key", "node1")
        return first_day(lambda playbook: ansible.play(inventory, playbook, cwd=self.clone))

    def _by_password(self):
        self.lab.result()
        self.sshpass.result()
        ansible = self.controllers["9.13.0"].result()
        ssh = f"-F {SSH_CONFIG} -o PubkeyAuthentication=no"
        inventory = write_inventory(self.folder / "by_password", "node2", ssh)
        typed = {"SSH password: ": PASSWORD, r"BECOME password\[.*\]: ": PASSWORD}
        options = ("-u", "asked", "-k", "-K")
        return first_day(lambda book: ansible.play(inventory, book, *options, cwd=self.clone, keyboard=typed))

    def _from_debian(self):
        self.lab.result()
        on("control", "apt-get update -q || apt-get update -q")
        install = "DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends -o Acquire::Retries=3"
        on("control", f"{install} ansible openssh-client")
        folder = self.folder / "from_debian"
        write_inventory(folder, "node3", "-o User=admin")
        for source, target in ((self.clone, "slipway"), (folder, "inventory")):
            copied = ended(["docker", "cp", source, f"slipway-{LAB}-control:/{target}"])
            assert copied.status == 0, copied.text
        on("node3", "cat >> /home/admin/.ssh/authorized_keys", on("control", OPERATOR))
        login = ["docker", "exec", f"slipway-{LAB}-control", "runuser", "-l", "webmaster", "-c"]
        return first_day(
            lambda playbook: ended([*login, f"cd /slipway && ansible-playbook -i /inventory/hosts.yml {playbook}"])
        )


@pytest.fixture(scope="session")
def begun(tmp_path_factory):
    """All that takes long, begun; it is gone afterwards, whatever failed."""
    folder = tmp_path_factory.mktemp("entry")
    down = [sys.executable, "-m", "lab", "down", "--name", LAB]
    ended(down, cwd=ROOT)
    all_of_it = None
    try:
        all_of_it = Begun(folder)
        yield all_of_it
    finally:
        if all_of_it:
            all_of_it.pool.shutdown(cancel_futures=True)
        ended(down, cwd=ROOT)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def clone(begun):
    """The folder of a fresh clone."""
    return begun.clone


@pytest.fixture(scope="session")
def newest(begun):
    """The newest Ansible that this machine's Pythons take."""
    return begun.controllers["newest"].result()


@pytest.fixture(scope="session")
def node1(begun):
    """The node that has Docker by the newest Ansible, and its inventory of ten lines."""
    runs = begun.by_key.result()
    assert [run.status for run in runs] == [0, 0, 0, 0], runs[-1].text
    return begun.folder / "by_key/hosts.yml"
