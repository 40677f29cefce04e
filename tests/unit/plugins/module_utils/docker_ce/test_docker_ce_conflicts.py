"""What is in the way of Docker's packages, and who else uses containerd and runc."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.conflicts import needing
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import ENGINE, OLD, SHIM, UNIT, FakeHost, refused, wanted


def test_knows_who_needs_a_package():
    out = (
        "podman\tii \tlibc6 (>= 2.34), crun | runc (>= 1.0.0~rc92~), \n"
        "buildah\tii \tlibc6, fuse-overlayfs, crun | runc\n"
        "docker.io\trc \trunc\n"
        "runc-tools\tii \tlibc6, \n"
    )
    assert needing("runc", out) == ["podman", "buildah"]


@pytest.mark.parametrize(
    ("processes", "use"),
    [
        ({"/proc/7/cmdline": b"/usr/bin/kubelet\0--config=x\0"}, "kubelet is running"),
        ({"/proc/7/cmdline": (SHIM % ("k8s.io", "ab")).encode()}, "containerd runs containers of k8s.io"),
        ({"/proc/7/cmdline": (SHIM % ("default", "ab")).encode()}, "containerd runs containers of default"),
        ({"/proc/7/cmdline": (SHIM % ("moby", "ab")).encode()}, None),
        ({"/proc/7/cmdline": b"/usr/bin/bash\0"}, None),
    ],
)
@pytest.mark.parametrize("installed", ["containerd\tii \t1.6.20~ds1-1\n", OLD])
def test_a_containerd_that_others_use_is_not_replaced_unasked(processes, use, installed):
    host = FakeHost(processes, {"dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, installed)})
    reasons = [reason for reason in refused(wanted(), host) if "which others use" in reason]
    # Docker's own may stay as it is; whether it does is asked before it is touched.
    assert len(reasons) == (use is not None and installed != OLD) and all(use in reason for reason in reasons)
    assert not [one for one in refused(wanted(remove_conflicting=True), host) if "which others use" in one]


def test_removal_is_refused_where_others_use_containerd():
    want = wanted(state="absent", purge_data=True)
    commands = {"dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, OLD), f"{ENGINE} ps": (0, "")}
    files = {"/proc/88/cmdline": (SHIM % ("k8s.io", "0123456789abcdef")).encode(), "/var/lib/containerd/x": b""}
    (reason,) = refused(want, FakeHost(files, commands))
    assert reason.startswith("containerd.io or its data would be removed, which others use: containerd runs containers")
    commands.update(
        {
            "ctr namespaces ls": (0, "default\nempty\nmoby\n"),
            "ctr --namespace default images": (0, "docker.io/library/own:1\n"),
            "ctr --namespace moby images": (0, "docker.io/library/web:1\n"),
        }
    )
    host = FakeHost({"/usr/bin/ctr": b"", "/var/lib/containerd/x": b""}, commands)
    (reason,) = refused(want, host)
    assert "which others use: containerd keeps images or containers of default. Stop and remove" in reason
    # The data stays without the purge.
    assert refused(wanted(state="absent"), host) == []


def test_a_unit_that_hides_the_package_s_is_named():
    unit = "/etc/systemd/system/docker.service"
    files = {unit: b"[Service]\nExecStart=/opt/kube/bin/dockerd\n"}
    host = FakeHost(files, {"systemctl": (0, UNIT % ("/opt/kube/bin/dockerd", "enabled", "active"))})
    (reason,) = refused(wanted(), host)
    assert reason.startswith(f"{unit} starts /opt/kube/bin/dockerd in place of the package's engine")


@pytest.mark.parametrize("mounts", ["snap", "var/lib/snapd/snap"])
def test_docker_from_snap_is_refused(mounts, tmp_path, monkeypatch):
    # As snapd lays it out: mounts by revision, a link to the current one, and the program's name a link to snap itself.
    (tmp_path / mounts / "docker/2976/bin").mkdir(parents=True)
    (tmp_path / mounts / "docker/current").symlink_to("2976")
    (tmp_path / mounts / "bin").mkdir()
    (tmp_path / mounts / "bin/docker").symlink_to("/usr/bin/snap")
    host = FakeHost()
    monkeypatch.setattr(host, "glob", lambda *patterns: Host().glob(*(f"{tmp_path}{one}" for one in patterns)))
    (reason,) = refused(wanted(), host)
    assert "snap remove docker" in reason
    # What `snap remove` may leave is an empty folder.
    (tmp_path / mounts / "docker/current").unlink()
    assert refused(wanted(), host) == []


def test_a_group_of_a_directory_alone_is_refused():
    host = FakeHost({"/etc/group": b"root:x:0:\n"}, {"getent group docker": (0, "docker:x:5990:alice\n")})
    (reason,) = refused(wanted(), host)
    assert "echo 'docker:x:5990:' >> /etc/group" in reason
    assert refused(wanted(), FakeHost({"/etc/group": b"root:x:0:\n"})) == []


def test_an_exclude_of_dnf_is_named():
    host = FakeHost({"/etc/dnf/dnf.conf": b"[main]\nbest=True\nexcludepkgs=kernel*, docker*\n"})
    (reason,) = refused(wanted(manager="dnf"), host)
    assert reason.startswith("/etc/dnf/dnf.conf excludes docker*, so dnf cannot install it")
