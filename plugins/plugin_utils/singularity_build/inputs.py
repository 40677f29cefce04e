"""Inputs of ``singularity_build``: those of the role ``singularity``, and where Go is fetched from."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.golang import inputs as golang
from ansible_collections.slipway.node.plugins.plugin_utils.golang.versions import known
from ansible_collections.slipway.node.plugins.plugin_utils.singularity import inputs as singularity

REMOVAL_INPUTS = singularity.REMOVAL_INPUTS
# Of the site's own wishes for its Go these alone.
GO_INPUTS = ("golang_mirrors", "golang_mirror_timeout", "golang_allow_unverified")


def prepare(inputs: dict[str, Any], site: reader.Site) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs that the build host needs, and what is wrong with them."""
    prepared, problems = singularity.prepare(inputs, site)
    options = {name: reader.specification("golang")[name] for name in GO_INPUTS}
    given = {name: value for name in GO_INPUTS if (value := site.variable(name)) is not None}
    go, wrong = reader.read(options, reader.defaults("golang"), given, lambda value: value, "golang_")
    if go["mirrors"] is None:
        go["mirrors"] = golang.MIRRORS[site.settings.get("region") or "global"]
    # The host's architecture is not known here, so the sums are those for all.
    return {**prepared, "go": {**go, "sums": known()}}, problems + wrong


def secrets_for_acting(_inputs: dict[str, Any], site: reader.Site) -> dict[str, str]:
    """Return what the phases alone need: the script that compiles."""
    return {"singularity_build_script": site.role_file("singularity", "build.sh")}
