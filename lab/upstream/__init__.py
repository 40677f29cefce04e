"""The stand-in internet of the lab: builds what its server, serve.py, serves.

`ensure` runs on the controller; everything else here runs in a container of the image `builder`. Each part of the
internet is one section, a module with `build(site)`, listed in build.py.
"""

import hashlib
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from lab.run import LabError, attempt, say, tail
from lab.upstream import golang, hub, singularity

HERE = Path(__file__).parent
DAY = 24 * 60 * 60


def digest(builder: str, docker_29: Path | None) -> str:
    """Name a build by its inputs: the builder's image and the files here, but for the server, which is not one."""
    total = hashlib.sha256((builder + singularity.digest() + (docker_29.name if docker_29 else "")).encode())
    for path in sorted(HERE.rglob("*")):
        if path.is_file() and path.suffix != ".pyc" and path.name != "serve.py":
            total.update(f"\0{path.relative_to(HERE)}\0".encode() + path.read_bytes())
    return total.hexdigest()[:16]


def ensure(cache: Path, image: Callable[[str], str], docker_29: Path | None = None) -> Path:
    """Return the folder to serve, built first where its inputs changed; the lab's cache also keeps its signing keys.

    :param docker_29: the folder of the compiled engine, where that is to be among what is served.
    """
    builder = image("builder")
    cache = cache.resolve()
    target = cache / "upstream" / digest(builder, docker_29)
    if not target.is_dir():
        fresh = target.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        _build(builder, fresh, cache / "keys", cache / "log" / "upstream.log", docker_29)
        fresh.rename(target)
    mounts = attempt("docker", "ps", "--all", "--no-trunc", "--format", "{{.Mounts}}")
    target.touch()
    for old in target.parent.iterdir():
        # What a container has mounted it also serves: to delete that would empty another lab's internet. What another
        # checkout asked for lately it may be about to serve.
        if time.time() - old.stat().st_mtime > DAY and not mounts.returncode and str(old) not in mounts.stdout:
            shutil.rmtree(old)
    return target


def _build(builder: str, out: Path, keys: Path, log: Path, docker_29: Path | None) -> None:
    for folder in (out, keys, log.parent):
        folder.mkdir(parents=True, exist_ok=True)
    # On the controller, since pip's settings are those of this machine.
    wheels = keys.parent / "wheels"
    golang.fetch(wheels)
    sources = keys.parent / "sources"
    singularity.fetch(sources, wheels)
    hub.fetch(sources, wheels)
    # The host's network, so that a mirror on loopback or behind its resolver works as it does outside.
    command = ["docker", "run", "--rm", "--network=host", "--env=PYTHONPATH=/opt", "--env=PYTHONDONTWRITEBYTECODE=1"]
    mounts = {HERE.parent: "/opt/lab:ro", out: "/out", keys: "/keys"}
    mounts |= {wheels: f"{golang.WHEELS}:ro", sources: f"{singularity.SOURCES}:ro"}
    command += [f"--volume={here}:{there}" for here, there in mounts.items()]
    command += [builder, "python3", "-m", "lab.upstream.build", "/out", "/keys"]
    command += [str(singularity.SOURCES / docker_29.name)] if docker_29 else []
    start = time.monotonic()
    with (
        log.open("w") as record,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=record, text=True) as process,
    ):
        for line in process.stdout or ():
            say(f"upstream, {time.monotonic() - start:.0f} s: {line.rstrip()}")
    if process.returncode:
        raise LabError(f"building the stand-in internet failed; the end of {log}:\n{tail(log)}")
    say(f"upstream: done in {time.monotonic() - start:.0f} s")
