"""What a build still lacks, and what stands in its way."""

import re

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import sentence
from ansible_collections.slipway.node.plugins.module_utils.singularity_build.plan import facts, plan, refusals

SUM = "0123456789abcdef" * 4
STEM, END = "apptainer-1.4.5", "-debian13-x86_64-0123456789ab"
ARCHIVE = f"{STEM}-go1.26.7{END}"
WANT = {
    "dir": "/b",
    "folder": "/b/build",
    "source": f"/b/{STEM}.tar.gz",
    "stem": STEM,
    "task": STEM + END,
    "archive_pattern": f"^{STEM}-go[0-9.]+{END}$",
    "known_sum": SUM,
    "sum_file": "/b/x.sha256",
    "kept_sum": "/cache/sums/x",
    "cache_dir": "/cache",
    "go_version": "",
    "go_kind": "linux-amd64",
    "go": {"sums": {"1.25.14": {"linux-amd64": "0"}, "1.26.7": {"linux-amd64": "0"}, "1.27.1": {"src": "0"}}},
    "room": 2500,
    "keep": False,
}
READY = {
    "archives": [],
    "packages": {"gcc": True},
    "task": STEM + END,
    "is_running": False,
    "source": SUM,
    "told_sum": "",
    "go_needed": "1.25.9",
    "is_vendored": True,
    "toolchains": {"/usr/local/go": "go1.26.7"},
    "free": 2500,
}
COMPILE = f"build_archive: {STEM}{END}: missing -> compiled"
FETCH = f"fetch_source: /b/{STEM}.tar.gz: missing -> unpacked"


def lines(observed, **want):
    made = plan({**WANT, **want}, {**READY, **observed})
    return [f"{phase}: {sentence(one)}" for phase, actions in made.items() for one in actions]


@pytest.mark.parametrize(
    ("observed", "want", "expected"),
    [
        ({}, {}, [COMPILE]),
        ({"archives": [ARCHIVE]}, {}, []),
        ({"archives": [ARCHIVE.replace("debian13", "debian12")], "packages": {}}, {}, [COMPILE]),
        ({"packages": {"make": False, "gcc": True}}, {}, [
            "install_build_packages: make: not installed -> installed", COMPILE]),
        # Which Go is needed is not known before.
        ({"source": "", "toolchains": {}}, {}, [FETCH, COMPILE]),
        ({"source": "1" * 64}, {}, [FETCH, COMPILE]),
        ({"source": "1" * 64, "told_sum": "1" * 64}, {"known_sum": ""}, [COMPILE]),
        # Without any sum, what this build unpacked.
        ({}, {"known_sum": ""}, [COMPILE]),
        ({"task": "other"}, {"known_sum": ""}, [FETCH, COMPILE]),
        ({"toolchains": {"/usr/local/go": "go1.25.8"}}, {}, [
            "install_go: Go: too old or missing -> 1.25.14", COMPILE]),
        ({}, {"go_version": "1.27.3"}, ["install_go: Go: too old or missing -> 1.27.3", COMPILE]),
    ],
)  # fmt: skip
def test_what_is_lacking_is_planned(observed, want, expected):
    assert lines(observed, **want) == expected


@pytest.mark.parametrize(
    ("observed", "want", "expected"),
    [
        ({}, {}, ""),
        ({"task": "other"}, {}, ""),
        ({"task": "other", "is_running": True}, {}, "is compiling another version in /b/build. Wait"),
        ({"task": "", "free": 30}, {}, "/b on the build host has 30 MiB free, and compiling needs 2500 MiB"),
        # It runs, or goes on where it stopped.
        ({"is_running": True, "free": 30}, {}, ""),
        ({"task": "other", "is_running": True, "free": 30, "archives": [ARCHIVE]}, {}, ""),
        ({"go_needed": "1.28"}, {}, "needs Go 1.28 or newer; the build host has go1.26.7 at /usr/local/go"),
        ({"go_needed": "1.28", "source": ""}, {}, ""),
        (
            {"go_needed": "1.26", "toolchains": {}},
            {"go_version": "1.25.1"},
            "has none at .*singularity_go_version is 1.* or leave singularity_go_version empty[.]$",
        ),
        ({"go_needed": "1.28"}, {}, "golang knows none that suffices. Install one there with .*_checksum[.]$"),
    ],
)
def test_refusals_name_cause_and_remedy(observed, want, expected):
    refused = refusals({**WANT, **want}, {**READY, **observed})
    assert len(refused) == bool(expected)
    assert not expected or re.search(expected, refused[0])


def test_the_controller_is_told_what_to_take_and_what_then_goes():
    name = f"{STEM}-go1.27.1{END}"
    observed = {**READY, "archives": ["a", ARCHIVE, name], "told_sum": SUM}
    made = [f"/b/build/{name}{end}" for end in (".tar.gz", ".json")]
    fetch = [{"src": path, "dest": "/cache/"} for path in made]
    assert facts(WANT, observed) == {"archive": name, "fetch": fetch, "leftovers": ["/b"]}
    told = facts({**WANT, "known_sum": "", "keep": True}, observed)
    assert told["fetch"] == [{"src": "/b/x.sha256", "dest": "/cache/sums/x"}, *fetch]
    assert told["leftovers"] == ["/b/build/stage", *made]
