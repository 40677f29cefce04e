"""Where the lab keeps its files, for the lab and for Ansible alike."""

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OWN = pwd.getpwuid(os.getuid()).pw_dir
ANSIBLE = [
    "ansible",
    "localhost",
    "--inventory",
    "inventories/lab",
    "-m",
    "ansible.builtin.debug",
    "-a",
    "var=lab_cache",
]


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({"HOME": "/me", "XDG_CACHE_HOME": "/xdg"}, "/xdg/slipway-lab"),
        ({"HOME": OWN, "XDG_CACHE_HOME": ""}, f"{OWN}/.cache/slipway-lab"),
        ({}, f"{OWN}/.cache/slipway-lab"),
    ],
)
def test_the_lab_and_its_inventory_name_one_folder(tmp_path, given, folder):
    kept = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME")}
    environment = {**kept, "ANSIBLE_HOME": str(tmp_path), "ANSIBLE_LOCAL_TEMP": str(tmp_path), **given}

    def told(*command):
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.strip()

    assert told(sys.executable, "-c", "from lab.run import CACHE; print(CACHE)") == folder
    assert re.findall('lab_cache"?: "?([^"\n]*)', told(*ANSIBLE)) == [folder]
