"""The filter for references to images; the parser is in module_utils/image_reference.py."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.node.plugins.module_utils import image_reference as references


def image_reference(text: Any) -> dict[str, str]:
    """Return registry, repository, tag, digest, name, familiar of ``[registry[:port]/]repository[:tag][@digest]``."""
    try:
        return references.parse(text)
    except references.BadReferenceError as error:
        raise AnsibleFilterError(f"image_reference: {error}") from error


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"image_reference": image_reference}
