"""Sixty wrong inputs, each of one host: every one is one sentence that names it, nothing else is said or done."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
MAIN = {"name": "main"}
# By role: an input, its wrong value, and what the sentence has.
CASES = {
    "slipway": [
        ("roles", "docker_ce", 'as in ["docker_ce"]'),
        ("roles", "", "give a list."),
        ("roles", ["docker"], "choose user_groups or docker_ce"),
        ("only", {"a": 1}, "give a list."),
        ("region", "china", "choose global or cn."),
        ("platform", "rocky 9", "choose debian 12 or"),
        ("batch", 0, "give a number of hosts from 1 on"),
        ("max_fail_percentage", 101, "give a percentage from 0 to 100."),
        ("lock_timeout", -1, "give seconds from 0 on."),
        ("lock_timeout", "long", "give a whole number."),
        ("gather_facts", "maybe", "give true or false."),
        ("regoin", "cn", "did you mean slipway_region?"),
    ],
    "docker_ce": [
        ("verson", "28", "did you mean docker_ce_version?"),
        ("version", 28.5, 'give a text in quotes, as in "28.5"'),
        ("version", "latest", "docker_ce_version"),
        ("state", "prseent", "did you mean present?"),
        ("packages", [], "name packages"),
        ("packages", "docker-ce, docker-ce-cli", 'as in ["docker-ce", "docker-ce-cli"]'),
        ("mirrors", ["mirror.example.org"], "give roots of mirrors"),
        ("mirrors", ["https://bob:pw@mirror.example.org/docker-ce"], "give URLs without a user or password"),
        ("proxy", "proxy:3128", "give a URL such as"),
        ("key_file", "/nowhere.asc", "give the path of a key file"),
        ("restart", "yes", "choose safe or always or never."),
        ("mirror_timeout", "20s", "give a number."),
    ],
    "docker_daemon": [
        ("options", {"hosts": "tcp://0.0.0.0:2375"}, "hosts"),
        ("options", {"data-root": "/"}, "data-root"),
        ("address_pools", [{"base": "10.0.0.0/8", "sise": 24}], "did you mean size?"),
        ("log_opts", "max-size=50m", "give a mapping."),
        ("profile", "strict", "choose none or recommended or hardened."),
        ("live_restore", "ja", "give true or false."),
        ("registry_mirror", [], "did you mean docker_daemon_registry_mirrors?"),
    ],
    "user_groups": [
        ("members", {"docker": "alice"}, "give a list of users for each group"),
        ("members", {"docker": [["alice"]]}, "user_groups_members"),
        ("exclusive", ["wheel"], "that user_groups_members has not"),
        ("gids", {"hpc": 9}, "user_groups_gids"),
        ("missing_users", "ignore", "choose fail or skip."),
    ],
    "golang": [
        ("version", "1.x", "give an exact version in quotes"),
        ("version", 1.2, 'as in "1.2"'),
        ("root", "go", "golang_root"),
        ("link", "/usr/local", "golang_link"),
        ("mirrors", ["ftp://go.dev"], "give folders that hold Go's files"),
        ("mirror_timeout", 0, "give seconds, as in 20."),
        ("archive_checksum", "abc", "golang_archive_checksum"),
        ("goproxy", "https://a b", "golang_goproxy"),
        ("install_method", "rpm", "choose archive or source."),
    ],
    "singularity": [
        ("flavor", "singularity", "did you mean singularity-ce?"),
        ("version", "3.8", "singularity_version"),
        ("keep_versions", -2, "give a number from 0 on, or -1 for all."),
        ("fakeroot_first", 5, "give a first id"),
        ("mirrors", ["mirror"], "give URLs of release archives"),
    ],
    "registry": [
        ("instances", [{**MAIN, "port": 70000}], "give a number from 1 to 65535."),
        (
            "instances",
            [MAIN, {**MAIN, "port": 5001, "storage": {"path": "/srv/b"}}],
            "Two instances have the name main",
        ),
        ("instances", [{**MAIN, "mode": "cashe"}], "did you mean cache?"),
        ("instances", [{**MAIN, "address": "eth0"}], "give an IP address of the host"),
        ("accounts", [{"name": "ci", "password": "x" * 80}], "72 bytes"),
        ("tls", "please", "give true or false."),
        ("retention", [{"repository": "app/*"}], "does not say what is kept"),
        ("backup_keep", 0, "give a number from 1 on"),
        ("certificate_days", 5, "registry_certificate_renew_days"),
        ("client_logins", [{"user": "root", "account": "ghost"}], "ghost"),
    ],
    "images": [
        ("preload", "busybox", 'as in ["busybox"]'),
        ("preload", [{"name": "Busy Box"}], "Busy Box"),
        ("push", [{"name": "store:5000/app:1"}], "needs a source or an archive"),
        ("sif", [{"source": "docker://busybox"}], "name"),
        ("preload", [{"name": "app:1", "archive": "/nowhere.tar"}], "/nowhere.tar"),
    ],
}


def hosts():
    """Return the variables of a host for each case, and what is to be said of it."""
    found, said = {}, {}
    for role, cases in CASES.items():
        for name, value, text in cases:
            host = f"{role}{len(found)}-x"
            found[host] = {"registry_client_hosts": [], "slipway_roles": [] if role == "slipway" else [role]}
            if role == "images":
                found[host]["images_push_host"] = host
            if role == "registry":
                found[host]["registry_accounts"] = [{"name": "ci", "password": "secret"}]
            found[host][f"{role}_{name}"], said[host] = value, text
    return found, said


def test_each_is_one_sentence_and_nothing_is_done(tmp_path):
    found, said = hosts()
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    folders = {"registry_secrets_dir": f"{tmp_path}/secrets", "slipway_cache_dir": f"{tmp_path}/cache"}
    groups = {"registry_hosts": {"hosts": found, "vars": {**local, **folders}}}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"children": groups}}))
    command = ["ansible-playbook", "-i", f"{tmp_path}/hosts.json", "--forks=20", "playbooks/site.yml"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = run.stdout.splitlines()
    told = {host: [line for line in lines[2:-2] if line.startswith(f"  {host}: ")] for host in found}
    wrong = {host: told[host] for host in found if len(told[host]) != 1 or said[host] not in told[host][0]}
    assert len(found) >= 60 and not wrong, json.dumps(wrong, indent=1) + run.stdout[-3000:] + run.stderr
    assert lines[:2] == ["==> Compare", "FAILED   Refuse wrong inputs before any host is touched"] and run.stderr == ""
    assert lines[-2:] == [
        "  No host was changed. Correct the inputs and run again.",
        f"{len(found)} hosts: 0 changed",
    ]
    assert len(lines) == len(found) + 4 and run.returncode == 2
    assert not re.search(r"Traceback|b'|_ssl|[?][.]|\bNone\b|NoneType|x{20}", run.stdout)
