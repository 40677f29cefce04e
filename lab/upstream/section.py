"""What every section's `build(site)` is handed."""

from dataclasses import dataclass
from pathlib import Path

from lab.upstream.archive import Archive
from lab.upstream.tools import Keys


@dataclass(frozen=True)
class Site:
    """What a build writes, what it works in, and what it works from."""

    out: Path
    work: Path
    keys: Keys
    archives: dict[str, Archive]
    deb_arch: str
    rpm_arch: str
    docker_29: Path | None
