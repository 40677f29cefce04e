#!/usr/bin/python
"""Choose the package mirror that a node installs Docker CE from, and make the package manager use it."""

DOCUMENTATION = r"""
---
module: docker_ce_mirror
short_description: Choose a Docker CE package mirror, resolve versions against it, and configure it
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Lets the node's own package manager judge mirrors, in a scratch folder with short time limits, so that signatures,
    expiry, proxies and authorities are those of the real installation. A mirror is usable when apt or dnf takes its
    index, and the index offers every wanted package in the wanted version.
  - The first mirror is asked alone. Only where it is not usable are the others asked, all at once, so that a list of
    dead mirrors costs no more time than one.
  - The signing key and the repository's files are written where they differ, in the same round trip.
options:
  want:
    description:
      - The wanted state that M(slipway.node.state) makes of the role's inputs.
      - "Used of it: C(mirrors) (roots of mirrors, the part before C(/linux), the preferred one first), C(mirror_choice)
        (V(first) usable one of the list, or ask all and take the V(fastest)), C(mirror_timeout) (seconds without an
        answer after which a mirror is given up; all its files may take three times that, and the package manager ten
        seconds of its own), C(versions), C(key) and what
        the repository's files are made of."
    type: dict
    required: true
  packages:
    description: The packages whose version is to be resolved.
    type: list
    elements: str
    default: []
  current:
    description: The root of the mirror that the node uses now, which is asked first; empty for none.
    type: str
    default: ''
attributes:
  check_mode:
    description: The mirrors are asked, and nothing is written.
    support: full
  diff_mode:
    description: Shows the files that differ.
    support: full
"""

EXAMPLES = r"""
- name: Choose a mirror, configure it and resolve the engine's version
  slipway.node.docker_ce_mirror:
    want: "{{ slipway_state.docker_ce.want }}"
    packages: [docker-ce, docker-ce-cli, containerd.io]
  register: choice
"""

RETURN = r"""
mirror:
  description: The root of the chosen mirror.
  type: str
  returned: success
files:
  description: The paths of the files that make the package manager use the mirror.
  type: list
  elements: str
  returned: success
specs:
  description: The packages with their resolved versions, as the package manager takes them.
  type: list
  elements: str
  returned: success
  sample: ["docker-ce=5:26.1.5-1~debian.12~bookworm"]
passed_over:
  description: The mirrors that were asked and are not usable, with the reason, one a line.
  type: list
  elements: str
  returned: always
"""

import math
import os
import re
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.repository import public, repository_files
from ansible_collections.slipway.node.plugins.module_utils.engine import versions
from ansible_collections.slipway.node.plugins.module_utils.engine.files import read, replace

# Seconds that a package manager may take for itself, on a busy host.
OVERHEAD = 10


class Unusable(Exception):
    """The reason, for an admin to read, why a mirror is not used."""


def ask(mirror: str, want: Dict[str, Any], packages: List[str]) -> Dict[str, Any]:
    """Ask one mirror; the answer has a ``reason`` where the mirror is not usable."""
    answer = {"mirror": mirror, "reason": "", "seconds": 0.0}  # type: Dict[str, Any]
    started = time.monotonic()
    scratch = tempfile.mkdtemp(prefix="slipway-docker-ce-")
    try:
        # apt reads keys and fetches indexes as a user of its own.
        os.chmod(scratch, 0o755)
        replace(scratch + "/key.asc", want["key"], 0o644)
        offered = (offered_by_apt if want["manager"] == "apt" else offered_by_dnf)(mirror, want, packages, scratch)
        answer["specs"] = [
            spec(want["manager"], name, resolve_version(name, want["versions"][name], offered)) for name in packages
        ]
    except Unusable as error:
        answer["reason"] = str(error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    answer["seconds"] = time.monotonic() - started
    return answer


def offered_by_apt(mirror: str, want: Dict[str, Any], packages: List[str], scratch: str) -> Dict[str, List[str]]:
    """Return the versions that apt finds at a mirror.

    :raises Unusable: in apt's own words.
    """
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
    run(["apt-get"] + configured + ["update"], want, r"(?:[EW]: |  )(.*)")
    lines = [line.split("|") for line in run(["apt-cache"] + configured + ["madison"] + packages, want, "E: (.*)")]
    return group((fields[0].strip(), fields[1].strip()) for fields in lines if len(fields) == 3)


def offered_by_dnf(mirror: str, want: Dict[str, Any], packages: List[str], scratch: str) -> Dict[str, List[str]]:
    """Return the versions that dnf finds at a mirror.

    :raises Unusable: in dnf's own words.
    """
    path = scratch + "/docker-ce.repo"
    wanted = dict(want, repository_file=path, key_file=scratch + "/key.asc", hold=False)
    text = repository_files(wanted, mirror)[path] or ""
    query = ["dnf", "-y", "--noplugins", "--disableexcludes=all", "--setopt=reposdir=" + scratch]
    query += ["--setopt=cachedir=%s/cache" % scratch, "--setopt=logdir=" + scratch, "--setopt=skip_if_unavailable=0"]
    query += ["--setopt=timeout=%d" % math.ceil(want["mirror_timeout"]), "--setopt=retries=1"]
    query += ["repoquery", "--showduplicates", "--qf", "%{name} %{evr}"]
    # Without packages it is still asked, for its index.
    query += packages or ["docker-ce"]
    try:
        lines = _query(query, want, path, text + "repo_gpgcheck=1\n")
    except Unusable as error:
        # The packages' own signatures protect the installation where a mirror has none of its index.
        if "GPG signature is not available" not in str(error):
            raise
        lines = _query(query, want, path, text)
    return group(line.split() for line in lines if len(line.split()) == 2)


def _query(query: List[str], want: Dict[str, Any], path: str, text: str) -> List[str]:
    replace(path, text, 0o644)
    return run(query, want, r"(?:Error: |  - )(.*)")


def run(command: List[str], want: Dict[str, Any], reasons: str) -> List[str]:
    """Return the lines that a package manager prints.

    :param reasons: matches lines that say why it fails.
    :raises Unusable: with those lines.
    """
    limit = math.ceil(3 * want["mirror_timeout"]) + OVERHEAD
    done = subprocess.run(
        ["timeout", "--kill-after=1", str(limit)] + command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, LC_ALL="C", LANGUAGE="C"),
    )
    out, err = to_text(done.stdout, errors="replace"), to_text(done.stderr, errors="replace")
    if done.returncode in (124, 137):
        raise Unusable("too slow: not done within %d s" % limit)
    if done.returncode:
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


def configure(module: AnsibleModule, texts: Dict[str, str]) -> Dict[str, Any]:
    """Write files where they differ, unless that is only to be predicted; return what changed and the differences.

    :raises OSError: a file cannot be written.
    """
    diff, changed = [], False
    for path, text in sorted(texts.items()):
        before = read(path)
        # A link may lead to what an older set-up left, which is removed.
        if before != text or os.path.islink(path):
            before = public(before)
            diff.append({"before_header": path, "after_header": path, "before": before, "after": text})
            if not module.check_mode:
                replace(path, text, 0o644)
        # Whatever was there: apt reads them as a user of its own.
        if os.path.exists(path):
            changed = module.set_mode_if_different(path, 0o644, changed)
            changed = module.set_owner_if_different(path, "root", changed)
    return {"changed": changed or bool(diff), "diff": diff}


def refusal(want: Dict[str, Any], passed_over: List[str]) -> str:
    """Return why no mirror is usable and what to do, which depends on the reasons."""
    advice = (
        "Set docker_ce_mirrors to one that is, docker_ce_version to a version that is offered, docker_ce_proxy if this "
        "node reaches the network through one, or docker_ce_source: distribution."
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


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "want": {"type": "dict", "required": True},
            "packages": {"type": "list", "elements": "str", "default": []},
            "current": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    want, packages, current = (module.params[name] for name in ("want", "packages", "current"))
    fastest = want["mirror_choice"] == "fastest" and not current
    mirrors = list(dict.fromkeys(([current] if current else []) + want["mirrors"]))
    tried = [] if fastest else [ask(mirrors[0], want, packages)]
    rest = mirrors[len(tried) :]
    if rest and all(answer["reason"] for answer in tried):
        with ThreadPoolExecutor(max_workers=len(rest)) as pool:
            tried += list(pool.map(lambda mirror: ask(mirror, want, packages), rest))
    usable = [answer for answer in tried if not answer["reason"]]
    passed_over = ["%(mirror)s: %(reason)s" % answer for answer in tried if answer["reason"]]
    if not usable:
        module.fail_json(msg=refusal(want, passed_over), passed_over=passed_over)
    chosen = min(usable, key=lambda answer: answer["seconds"]) if fastest else usable[0]
    files = dict(repository_files(want, chosen["mirror"]), **{want["key_file"]: want["key"]})
    texts = dict((path, text) for path, text in files.items() if text is not None)
    try:
        done = configure(module, texts)
        # As above, where this module or somebody else made it.
        done["changed"] = module.set_mode_if_different(os.path.dirname(want["key_file"]), "go+rx", done["changed"])
    except OSError as error:
        module.fail_json(
            msg="%s: %s. Nothing was installed; mend that, and run again." % (error.filename, error.strerror)
        )
    module.exit_json(
        changed=done["changed"],
        # Nobody reads a key, and the comparison tells its fingerprint.
        diff=[one for one in done["diff"] if one["after_header"] != want["key_file"]],
        mirror=chosen["mirror"],
        files=sorted(texts),
        specs=chosen["specs"],
        passed_over=passed_over,
    )


if __name__ == "__main__":
    main()
