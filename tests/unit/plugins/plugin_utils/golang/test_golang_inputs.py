"""The inputs of ``golang``: what defaults follow, what is sent to a node, and what is wrong with them."""

import pytest
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs
from ansible_collections.slipway.node.plugins.plugin_utils.golang import inputs as golang

OPTIONS, DEFAULTS = inputs.specification("golang"), inputs.defaults("golang")


def prepare(region="global", **given):
    variables = {f"golang_{name}": value for name, value in given.items()}
    values, problems = inputs.read(OPTIONS, DEFAULTS, variables, lambda value: value, "golang_")
    assert not problems
    return golang.prepare(values, inputs.Site(settings={"region": region}))


def prepared(**given):
    values, problems = prepare(**given)
    assert problems == []
    return values


def test_defaults_that_follow_others():
    assert prepared()["link"] == "/usr/local/go"
    assert prepared(root="/opt")["link"] == "/opt/go"
    assert prepared(root="/opt", link="")["link"] == ""
    assert prepared()["mirrors"][0] == "https://dl.google.com/go"
    assert prepared(region="cn")["mirrors"][0] == "https://golang.google.cn/dl"
    assert prepared(mirrors=["file:///srv/go/"])["mirrors"] == ["file:///srv/go"]
    assert prepared(region="cn")["environment"] == {
        "GOPROXY": "https://goproxy.cn,https://mirrors.aliyun.com/goproxy/,direct",
        "GOSUMDB": "",
        "GOTOOLCHAIN": "",
    }
    assert prepared(region="cn", goproxy="")["environment"]["GOPROXY"] == ""


def test_one_host_writes_what_hosts_share():
    assert [prepared(tree_host=name)["writes"] for name in ("", "localhost", "other")] == [True, True, False]


def test_an_old_go_has_no_environment_file():
    assert prepared(version="1.20.14", goproxy="direct", gotoolchain="local")["environment"] == {}


@pytest.mark.parametrize("text", ["false", "no", "False", "0"])
def test_a_text_is_no_truth(text):
    # As `-e golang_profile=false` gives it.
    assert prepared(profile=text)["profile"] is False


def test_the_sums_are_those_of_the_version_for_all_architectures():
    assert sorted(prepared()["sums"]) == ["linux-amd64", "linux-arm64", "linux-ppc64le", "linux-s390x", "src"]
    assert prepared(version="1.27.3")["sums"] == prepared(state="absent")["sums"] == {}
    assert prepared()["bootstrap"] == {}


def test_what_compiles_go_is_chosen_for_all_architectures():
    files = prepared(version="1.26.7", install_method="source")["bootstrap"]["files"]
    assert {entry["version"] for entry in files.values()} == {"1.24.13"}
    assert (
        files["linux-amd64"]["checksum"] != files["linux-arm64"]["checksum"] != files["linux-loong64"]["checksum"] == ""
    )
    given = prepared(install_method="source", bootstrap_version="1.25.5")["bootstrap"]
    assert given["oldest"] == "1.24.6" and given["files"]["linux-amd64"]["version"] == "1.25.5"


@pytest.mark.parametrize("version", ["1.20", "1.20.14", "1.19beta1", "1.21.0", "1.21rc2", "1.26.7", "1.27rc1"])
def test_exact_versions(version):
    assert prepared(version=version)["version"] == version


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"version": "1.26"}, 'golang_version is "1.26"; give an exact version in quotes, such as "1.26.7".'),
        ({"version": "newest"}, 'golang_version is "newest"; give an exact version'),
        ({"version": "1.21"}, 'golang_version is "1.21"; give an exact version'),
        ({"version": "1.26.7\n"}, 'golang_version is "1.26.7\n"; give an exact version'),
        ({"bootstrap_version": "1.24"}, 'golang_bootstrap_version is "1.24"; give an exact version'),
        ({"commands_dir": "/usr/local/go/bin"}, "golang_commands_dir is /usr/local/go/bin, which is in the toolchain"),
        ({"commands_dir": "/usr/local/go-1.26.7/bin"}, "golang_commands_dir is /usr/local/go-1.26.7/bin, which is in"),
        ({"commands_dir": "/usr/local/go-1.26.7/bin", "link": ""}, "golang_commands_dir is /usr/local/go-1.26.7/bin"),
        ({"root": "usr/local"}, 'golang_root is "usr/local"; give an absolute path'),
        ({"root": ""}, 'golang_root is ""; give an absolute path'),
        ({"root": "/opt/"}, 'golang_root is "/opt/"; give an absolute path'),
        ({"link": "/usr/local/go; reboot"}, 'golang_link is "/usr/local/go; reboot"; give an absolute path'),
        ({"link": "/usr/local/go-1.26.7"}, "golang_link is /usr/local/go-1.26.7, where toolchains are; give a path"),
        ({"commands_dir": "bin"}, 'golang_commands_dir is "bin"; give an absolute path'),
        (
            {"mirrors": ["dl.google.com/go"]},
            'golang_mirrors is ["dl.google.com/go"]; give folders that hold Go\'s files',
        ),
        ({"mirrors": []}, "golang_mirrors is []; give folders"),
        ({"mirrors": ["https://dl.google.com/go/go1.26.7.linux-amd64.tar.gz"]}, "golang_mirrors is"),
        ({"mirror_timeout": 0}, "golang_mirror_timeout is 0; give seconds, as in 20."),
        (
            {"archive_checksum": "md5"},
            'golang_archive_checksum is "md5"; give the 64 hexadecimal digits that sha256sum',
        ),
        ({"goproxy": "https://a b"}, 'golang_goproxy is "https://a b"; give one line as `go env` prints it'),
        ({"gosumdb": "a\nb"}, 'golang_gosumdb is "a\nb"; give one line'),
        (
            {"gotoolchain": "1.26.7"},
            'golang_gotoolchain is "1.26.7"; give one line as `go env` prints it, as in local.',
        ),
        (
            {"version": "1.20", "gosumdb": "off", "gotoolchain": "local"},
            "Go 1.20 has no file for golang_gosumdb; give a golang_version of 1.21 or newer, or leave it out.",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence_with_its_remedy(given, problem):
    _values, problems = prepare(**given)
    assert [text[: len(problem)] for text in problems] == [problem]


@pytest.mark.parametrize(
    "value", ["local", "auto", "path", "local+path", "go1.26.7", "go1.27rc1+auto", "go1.26.7-site"]
)
def test_values_of_gotoolchain(value):
    assert prepared(gotoolchain=value)["environment"]["GOTOOLCHAIN"] == value


def test_removal_needs_what_it_uses():
    assert set(golang.REMOVAL_INPUTS) == {"state", "root", "link", "commands_dir", "tree_host"}
    assert prepare(state="absent", version="1.26", mirrors=[])[1] == []
    assert len(prepare(state="absent", root="opt", link="go")[1]) == 2
