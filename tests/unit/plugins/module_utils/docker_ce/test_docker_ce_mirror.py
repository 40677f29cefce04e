"""Mirrors are judged by apt and dnf, of which there are stand-ins here: what they are told, and what is made of it."""

import os

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_ce import mirror
from ansible_collections.slipway.node.plugins.module_utils.engine import run as engine_run
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run

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


def debian(platform=DEBIAN, current="", **change):
    run = Run(Host(), platform, show_diff=True)
    run.want, run.observed = made(platform, **{"mirrors": [ROOT], **change}), {"mirror": current}
    return run


def rocky(**change):
    return debian(ROCKY, **change)


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
        monkeypatch.setattr(engine_run, "PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
        return tmp_path / "seen"

    return install


def test_apt_is_told_of_this_mirror_alone_and_names_versions(programs):
    seen = programs()
    answer = mirror.ask(debian(version="26.1", proxy="http://proxy:3128"), ROOT, ["docker-ce", "containerd.io"])
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
    assert mirror.ask(debian(version=version), ROOT, ["docker-ce"])["reason"] == reason


def test_a_package_that_is_not_offered_is_the_reason(programs):
    programs()
    answer = mirror.ask(debian(packages=["docker-ce", "docker-model-plugin"]), ROOT, ["docker-model-plugin"])
    assert answer["reason"] == "it has no package docker-model-plugin for this release and architecture"


def test_apt_s_words_are_the_reason(programs):
    programs(f"Err:1 {ROOT} bookworm InRelease\n  404  Not Found\nE: The repository '{ROOT}' is not signed.\n", 100)
    assert mirror.ask(debian(), ROOT, [])["reason"] == f"404  Not Found; The repository '{ROOT}' is not signed"


def test_a_mirror_that_drips_is_given_up(programs, monkeypatch):
    seen = programs()
    monkeypatch.setattr(mirror, "OVERHEAD", 0)
    (seen.parent / "bin/apt-get").write_text("#!/bin/sh\nsleep 30\n")
    answer = mirror.ask(debian(mirror_timeout=0.2), ROOT, [])
    assert answer["reason"] == "too slow: not done within 1 s" and answer["seconds"] < 10


def test_dnf_is_told_of_this_mirror_alone_and_names_versions(programs):
    seen = programs()
    answer = mirror.ask(rocky(version="26.1"), ROOT, ["docker-ce", "containerd.io"])
    assert answer["reason"] == ""
    assert answer["specs"] == ["docker-ce-3:26.1.5-1.el9", "containerd.io-1.7.24-3.1.el9"]
    text = (seen / "docker-ce.repo").read_text()
    assert "repo_gpgcheck=1\n" in text and "excludepkgs" not in text and f"baseurl={ROOT}/linux/centos/9/" in text


def test_to_dnf_a_missing_signature_is_no_reason_and_a_wrong_one_is(programs):
    seen = programs(
        "Error: Failed to download metadata: GPG verification is enabled, but GPG signature is not available.\n"
    )
    answer = mirror.ask(rocky(), ROOT, ["docker-ce"])
    assert (answer["reason"], answer["specs"]) == ("", ["docker-ce-3:26.1.5-1.el9"])
    assert seen.is_dir()
    programs("Error: Failed to download metadata: repomd.xml GPG signature verification error: Bad GPG signature\n")
    assert "Bad GPG signature" in mirror.ask(rocky(), ROOT, ["docker-ce"])["reason"]


@pytest.fixture
def answers(monkeypatch):
    """Stand-ins for mirrors, by their reasons and seconds, and what was asked."""
    known, asked = {}, []

    def ask(_run, url, packages):
        asked.append(url)
        reason, seconds = known[url]
        return {"mirror": url, "reason": reason, "seconds": seconds, "packages": packages, "specs": []}

    monkeypatch.setattr(mirror, "ask", ask)
    return known, asked


@pytest.mark.parametrize(
    ("current", "choice", "bad", "chosen", "asked"),
    [
        ("", "first", "", "http://a", ["http://a"]),
        ("http://c", "first", "", "http://c", ["http://c"]),
        ("http://c", "fastest", "", "http://c", ["http://c"]),
        ("http://elsewhere", "first", "", "http://a", ["http://a"]),
        ("", "first", "a", "http://b", ["http://a", "http://b", "http://c"]),
        ("http://b", "first", "ab", "http://c", ["http://b", "http://a", "http://c"]),
        ("", "fastest", "", "http://b", ["http://a", "http://b", "http://c"]),
        ("", "fastest", "b", "http://c", ["http://a", "http://b", "http://c"]),
    ],
)
def test_the_mirror_in_use_is_asked_first_and_others_where_it_is_not_usable(
    answers, current, choice, bad, chosen, asked
):
    for name, seconds in (("a", 3), ("b", 1), ("c", 2)):
        answers[0]["http://" + name] = ("404" if name in bad else "", seconds)
    run = debian(current=current, mirrors=["http://a", "http://b", "http://c"], mirror_choice=choice)
    assert mirror.choose(run, ["docker-ce"])["mirror"] == chosen
    assert answers[1][:1] == asked[:1] and sorted(answers[1]) == sorted(asked)
    over = [f"passed over http://{name}: 404" for name in bad]
    assert [sorted(one.split("; ")) for one in run.notes] == ([sorted([*over, f"uses {chosen}"])] if bad else [])


def test_without_a_usable_mirror_each_is_named(answers):
    answers[0].update({"http://a": ("404", 1), "http://b": ("too slow", 1)})
    with pytest.raises(Failed, match=r"(?s)nothing was changed.*http://a: 404\n  http://b: too slow"):
        mirror.choose(debian(mirrors=["http://a", "http://b"]), [])


def test_files_are_written_whole_and_may_be_read_by_all(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "chown", lambda *_args: None)
    names = ("keyrings/docker.asc", "sources/docker.sources", "apt.conf.d/80slipway")
    key, source, proxy = paths = [str(tmp_path / name) for name in names]
    run = debian()
    run.want.update(key_file=key, repository_file=source, proxy_file=proxy)
    for path in paths:
        os.makedirs(os.path.dirname(path), 0o700)
    # What a link leads to may be removed as a leftover, and no proxy is wanted.
    (tmp_path / "old").write_text("old")
    os.symlink(tmp_path / "old", key)
    (tmp_path / "apt.conf.d/80slipway").write_text("proxy")
    (tmp_path / "sources/docker.sources").write_text("URIs: https://nexus/a\n")
    os.chmod(source, 0o600)
    mirror.configure(run, ROOT)
    assert not os.path.islink(key) and not os.path.exists(proxy) and (tmp_path / "old").read_text() == "old"
    assert [os.stat(path).st_mode & 0o777 for path in (key, source)] == [0o644] * 2
    assert os.stat(tmp_path / "keyrings").st_mode & 0o777 == 0o755
    # A key is read by nobody.
    (shown,) = [one["prepared"] for one in run.diffs]
    assert f"--- {source}" in shown and "-URIs: https://nexus/a\n" in shown
    mirror.configure(run, ROOT)
    (tmp_path / "sources/docker.sources").write_text("URIs: https://robot:S3cret@nexus/a\n")
    mirror.configure(run, ROOT)
    assert len(run.diffs) == 1


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    run = debian()
    (tmp_path / "file").touch()
    run.want.update(key_file=f"{tmp_path}/file/key", repository_file=f"{tmp_path}/file/a", proxy_file=f"{tmp_path}/b")
    with pytest.raises(Failed, match=r"/file.*Nothing was installed; mend that, and run again"):
        mirror.configure(run, ROOT)


@pytest.mark.parametrize(
    ("reason", "first"),
    [
        ("the repository is not signed", "A mirror that signs its packages itself needs its own key"),
        ("GPG check FAILED", "A mirror that signs its packages itself needs its own key"),
        ("Could not resolve 'mirror'", "Set docker_ce_mirrors to one that is"),
    ],
)
def test_the_remedy_depends_on_the_reason(reason, first):
    text = mirror.refusal({"fingerprint": "9DC8", "manager": "dnf"}, [f"http://mirror: {reason}"])
    assert text.partition("nothing was changed. ")[2].startswith(first) and text.endswith(reason)
    assert ("fingerprint 9DC8" in text) is ("key" in first)
    # Enterprise Linux has no engine of its own.
    assert "docker_ce_source" not in text
