"""What a package manager says of a transaction, and what is made of it."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import packages, platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

APT = """\
NOTE: This is only a simulation!
Remv docker.io [20.10.24+dfsg1-1+deb12u1]
Remv acme [1.0] [docker.io:amd64 ]
Inst containerd.io (1.7.27-1 Docker:bookworm [amd64])
Inst docker-ce [5:20.10.24~3] (5:26.1.5-1~debian.12~bookworm Docker:bookworm [amd64]) []
Conf docker-ce (5:26.1.5-1~debian.12~bookworm Docker:bookworm [amd64])
"""
DNF = """\
Dependencies resolved.
================================================================================
 Package                  Arch      Version           Repository           Size
================================================================================
Installing:
 containerd.io            x86_64    2.1.9-3.1.el9     docker-ce-stable     31 M
     replacing  runc.x86_64 4:1.1.12-1.el9
 docker-ce-with-a-very-long-name
                          x86_64    3:26.1.5-1.el9    docker-ce-stable     30 M
Removing dependent packages:
 podman                   x86_64    4:4.9.4-1.el9     @baseos               0

Transaction Summary
================================================================================
Install  2 Packages
"""


@pytest.fixture
def run(monkeypatch):
    run = Run(Host(), platforms.describe("Debian", "12", "bookworm", "x86_64"))
    run.answers, run.asked = [], []

    def command(argv, **_options):
        run.asked.append(list(argv))
        return run.answers.pop(0)

    monkeypatch.setattr(run, "command", command)
    return run


def test_a_simulation_names_what_comes_and_goes(run):
    run.answers = [(0, APT, ""), (1, DNF, "Ignoring repositories: site, extra\nError: Operation aborted.\n")]
    found = packages.simulate(run, "apt", packages.command("apt", ["docker-ce=1"], ["docker.io"]))
    assert run.asked[0][:3] == ["apt-get", "--simulate", "install"] and run.asked[0][-2:] == [
        "docker-ce=1",
        "docker.io-",
    ]
    assert found.goes == ["docker.io", "acme"]
    assert found.comes == {"containerd.io": "1.7.27-1", "docker-ce": "5:26.1.5-1~debian.12~bookworm"}
    found = packages.simulate(run, "dnf", packages.command("dnf", ["docker-ce-1"]))
    assert "--assumeno" in run.asked[1] and "--assumeyes" not in run.asked[1]
    assert found.goes == ["runc", "podman"] and found.dead == ["site", "extra"]
    assert found.comes == {"containerd.io": "2.1.9-3.1.el9", "docker-ce-with-a-very-long-name": "3:26.1.5-1.el9"}
    assert "The repository site does not answer" in run.notes[0]
    run.answers = [(100, "", "E: Unable to locate package docker-ce\n")]
    with pytest.raises(Failed, match="E: Unable to locate package docker-ce"):
        packages.simulate(run, "apt", ["apt-get", "install", "docker-ce"])


def test_a_source_that_does_not_answer_is_named_and_fails_nothing(run):
    err = "W: Failed to fetch http://u:p@dead/x/InRelease  Could not connect to dead:80\nW: Some index files failed\n"
    run.answers = [(0, "", err), (100, "", "E: The repository 'http://old x Release' does not have a Release file.\n")]
    packages.refresh(run, "apt")
    packages.refresh(run, "apt", ["--option=x"])
    assert run.notes[0].startswith(
        "The apt source http://dead/x/InRelease does not answer or is wrong: Could not connect"
    )
    assert "http://old" in run.notes[1] and run.asked[1][-1] == "--option=x"
    run.answers = [(100, "", "E: Conflicting values set for option Signed-By\n")]
    with pytest.raises(Failed, match="Conflicting values"):
        packages.refresh(run, "apt")


HOOK = "E: Problem executing scripts DPkg::Post-Invoke 'exit 1'\nE: Sub-process returned an error code\n"


def test_a_hook_that_fails_afterwards_is_named_and_fails_nothing(run):
    run.answers = [(100, "", HOOK), (100, "", "dpkg: error processing package x (--configure):\n" + HOOK)]
    packages.transact(run, "apt", ["apt-get", "install"])
    assert "Mend or remove apt's hook DPkg::Post-Invoke 'exit 1'" in run.notes[0]
    with pytest.raises(Failed, match="dpkg: error processing package x"):
        packages.transact(run, "apt", ["apt-get", "install"])
