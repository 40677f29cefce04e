"""The wanted state of ``docker_ce``: packages, repository, services, as the inputs and the platform have them. Pure."""

from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.engine import platforms

ENGINE_PACKAGES = ("docker-ce", "docker.io", "moby-engine")
UPSTREAM_PACKAGES = ["docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin"]
# The engine's own packages, which share its version.
VERSIONED_PACKAGES = ["docker-ce", "docker-ce-cli", "docker-ce-rootless-extras"]
ARCHITECTURES = ["x86_64", "aarch64", "ppc64le", "s390x", "armv7l"]
# The distribution's engine, by platform and release; an empty release stands for the others.
DISTRIBUTION_PACKAGES = {
    ("debian", "12"): ["docker.io"],
    ("debian", ""): ["docker.io", "docker-cli", "docker-buildx", "docker-compose"],
    ("ubuntu", ""): ["docker.io", "docker-buildx", "docker-compose-v2"],
}
# What Docker's documentation says to remove first; docker-cli and docker-buildx are Debian 13's and Ubuntu's parts of
# docker.io, whose files clash with those of docker-ce-cli and docker-buildx-plugin.
CONFLICTING = {
    "apt": "docker docker-engine docker.io docker-cli docker-buildx docker-doc docker-compose docker-compose-v2"
    " podman-docker containerd runc",
    "dnf": "docker docker-client docker-client-latest docker-common docker-latest docker-latest-logrotate"
    " docker-logrotate docker-engine docker-selinux docker-engine-selinux podman-docker containerd runc",
}
# Conflicting packages that others than Docker use.
SHARED_RUNTIMES = ["containerd", "runc"]
FILES = {
    "apt": {
        "repository_file": "/etc/apt/sources.list.d/docker.sources",
        "key_file": "/etc/apt/keyrings/docker.asc",
        "proxy_file": "/etc/apt/apt.conf.d/80slipway-docker-ce",
    },
    "dnf": {
        "repository_file": "/etc/yum.repos.d/docker-ce.repo",
        "key_file": "/etc/pki/rpm-gpg/RPM-GPG-KEY-docker-ce",
        "proxy_file": "",
    },
}
UNITS = ["docker.service", "docker.socket"]


def want(inputs: Dict[str, Any], platform: platforms.Platform) -> Dict[str, Any]:
    """Return the wanted state. Pure.

    :raises InputProblem: inputs that this platform cannot meet.
    """
    problems = platforms.unsupported(platform, "docker_ce", ARCHITECTURES)
    manager, mirrors = platforms.manager(platform), inputs["source"] == "mirrors"
    own = DISTRIBUTION_PACKAGES.get((platform.like, platform.release)) or DISTRIBUTION_PACKAGES.get((platform.like, ""))
    packages = inputs["packages"] or (UPSTREAM_PACKAGES if mirrors else own or [])
    if not mirrors and not own and inputs["state"] == "present":
        problems.append(
            "%s has no Docker engine of its own, so docker_ce_source: distribution is not possible there; set "
            "docker_ce_source: mirrors, with docker_ce_mirrors at a mirror that the host reaches."
            % platform.distribution
        )
    if problems:
        raise platforms.InputProblem(*problems)
    wanted_versions = dict((name, inputs["version"]) for name in VERSIONED_PACKAGES) if mirrors else {}
    wanted_versions.update((name, str(version)) for name, version in inputs["package_versions"].items())
    upstream = list(dict.fromkeys(UPSTREAM_PACKAGES + VERSIONED_PACKAGES))
    conflicting = CONFLICTING[manager].split() if mirrors else upstream
    # Docker publishes for RHEL and, under centos, for everything built from it.
    name = platform.like if manager == "apt" else "rhel" if platform.distribution == "Redhat" else "centos"
    machine = platform.architecture
    same = ("state", "source", "mirrors", "mirror_choice", "mirror_timeout", "proxy", "channel", "hold")
    wanted = dict((key, inputs[key]) for key in same)
    wanted.update(FILES[manager])
    wanted.update(
        manager=manager,
        path="linux/" + name,
        release=platform.codename if manager == "apt" else platform.release,
        architecture=platforms.DEBIAN_ARCHITECTURES[machine] if manager == "apt" else machine,
        key=inputs["keys"].get(manager, {}).get("text", ""),
        fingerprint=inputs["keys"].get(manager, {}).get("fingerprint", ""),
        packages=packages,
        versions=dict((name, wanted_versions.get(name, "")) for name in packages),
        engine_packages=upstream,
        conflicting=[name for name in conflicting if name not in packages],
        remove_conflicting=inputs["remove_conflicting"],
        restart=inputs["restart"],
        services=UNITS[:1] if inputs["service_state"] == "started" else UNITS,
        service_enabled=inputs["service_enabled"],
        service_state=inputs["service_state"],
        purge_data=inputs["purge_data"],
    )
    return wanted
