"""A lab's containers on one Docker network: the nodes, the stand-in internet, and a name server."""

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lab import apt, images, nodes
from lab.nodes import Container
from lab.run import CACHE, LabError, attempt, output, poll, say

LABEL = "slipway.lab"
KEY = CACHE / "ssh" / "id_ed25519"
BOOT_LIMIT = 120.0


def folder(lab: str) -> Path:
    return CACHE / lab


def network_of(lab: str) -> str:
    return f"slipway-{lab}"


def name_of(lab: str, node: str) -> str:
    return f"slipway-{lab}-{node}"


def found(lab: str = "") -> dict[str, dict[str, Any]]:
    """What Docker tells of a lab's containers (of all labs' without a name), by container name."""
    chosen = f"label={LABEL}={lab}" if lab else f"label={LABEL}"
    ids = output("docker", "ps", "--all", "--quiet", "--filter", chosen).split()
    listing = json.loads(output("docker", "inspect", *ids)) if ids else []
    return {item["Name"].lstrip("/"): item for item in sorted(listing, key=lambda item: str(item["Name"]))}


def label(item: dict[str, Any], key: str = "") -> str:
    return str(item["Config"]["Labels"].get(LABEL + key, ""))


def port(item: dict[str, Any]) -> int:
    """The loopback port of a container's sshd; 0 when it has none or does not run."""
    published = item["NetworkSettings"]["Ports"].get("22/tcp") or [{"HostPort": 0}]
    return int(published[0]["HostPort"])


def key() -> Path:
    """The lab's own SSH key, made once."""
    if not KEY.exists():
        apt.require("ssh-keygen", "openssh-client")
        KEY.parent.mkdir(parents=True, exist_ok=True)
        output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "slipway-lab", "-f", str(KEY))
    return KEY


def up(lab: str, wanted: dict[str, str], tree: Path | None, recreate: bool) -> str:
    """Start what is missing, wait until all of it answers, and return a table of it."""
    apt.require("ssh", "openssh-client")
    key()
    folder(lab).mkdir(parents=True, exist_ok=True)
    if attempt("docker", "network", "inspect", network_of(lab)).returncode:
        output("docker", "network", "create", "--label", f"{LABEL}={lab}", network_of(lab))
    start(lab, Container("dns", "dns", images.ensure("dns")), replace=True)
    resolver = write_resolver(lab)
    if tree:
        start(lab, upstream(tree, resolver), replace=True)
        link = folder(lab) / "upstream"
        link.unlink(missing_ok=True)
        link.symlink_to(tree)
    legacy = output("docker", "info", "--format", "{{.CgroupVersion}}") == "1"
    containers = [node(name, platform, resolver, legacy) for name, platform in wanted.items()]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda container: start(lab, container, recreate), containers))
    items = found(lab)
    write_ssh_config(lab, items)
    with ThreadPoolExecutor() as pool:
        states = dict(zip(wanted, pool.map(lambda name: wait(lab, name), wanted), strict=True))
    rows = [
        (label(item, ".node"), label(item, ".platform"), str(port(item) or ""), states.get(label(item, ".node"), ""))
        for item in items.values()
    ]
    return nodes.table([("node", "platform", "port", "system"), *rows])


def node(name: str, platform: str, resolver: Path, legacy: bool) -> Container:
    command = ("/lib/systemd/systemd", *nodes.LEGACY_CGROUPS) if legacy and images.suite(platform) == "trixie" else ()
    options = [*nodes.NODE_OPTIONS, f"--volume={resolver}:/etc/resolv.conf:ro"]
    if python := os.environ.get("SLIPWAY_NODE_PYTHON"):
        options.append(f"--volume={python}:/opt/python:ro")
    return Container(name, platform, images.ensure(platform), tuple(options), command)


def upstream(tree: Path, resolver: Path) -> Container:
    """The stand-in internet; the tree it serves and its server's code are mounted."""
    server = Path(__file__).resolve().parent / "upstream"
    options = (
        f"--volume={tree.resolve()}:/srv/upstream:ro",
        f"--volume={server}:/opt/upstream:ro",
        f"--volume={resolver}:/etc/resolv.conf:ro",
        f"--env=CODE={images.folder_digest(server)}",  # so that a changed server is a changed container
    )
    return Container("upstream", "upstream", images.ensure("upstream"), options, ("python3", "/opt/upstream/serve.py"))


def start(lab: str, container: Container, replace: bool) -> None:
    """Run the container, unless it runs; one that is no longer as wanted is replaced or reported."""
    name = name_of(lab, container.node)
    current = found(lab).get(name)
    if current and label(current, ".config") != container.digest:
        if replace:
            output("docker", "rm", "--force", "--volumes", name)
            current = None
        else:
            say(f"{container.node} was made from an older recipe and is kept; `--recreate` replaces it")
    if current:
        output("docker", "start", name)  # does nothing to a running one
        return
    labels = {"": lab, ".node": container.node, ".platform": container.platform, ".config": container.digest}
    network = (f"--network={network_of(lab)}", f"--network-alias={container.node}", f"--hostname={container.node}")
    output(
        *("docker", "run", "--detach", f"--name={name}", *network),
        *(f"--label={LABEL}{suffix}={value}" for suffix, value in labels.items()),
        *(*container.options, container.image, *container.command),
    )


def write_resolver(lab: str) -> Path:
    """The nodes' resolv.conf, written in place because it is mounted; the name server's address can change."""
    settings = found(lab)[name_of(lab, "dns")]["NetworkSettings"]
    path = folder(lab) / "resolv.conf"
    path.write_text(f"nameserver {settings['Networks'][network_of(lab)]['IPAddress']}\n")
    path.chmod(0o644)
    return path


def write_ssh_config(lab: str, items: dict[str, dict[str, Any]]) -> None:
    ports = {label(item, ".node"): port(item) for item in items.values() if port(item)}
    (folder(lab) / "ssh_config").write_text(nodes.ssh_config(ports, key()))


def wait(lab: str, name: str) -> str:
    """Return systemd's verdict on the system once it has booted and lets admin log in by ssh."""
    container = name_of(lab, name)
    install = "install -d -m 700 -o admin -g admin ~admin/.ssh && cat > ~admin/.ssh/authorized_keys"
    public = KEY.with_suffix(".pub").read_text()
    verdict = ""

    def booted() -> bool:
        nonlocal verdict
        verdict = attempt("docker", "exec", container, "systemctl", "is-system-running").stdout.strip()
        return verdict in ("running", "degraded")

    must(container, "boot", booted)
    output("docker", "exec", "--interactive", container, "sh", "-c", install, stdin=public)
    options = ("-o", "ConnectTimeout=5", "-o", "BatchMode=yes")
    login = ("ssh", "-F", str(folder(lab) / "ssh_config"), *options, name, "true")
    must(container, "let admin log in by ssh", lambda: attempt(*login).returncode == 0)
    if verdict == "running":
        return verdict
    failed = output("docker", "exec", container, "systemctl", "list-units", "--failed", "--plain", "--no-legend")
    return f"{verdict}: {', '.join(line.split()[0] for line in failed.splitlines())}"


def must(container: str, what: str, done: Callable[[], bool]) -> None:
    if poll(done, BOOT_LIMIT):
        return
    logs = attempt("docker", "logs", "--tail", "20", container)
    journal = attempt("docker", "exec", container, "journalctl", "--no-pager", "--lines", "40")
    raise LabError(
        f"{container} did not {what} within {BOOT_LIMIT:.0f} s; its log:\n{logs.stdout}{logs.stderr}{journal.stdout}"
    )


def down(lab: str) -> None:
    """Remove a lab's containers with their volumes, its network, and its files."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda name: output("docker", "rm", "--force", "--volumes", name), found(lab)))
    for network in output("docker", "network", "ls", "--quiet", "--filter", f"label={LABEL}={lab}").split():
        output("docker", "network", "rm", network)
    shutil.rmtree(folder(lab), ignore_errors=True)


def status() -> str:
    """A table of every lab's containers."""
    rows = [
        (label(item), label(item, ".node"), label(item, ".platform"), item["State"]["Status"], str(port(item) or ""))
        for item in found().values()
    ]
    return nodes.table([("lab", "node", "platform", "state", "port"), *rows]) if rows else "no lab is up"
