"""What a user of the cluster does: log in, build an image without root, run it; and what an admin looks at."""

import json
from pathlib import Path

import pytest

TREE = "/opt/singularity/1.4.5"
REGISTRY = Path(__file__).parents[1] / "files/registry.py"
STARTER = f"{TREE}/libexec/apptainer/bin/starter-suid"
# A root file system of the node's own shell, so that nothing is pulled.
DEFINITION = """
Bootstrap: scratch

%setup
    programs="/bin/sh /bin/sleep /bin/echo /bin/cat /usr/bin/id"
    for file in $programs $(ldd /bin/sh /usr/bin/id | grep -o '/[^ ):]*' | sort -u); do
        mkdir -p "${APPTAINER_ROOTFS}$(dirname "$file")" && cp -L "$file" "${APPTAINER_ROOTFS}$file"
    done
    mkdir -p "${APPTAINER_ROOTFS}/etc" "${APPTAINER_ROOTFS}/tmp"

%post
    echo "built as $(id -u)" > /etc/built

%runscript
    echo "container of $(id -u) says $*"
"""


@pytest.fixture(scope="module")
def user(host):
    """Run a command in a login shell of an ordinary user."""

    def run(command):
        return host.run("sudo -iu admin sh -lc %s", command)

    return run


@pytest.fixture(scope="module")
def image(host, user):
    """A SIF that the user built, which needs a range of ids or none."""
    host.run("sudo -u admin tee /home/admin/small.def >/dev/null <<'END'\n" + DEFINITION + "END")
    built = user("singularity build --force --fakeroot /home/admin/small.sif /home/admin/small.def")
    assert built.rc == 0, built.stderr
    return "/home/admin/small.sif"


def test_commands_are_in_the_path_of_a_login_shell(user):
    assert user("singularity --version").stdout.strip() == "apptainer version 1.4.5"


def test_user_builds_an_image_as_fake_root_and_runs_it(user, image):
    ran = user(f"singularity run {image} hello")
    assert ran.stdout.strip() == f"container of {user('id -u').stdout.strip()} says hello", ran.stderr
    assert user(f"singularity exec {image} cat /etc/built").stdout.strip() == "built as 0"


def test_commands_are_found_without_a_login_shell(host):
    assert host.run("sudo singularity --version").stdout.strip() == "apptainer version 1.4.5"
    assert host.run("sudo -u admin bash -c 'apptainer --version'").stdout.strip() == "apptainer version 1.4.5"


def test_module_load_brings_the_default_version(host):
    load = "module use /etc/modulefiles; module load apptainer; command -v singularity; singularity --version"
    told = host.run("sudo -iu admin bash -lc %s", load)
    assert told.stdout.split("\n")[:2] == [f"{TREE}/bin/singularity", "apptainer version 1.4.5"], told.stderr


def test_user_pulls_from_a_registry_with_the_shared_credentials(host, user):
    # Not as an argument, which would be quoted.
    host.run("tee /root/registry.py >/dev/null <<'END'\n" + REGISTRY.read_text(encoding="utf-8") + "END")
    host.run("systemctl is-active lab-registry || systemd-run --unit lab-registry python3 /root/registry.py")
    pull = "singularity pull --force --no-https busybox.sif docker://127.0.0.1:5055/library/busybox:1.37"
    pulled = user(f"for second in 1 2 3 4 5; do {pull} && exit; sleep 1; done; exit 1")
    assert pulled.rc == 0, pulled.stderr
    # Its own status is 255, which is ssh's for a connection that fails.
    refused = user(f"unset APPTAINER_AUTH_FILE; {pull} || echo refused")
    assert refused.stdout.strip().endswith("refused"), refused.stdout


def test_temporary_files_and_caches_are_the_user_s_alone(host, user):
    told = user('echo "$APPTAINER_TMPDIR $APPTAINER_CACHEDIR"').stdout.split()
    assert told == ["/scratch/tmp/admin", "/scratch/cache/admin"]
    for path in told:
        folder = host.file(path)
        assert (folder.user, folder.mode) == ("admin", 0o700)


def test_setuid_program_is_root_s(host):
    starter = host.file(STARTER)
    assert (starter.user, starter.group, starter.mode) == ("root", "root", 0o4755)


def test_default_is_the_version(host):
    assert host.file("/opt/singularity/current").linked_to == TREE


def test_configuration_is_as_described(host):
    text = host.file(f"{TREE}/etc/apptainer/apptainer.conf").content_string
    assert "\nsessiondir max size = 128\n" in text and "\nbind path = /etc/hosts\n" in text


@pytest.mark.parametrize("path", ["/etc/subuid", "/etc/subgid"])
def test_ranges_are_the_same_on_every_node(host, path):
    uid = int(host.check_output("id -u admin"))
    lines = host.file(path).content_string.split()
    ranges = [line.split(":") for line in lines if line.startswith("admin:")]
    # useradd may have given one, which then stays.
    assert len(ranges) == 1 and int(ranges[0][2]) >= 65536
    assert int(ranges[0][1]) in (1879048192 + uid % 4096 * 65536, 100000)


def test_credentials_are_private(host):
    auths = host.file("/etc/slipway/singularity-auth.json")
    assert (auths.user, auths.group, auths.mode) == ("root", "admin", 0o640)
    assert json.loads(auths.content_string)["auths"]["registry.example.org"]["auth"] == "aHBjOmxhYi1zZWNyZXQ="


def test_secret_is_not_in_the_journal(host):
    # In brackets, so that the pattern does not find itself: sudo writes the command to the journal.
    assert host.run("journalctl --no-pager | grep -e 'lab-[s]ecret' -e 'aHBjOmxhYi1z[Z]WNyZXQ'").rc == 1


def test_only_the_build_host_has_a_compiler(host):
    builder = host.check_output("hostname") == "debian13"
    assert host.exists("gcc") is builder
    # What was in the folder before stays.
    for name in ("slipway-singularity", "build/source/builddir"):
        assert host.file(f"/var/cache/slipway/singularity/{name}").exists is builder


def test_manifest_tells_of_what_it_was_made(host):
    manifest = json.loads(host.file(f"{TREE}/.slipway.json").content_string)
    assert (manifest["flavor"], manifest["version"], manifest["go"]) == ("apptainer", "1.4.5", "1.27.3")
    assert manifest["archive"].startswith("apptainer-1.4.5-go1.27.3-debian13-")
    assert "--with-suid" in manifest["mconfig"] and len(manifest["source"]) == 64
