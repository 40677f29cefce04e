#!/usr/bin/python
"""Follow a compilation on a host; the action plugin of the same name does it."""

DOCUMENTATION = r"""
---
module: singularity_follow
short_description: Follow a compilation and tell its progress
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Runs a program on the host again and again until it tells that a compilation has ended, however long that takes, and
    shows each time what it tells.
options:
  program:
    description:
      - What tells of it. Its first line is an exit status, C(running) or C(killed), the second the seconds so far, the
        third a sentence to show, and the others the end of a log.
    type: path
    required: true
  host:
    description: The name to show before the sentence.
    type: str
    required: true
  seconds:
    description: How long the program waits each time, which is its argument.
    type: int
    default: 20
"""

EXAMPLES = r"""
- name: Follow the compilation
  slipway.node.singularity_follow:
    program: /var/cache/slipway/singularity/slipway-singularity/build/progress.sh
    host: debian13
"""

RETURN = r"""
code:
  description: The exit status, or C(killed).
  type: str
  returned: success
seconds:
  description: How long it took.
  type: int
  returned: success
tail:
  description: The end of the log.
  type: list
  elements: str
  returned: success
"""
