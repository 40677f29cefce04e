#!/usr/bin/env python3
"""The hosts of the embedded lab, as Ansible asks a script for them: the nodes that are up, or all where none is.

SLIPWAY_LAB names another lab than `site`.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lab import nodes
from lab.run import CACHE

config = CACHE / (os.environ.get("SLIPWAY_LAB") or "site") / "ssh_config"
print(json.dumps(nodes.inventory(config.read_text() if config.exists() else "")))
