"""Packages of this host, changed by its own package manager in one transaction."""

import fnmatch
import re
import time
from typing import Any, Dict, List, NamedTuple, Sequence

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


# What a package manager says, by its cause, and what to do then.
REMEDIES = (
    (r"dpkg was interrupted", "Run `dpkg --configure -a` on the host"),
    (r"which is also in package (\S+)|conflicts with file from package (\S+)", "Remove the package {0}"),
    (r"No space left|enough free space|more space needed", "Make room in {room}"),
    (r"Read-only file system", "Mount that file system writable"),
    (r"get lock|/lock-frontend", "Another package manager is running: end it or wait"),
    (r"executing scripts (\S+ '[^']*')", "Mend or remove apt's hook {0} (see /etc/apt/apt.conf.d)"),
    (r"lock /etc/g?(?:shadow|group)", "Remove /etc/group.lock and /etc/gshadow.lock if no program edits groups"),
    (r"Hash Sum|checksum|404|Failed to fetch|Cannot download|Curl error|GPG|signature", "{source}"),
)
# Errors of apt that leave what was to be installed installed.
HOOKS = re.compile("E: (?:Problem executing scripts DPkg::Post-Invoke|Sub-process returned an error code)")


# What a transaction does: versions by the names of what comes, what goes, and repositories that do not answer.
Changes = NamedTuple("Changes", [("comes", Dict[str, str]), ("goes", List[str]), ("dead", List[str])])


def refresh(run: Run, manager: str, options: Sequence[str] = ()) -> None:
    """Fetch the lists of packages anew; dnf does so by itself.

    A source that does not answer leaves its list as it is and is named; the transaction tells whether it is needed.

    :raises Failed: no list could be fetched.
    """
    if manager != "apt":
        return
    code, out, err = _run(run, manager, ["apt-get", "update", "--quiet"] + list(options))
    dead = re.findall(r"(?m)^[EW]: (?:Failed to fetch|The repository) '?(\S+)(.*)", err)
    if code and not dead:
        raise Failed(own_words(out, err))
    for url, reason in dead:
        url, reason = re.sub("//[^/@]*@", "//", url.rstrip("'")), reason.strip("' ").rstrip(".")
        run.note("The apt source %s does not answer or is wrong: %s. Mend it or remove it." % (url, reason))


def simulate(run: Run, manager: str, argv: Sequence[str]) -> Changes:
    """Return what a transaction would do; a repository of dnf that does not answer is named.

    :raises Failed: it is not possible.
    """
    tried = [argv[0], "--simulate"] + list(argv[1:])
    if manager == "dnf":
        tried = ["--assumeno" if word == "--assumeyes" else word for word in argv]
    code, out, err = _run(run, manager, tried)
    if code and "Operation aborted" not in out + err:
        raise Failed(own_words(out, err))
    found = parse_apt(out) if manager == "apt" else parse_dnf(out)
    dead = re.split(", *", ", ".join(re.findall(r"(?m)^Ignoring repositories: (.*)", out + err)))
    for name in filter(None, dead):
        run.note("The repository %s does not answer; nothing was taken from it. Mend it or switch it off." % name)
    return found._replace(dead=[name for name in dead if name])


def parse_apt(out: str) -> Changes:
    """Read ``Inst docker-ce [5:26.1.5-1] (5:28.5.2-1 ... [amd64])`` and ``Remv docker.io [20.10]``."""
    lines = re.findall(r"(?m)^(Inst|Remv|Purg) (\S+)(?: \[[^\]]*\])?(?: \((\S+))?", out)
    goes = [name for what, name, _version in lines if what != "Inst"]
    return Changes({name: version for what, name, version in lines if what == "Inst"}, goes, [])


def parse_dnf(out: str) -> Changes:
    """Read dnf's table of a transaction, in which long names have a line of their own."""
    comes, goes, section = {}, [], ""  # type: Dict[str, str], List[str], str
    for line in re.sub(r"(?m)^( \S+)\n {10,}", r"\1 ", out).partition("Transaction Summary")[0].splitlines():
        words = line.split()
        if re.match(r"[A-Z].*:$", line):
            section = line
        elif words[:1] == ["replacing"]:
            goes.append(words[1].rpartition(".")[0])
        elif re.match(r" \S", line) and section and len(words) > 2:
            if section.startswith("Removing"):
                goes.append(words[0])
            else:
                comes[words[0]] = words[2]
    return Changes(comes, [name for name in goes if name not in comes], [])


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
    transact(run, manager, command(manager, specs, remove, **options))


def remove(run: Run, manager: str, names: Sequence[str]) -> None:
    """Remove packages and nothing that they need; configuration of an admin's stays.

    :raises Failed: with the sentence of apt, dpkg, dnf or rpm.
    """
    transact(run, manager, removal(manager, names))


def purge(run: Run, names: Sequence[str]) -> None:
    """Remove the configuration too of packages of apt that went before.

    :raises Failed: with the sentence of apt or dpkg.
    """
    transact(run, "apt", ["apt-get", "purge"] + APT_OPTIONS + ["--no-auto-remove"] + list(names))


def removal(manager: str, names: Sequence[str]) -> List[str]:
    """Return the command that removes packages."""
    if manager == "apt":
        return ["apt-get", "remove"] + APT_OPTIONS + ["--allow-change-held-packages", "--no-auto-remove"] + list(names)
    return ["dnf", "remove", "--assumeyes", "--noautoremove"] + list(names)


def command(
    manager: str,
    specs: Sequence[str],
    remove: Sequence[str] = (),
    held: bool = False,
    download_only: bool = False,
    repositories: Sequence[str] = (),
    excludes_of: Sequence[str] = (),
    nothing_goes: bool = False,
    options: Sequence[str] = (),
) -> List[str]:
    """Return the transaction's command.

    :param held: whether packages may be changed that are held, and versions go down.
    :param repositories: of dnf, that are switched off and are needed.
    :param excludes_of: repositories of dnf whose own excludes do not count.
    :param nothing_goes: fail where another package would have to be removed.
    :param options: more, in the package manager's own words.
    """
    if manager == "apt":
        argv = ["apt-get", "install", "--no-install-recommends"] + APT_OPTIONS
        argv += ["--allow-downgrades", "--allow-change-held-packages"] * held
        argv += ["--download-only"] * download_only + ["--no-remove"] * nothing_goes
        return argv + list(options) + list(specs) + ["%s-" % name for name in remove]
    argv = ["dnf", "install", "--assumeyes", "--setopt=install_weak_deps=False"]
    argv += ["--enablerepo=" + name for name in repositories]
    argv += ["--disableexcludes=" + name for name in excludes_of]
    argv += ["--allowerasing"] * (not nothing_goes) + ["--downloadonly"] * download_only
    return argv + list(options) + list(specs)


def transact(run: Run, manager: str, argv: Sequence[str]) -> None:
    """Make a transaction. A hook of apt's that fails afterwards is named, and fails nothing.

    :raises Failed: with the sentence of apt, dpkg, dnf or rpm.
    """
    code, out, err = _run(run, manager, argv)
    if not code:
        return
    said = own_words(out, err)
    errors = re.findall("(?m)^(?:E|dpkg): .*", err)
    if not errors or not all(HOOKS.match(line) for line in errors):
        raise Failed(said)
    run.note("The packages are as wanted, but a hook of apt's failed: %s. %s." % (said, remedy(said)))


def _run(run: Run, manager: str, argv: Sequence[str]) -> Any:
    end = time.monotonic() + LOCK_SECONDS
    while True:
        code, out, err = run.command(argv, env=APT if manager == "apt" else None, limit=3600, good=())
        # For those of lists and downloads apt does not wait by itself.
        if code == 0 or "Could not get lock" not in err or time.monotonic() > end:
            return code, out, err
        time.sleep(3)


def remedy(said: str, manager: str = "apt", source: str = "Mend the source of the packages") -> str:
    """Return what to do, by what a package manager says of its failure."""
    room = "/, /usr or " + ("/var/cache/apt/archives" if manager == "apt" else "/var/cache/dnf")
    for pattern, text in REMEDIES:
        match = re.search(pattern, said)
        if match:
            found = next((one for one in match.groups() if one), "")
            return text.format(re.sub(r"-\d.*", "", found.strip(",.")), room=room, source=source)
    return "Mend that"


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
