"""What a user of the nodes can do with Go, and where it came from."""

import json

import pytest

VERSION, SOURCE = "1.27.3", "1.19.8"
PROGRAM = r"""
package main

import (
	"fmt"
	"runtime"
	"sort"
)

func main() {
	letters := []string{"c", "a", "b"}
	sort.Strings(letters)
	fmt.Println(letters, runtime.Version())
}
"""


@pytest.fixture
def node(host):
    return host.check_output("hostname")


@pytest.fixture
def folder(host):
    path = host.check_output("sudo -u admin mktemp -d")
    host.check_output(f"cat > {path}/main.go <<'EOF'\n{PROGRAM}\nEOF")
    yield path
    host.check_output(f"rm -rf {path}")


def trees(node):
    return [VERSION, SOURCE] if node == "debian13" else [VERSION]


def test_login_shell_finds_go(host):
    assert host.check_output("sudo -iu admin sh -lc 'command -v go && go version'").split() == [
        "/usr/local/go/bin/go",
        "go",
        "version",
        f"go{VERSION}",
        "linux/amd64" if host.system_info.arch == "x86_64" else "linux/arm64",
    ]


def test_go_is_found_without_a_profile(host, node):
    # As sudo and sshd of the distribution set it.
    path = "/sbin:/bin:/usr/sbin:/usr/bin" if node == "rocky9" else "/usr/local/bin:/usr/bin:/bin"
    script = "readlink -f $(command -v go) $(command -v gofmt); go version"
    answer = host.check_output(f"env -i PATH={path} sh -c '{script}'")
    assert answer.splitlines()[:2] == [f"/usr/local/go-{VERSION}/bin/{name}" for name in ("go", "gofmt")]
    assert f"go{VERSION} " in answer


@pytest.mark.parametrize("version", [VERSION, SOURCE])
def test_an_ordinary_user_compiles_and_runs_a_program(host, node, folder, version):
    if version not in trees(node):
        pytest.skip("not on this node")
    go = f"/usr/local/go-{version}/bin/go"
    build = f"cd {folder} && HOME={folder} GOTOOLCHAIN=local CGO_ENABLED=0 {go} build -o program main.go && ./program"
    assert host.check_output(f"sudo -u admin sh -c '{build}'") == f"[a b c] go{version}"


def test_the_link_leads_to_the_version(host):
    assert host.file("/usr/local/go").linked_to == f"/usr/local/go-{VERSION}"


def test_environment_is_for_all_users(host):
    answer = host.check_output("sudo -u admin env HOME=/tmp /usr/local/go/bin/go env GOPROXY GOSUMDB GOTOOLCHAIN")
    assert answer.split() == ["https://proxy.example.org,direct", "sum.golang.org", "local"]


def test_the_manifest_says_where_it_came_from(host, node):
    about = {
        version: json.loads(host.file(f"/usr/local/go-{version}/.slipway.json").content_string)
        for version in trees(node)
    }
    assert (about[VERSION]["method"], about[VERSION]["url"].rpartition("/")[0]) == ("archive", "http://upstream/go")
    if SOURCE in about:
        # Google's sum of its source release, of the role's table.
        assert about[SOURCE]["checksum"] == "1d7a67929dccafeaf8a29e55985bc2b789e0499cb1a17100039f084e3238da2f"
        assert about[SOURCE]["method"] == "source"


def test_the_build_s_log_is_kept(host, node):
    if SOURCE in trees(node):
        assert "Installed Go for linux" in host.file(f"/usr/local/go-{SOURCE}/build.log").content_string


def test_nothing_else_is_left(host, node):
    names = set(host.check_output("ls -A /usr/local").split())
    assert {name for name in names if "go" in name} == {"go", *(f"go-{version}" for version in trees(node))}


def test_files_are_root_s_and_for_all_to_read(host):
    strange = (
        "find /usr/local/go-* ! -user root -o ! -type l ! -perm -a+r -o -type d ! -perm -a+x -o ! -type l -perm /o+w"
    )
    assert host.check_output(strange) == ""
