"""The wanted state of ``images``: the role's inputs, with places on the host and what skopeo is to be told."""

from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import Platform, manager

RECORD = "/var/lib/slipway/images.json"
REGISTRIES = "/etc/slipway/images-registries.conf"


def want(inputs: Dict[str, Any], platform: Platform) -> Dict[str, Any]:
    """Return the wanted state: the role's inputs, made whole on the controller, with places and skopeo's settings."""
    copies = bool(inputs["push"] or inputs["build"])
    settings = copies and (inputs["insecure"] or any(inputs["mirrors"].values()))
    return dict(
        inputs,
        record=RECORD,
        registries=REGISTRIES if settings or inputs["state"] == "absent" else "",
        skopeo=copies,
        manager=manager(platform),
        docker=docker_command(),
    )
