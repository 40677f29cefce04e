"""Packages of this host, changed by its own package manager in one transaction."""

import fnmatch
import re
import time
from typing import Any, List, Sequence

from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

# Seconds to wait for another package manager.
LOCK_SECONDS = 600
# As Ansible's module has it: nobody is asked, an admin's files stay, no service is restarted behind our back.
APT = {"DEBIAN_FRONTEND": "noninteractive", "DEBIAN_PRIORITY": "critical", "NEEDRESTART_SUSPEND": "1"}
APT_OPTIONS = [
    "--yes",
    "--option=Dpkg::Options::=--force-confdef",
    "--option=Dpkg::Options::=--force-confold",
    "--option=DPkg::Lock::Timeout=%d" % LOCK_SECONDS,
]


def refresh(run: Run, manager: str) -> None:
    """Fetch the lists of packages anew; dnf does so by itself. A source that does not answer leaves its list as it is.

    :raises Failed: one is not what it was.
    """
    if manager == "apt":
        _transact(run, manager, ["apt-get", "update", "--quiet"])


def known_repositories(run: Run, patterns: Sequence[str]) -> List[str]:
    """Return which of dnf's repositories a host has; dnf fails where it is to enable one that is not there."""
    lines = run.command(["dnf", "repolist", "--all", "--quiet"])[1].splitlines() if patterns else []
    names = [line.split()[0] for line in lines if line.strip()]
    return [name for name in names if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def install(run: Run, manager: str, specs: Sequence[str], remove: Sequence[str] = (), **options: Any) -> None:
    """Install packages, and remove others in the same transaction.

    :param specs: as the package manager takes them: ``docker-ce=5:28...`` or ``docker-ce-28...``.
    :param options: of :func:`command`.
    :raises Failed: with the sentence of apt, dpkg, dnf or rpm.
    """
    _transact(run, manager, command(manager, specs, remove, **options))


def remove(run: Run, manager: str, names: Sequence[str]) -> None:
    """Remove packages and nothing that they need; configuration of an admin's stays.

    :raises Failed: with the sentence of apt, dpkg, dnf or rpm.
    """
    if manager == "apt":
        argv = ["apt-get", "remove"] + APT_OPTIONS + ["--allow-change-held-packages", "--no-auto-remove"] + list(names)
    else:
        argv = ["dnf", "remove", "--assumeyes", "--noautoremove"] + list(names)
    _transact(run, manager, argv)


def purge(run: Run, names: Sequence[str]) -> None:
    """Remove the configuration too of packages of apt that went before.

    :raises Failed: with the sentence of apt or dpkg.
    """
    _transact(run, "apt", ["apt-get", "purge"] + APT_OPTIONS + ["--no-auto-remove"] + list(names))


def command(
    manager: str,
    specs: Sequence[str],
    remove: Sequence[str] = (),
    held: bool = False,
    download_only: bool = False,
    repositories: Sequence[str] = (),
    excludes_of: Sequence[str] = (),
    nothing_goes: bool = False,
) -> List[str]:
    """Return the transaction's command.

    :param held: whether packages may be changed that are held, and versions go down.
    :param repositories: of dnf, that are switched off and are needed.
    :param excludes_of: repositories of dnf whose own excludes do not count.
    :param nothing_goes: fail where another package would have to be removed.
    """
    if manager == "apt":
        argv = ["apt-get", "install", "--no-install-recommends"] + APT_OPTIONS
        argv += ["--allow-downgrades", "--allow-change-held-packages"] * held
        argv += ["--download-only"] * download_only + ["--no-remove"] * nothing_goes
        return argv + list(specs) + ["%s-" % name for name in remove]
    argv = ["dnf", "install", "--assumeyes", "--setopt=install_weak_deps=False"]
    argv += ["--enablerepo=" + name for name in repositories]
    argv += ["--disableexcludes=" + name for name in excludes_of]
    argv += ["--allowerasing"] * (not nothing_goes) + ["--downloadonly"] * download_only
    return argv + list(specs)


def _transact(run: Run, manager: str, argv: List[str]) -> None:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        code, out, err = run.command(argv, env=APT if manager == "apt" else None, limit=3600, good=())
        if code == 0:
            return
        # For those of lists and downloads apt does not wait by itself.
        if "Could not get lock" not in err or time.monotonic() > end:
            raise Failed(own_words(out, err))
        time.sleep(3)


def own_words(out: str, err: str) -> str:
    """Return what a package manager says of its failure: the sentences of dpkg and rpm first, then its own."""
    lines = [line.strip() for line in (out + "\n" + err).splitlines() if line.strip()]
    first = [line for line in lines if re.match("dpkg: error|dpkg-deb: error|rpm: |error: |file /", line, re.I)]
    errors = [line for line in lines if re.match("E: |Error|Failed|No match|nothing provides|Problem", line)]
    following = []  # type: List[str]
    for line in first:
        where = lines.index(line)
        following += lines[where : where + 2]
    chosen = list(dict.fromkeys(following + errors)) or lines[-5:]
    return " ".join(chosen)[:1500]
