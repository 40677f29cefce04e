"""The certificate of a registry host: what is wanted of it, and what is wrong with one that is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.slipway.node.plugins.module_utils.registry.certificate import canonical, certificate
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


def certificate_problem(inputs: Mapping[str, Any]) -> str:
    """Return what is wrong with the given certificate, its key and its authority, as the host would find it."""
    authority = inputs["certificate_authority"]
    given = {"certificate": inputs["certificate"], "key": inputs["certificate_key"], "authority": authority}
    found = certificate(
        {**given, "authority_sha256": digest(read_text(Path(authority))), "system_trust": not authority}
    )
    if not authority and re.search("issuer|self.signed", found["error"]):
        # Whom a host's system trusts the host alone knows.
        itself = {
            "authority": inputs["certificate"],
            "authority_sha256": digest(read_text(Path(inputs["certificate"]))),
        }
        found = certificate({**given, **itself, "system_trust": False})
    if found["error"]:
        return (
            f"registry_certificate cannot be used: {found['error']}. Give files in PEM: a certificate that is valid, "
            "its own key without a passphrase, and its authority."
        )
    name = canonical(inputs["hostname"])
    # Clients look at no other name, such as CN, and at no part of one but the first.
    if {name, f"*.{name.partition('.')[2]}"} & {one.lower() for one in found["names"]} or name in found["names"]:
        return ""
    return (
        f"registry_certificate is for {', '.join(found['names']) or 'no name (subjectAltName)'}, and clients reach "
        f"this host as {name}. Set registry_hostname to a name of the certificate, or give one that has {name}."
    )
