"""A rehearsal: an engine starts beside the one that works, with the configuration that is to be, and runs a container.

It is a transient unit with a network, mounts and processes of its own, so that it ends, and leaves nothing, whatever
happens to the run. What it refuses counts only where what is in force passes there.
"""

import copy
import json
import os
import re
import shutil
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json, unit
from ansible_collections.slipway.node.plugins.module_utils.engine import files
from ansible_collections.slipway.node.plugins.module_utils.engine import run as engine_run
from ansible_collections.slipway.node.plugins.module_utils.engine.host import existing, free_bytes
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

UNIT = "slipway-rehearsal.service"
STAGE = "/run/slipway-rehearsal"
# Beside images and containers, since storage drivers depend on the file system.
DATA = ".slipway-rehearsal"
BYTES = 300 * 1000 * 1000
SECONDS = 60
# A plugin's driver is not there, and those that talk to a network have none.
LOCAL_LOGS = ("json-file", "local", "journald", "none")
REMOTE_LOGS = ("awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "splunk", "syslog")
# Flags of the unit that the rehearsal sets itself.
OWN = ("hosts", "containerd", "config-file", "pidfile", "data-root", "exec-root", "cgroup-parent", "exec-opts")
LIMITS = ("LimitNOFILE", "LimitNPROC", "LimitCORE", "LimitMEMLOCK")

# What dockerd would write into passwd and subuid, tell firewalld by D-Bus, or share with the containerd that runs stays
# in here. An overlay, since useradd renames; a path that others may pass, for userns-remap.
PLAY = r"""
cd {stage}
mkdir -p up work data client /run/containerd /run/dbus
chmod 0711 . data
mount -t overlay overlay -o lowerdir=/etc,upperdir={stage}/up,workdir={stage}/work /etc
mount -t tmpfs tmpfs /run/containerd
mount -t tmpfs tmpfs /run/dbus
mount --bind {data} data
ip link set lo up
. ./links 2>/dev/null
export PATH={path}
wait_for() {{
  for _ in $(seq 200); do
    "$@" >/dev/null 2>&1 && return
    kill -0 $! 2>/dev/null || return
    sleep 0.1
  done
}}
if command -v containerd >/dev/null; then
  config=/etc/containerd/config.toml
  [ -e $config ] || config=/dev/null
  containerd --config $config --root {stage}/data/containerd --state /run/containerd/state \
    --address /run/containerd/containerd.sock >log 2>&1 &
  wait_for test -S /run/containerd/containerd.sock
  [ -S /run/containerd/containerd.sock ] || {{ echo containerd; cat log; exit 1; }}
  set -- "$@" --containerd /run/containerd/containerd.sock
fi
"$@" --config-file {stage}/daemon.json >log 2>&1 &
docker="docker --config {stage}/client --host unix://{stage}/docker.sock"
wait_for $docker version
$docker version >/dev/null 2>&1 || {{ echo engine; cat log; exit 1; }}
echo runs
$docker info --format '{{{{.ServerVersion}}}} {{{{.Driver}}}}'
tar --create --dereference /bin/sh $(ldd /bin/sh | grep -o '/[^ ]*') 2>/dev/null \
  | $docker import - rehearsal >/dev/null 2>log \
  && {{ [ -z "{create}" ] || $docker create rehearsal /bin/sh >/dev/null 2>log; }} \
  && $docker run --rm {options} rehearsal /bin/sh -c : >log 2>&1 || {{ echo container; cat log; exit 1; }}
"""
TIDY = r"""
find /sys/fs/cgroup -depth -type d -path '*/slipway-rehearsal*' -exec rmdir {{}} + 2>/dev/null
rm -rf {data} {stage}
"""


class Cast(NamedTuple):
    """What is rehearsed: a configuration with the unit's command line, its environment, and an engine."""

    # The path of dockerd, empty where there is none that may be started.
    dockerd: str
    config: Dict[str, Any]
    words: List[str]
    environment: Dict[str, str]
    # The folder of an engine that is not installed, in whose place it is.
    programs: str = ""


def rehearse(run: Run, to_be: Cast, in_force: Cast) -> str:
    """Return why an engine would not start or no container would run; empty where all is well, or it cannot be told.

    :param to_be: what is to replace ``in_force``.
    """
    try:
        said = _play(run, to_be)
        if not said:
            return ""
        # The host's own fault is no fault of what is to be.
        if not _play(run, in_force) or not _play(run, to_be._replace(config={}, words=[])):
            return said
    except (Failed, OSError) as error:
        said = str(error)
    run.note("Docker's configuration could not be rehearsed on this host: %s" % said)
    return ""


def _play(run: Run, cast: Cast) -> str:
    """Let an engine start and run a container; return what it says where it does not."""
    root = str(cast.config.get("data-root") or (unit.values(cast.words, "data-root") + ["/var/lib/docker"])[-1])
    data = os.path.join(existing(root), DATA)
    if free_bytes(data) < BYTES:
        raise Failed("%s has less than %d MB free" % (existing(root), BYTES // 1000000))
    if cast.config.get("storage-driver") in ("btrfs", "zfs"):
        raise Failed("the storage driver %s makes volumes of its own" % cast.config["storage-driver"])
    config, flags, left_out = scene(cast.config, cast.words)
    if not cast.dockerd:
        raise Failed("a script stands in dockerd's place")
    if left_out:
        run.note("Docker's configuration was rehearsed without %s." % ", ".join(left_out))
    run.command(["systemctl", "stop", UNIT], good=())
    shutil.rmtree(STAGE, ignore_errors=True)
    for folder in (STAGE, data):
        os.makedirs(folder, 0o711, exist_ok=True)
    names = {
        "stage": STAGE,
        "data": data,
        "path": os.pathsep.join([cast.programs, engine_run.PATH] if cast.programs else [engine_run.PATH]),
        "create": "" if config.get("log-driver", "json-file") in LOCAL_LOGS else "yes",
        "options": " ".join(_options(config)),
    }
    network = (root + "/network/files/local-kv.db") if not cast.programs else ""
    written = {
        "daemon.json": daemon_json.render(config),
        "environment": "".join("%s=%s\n" % (name, json.dumps(value)) for name, value in cast.environment.items()),
        "links": "\n".join(links(run.host.run("ip", "-o", "address")[1], run.host.run("ip", "route")[1])) + "\n",
        "play": PLAY.format(**names),
        "tidy": TIDY.format(**names),
    }
    for name, text in written.items():
        files.replace(os.path.join(STAGE, name), text, files.PRIVATE)
    if os.path.exists(network):
        # Networks that are there may be in the way of new ones.
        os.makedirs(data + "/network/files", 0o711, exist_ok=True)
        shutil.copy(network, data + "/network/files")
    limits = run.host.run("systemctl", "show", "docker.service", "--property=" + ",".join(LIMITS))[1].split()
    properties = [one for one in limits if not one.endswith("=")] + [
        *("PrivateNetwork=yes", "PrivateMounts=yes", "Delegate=yes", "RuntimeMaxSec=%d" % SECONDS, "TimeoutStopSec=5"),
        *("MemoryMax=1G", "TasksMax=1024", "EnvironmentFile=%s/environment" % STAGE),
        "ExecStopPost=/bin/sh %s/tidy" % STAGE,
    ]
    argv = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--unit=" + UNIT]
    argv += ["--property=" + one for one in properties]
    # All processes end with the first.
    argv += ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "/bin/sh", STAGE + "/play"]
    code, out, err = run.command(
        argv + ["dockerd" if cast.programs else cast.dockerd] + flags, good=(), limit=2 * SECONDS
    )
    said = judge(code, out.splitlines(), err, "storage-driver" in config)
    if cast.programs and "error while loading shared libraries" in said:
        # A package that comes with the engine has it.
        raise Failed(said)
    return daemon_json.redact(said.replace(STAGE + "/daemon.json", daemon_json.FILE).replace(STAGE + "/data", root))


def scene(config: Dict[str, Any], words: Sequence[str]) -> Tuple[Dict[str, Any], List[str], List[str]]:
    """Return a configuration as it is rehearsed, the flags of the command line, and what is left out. Pure."""
    result, left_out = copy.deepcopy(config), []
    if result.pop("authorization-plugins", None):
        left_out.append("authorization-plugins")
    if str(result.get("log-driver", "json-file")) not in LOCAL_LOGS + REMOTE_LOGS:
        left_out.append("the log driver %s" % result.pop("log-driver"))
        result.pop("log-opts", None)
    storage = result.get("storage-opts")
    if isinstance(storage, list) and any("size=" in str(one) for one in storage):
        left_out.append("the quota of storage-opts")
        result["storage-opts"] = [one for one in storage if "size=" not in str(one)]
    for key, others in (("exec-opts", "native.cgroupdriver=systemd"), ("hosts", "")):
        listed = result.get(key, [])
        if isinstance(listed, list):
            kept = [str(one) for one in listed + unit.values(words, key) if str(one) != others]
            result[key] = [one for one in kept if key != "hosts" or one.startswith("tcp://")]
    # systemd's own is asked by D-Bus.
    if not any("cgroupdriver" in str(one) for one in result["exec-opts"]):
        result["exec-opts"] = list(result["exec-opts"]) + ["native.cgroupdriver=cgroupfs"]
    if isinstance(result["hosts"], list):
        result["hosts"].insert(0, "unix://%s/docker.sock" % STAGE)
    for key in ("data", "exec"):
        result[key + "-root"] = "%s/%s" % (STAGE, key)
    result.update({"pidfile": STAGE + "/pid", "cgroup-parent": "/slipway-rehearsal"})
    result.pop("containerd", None)
    found = unit.flags(unit.engine_words(words))
    taken = [key for key in set(result) | set(OWN) if key not in unit.MERGED]
    return result, [part for key, parts in found if key not in taken for part in parts], left_out


def links(addresses: str, routes: str) -> List[str]:
    """Return commands that make links with this host's addresses and routes. Pure.

    They are bridges, which every engine's host has; Docker makes its own again.
    """
    lines = []  # type: List[str]
    made = ["lo"]
    for name, family, address in re.findall(r"(?m)^\d+: (\S+)\s+(inet6?) (\S+)", addresses):
        if re.match(r"docker0|br-[0-9a-f]{12}$|veth|lo$", name):
            continue
        if name not in made:
            made.append(name)
            lines.append("ip link add '%s' type bridge && ip link set '%s' up" % (name, name))
        lines.append("ip %s address add %s dev '%s'" % ("-4" if family == "inet" else "-6", address, name))
    for route in routes.splitlines():
        device = re.search(r" dev (\S+)", route)
        if device and device.group(1) in made and "proto kernel" not in route:
            lines.append("ip route add " + re.sub(r" (proto|src|expires) \S+| linkdown| onlink", "", route) + " onlink")
    return lines


def judge(code: int, lines: List[str], err: str, storage_is_given: bool) -> str:
    """Return what a rehearsal that did not end well says; empty where it did. Pure."""
    marks = [line for line in lines if line in ("containerd", "engine", "container")]
    driver = lines[lines.index("runs") + 1].split() if "runs" in lines[:-1] else []
    if code == 0 and driver[1:] == ["vfs"] and not storage_is_given:
        return (
            "the engine would use the storage driver vfs, which copies whole images; the file system takes no overlay"
        )
    if code == 0:
        return ""
    if not marks:
        return "it did not end within %d s" % SECONDS if "runs" in lines else words_of(err.splitlines()) or "no word"
    said = words_of(lines[lines.index(marks[-1]) + 1 :])
    return {"containerd": "containerd: ", "engine": "", "container": "no container runs: "}[marks[-1]] + said


def words_of(log: List[str]) -> str:
    """Return the last error of a log."""
    fatal = [line for line in log if re.search("failed to start daemon|unable to configure|Error response", line)]
    errors = [line for line in log if re.search(r"level=(error|fatal)|^(docker|containerd): ", line)]
    line = ((fatal or errors or [line for line in log if line.strip()] or [""])[-1]).strip()
    quoted = re.search(r'msg="((?:[^"\\]|\\.)*)"', line)
    line = quoted.group(1).replace('\\"', '"') if quoted else line
    return re.sub(
        r"^(docker: )?(Error response from daemon: )?|^failed to start daemon: |\s*See 'docker run --help'.*", "", line
    )


def _options(config: Dict[str, Any]) -> List[str]:
    """Return options of the container: a published port, and logs that stay on this host."""
    options = [] if config.get("bridge") == "none" else ["--publish=127.0.0.1:9:9"]
    return options + ["--log-driver=none"] * (config.get("log-driver", "json-file") not in LOCAL_LOGS)
