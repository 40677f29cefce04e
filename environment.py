"""Make a Python environment with Ansible and the collections that Slipway needs; `make` calls this.

    environment.py [--ansible 2.16] [--python PYTHON] [FOLDER REQUIREMENTS...]

Without a folder it prints the Python that it would take. Any Python from 3.6 on can run it, so that it can say what to
install where that one is too old for Ansible. The collections come out of PyPI's package `ansible`, since Galaxy cannot
be reached from many networks; the hundred others in it are left out.
"""

import argparse
import glob
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import IO

# Those of galaxy.yml.
COLLECTIONS = ["ansible.posix", "community.crypto"]
# By the value of ANSIBLE: the Pythons that this ansible-core is made for, the best first, and its collections on PyPI.
RELEASES = {
    "": ((13, 12, 11), "ansible==12.3.0"),
    "2.16": ((12, 11, 10), "ansible==9.13.0"),
    "2.21": ((14, 13, 12), "ansible==14.5.0"),
}


def fits(python: str, oldest: int, modules: str = "ensurepip, venv") -> bool:
    """Return whether a Python runs, is new enough and has what makes an environment, which Debian has in a package."""
    test = f"import sys, {modules}; sys.exit(sys.version_info < (3, {oldest}))"
    done = subprocess.run([python, "-c", test], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return done.returncode == 0


def find_python(minors: tuple, given: str, path: str, modules: str = "ensurepip, venv") -> str:
    """Return the path of the best Python, or nothing where none fits."""
    names = [given] if given else [f"python3.{minor}" for minor in minors] + ["python3"]
    # pyenv's commands in the path run only versions that were chosen; all are in its folder.
    pyenv = os.pathsep.join(glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin")))
    for folders in (path, pyenv):
        for name in names:
            python = shutil.which(os.path.expanduser(name), path=folders)
            if python and fits(python, min(minors), modules):
                return python
    return ""


def remedy(oldest: int, has_python: bool, system: str, release: str) -> str:
    """Return how a fitting Python is installed.

    :param has_python: only the module venv is missing.
    :param system: as uname names it.
    :param release: the text of /etc/os-release.
    """
    fields = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    like = " ".join(fields.get(name, "").strip("\"'") for name in ("ID", "ID_LIKE")).split()
    if {"debian", "ubuntu"} & set(like):
        return f"apt-get install python3{'' if has_python else f'.{oldest}'}-venv"
    if {"rhel", "fedora", "centos"} & set(like):
        return "dnf install python3.12"
    return "brew install python@3.12" if system == "Darwin" else f"install Python 3.{oldest} or newer"


def make(folder: Path, requirements: list, package: str, python: str, log: IO) -> None:
    """Make the environment anew, and mark it as ready at the end."""

    def run(*command: str, tries: int = 1) -> None:
        done = subprocess.run(command, stdout=log, stderr=log, check=tries == 1)
        if done.returncode:
            run(*command, tries=tries - 1)

    pip, wheels = str(folder / "bin" / "pip"), folder / "wheels"
    shutil.rmtree(str(folder), ignore_errors=True)
    run(python, "-m", "venv", str(folder))
    run(pip, "install", "--quiet", *(f"--requirement={path}" for path in requirements), tries=3)
    run(pip, "download", "--quiet", "--no-deps", "--only-binary=:all:", f"--dest={wheels}", package, tries=3)
    roots = tuple(f"ansible_collections/{name.replace('.', '/')}/" for name in COLLECTIONS)
    with zipfile.ZipFile(str(next(wheels.glob("*.whl")))) as wheel:
        wheel.extractall(str(folder / "collections"), [name for name in wheel.namelist() if name.startswith(roots)])
    shutil.rmtree(str(wheels))
    (folder / ".ready").touch()


def main() -> int:
    """Do what the arguments ask for; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ansible", default="", choices=RELEASES)
    parser.add_argument("--python", default="")
    parser.add_argument("folder", nargs="?", default="")
    parser.add_argument("requirements", nargs="*")
    options = parser.parse_args()
    minors, package = RELEASES[options.ansible]
    own = str(Path(options.folder).resolve() / "bin")
    # Not the Python of the environment that is removed first, where that one is active.
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != own)
    python = find_python(minors, options.python, path)
    if not python:
        release = Path("/etc/os-release")
        told = remedy(
            min(minors),
            bool(find_python(minors, options.python, path, modules="os")),
            platform.system(),
            release.read_text() if release.exists() else "",
        )
        what = f"{options.python} is no" if options.python else "there is no"
        print(f"{what} Python 3.{min(minors)} or newer with the module venv: {told}")
        return 1
    if not options.folder:
        print(python)
        return 0
    log = Path(f"{options.folder}.log")
    seconds = 20 * len(options.requirements)
    print(f"==> making the environment in {options.folder} (about {seconds} seconds, log {log})", flush=True)
    with log.open("w") as file:
        print(f"by {python}", file=file, flush=True)
        try:
            make(Path(options.folder), options.requirements, package, python, file)
            return 0
        except (OSError, subprocess.CalledProcessError) as error:
            print(error, file=file)
    print("\n".join(log.read_text().splitlines()[-20:]))
    return 1


if __name__ == "__main__":
    sys.exit(main())
