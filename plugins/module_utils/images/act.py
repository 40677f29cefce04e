"""What ``images`` does to a host: images pushed, pulled and loaded, SIF files made and placed."""

import os
import subprocess
import tarfile
import tempfile
import time
import zlib
from typing import Any, Dict, List

from ansible.module_utils.common.text.converters import to_text
from ansible_collections.slipway.node.plugins.module_utils.engine import packages
from ansible_collections.slipway.node.plugins.module_utils.engine.files import sha256
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.images import archive
from ansible_collections.slipway.node.plugins.module_utils.images.plan import registries_of
from ansible_collections.slipway.node.plugins.module_utils.images.record import record
from ansible_collections.slipway.node.plugins.module_utils.images.remedies import (
    UNREACHABLE,
    last_error,
    remedy,
    with_remedy,
)
from ansible_collections.slipway.node.plugins.module_utils.images.sif import put
from ansible_collections.slipway.node.plugins.module_utils.images.skopeo import copy_command
from ansible_collections.slipway.node.plugins.module_utils.images.want import FOLDER
from ansible_collections.slipway.node.plugins.module_utils.singularity.credentials import AUTH_VARIABLES

# What registries have is known by skopeo and with its settings.
LOOK_AGAIN_AFTER = ("install_skopeo", "write_registries")
# Seconds within which an image must have been copied.
LIMIT = 24 * 3600
TRIES = 3
PAUSE = 5
# What images call machines.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def finish(run: Run) -> None:
    """Remove the copies of archives, also those of a run that was killed."""
    for path in run.host.glob(FOLDER + "/image-*"):
        run.remove(path)


def install_skopeo(run: Run, _actions: List[Dict[str, Any]]) -> None:
    packages.refresh(run, run.want["manager"])
    packages.install(run, run.want["manager"], ["skopeo"])


def push_images(run: Run, actions: List[Dict[str, Any]]) -> None:
    """Copy images into registries with all their architectures and digests, which `docker push` does not."""
    version = run.command(["skopeo", "--version"], good=())[1]
    for one in _entries(run, "push", "name", actions):
        # Not in /tmp, which may be memory.
        with tempfile.TemporaryDirectory(prefix="slipway-image-", dir="/var/tmp") as work:
            path, about = _archive_of(run, one, work), {}  # type: str, Dict[str, Any]
            location = one["location"]
            if path:
                about = archive.facts(path, one["name"], one["archive_image"])
                location = ":".join([about["transport"], path] + [about["inside"]] * bool(about["inside"]))
            # An archive of `docker save` has no manifest, so one is made.
            command = copy_command(run.want, version, about.get("transport") != "docker-archive")
            code, out, err = run.command(command + [location, one["target"]], good=(), limit=LIMIT)
        if code:
            raise Failed("%s cannot be pushed: %s" % (one["name"], with_remedy(out + err)))
        if one["kind"] == "docker-daemon":
            identity = _id(run, _in_engine(one))
            if identity != about["pushed_digest"]:
                record(run.want["record"], "pushed", one["name"], about["pushed_digest"], identity)


def build_sif(run: Run, actions: List[Dict[str, Any]]) -> None:
    """Make SIF files beside their places, so that users see the old one or the new one."""
    entries = _entries(run, "build", "path", actions)
    program, env = run.want["sif_command"], {}  # type: str, Dict[str, str]
    if entries and (not os.access(program, os.X_OK) or os.path.isdir(program)):
        raise Failed(
            "%s, which makes SIF files on this host, is no program. Install it with the role singularity, or name "
            "another in images_sif_command; or another host in images_sif_host." % program
        )
    if os.path.exists(run.want["authfile"]):
        env = dict((name, run.want["authfile"]) for name in AUTH_VARIABLES.values())
    run.folder(run.want["sif_path"])
    for one in entries:
        # Layers too, since /tmp may be small.
        with tempfile.TemporaryDirectory(prefix=".slipway-", dir=run.want["sif_path"]) as work:
            for flavor in ("SINGULARITY", "APPTAINER"):
                env[flavor + "_TMPDIR"] = env[flavor + "_CACHEDIR"] = work
            _build(run, one, work, env)


def pull_images(run: Run, actions: List[Dict[str, Any]]) -> None:
    """Pull all images, and tell of all that cannot be had."""
    errors = []
    for one in _entries(run, "preload", "name", actions):
        error = pull(run, one["pull"], one["local"])
        if error:
            errors.append("%s cannot be pulled: %s" % (one["pull"], error))
        else:
            record(run.want["record"], "images", one["local"], _id(run, one["local"]), one["source"])
    if errors:
        raise Failed("\n".join(errors))


def load_images(run: Run, actions: List[Dict[str, Any]]) -> None:
    """Hand the engine the one image of an archive that is meant, under the one name."""
    for one in _entries(run, "preload", "name", actions):
        config = load(one["read"], one["name"], one["archive_image"], run.observed["engine"])
        record(run.want["record"], "images", one["name"], _id(run, one["name"]), config)


def place_sif(run: Run, actions: List[Dict[str, Any]]) -> None:
    run.folder(run.want["sif_path"])
    for one in _entries(run, "place", "path", actions):
        put(one["read"], one["path"], dict((key, one[key]) for key in ("source", "digest", "sha256", "size")))


def pull(run: Run, name: str, local: str) -> str:
    """Pull an image and give it its name; return an error, empty where it came."""
    for tried in range(TRIES):
        code, _out, err = run.command(docker_command("pull", "--quiet", name), good=(), limit=LIMIT)
        # What has a remedy is not mended by another try, but for a registry that does not answer.
        if code == 0 or remedy(last_error(err)) not in ("", UNREACHABLE):
            break
        if tried + 1 < TRIES:
            time.sleep(PAUSE)
    if code == 0 and local != name and "@" not in local:
        code, _out, err = run.command(docker_command("tag", name, local), good=())
    return with_remedy(err) if code else ""


def load(path: str, name: str, image: str, engine: Any) -> str:
    """Load one image of an archive into the engine; return the digest of its configuration."""
    if not engine:
        raise Failed("%s cannot be loaded: %s" % (name, with_remedy("Cannot connect to the Docker daemon")))
    contents = archive.read(path)
    chosen = archive.part(path, archive.choose(path, contents, name, image), engine["platform"])
    command, broken = docker_command("load", "--quiet"), ""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        archive.stream(path, contents, chosen, name, process.stdin)  # type: ignore[arg-type]
    except BrokenPipeError:
        pass  # It says why below.
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        broken = "%s is damaged: %s. " % (path, error)
    said = to_text(process.communicate()[0])
    if process.returncode or broken:
        raise Failed("%s cannot be loaded from %s: %s%s" % (name, path, broken, with_remedy(said)))
    return chosen["config"]  # type: ignore[no-any-return]


def sif_source(run: Run, one: Dict[str, Any], work: str) -> str:
    """Return what the program is to read."""
    path = _archive_of(run, one, work)
    if not path:
        return one["location"]  # type: ignore[no-any-return]
    about = archive.facts(path, one["name"], one["archive_image"])
    if path == one["read"] and not about["inside"]:
        return "%s:%s" % (about["transport"], path)
    # Programs read no archive of several images, and not all that an engine saves.
    contents, machine = archive.read(path), os.uname().machine
    chosen = archive.choose(path, contents, one["name"], about["inside"])
    part = archive.part(path, chosen, "linux/" + ARCHITECTURES.get(machine, machine))
    target = os.path.join(work, "image.tar")
    with open(target, "wb") as file:
        archive.stream(path, contents, part, "slipway/image:1", file)
    if path != one["read"]:
        os.unlink(path)
    return "docker-archive:" + target


def _build(run: Run, one: Dict[str, Any], work: str, env: Dict[str, str]) -> None:
    part = os.path.join(work, "part.sif")
    plain = one["no_https"] or set(registries_of([one], "location")) & set(run.observed["plain_http"])
    arguments = ["--no-https"] * bool(plain) + run.want["sif_arguments"] + [part, sif_source(run, one, work)]
    code, out, err = run.command([run.want["sif_command"], "build"] + arguments, good=(), env=env, limit=LIMIT)
    if code or not os.path.exists(part):
        said = [line for line in (out + err).splitlines() if "FATAL" in line] or (out + err).splitlines()
        raise Failed("%s cannot be made from %s: %s" % (one["path"], one["title"], with_remedy("\n".join(said))))
    digest = "".join(run.observed["sources"][one["location"]]["ids"][:1])
    note = {"source": one["title"], "digest": digest, "sha256": sha256(part), "size": os.stat(part).st_size}
    put(part, one["path"], note)


def _entries(run: Run, wanted: str, key: str, actions: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Return the wanted entries that actions are of, once those are done that say all themselves."""
    run.do(actions)
    items = [one["item"] for one in actions if "do" not in one]
    return [one for one in run.want[wanted] if one[key] in items]


def _archive_of(run: Run, one: Dict[str, Any], work: str) -> str:
    """Return the archive that an image comes from; that of the engine is saved first. Empty for a registry.

    By the ``docker`` command, which talks to any engine: what skopeo and Singularity speak is too old for new ones.
    """
    if one["kind"] != "docker-daemon":
        return one["read"]  # type: ignore[no-any-return]
    path = os.path.join(work, "saved.tar")
    code, out, err = run.command(docker_command("save", "--output", path, _in_engine(one)), good=(), limit=LIMIT)
    if code:
        raise Failed("%s cannot be had from the engine: %s" % (one["title"], with_remedy(out + err)))
    return path


def _in_engine(one: Dict[str, Any]) -> str:
    return one["location"].partition(":")[2]  # type: ignore[no-any-return]


def _id(run: Run, name: str) -> str:
    return run.command(docker_command("image", "inspect", "--format", "{{.Id}}", name), good=())[1].strip()
