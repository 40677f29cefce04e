"""What the files of the package repository hold."""

from ansible_collections.slipway.node.plugins.module_utils.docker_ce.repository import repository_files

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import MIRROR, SOURCES, wanted


def test_the_apt_files():
    files = repository_files(wanted(proxy="http://proxy:3128"), "http://mirror:8080/docker-ce/")
    assert "\nURIs: http://mirror:8080/docker-ce/linux/debian\nSuites: bookworm\nComponents: stable\n" in files[SOURCES]
    proxy = files["/etc/apt/apt.conf.d/80slipway-docker-ce"]
    assert 'Acquire::http::Proxy::mirror "http://proxy:3128";' in proxy and proxy.startswith("// Written by Slipway")
    assert repository_files(wanted(), MIRROR)["/etc/apt/apt.conf.d/80slipway-docker-ce"] is None


def test_the_dnf_file():
    content = repository_files(wanted(manager="dnf"), MIRROR)["/etc/yum.repos.d/docker-ce.repo"]
    assert "baseurl=https://download.docker.com/linux/centos/9/$basearch/stable\n" in content
    assert "gpgcheck=1\n" in content and "module_hotfixes=1\n" in content
    assert "excludepkgs=docker-ce docker-ce-cli containerd.io\n" in content
