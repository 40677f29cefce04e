"""A configuration tried beside the one that serves: the registry itself reads it, and an object store takes a write.

The container has no port and, but for an object store, no network; accounts, TLS and a cache's upstream are left out.
"""

import os
import re
import shutil
import tempfile
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine.files import PRIVATE
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Run
from ansible_collections.slipway.node.plugins.module_utils.registry.want import DATA

CONTAINER = "slipway-registry-trial"
SCRIPT = """
(registry serve /etc/slipway/config.yml; touch /tmp/ended) &
for try in $(seq 100); do
  sleep 0.1
  [ -e /tmp/ended ] && exit 64
  wget -q -O /dev/null http://127.0.0.1:5001/debug/health && break
done
[ ! "$WRITES" ] || timeout 30 wget -q -O /dev/null --post-data= http://127.0.0.1:5000/v2/slipway/verify/blobs/uploads/ \
  || exit 65
"""
LEFT_OUT = ("REGISTRY_AUTH={}", "REGISTRY_HTTP_TLS_CERTIFICATE=", "REGISTRY_HTTP_TLS_KEY=", "REGISTRY_PROXY_REMOTEURL=")
# How Go and the registry begin what went wrong.
WORDS = re.compile(r'^panic: (.*)|^(configuration error: .*|  line .*)|level=fatal msg="(.*)"|err\.detail="(.*?)" err')


def refusals(run: Run) -> List[str]:
    """Return why containers that are to be made anew would not serve, though those that run do."""
    refused = []
    for one in run.want["services"]:
        found = run.observed["containers"].get(one["container"])
        if found and found["digest"] == one["digest"]:
            continue
        folder = os.path.join(run.want["config_dir"], one["service"]) + "/"
        new = {path: run.secrets[file["seal"]] for path, file in run.want["files"].items() if path.startswith(folder)}
        why = _tried(run, one, new)
        former = {path: run.host.read(path) or "" for path in new if run.host.read(path) is not None}
        # What the trial lacks to serve may be the trial's own fault.
        if why and former and found and _tried(run, one, former):
            run.note("The configuration of %s could not be tried beforehand: %s." % (one["service"], why))
        elif why:
            refused.append("The registry %s does not take its new settings: %s." % (one["service"], why))
    return refused


def _tried(run: Run, one: Dict[str, Any], files: Dict[str, str]) -> str:
    """Return what a registry says that does not start with such files, empty where it starts or none can be tried."""
    folder = tempfile.mkdtemp(prefix="slipway-registry-", dir="/run")
    try:
        for path, text in files.items():
            run.write(os.path.join(folder, os.path.basename(path)), text, PRIVATE, secret=True)
        options = ["--name=" + CONTAINER, "--userns=host", "--network=" + ("bridge" if one["object_store"] else "none")]
        options += [
            "--read-only",
            "--tmpfs=/tmp",
            "--tmpfs=" + DATA,
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
        ]
        options += ["--security-opt=no-new-privileges", "--security-opt=label=disable"]
        options += ["--volume=%s:/etc/slipway:ro" % folder, "--entrypoint=/bin/sh", "--env=OTEL_TRACES_EXPORTER=none"]
        options += ["--env=" + name for name in LEFT_OUT] + ["--env=WRITES=1"] * one["object_store"]
        run.command(docker_command("rm", "--force", CONTAINER), good=())
        code, out, err = run.command(
            docker_command("run", "--rm", *(options + [run.want["image"], "-c", SCRIPT])), good=(), limit=120
        )
    finally:
        shutil.rmtree(folder)
    if code not in (64, 65):
        return ""
    matches = [found for found in map(WORDS.search, (out + err).splitlines()) if found]
    said = " ".join(part for found in matches[:3] for part in found.groups() if part)
    return " ".join(re.sub(r"\\[nt]", " ", said).split()).rstrip(".") or "it ends without a word"
