"""Which package mirror a host installs Docker CE from, and the files that make its package manager use it.

The host's own package manager judges mirrors, in a scratch folder with short time limits, so that signatures, expiry,
proxies and authorities are those of the real installation. A mirror is usable when apt or dnf takes its index, and the
index offers every wanted package in the wanted version.
"""

import math
import os
import re
import shutil
import stat
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.docker_ce.repository import public, repository_files
from ansible_collections.slipway.node.plugins.module_utils.engine import versions
from ansible_collections.slipway.node.plugins.module_utils.engine.files import read, replace
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

# Seconds that a package manager may take for itself, on a busy host.
OVERHEAD = 10


class Unusable(Exception):
    """The reason, for an admin to read, why a mirror is not used."""


def choose(run: Run, packages: List[str]) -> Dict[str, Any]:
    """Return the ``mirror`` to use, and the ``packages`` as the package manager takes them in ``specs``.

    The one that the host uses now is asked first. Only where it is not usable are the others asked, all at once, so
    that a list of dead mirrors costs no more time than one.

    :raises Failed: none is usable.
    """
    want, current = run.want, run.observed["mirror"]
    mirrors = [current] * (current in want["mirrors"])
    fastest = want["mirror_choice"] == "fastest" and not mirrors
    mirrors = list(dict.fromkeys(mirrors + want["mirrors"]))
    tried = [] if fastest else [ask(run, mirrors[0], packages)]
    rest = mirrors[len(tried) :]
    if rest and all(answer["reason"] for answer in tried):
        with ThreadPoolExecutor(max_workers=len(rest)) as pool:
            tried += list(pool.map(lambda mirror: ask(run, mirror, packages), rest))
    usable = [answer for answer in tried if not answer["reason"]]
    passed_over = ["%(mirror)s: %(reason)s" % answer for answer in tried if answer["reason"]]
    if not usable:
        raise Failed(refusal(want, passed_over))
    chosen = min(usable, key=lambda answer: answer["seconds"]) if fastest else usable[0]
    if passed_over:
        run.note("; ".join(["uses " + chosen["mirror"]] + ["passed over " + one for one in passed_over]))
    return chosen


def ask(run: Run, mirror: str, packages: List[str]) -> Dict[str, Any]:
    """Ask one mirror; the answer has a ``reason`` where the mirror is not usable."""
    want = run.want
    answer = {"mirror": mirror, "packages": packages, "reason": "", "seconds": 0.0}  # type: Dict[str, Any]
    started = time.monotonic()
    scratch = tempfile.mkdtemp(prefix="slipway-docker-ce-")
    try:
        # apt reads keys and fetches indexes as a user of its own.
        os.chmod(scratch, 0o755)
        replace(scratch + "/key.asc", want["key"], 0o644)
        offered = (offered_by_apt if want["manager"] == "apt" else offered_by_dnf)(run, mirror, packages, scratch)
        answer["specs"] = [
            spec(want["manager"], name, resolve_version(name, want["versions"][name], offered)) for name in packages
        ]
    except Unusable as error:
        answer["reason"] = str(error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    answer["seconds"] = time.monotonic() - started
    return answer


def offered_by_apt(run: Run, mirror: str, packages: List[str], scratch: str) -> Dict[str, List[str]]:
    """Return the versions that apt finds at a mirror.

    :raises Unusable: in apt's own words.
    """
    want = run.want
    os.makedirs(scratch + "/lists/partial")
    source = "%s/docker.sources" % scratch
    files = repository_files(dict(want, repository_file=source, key_file=scratch + "/key.asc"), mirror)
    options = [
        'Dir::Etc::sourcelist "%s";' % source,
        'Dir::Etc::sourceparts "-";',
        'Dir::State::lists "%s/lists";' % scratch,
        'Dir::Cache::pkgcache "";',
        'Dir::Cache::srcpkgcache "";',
        'Acquire::http::Timeout "%d";' % math.ceil(want["mirror_timeout"]),
        'Acquire::https::Timeout "%d";' % math.ceil(want["mirror_timeout"]),
        'Acquire::Retries "0";',
        'Acquire::Languages "none";',
        # A server that speaks something else is only a warning otherwise.
        'APT::Update::Error-Mode "any";',
        "#clear APT::Update::Pre-Invoke;",
        "#clear APT::Update::Post-Invoke;",
        "#clear APT::Update::Post-Invoke-Success;",
        files[want["proxy_file"]] or "",
    ]
    for path, text in ((source, files[source] or ""), (scratch + "/apt.conf", "\n".join(options))):
        replace(path, text, 0o644)
    configured = ["-q", "-c", scratch + "/apt.conf"]
    lines_of(run, ["apt-get"] + configured + ["update"], r"(?:[EW]: |  )(.*)")
    lines = [line.split("|") for line in lines_of(run, ["apt-cache"] + configured + ["madison"] + packages, "E: (.*)")]
    return group((fields[0].strip(), fields[1].strip()) for fields in lines if len(fields) == 3)


def offered_by_dnf(run: Run, mirror: str, packages: List[str], scratch: str) -> Dict[str, List[str]]:
    """Return the versions that dnf finds at a mirror.

    :raises Unusable: in dnf's own words.
    """
    path = scratch + "/docker-ce.repo"
    wanted = dict(run.want, repository_file=path, key_file=scratch + "/key.asc", hold=False)
    text = repository_files(wanted, mirror)[path] or ""
    query = ["dnf", "-y", "--noplugins", "--disableexcludes=all", "--setopt=reposdir=" + scratch]
    query += ["--setopt=cachedir=%s/cache" % scratch, "--setopt=logdir=" + scratch, "--setopt=skip_if_unavailable=0"]
    query += ["--setopt=timeout=%d" % math.ceil(run.want["mirror_timeout"]), "--setopt=retries=1"]
    query += ["repoquery", "--showduplicates", "--qf", "%{name} %{evr}"]
    # Without packages it is still asked, for its index.
    query += packages or ["docker-ce"]
    try:
        lines = _query(run, query, path, text + "repo_gpgcheck=1\n")
    except Unusable as error:
        # The packages' own signatures protect the installation where a mirror has none of its index.
        if "GPG signature is not available" not in str(error):
            raise
        lines = _query(run, query, path, text)
    return group(line.split() for line in lines if len(line.split()) == 2)


def _query(run: Run, query: List[str], path: str, text: str) -> List[str]:
    replace(path, text, 0o644)
    return lines_of(run, query, r"(?:Error: |  - )(.*)")


def lines_of(run: Run, command: List[str], reasons: str) -> List[str]:
    """Return the lines that a package manager prints.

    :param reasons: matches lines that say why it fails.
    :raises Unusable: with those lines.
    """
    limit = math.ceil(3 * run.want["mirror_timeout"]) + OVERHEAD
    # With what it has started itself.
    code, out, err = run.command(["timeout", "--kill-after=1", str(limit)] + command, good=())
    if code in (124, 137):
        raise Unusable("too slow: not done within %d s" % limit)
    if code:
        matches = [re.match(reasons, line) for line in (out + err).splitlines()]
        lines = dict.fromkeys(match.group(1).strip().rstrip(".") for match in matches if match)
        raise Unusable("; ".join(line for line in lines if line) or "%s fails without a reason" % command[0])
    return out.splitlines()


def group(pairs: Any) -> Dict[str, List[str]]:
    """Return the second of each pair by the first."""
    grouped = {}  # type: Dict[str, List[str]]
    for name, version in pairs:
        grouped.setdefault(name, []).append(version)
    return grouped


def resolve_version(name: str, wanted: str, offered: Dict[str, List[str]]) -> str:
    """Return the newest offered version of a package that satisfies the wanted one.

    :raises Unusable: the package or version is not offered, with those that are.
    """
    version = versions.resolve(wanted, offered.get(name, []))
    if version is None and name in offered:
        raise Unusable("it has no %s %s; it offers %s" % (name, wanted, versions.describe(offered[name])))
    if version is None:
        raise Unusable("it has no package %s for this release and architecture" % name)
    return version


def spec(manager: str, name: str, version: str) -> str:
    """Return a package with its version as the package manager takes it."""
    return "%s%s%s" % (name, "=" if manager == "apt" else "-", version)


def configure(run: Run, mirror: str) -> None:
    """Make the package manager use a mirror.

    :raises Failed: a file cannot be written.
    """
    want = run.want
    texts = dict(repository_files(want, mirror), **{want["key_file"]: want["key"]})
    try:
        for path, text in sorted(texts.items()):
            before = read(path)
            # A link may lead to what an older set-up left, which is removed.
            if text is None or os.path.islink(path):
                run.remove(path)
            if text is not None:
                # Nobody reads a key, and somebody else's file may hold a password.
                run.write(path, text, secret=path == want["key_file"] or before == text or public(before) != before)
        # apt reads it as a user of its own.
        folder = os.path.dirname(want["key_file"])
        os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) | 0o055)
    except OSError as error:
        raise Failed("%s: %s. Nothing was installed; mend that, and run again." % (error.filename, error.strerror))


def refusal(want: Dict[str, Any], passed_over: List[str]) -> str:
    """Return why no mirror is usable and what to do, which depends on the reasons."""
    advice = (
        "Set docker_ce_mirrors to one that is, docker_ce_version to a version that is offered, docker_ce_proxy if this "
        "node reaches the network through one%s."
        % (", or docker_ce_source: distribution" if want["manager"] == "apt" else "")
    )
    if re.search("(?i)sign|pubkey|public key|gpg", "".join(passed_over)):
        advice = (
            "A mirror that signs its packages itself needs its own key: set docker_ce_key_file to it, for apt's hosts "
            "and dnf's each to theirs. The key in use has the fingerprint %s. %s" % (want["fingerprint"], advice)
        )
    return "No mirror of Docker CE is usable from this node, and nothing was changed. %s\n  %s" % (
        advice,
        "\n  ".join(passed_over),
    )
