"""Let unit tests import the collection by its full name, as it is linked into the environment, and the lab."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
