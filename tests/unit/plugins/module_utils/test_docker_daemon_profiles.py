"""The profiles of ``docker_daemon``: what is set, and that the README says why."""

import re
from pathlib import Path

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import section as docker_daemon

README = Path(__file__).parents[4] / "roles/docker_daemon/README.md"
# What docker-bench-security asks of daemon.json that takes no decision of an admin's.
BENCH = {
    "icc": False,
    "live-restore": True,
    "log-level": "info",
    "no-new-privileges": True,
    "userland-proxy": False,
}


def test_the_hardened_profile_is_what_the_bench_asks_for():
    assert docker_daemon.PROFILES["hardened"].items() >= BENCH.items()
    assert "nofile" in docker_daemon.PROFILES["hardened"]["default-ulimits"]


@pytest.mark.parametrize("key", [*docker_daemon.PROFILES["hardened"], "log-opts"])
def test_the_readme_explains_each_key(key):
    rows = re.findall(r"(?m)^\| `([a-z-]+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$", README.read_text(encoding="utf-8"))
    (row,) = [row for row in rows if row[0] == key]
    values = [docker_daemon.PROFILES[name].get(key) for name in ("recommended", "hardened")]
    for shown, value in zip(row[1:3], values, strict=True):
        assert bool(shown.strip()) is (value is not None or key == "log-opts")
        if isinstance(value, (bool, str)):
            assert shown.strip() == str(value).lower()
    assert row[3].strip()
