"""What a user finds after an installation with the defaults."""

import json

import pytest

PACKAGES = ["docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin"]


@pytest.mark.parametrize("name", PACKAGES)
def test_package_is_installed(host, name):
    assert host.package(name).is_installed


def test_engine_answers_with_the_newest_version(host):
    answer = host.run("docker version --format '{{.Server.Version}}'")
    journal = host.run("journalctl --no-pager -n 50 -u docker").stdout
    assert answer.rc == 0 and answer.stdout.startswith("28.5."), journal


def test_engine_runs_at_boot_and_now(host):
    service = host.service("docker")
    assert service.is_enabled and service.is_running


def test_container_runs(host):
    files = "/bin/sh $(ldd /bin/sh | grep -o '/[^ ]*')"
    made = host.run(f"tar --create --dereference {files} 2>/dev/null | docker import - slipway/test")
    assert made.rc == 0, made.stderr
    assert host.check_output("docker run --rm --network none slipway/test /bin/sh -c 'echo hello'") == "hello"


@pytest.mark.parametrize("plugin", ["buildx", "compose"])
def test_client_plugin_answers(host, plugin):
    assert host.run(f"docker {plugin} version").rc == 0


def test_repository_is_the_first_mirror_and_signed(host):
    if host.file("/etc/apt").is_directory and not host.file("/etc/redhat-release").exists:
        content = host.file("/etc/apt/sources.list.d/docker.sources").content_string
        assert "URIs: http://upstream/docker-ce/linux/" in content
        assert "Signed-By: /etc/apt/keyrings/docker.asc" in content
    else:
        content = host.file("/etc/yum.repos.d/docker-ce.repo").content_string
        assert "baseurl=http://upstream/docker-ce/linux/centos/9/$basearch/stable" in content
        assert "gpgcheck=1" in content


def test_nothing_is_held_without_a_pin(host):
    if host.file("/etc/redhat-release").exists:
        assert "excludepkgs" not in host.file("/etc/yum.repos.d/docker-ce.repo").content_string
    else:
        assert host.check_output("apt-mark showhold") == ""


def test_only_the_engine_uses_its_storage(host):
    info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert info["Driver"] == "overlay2"
