"""Mirrors are judged by apt and dnf, of which there are stand-ins here: what they are told, and what is made of it."""

import json
import os

import pytest
from ansible.module_utils import basic
from ansible_collections.slipway.node.plugins.module_utils.engine import files
from ansible_collections.slipway.node.plugins.modules import docker_ce_mirror as mirror

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import DEBIAN, ROCKY, made

ROOT = "http://mirror.example.org/docker-ce"
# Keeps its configuration, which is gone afterwards, and says what a test wants.
APT_GET = """#!/bin/sh
cp -r "$(dirname "$3")" {seen}
[ ! -e {says} ] || cat {says} >&2
exit {status}
"""
APT_CACHE = """#!/bin/sh
echo ' docker-ce | 5:26.1.5-1~debian.12~bookworm | http://mirror stable/main amd64 Packages'
echo ' docker-ce | 5:20.10.24-1~debian.12~bookworm | http://mirror stable/main amd64 Packages'
echo 'containerd.io | 1.7.24-1 | http://mirror stable/main amd64 Packages'
"""
DNF = """#!/bin/sh
for word; do case $word in --setopt=reposdir=*) folder=${{word#*=*=}};; esac; done
cp -r "$folder" {seen}
[ ! -e {says} ] || ! grep -q repo_gpgcheck "$folder/docker-ce.repo" || {{ cat {says} >&2; exit 1; }}
echo 'docker-ce 3:26.1.5-1.el9'
echo 'containerd.io 1.7.24-3.1.el9'
"""


def debian(**change):
    return made(DEBIAN, **{"mirrors": [ROOT], **change})


def rocky(**change):
    return made(ROCKY, **{"mirrors": [ROOT], **change})


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Return a function that installs the stand-ins, and the folder that keeps what they were told."""

    def install(says="", status=0):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "says").write_text(says) if says else (tmp_path / "says").unlink(missing_ok=True)
        values = {"seen": tmp_path / "seen", "says": tmp_path / "says", "status": status}
        texts = {"apt-get": APT_GET.format(**values), "apt-cache": APT_CACHE, "dnf": DNF.format(**values)}
        for name, text in texts.items():
            (tmp_path / "bin" / name).write_text(text)
            (tmp_path / "bin" / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        return tmp_path / "seen"

    return install


def test_apt_is_told_of_this_mirror_alone_and_names_versions(programs):
    seen = programs()
    answer = mirror.ask(ROOT, debian(version="26.1", proxy="http://proxy:3128"), ["docker-ce", "containerd.io"])
    assert answer["reason"] == ""
    assert answer["specs"] == ["docker-ce=5:26.1.5-1~debian.12~bookworm", "containerd.io=1.7.24-1"]
    conf = (seen / "apt.conf").read_text()
    assert 'Dir::Etc::sourceparts "-";' in conf and 'Acquire::http::Timeout "5";' in conf
    assert 'Acquire::http::Proxy::mirror.example.org "http://proxy:3128";' in conf
    assert f"URIs: {ROOT}/linux/debian\n" in (seen / "docker.sources").read_text()
    assert (seen / "key.asc").read_text().startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")
    # The user that apt fetches as can read it.
    assert oct((seen / "docker.sources").stat().st_mode)[-3:] == "644"


@pytest.mark.parametrize(
    ("version", "reason"),
    [("99.1", "it has no docker-ce 99.1; it offers 26.1.5, 20.10.24"), ("26.1", "")],
)
def test_a_version_that_is_not_offered_is_the_reason(programs, version, reason):
    programs()
    assert mirror.ask(ROOT, debian(version=version), ["docker-ce"])["reason"] == reason


def test_a_package_that_is_not_offered_is_the_reason(programs):
    programs()
    answer = mirror.ask(ROOT, debian(packages=["docker-ce", "docker-model-plugin"]), ["docker-model-plugin"])
    assert answer["reason"] == "it has no package docker-model-plugin for this release and architecture"


def test_apt_s_words_are_the_reason(programs):
    programs(f"Err:1 {ROOT} bookworm InRelease\n  404  Not Found\nE: The repository '{ROOT}' is not signed.\n", 100)
    assert mirror.ask(ROOT, debian(), [])["reason"] == f"404  Not Found; The repository '{ROOT}' is not signed"


def test_a_mirror_that_drips_is_given_up(programs, monkeypatch):
    seen = programs()
    monkeypatch.setattr(mirror, "OVERHEAD", 0)
    (seen.parent / "bin/apt-get").write_text("#!/bin/sh\nsleep 30\n")
    answer = mirror.ask(ROOT, debian(mirror_timeout=0.2), [])
    assert answer["reason"] == "too slow: not done within 1 s" and answer["seconds"] < 10


def test_dnf_is_told_of_this_mirror_alone_and_names_versions(programs):
    seen = programs()
    answer = mirror.ask(ROOT, rocky(version="26.1"), ["docker-ce", "containerd.io"])
    assert answer["reason"] == ""
    assert answer["specs"] == ["docker-ce-3:26.1.5-1.el9", "containerd.io-1.7.24-3.1.el9"]
    text = (seen / "docker-ce.repo").read_text()
    assert "repo_gpgcheck=1\n" in text and "excludepkgs" not in text and f"baseurl={ROOT}/linux/centos/9/" in text


def test_to_dnf_a_missing_signature_is_no_reason_and_a_wrong_one_is(programs):
    seen = programs(
        "Error: Failed to download metadata: GPG verification is enabled, but GPG signature is not available.\n"
    )
    answer = mirror.ask(ROOT, rocky(), ["docker-ce"])
    assert (answer["reason"], answer["specs"]) == ("", ["docker-ce-3:26.1.5-1.el9"])
    assert seen.is_dir()
    programs("Error: Failed to download metadata: repomd.xml GPG signature verification error: Bad GPG signature\n")
    assert "Bad GPG signature" in mirror.ask(ROOT, rocky(), ["docker-ce"])["reason"]


@pytest.fixture
def configure(monkeypatch):
    """The function with a module of Ansible's, whose files would be root's."""
    owners = {}
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    monkeypatch.setattr(
        basic.AnsibleModule, "user_and_group", lambda _self, path, _: owners.get(os.fsdecode(path), (7, 7))
    )
    monkeypatch.setattr(os, "lchown", lambda path, *ids: owners.update({os.fsdecode(path): ids}))

    def call(texts, check=False):
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_check_mode": check}}).encode()
        done = mirror.configure(basic.AnsibleModule({}, supports_check_mode=True), texts)
        return done["diff"], done["changed"]

    call.owners = owners
    return call


def test_files_are_written_where_they_differ_and_may_be_read_by_all(tmp_path, configure):
    old, new, same, link = (str(tmp_path / name) for name in ("keyrings/docker.asc", "sources/a", "same", "link"))
    (tmp_path / "keyrings").mkdir()
    for path, text in ((old, "[a]\nbaseurl=https://robot:S3cret@nexus/a\npassword = S3cret\n"), (same, "here")):
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o600)
    # What it leads to may be removed as a leftover.
    os.symlink(same, link)
    texts = {old: "key", new: "source", same: "here", link: "here"}
    before = "[a]\nbaseurl=https://***@nexus/a\npassword =***\n"
    expected = [
        {"before_header": old, "after_header": old, "before": before, "after": "key"},
        {"before_header": link, "after_header": link, "before": "here", "after": "here"},
        {"before_header": new, "after_header": new, "before": "", "after": "source"},
    ]
    assert configure(texts, check=True) == (expected, True) and not os.path.exists(new) and os.path.islink(link)
    assert configure(texts) == (expected, True)
    assert [files.read(path) for path in (old, new, link)] == ["key", "source", "here"]
    assert [os.stat(path).st_mode & 0o777 for path in texts] == [0o644] * 4 and not os.path.islink(link)
    assert [configure.owners[path][0] for path in texts] == [0] * 4
    assert configure(texts) == ([], False)
    # A umask of 077 that met a right text.
    os.chmod(same, 0o600)
    assert configure(texts, check=True) == configure(texts) == ([], True)
    assert os.stat(same).st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("reason", "first"),
    [
        ("the repository is not signed", "A mirror that signs its packages itself needs its own key"),
        ("GPG check FAILED", "A mirror that signs its packages itself needs its own key"),
        ("Could not resolve 'mirror'", "Set docker_ce_mirrors to one that is"),
    ],
)
def test_the_remedy_depends_on_the_reason(reason, first):
    text = mirror.refusal({"fingerprint": "9DC8"}, [f"http://mirror: {reason}"])
    assert text.partition("nothing was changed. ")[2].startswith(first) and text.endswith(reason)
    assert ("fingerprint 9DC8" in text) is ("key" in first)
