"""What a build host has of a build: packages, sources, toolchains, and the archive."""

import os
import re
from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, free_bytes
from ansible_collections.slipway.node.plugins.module_utils.engine.long import runs
from ansible_collections.slipway.node.plugins.module_utils.singularity.build import installed_packages


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`plan` needs. Changes nothing."""
    folder = want["folder"]
    markers = host.glob(folder + "/source/.unpacked-*")
    needed = re.search(r"^go ([0-9.]+)", host.read(folder + "/source/go.mod") or "", re.MULTILINE)
    return {
        "archives": [os.path.basename(path)[: -len(".json")] for path in host.glob(folder + "/*-go*-*.json")],
        "packages": installed_packages(host, want["manager"], want["packages"]),
        "task": (host.read(folder + "/task") or "").strip(),
        "is_running": runs(host, want["unit"], folder),
        # The sum of the archive that they come from.
        "source": markers[0].rpartition("-")[2] if markers else "",
        "told_sum": (host.read(want["sum_file"]) or "").strip(),
        "go_needed": needed.group(1) if needed else "1.13",
        "is_vendored": bool(host.glob(folder + "/source/vendor/modules.txt")),
        "toolchains": _toolchains(host, want["dir"]),
        "free": min(free_bytes(want["dir"]) // 2**20, want["room"]),
    }


def _toolchains(host: Host, folder: str) -> Dict[str, str]:
    """Return which Go folders have, such as ``go1.27.3``."""
    found = {}
    for path in host.glob("/usr/local/go*/bin/go", folder + "/go-*/bin/go"):
        if os.access(path, os.X_OK):
            code, out = host.run("env", "GOTOOLCHAIN=local", "GOROOT=", path, "env", "GOVERSION")
            found.update({path[: -len("/bin/go")]: out.strip()} if code == 0 else {})
    return found
