#!/usr/bin/python
"""Choose the package mirror that a node installs Docker CE from, and the versions it will install."""

DOCUMENTATION = r"""
---
module: docker_ce_mirror
short_description: Choose a Docker CE package mirror and resolve versions against it
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Asks mirrors, from the node, for the very index that the node's platform needs. A mirror is usable when its signing
    key is a pinned one, its index is signed by that key, and it offers every wanted package in the wanted version.
  - The first mirror is asked alone. Only where it is not usable are the others asked, all at once, so that a list of
    dead mirrors costs no more time than one.
  - Changes nothing, so check mode makes no difference.
requirements:
  - On the node, C(gpgv) or C(sqv), which the package managers bring.
options:
  want:
    description:
      - The wanted state as the role C(docker_ce) keeps it in C(__docker_ce_want).
      - "Used of it: C(mirrors) (roots of mirrors, the part before C(/linux), the preferred one first), C(mirror_choice)
        (V(first) usable one of the list, or ask all and take the V(fastest)), C(mirror_timeout) (seconds without an
        answer after which a mirror is given up; all its files may take three times that), C(proxy), C(manager),
        C(path), C(release), C(channel), C(architecture), C(fingerprints), C(require_signed_index), C(versions)."
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
  refused:
    description: Mirrors that are not to be used in this run, each with the reason.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Changes nothing in either mode.
    support: full
"""

EXAMPLES = r"""
- name: Choose a mirror and resolve the engine's version
  slipway.node.docker_ce_mirror:
    want: "{{ __docker_ce_want }}"
    packages: [docker-ce, docker-ce-cli, containerd.io]
  register: choice
"""

RETURN = r"""
mirror:
  description: The root of the chosen mirror.
  type: str
  returned: success
files:
  description: The files that make the package manager use the mirror, path to content; none for one not to be there.
  type: dict
  returned: success
key:
  description: The signing key as the mirror serves it.
  type: str
  returned: success
packages:
  description: The resolved version of each package, as the package manager writes it.
  type: dict
  returned: success
tried:
  description: The mirrors that were asked, in the order of the list.
  type: list
  elements: dict
  returned: always
  contains:
    mirror:
      description: The root of the mirror.
      type: str
    reason:
      description: Why it is not usable; empty for a usable one.
      type: str
    seconds:
      description: How long it took to answer.
      type: float
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_text
from ansible_collections.slipway.node.plugins.module_utils import docker_ce, versions
from ansible_collections.slipway.node.plugins.module_utils.package_index import Downloader, MirrorError, fetch


def ask(mirror: str, params: Dict[str, Any]) -> Dict[str, Any]:
    """Ask one mirror; the answer has a ``reason`` where the mirror is not usable."""
    answer = {"mirror": mirror, "reason": "", "seconds": 0.0}
    started = time.monotonic()
    try:
        if mirror in params["refused"]:
            raise MirrorError(params["refused"][mirror])
        want = params["want"]
        timeout = float(want["mirror_timeout"])
        index = fetch(mirror, want, Downloader(timeout, 3 * timeout, want["proxy"]))
        answer["key"] = to_text(index.key)
        answer["packages"] = pick(dict((name, want["versions"][name]) for name in params["packages"]), index.versions)
    except MirrorError as error:
        answer["reason"] = str(error)
    answer["seconds"] = round(time.monotonic() - started, 2)
    return answer


def pick(wishes: Dict[str, str], offered: Dict[str, List[str]]) -> Dict[str, str]:
    """Return the newest offered version of each package that satisfies its wish.

    :raises MirrorError: a package or version that is not offered, with those that are.
    """
    picked = {}
    for name, wish in wishes.items():
        version = versions.resolve(str(wish), offered.get(name, []))
        if version is None and name in offered:
            raise MirrorError("it has no %s %s; it offers %s" % (name, wish, versions.describe(offered[name])))
        if version is None:
            raise MirrorError("it has no package %s for this release and architecture" % name)
        picked[name] = version
    return picked


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "want": {"type": "dict", "required": True},
            "packages": {"type": "list", "elements": "str", "default": []},
            "current": {"type": "str", "default": ""},
            "refused": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    params = module.params
    want = params["want"]
    fastest = want["mirror_choice"] == "fastest" and not params["current"]
    listed = [params["current"]] if params["current"] else []
    mirrors = list(dict.fromkeys(mirror.rstrip("/") for mirror in listed + want["mirrors"]))
    tried = [] if fastest else [ask(mirror, params) for mirror in mirrors[:1]]
    rest = mirrors[len(tried) :]
    if rest and not any(not answer["reason"] for answer in tried):
        with ThreadPoolExecutor(max_workers=len(rest)) as pool:
            tried += list(pool.map(lambda mirror: ask(mirror, params), rest))
    usable = [answer for answer in tried if not answer["reason"]]
    report = [dict((key, answer[key]) for key in ("mirror", "reason", "seconds")) for answer in tried]
    if not usable:
        reasons = "\n".join("  %s: %s" % (answer["mirror"], answer["reason"]) for answer in tried)
        module.fail_json(
            msg="No mirror of Docker CE is usable from this node; nothing was changed.\n%s\n"
            "Set docker_ce_mirrors to one that is, docker_ce_version to a version that is offered, docker_ce_proxy if"
            " this node reaches the network through one, or docker_ce_source: distribution." % reasons,
            tried=report,
        )
    chosen = min(usable, key=lambda answer: answer["seconds"]) if fastest else usable[0]
    files = docker_ce.repository_files(want, chosen["mirror"])
    module.exit_json(
        changed=False,
        mirror=chosen["mirror"],
        files=files,
        key=chosen["key"],
        packages=chosen["packages"],
        tried=report,
    )


if __name__ == "__main__":
    main()
