"""What the inputs make, and the profiles: what is set, and that the README says why."""

import re
from pathlib import Path

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.want import PROFILES

from tests.unit.plugins.module_utils.docker_daemon.docker_daemon_hosts import wanted

README = Path(__file__).parents[5] / "roles/docker_daemon/README.md"
# What docker-bench-security asks of daemon.json that takes no decision of an admin's.
BENCH = {
    "icc": False,
    "live-restore": True,
    "log-level": "info",
    "no-new-privileges": True,
    "userland-proxy": False,
}


def test_the_hardened_profile_is_what_the_bench_asks_for():
    assert PROFILES["hardened"].items() >= BENCH.items()
    assert PROFILES["hardened"]["default-ulimits"] == {"nofile": {"Name": "nofile", "Soft": 65536, "Hard": 65536}}


@pytest.mark.parametrize("key", [*PROFILES["hardened"], "log-opts"])
def test_the_readme_explains_each_key(key):
    rows = re.findall(r"(?m)^\| `([a-z-]+)` \|([^|]*)\|([^|]*)\|([^|]*)\|$", README.read_text(encoding="utf-8"))
    (row,) = [row for row in rows if row[0] == key]
    values = [PROFILES[name].get(key) for name in ("recommended", "hardened")]
    for shown, value in zip(row[1:3], values, strict=True):
        assert bool(shown.strip()) is (value is not None or key == "log-opts")
        if isinstance(value, (bool, str)):
            assert shown.strip() == str(value).lower()
    assert row[3].strip()


@pytest.mark.parametrize(
    ("given", "config"),
    [
        ({}, {}),
        (
            {"profile": "recommended"},
            {
                "live-restore": True,
                "log-driver": "json-file",
                "log-level": "info",
                "log-opts": {"max-size": "50m", "max-file": "3"},
            },
        ),
        # A profile's log options are not those of another driver, wherever that is set.
        (
            {"profile": "recommended", "log_driver": "syslog", "live_restore": False},
            {"live-restore": False, "log-driver": "syslog", "log-level": "info"},
        ),
        (
            {"profile": "recommended", "options": {"log-driver": "syslog", "log-opts": {"tag": "x"}}},
            {"live-restore": True, "log-driver": "syslog", "log-level": "info", "log-opts": {"tag": "x"}},
        ),
        ({"log_opts": {"max-file": 3, "compress": True}}, {"log-opts": {"max-file": "3", "compress": "true"}}),
    ],
)
def test_what_the_inputs_make(given, config):
    assert wanted(**given)[:2] == (dict(wanted()[0], config=config), [])


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_removal_wants_nothing(state):
    given = {"audit": True, "probe_mirrors": "report", "http_proxy": "http://p", "options": {"mtu": 1400}}
    wish, _problems, site = wanted(state=state, **given)
    found = (wish["audit"], wish["probe_mirrors"], wish["proxy"] in site.sealed, wish["config"])
    assert found == ((True, "report", True, {"mtu": 1400}) if state == "present" else (False, "off", False, {}))
    assert wanted(state=state)[0]["audit"] is False
