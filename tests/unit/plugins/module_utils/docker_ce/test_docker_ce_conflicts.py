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
    # What another package does as well is no need.
    assert needing("runc", out + "crun\tii \t\n") == []


def test_rpm_itself_says_who_needs_a_package():
    said = "error: Failed dependencies:\n\toci-runtime is needed by (installed) podman-4:4.9.4-1.el9.x86_64\n"
    commands = {"rpm -q": (0, "runc\tii\t4:1.1-1.el9\n"), "sh -c rpm --erase --test runc": (1, said)}
    (reason,) = refused(wanted(manager="dnf"), FakeHost(commands=commands))
    assert "would replace runc, which others use: podman needs runc." in reason


def test_a_container_of_crun_s_is_no_user_of_runc():
    commands = {"dpkg-query -W -f ${Package}\\t${db:Status-Abbrev}\\t${Version}": (0, "runc\tii \t1.1\n")}
    for runtime, users in (("crun", 0), ("runc", 1)):
        files = {"/proc/7/cmdline": f"/usr/bin/conmon\0-c\0ab\0-r\0/usr/bin/{runtime}\0".encode()}
        assert len(refused(wanted(), FakeHost(files, commands))) == users


@pytest.mark.parametrize(
    ("owner", "refusal"),
    [
        ("acme-docker: /usr/bin/dockerd\n", "/usr/bin/dockerd belongs to the package acme-docker, which"),
        ("docker.io: /usr/bin/dockerd\n", None),
        ("diversion by acme from: /usr/bin/dockerd\ndocker-ce, acme:amd64: /usr/bin/dockerd\n", None),
        ("", "/etc/systemd/system/docker.service starts /usr/bin/dockerd, which no package installed, and containers"),
    ],
)
def test_programs_of_nobody_s_or_of_another_vendor_are_not_overwritten(owner, refusal):
    files = {
        "/usr/bin/dockerd": b"",
        "/etc/systemd/system/docker.service": b"[Service]\nExecStart=/usr/bin/dockerd\n",
        "/proc/88/cmdline": (SHIM % ("moby", "0123456789abcdef")).encode(),
    }
    reasons = refused(wanted(), FakeHost(files, {"dpkg -S": (0, owner)}))
    assert [reason.startswith(refusal) for reason in reasons] == [True] if refusal else reasons == []


def test_a_foreign_containerd_a_dead_lock_and_a_version_lock_are_named():
    blocks = (
        "Id=docker.service\nActiveState=inactive\n\n"
        "Id=containerd.service\nFragmentPath=/etc/systemd/system/containerd.service\n"
        "ExecStart={ path=/opt/bin/containerd ; }\n"
    )
    files = {
        "/etc/systemd/system/containerd.service": b"ExecStart=/opt/bin/containerd\n",
        "/etc/group": b"root:x:0:\n",
        "/etc/group.lock": b"",
        "/etc/gshadow.lock": b"812\0",
        "/etc/dnf/plugins/versionlock.list": b"# kept\ndocker-ce-3:20.10.24-1.el9.*\ndocker-ce-x-1:1-1.*\n",
    }
    reasons = refused(wanted(manager="dnf"), FakeHost(files, {"systemctl": (0, blocks)}))
    assert [reason.partition(". ")[0] for reason in reasons] == [
        "/etc/systemd/system/containerd.service starts /opt/bin/containerd in place of the package's containerd",
        "/etc/group.lock is left by a program that ended, so no group can be made",
        "dnf versionlock keeps docker-ce",
    ]


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
