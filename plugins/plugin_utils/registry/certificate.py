"""The certificate of a registry host: what is wanted of it, and what is wrong with one that is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.slipway.node.plugins.module_utils.registry.certificate import certificate
from ansible_collections.slipway.node.plugins.plugin_utils.registry.secrets import digest, read_text


def wanted_tls(inputs: Mapping[str, Any], credentials: Mapping[str, Any]) -> dict[str, Any]:
    folder, own = f"{inputs['config_dir']}/tls", bool(inputs["certificate"])
    return {
        "certificate": f"{folder}/tls.crt",
        "key": f"{folder}/tls.key",
        "authority": f"{folder}/ca.crt",
        "authority_sha256": digest(credentials["authority"]) if credentials["authority"] else "",
        "hostname": inputs["hostname"],
        "names": [inputs["hostname"], *inputs["certificate_names"]],
        "days": inputs["certificate_days"],
        "renew_days": inputs["certificate_renew_days"],
        "given": own,
        "system_trust": own and not inputs["certificate_authority"],
        "replace": inputs["replace_authority"],
    }


def certificate_error(inputs: Mapping[str, Any]) -> str:
    """Return what is wrong with the given certificate, its key and its authority, as the host would find it."""
    authority = inputs["certificate_authority"]
    given = {"certificate": inputs["certificate"], "key": inputs["certificate_key"], "authority": authority}
    found = certificate(
        {**given, "authority_sha256": digest(read_text(Path(authority))), "system_trust": not authority}
    )
    # Whom a host's system trusts the host alone knows.
    unknown = not authority and re.search("issuer|self.signed", found["error"])
    return "" if unknown else str(found["error"])
