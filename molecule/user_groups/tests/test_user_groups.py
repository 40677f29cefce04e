"""What an admin finds in the groups of each node."""

import json

import pytest

# Members of each group, by node; none where a group is not to be there.
MEMBERS = {
    "debian12": {"docker": ["admin", "lara"], "shared": ["carol"], "hpc": None},
    "debian13": {"docker": ["admin", "lara"], "hpc": ["20210001", "bob", "lee@example.org"], "shared": ["carol"]},
    "ubuntu2404": {"docker": ["admin", "alice"], "shared": ["carol"], "hpc": None},
    "rocky9": {"docker": ["admin"], "campus": ["lee@example.org"], "shared": ["bob", "carol"], "hpc": None},
}
# What Slipway gave, which is less than what there is.
RECORDS = {
    "debian12": {"groups": ["docker"], "members": {"docker": ["admin", "lara"]}},
    "debian13": {
        "groups": ["docker", "hpc"],
        "members": {"docker": ["admin", "lara"], "hpc": ["20210001", "bob", "lee@example.org"]},
    },
    "ubuntu2404": {"groups": [], "members": {"docker": ["admin"]}},
    "rocky9": {"groups": ["docker"], "members": {"docker": ["admin"], "shared": ["bob"]}},
}


@pytest.fixture
def node(host):
    return host.check_output("hostname")


@pytest.mark.parametrize("group", ["docker", "hpc", "shared", "campus"])
def test_group_has_its_members(host, node, group):
    if group not in MEMBERS[node]:
        pytest.skip("not of this node")
    line = host.run(f"getent group {group}").stdout.strip()
    members = sorted(line.split(":")[3].split(",")) if line else None
    assert members == MEMBERS[node][group]


def test_group_has_its_number(host, node):
    number = {"debian13": ("hpc", 2990), "ubuntu2404": ("docker", 990)}.get(node, ("shared", 2500))
    assert host.group(number[0]).gid == number[1]


def test_group_that_was_made_is_a_system_group(host):
    assert 0 < host.group("docker").gid < 1000


@pytest.mark.parametrize("name", ["lara", "lee@example.org", "20210001", "campus"])
def test_directory_is_not_copied(host, name):
    for path in ("/etc/passwd", "/etc/group"):
        assert f"\n{name}:" not in host.file(path).content_string


@pytest.mark.parametrize("user", ["admin", "lara"])
def test_login_has_the_group(host, node, user):
    if user not in MEMBERS[node]["docker"]:
        pytest.skip("not of this node")
    assert "docker" in host.check_output(f"id -nG {user}").split()


def test_record_holds_what_was_given_and_is_private(host, node):
    record = host.file("/var/lib/slipway/user_groups.json")
    assert (record.user, record.group, record.mode) == ("root", "root", 0o600)
    assert json.loads(record.content_string) == {**RECORDS[node], "format": 1}
