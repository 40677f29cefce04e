"""Images, each known by the digest of everything it is made from, so that nothing is ever built twice.

An image is a folder here under images/ with a Dockerfile that says `ARG BASE` and `FROM ${BASE}`, and
in its first line which image that base is: `# parent: debian13`. The roots are Debian suites (rootfs.py).
"""

import collections
import hashlib
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import rootfs
from lab.run import LabError, attempt, output, step

FOLDER = Path(__file__).resolve().parent / "images"
# Images that share one folder and differ in their parent: name -> folder, parent.
VARIANTS = {"debian12": ("node", "bookworm"), "debian13": ("node", "trixie")}
LOCKS: dict[str, threading.Lock] = collections.defaultdict(threading.Lock)


def recipe(name: str) -> tuple[Path, str]:
    """An image's folder and the name of its parent."""
    if name in VARIANTS:
        folder, parent = VARIANTS[name]
        return FOLDER / folder, parent
    dockerfile = FOLDER / name / "Dockerfile"
    if not dockerfile.exists():
        raise LabError(f"there is no image {name!r}: {dockerfile} does not exist")
    found = re.match(r"# parent: (\S+)", dockerfile.read_text())
    if not found:
        raise LabError(f"the first line of {dockerfile} must name the image it is built on: `# parent: debian13`")
    return dockerfile.parent, found[1]


def suite(name: str) -> str:
    """The Debian suite that an image descends from."""
    while name not in rootfs.SUITES:
        name = recipe(name)[1]
    return name


def folder_digest(folder: Path, *more: str) -> str:
    """Twelve digits over the names and contents of a folder's files, and over the strings given."""
    whole = hashlib.sha256("\0".join(more).encode())
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        whole.update(f"\0{path.relative_to(folder).as_posix()}\0{content}".encode())
    return whole.hexdigest()[:12]


def tag(name: str) -> str:
    if name in rootfs.SUITES:
        return f"slipway-lab/{name}:{rootfs.digest(name)}"
    folder, parent = recipe(name)
    return f"slipway-lab/{name}:{folder_digest(folder, tag(parent))}"


def ensure(name: str) -> str:
    """The image's tag, once it is built. Safe to call from several threads."""
    wanted = tag(name)
    with LOCKS[name]:
        if attempt("docker", "image", "inspect", wanted).returncode == 0:
            return wanted
        if name in rootfs.SUITES:
            rootfs.ensure(name, wanted)
        else:
            folder, parent = recipe(name)
            base = f"BASE={ensure(parent)}"
            # The host's network, so that a mirror on loopback or behind its resolver works as it does outside.
            build = ("docker", "build", "--network=host", "--build-arg", base, "--tag", wanted, str(folder))
            step(f"building image {name}", f"image-{name}", build, about="30 s")
    return wanted


def ensure_all(names: list[str]) -> dict[str, str]:
    """Tags by name, built side by side."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(ensure, names), strict=True))


def size() -> str:
    """The images' sizes, for the log of a build."""
    return output("docker", "images", "slipway-lab/*")
