"""What modules are handed by the action plugins of their names, and users do not set."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of the modules that make a wanted state of inputs."""

    DOCUMENTATION = r"""
options:
  inputs:
    description: The inputs of the role or of each role, which the action plugin makes.
    type: dict
    default: {}
  platform:
    description: The setting C(slipway_platform), which the action plugin adds.
    type: str
    default: ""
  key:
    description: The key of the seals that stand for secrets in the inputs, which the action plugin adds.
    type: str
    default: ""
"""
