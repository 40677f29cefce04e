"""Build the stand-in internet: `python3 -m lab.upstream.build OUT KEYS [DOCKER_29]`, as root in the image `builder`.

Prints one line of progress a step; what the tools say goes to standard error.
"""

import platform
import sys
import tempfile
from functools import partial
from pathlib import Path

from lab.upstream import docker_ce, golang, hub, rocky, singularity
from lab.upstream.archive import Archive
from lab.upstream.section import Site
from lab.upstream.tools import Keys, parallel, run

SUITES = ("bookworm", "trixie", "forky")
SECTIONS = (docker_ce.build, golang.build, hub.build, rocky.build, singularity.build)


def main(out: Path, keys: Path, docker_29: Path | None = None) -> None:
    """Build every section, then hand the results to whoever owns the folder of keys."""
    owner = keys.stat()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        print(f"reading the indexes of {', '.join(SUITES)}", flush=True)
        archives = parallel(partial(Archive, codename, work / codename) for codename in SUITES)
        site = Site(
            out=out,
            work=work,
            keys=Keys(keys, work / "gnupg"),
            archives=dict(zip(SUITES, archives, strict=True)),
            deb_arch=run("dpkg", "--print-architecture").strip(),
            rpm_arch=platform.machine(),
            docker_29=docker_29,
        )
        for build in SECTIONS:
            build(site)
    run("chown", "-R", f"{owner.st_uid}:{owner.st_gid}", out, keys)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
