"""A host that is as wanted, and one that differs, for the tests of ``singularity``."""

import copy

from ansible_collections.slipway.node.plugins.module_utils.engine.plans import sentence
from ansible_collections.slipway.node.plugins.module_utils.singularity import plan

ROOT = "/opt/singularity"
TREE = f"{ROOT}/4.5.1"
ARCHIVE = "singularity-ce-4.5.1-go1.26.7-debian13-x86_64-0123456789ab"
DISK = {"path": ROOT, "type": "ext4", "options": [], "free": 400}
WANT = {
    "state": "present",
    "flavor": "singularity-ce",
    "version": "4.5.1",
    "root": ROOT,
    "tree": TREE,
    "link": f"{ROOT}/current",
    "current": f"{ROOT}/current",
    "archive": {"archive_pattern": r"^singularity\-ce\-4\.5\.1-go[0-9.]+\-debian13\-x86_64\-0123456789ab$"},
    "setuid": True,
    "manager": "apt",
    "packages": ["uidmap"],
    "config": {"mount home": False, "bind path": ["/etc/hosts", "/data"]},
    "config_file": f"{TREE}/etc/singularity/singularity.conf",
    "files": [{"path": "/etc/profile.d/slipway-singularity.sh", "mode": "0644", "group": "root", "content": "x"}],
    "apparmor": {
        "path": "/etc/apparmor.d/slipway-singularity",
        "profile": "slipway-singularity",
        "mode": "0644",
        "group": "root",
        "content": "d",
    },
    "commands": {},
    "modulefiles": {"folder": "", "texts": {}},
    "writes": True,
    "tree_host": "",
    "made_groups": [],
    "tmpdir": "",
    "commands_dir": "",
    "unwanted_files": ["/etc/slipway/singularity-auth.json"],
    "directories": [{"path": "/scratch", "mode": "1777"}],
    "fakeroot_users": ["alice"],
    "fakeroot_groups": [],
    "fakeroot_first": 1 << 20,
    "fakeroot_limit": 1 << 30,
    "versions_absent": [],
    "keep": None,
    "need": 400,
}


def tree(version: str, archive: str = "", **more) -> dict:
    manifest = {
        "archive": archive or f"singularity-ce-{version}-go1.22.1-debian13-x86_64-x",
        "flavor": "singularity-ce",
    }
    manifest["version"] = version
    return {"exists": True, "empty": False, "manifest": manifest, "error": "", "damage": [], **more}


PROFILE = "/etc/profile.d/slipway-singularity.sh"


def there(**changes) -> dict:
    """Return how a file is found."""
    return {"exists": True, "same": True, "mode": "0644", "owner": "root:root", "wanted": True, **changes}


def converged() -> dict:
    ranges = [("alice", 1 << 21, 65536)]
    return {
        "trees": {TREE: tree("4.5.1", ARCHIVE)},
        "link": TREE,
        "commands": {},
        "modulefiles": {},
        "missing_binds": [],
        "config": {"mount home": ["no"], "bind path": ["/etc/hosts", "/data"]},
        "packages": {"uidmap": True},
        "files": {
            PROFILE: there(),
        },
        "unwanted_files": [],
        "directories": {"/scratch": "1777"},
        "accounts": {"alice": 1000},
        "subid": {"subuid": ranges, "subgid": ranges},
        "subid_source": "files",
        "missing_groups": [],
        "sysctl_at_boot": {},
        "sysctl_file": "",
        "running_programs": {},
        "disk": DISK,
        "tmpdir_options": [],
        "gone_members": [],
        "known_ids": [],
        "current": TREE,
        "sysctl": {"user.max_user_namespaces": "15000", "kernel.unprivileged_userns_clone": ""},
        "apparmor_restricts": False,
        "apparmor_file": there(exists=False),
        "apparmor_loaded": False,
    }


def spoiled(**changes) -> dict:
    observed = copy.deepcopy(converged())
    observed.update(changes)
    return observed


def lines(want: dict, observed: dict) -> list[str]:
    return [f"{phase}: {sentence(one)}" for phase, one in entries(want, observed)]


def entries(want: dict, observed: dict) -> list[tuple[str, dict]]:
    return [(phase, one) for phase, actions in plan.plan(want, observed).items() for one in actions]


def done(want: dict, observed: dict) -> list[list]:
    """Return what the actions of a plan do."""
    return [one for _phase, action in entries(want, observed) for one in action.get("do", [])]
