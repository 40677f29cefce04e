"""What is wanted on a platform: packages, the build and its arguments, links to commands."""

from types import SimpleNamespace

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.singularity.build import installed_packages, mconfig
from ansible_collections.slipway.node.plugins.module_utils.singularity.plan import refusals
from ansible_collections.slipway.node.plugins.module_utils.singularity.want import want as wanted_state
from ansible_collections.slipway.node.plugins.module_utils.singularity_build.want import want as wanted_build
from singularity_state import ROOT, TREE, WANT, lines, spoiled

INPUTS = {
    "state": "present",
    "flavor": "singularity-ce",
    "name": "singularity",
    "version": "4.5.1",
    "root": ROOT,
    "prefix": TREE,
    "modulefiles": {"folder": "", "texts": {}},
    "default": True,
    "build_profile": "release-stripped",
    "setuid": True,
    "network": True,
    "seccomp": True,
    "libsubid": None,
    "localstatedir": "",
    "mconfig_extra": [],
    "archive_checksum": "",
    "go_version": "",
    "commands_dir": "",
    "tree_host": "",
    "made_groups": [],
    "writes": True,
    "tmpdir": "/scratch",
    "cachedir": "/scratch",
    "build_dir": "/var/cache/slipway/singularity",
    "packages": None,
    "keep_versions": -1,
    **dict.fromkeys(("config", "files", "unwanted_files", "apparmor", "cache_dir", "versions_absent"), ""),
    **dict.fromkeys(("fakeroot_users", "fakeroot_groups", "fakeroot_first", "fakeroot_limit"), ""),
    **dict.fromkeys(("keep_build", "goproxy", "mirrors", "mirror_timeout", "allow_unverified", "release_api"), ""),
    **dict.fromkeys(("known_sum", "kept_sum", "go"), ""),
}


def platform(name: str, machine: str = "x86_64") -> platforms.Platform:
    distribution, _, version = name.partition(" ")
    return platforms.describe(distribution, version, "", machine)


def test_links_to_commands_are_made_found_and_removed():
    def asked(folder):
        return wanted_state({**INPUTS, "commands_dir": folder}, platform("Debian 13.1"))["commands"]

    path, target = "/usr/local/bin/singularity", f"{ROOT}/current/./bin/singularity"
    assert asked("/usr/local/bin") == {path: target} and asked("") == {}
    want = {**WANT, "commands": {path: target}}
    assert lines(want, spoiled()) == [f"switch_version: {path}: missing -> link to {target}"]
    assert lines(want, spoiled(commands={path: target})) == []
    assert lines(WANT, spoiled(commands={path: target})) == [f"remove_versions: {path}: present -> absent"]
    assert "singularity" in " ".join(lines({**WANT, "state": "absent"}, spoiled(commands={path: target})))
    foreign = spoiled(commands={path: "/usr/bin/apptainer", "/usr/bin/singularity": "not a link"})
    assert "not Slipway's (a link to /usr/bin/apptainer)" in refusals(want, foreign)[0]
    assert lines(WANT, foreign) == []


@pytest.mark.parametrize(
    ("name", "changes", "run", "build", "libsubid"),
    [
        ("Debian 12.15", {}, ["libsubid4", "fuse3", "squashfs-tools-ng"], ["libfuse3-dev", "libsubid-dev"], True),
        ("Debian 13.1", {"flavor": "apptainer", "version": "1.4.5"}, ["libsubid5", "squashfuse"], [], True),
        ("Ubuntu 22.04", {}, ["libseccomp2"], ["zlib1g-dev"], False),
        ("Ubuntu 24.04", {"version": "4.1.3"}, ["fuse", "crun"], ["libfuse-dev", "libglib2.0-dev"], False),
        ("Rocky 9.6", {"version": "3.11.5", "seccomp": False}, ["crun"], ["glib2-devel"], False),
        ("Redhat 8.10", {}, ["shadow-utils"], ["fuse3-devel"], False),
        ("Almalinux 10.0", {}, ["shadow-utils-subid"], ["shadow-utils-subid-devel"], True),
    ],
)
def test_packages_follow_flavour_version_and_platform(name, changes, run, build, libsubid):
    given = {**INPUTS, **changes}
    want = wanted_state(given, platform(name))
    assert set(run) <= set(want["packages"]) and {*run, *build} <= set(wanted_build(given, platform(name))["packages"])
    assert bool([one for one in want["packages"] if "subid" in one]) is libsubid
    assert bool(want["repositories"]) is (want["manager"] == "dnf")
    assert not set(build) & set(want["packages"])


def test_one_archive_serves_all_hosts_of_a_platform():
    want = wanted_state(INPUTS, platform("Ubuntu 24.04", "aarch64"))
    assert want["archive"]["archive_glob"].startswith("singularity-ce-4.5.1-go*-ubuntu24-aarch64-")
    build = wanted_build(INPUTS, platform("Ubuntu 24.04", "aarch64"))
    assert (build["go_kind"], build["archive_pattern"]) == ("linux-arm64", want["archive"]["archive_pattern"])
    other = wanted_state({**INPUTS, "network": False}, platform("Ubuntu 24.04", "aarch64"))
    assert other["archive"]["archive_glob"] != want["archive"]["archive_glob"]


def test_a_build_has_a_folder_of_its_own():
    build = wanted_build({**INPUTS, "build_dir": "/data"}, platform("Debian 13.1"))
    assert [build[name] for name in ("dir", "folder", "source")] == [
        "/data/slipway-singularity",
        "/data/slipway-singularity/build",
        "/data/slipway-singularity/singularity-ce-4.5.1.tar.gz",
    ]


def test_a_platform_that_the_role_does_not_serve_is_named_but_for_removal():
    with pytest.raises(platforms.InputProblem, match="Gentoo 2 is not a platform of singularity"):
        wanted_state(INPUTS, platform("Gentoo 2"))
    assert wanted_state({**INPUTS, "state": "absent", "default": False}, platform("Gentoo 2"))["link"]


BASE = ["--prefix=/opt/singularity/4.5.1", "-P", "release-stripped"]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({}, []),
        ({"setuid": False}, ["--without-suid"]),
        ({"flavor": "apptainer"}, ["--with-suid"]),
        ({"flavor": "apptainer", "setuid": False}, ["--without-suid"]),
        ({"network": False, "seccomp": False}, ["--without-network", "--without-seccomp"]),
        ({"libsubid": False}, ["--without-libsubid"]),
        ({"libsubid": False, "version": "4.2.2"}, []),
        ({"libsubid": False, "version": "1.4.5", "flavor": "apptainer"}, ["--with-suid", "--without-libsubid"]),
        (
            {"localstatedir": "/var/lib", "mconfig_extra": ["--reproducible"]},
            ["--localstatedir=/var/lib", "--reproducible"],
        ),
    ],
)
def test_mconfig_is_told_what_the_version_knows(inputs, expected):
    assert mconfig({**INPUTS, "libsubid": True, **inputs}) == BASE + expected


def test_how_many_versions_stay_and_who_writes_below_the_root():
    def asked(**more):
        return wanted_state({**INPUTS, **more}, platform("Debian 13.1"))

    assert [asked(keep_versions=number)["keep"] for number in (-1, 0, 3)] == [None, 0, 3]
    files = [{"path": f"{TREE}/etc/singularity/remote.yaml"}, {"path": "/etc/profile.d/x.sh"}]
    assert asked(files=files)["files"] == files
    assert asked(files=files, writes=False)["files"] == files[1:]
    assert asked()["need"] == 400


def test_the_archive_is_unpacked_beside_the_version():
    archive = wanted_state({**INPUTS, "cache_dir": "/cache"}, platform("Debian 13.1"))["archive"]
    assert (archive["place"], archive["cache_dir"]) == (f"{ROOT}/.new-4.5.1", "/cache")
    assert wanted_state({**INPUTS, "state": "absent"}, platform("Debian 13.1"))["packages"] == []


def test_a_build_needs_room_and_repositories_of_headers():
    made = wanted_build(INPUTS, platform("Debian 13.1"))
    assert (made["room"], made["repositories"], made["dir"]) == (2500, [], f"{INPUTS['build_dir']}/slipway-singularity")
    assert made["unit"] == "singularity-var-cache-slipway-singularity"
    assert "crb" in wanted_build(INPUTS, platform("Rocky 9.6"))["repositories"]


def test_a_package_that_another_provides_is_there():
    # As fuse3 does fuse, which cannot be installed beside it.
    told = "ii fuse3, fuse (= 3.14.0-4), sshfs-helper\nrc crun, oci-runtime\nii zlib1g, \n"
    host = SimpleNamespace(run=lambda *command: (0, told))
    names = ["fuse", "fuse3", "sshfs-helper", "crun", "oci-runtime", "zlib1g"]
    found = installed_packages(host, "apt", names)
    assert [name for name in names if found[name]] == ["fuse", "fuse3", "sshfs-helper", "zlib1g"]
    host.run = lambda *command: (int(command[-1] != "crun"), "")
    assert installed_packages(host, "dnf", ["crun", "fuse3"]) == {"crun": True, "fuse3": False}
    assert installed_packages(None, "apt", []) == {}
