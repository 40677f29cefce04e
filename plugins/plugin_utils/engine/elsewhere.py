"""Variables of other roles and of older Slipways, which Slipway does not read, each with its own input for the same."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

OWNERS = {
    "G": "geerlingguy.docker",
    "H": "haxorof.docker_ce",
    "K": "kubespray",
    "N": "nickjj.docker",
    "R": "robertdebock.docker",
    "S": "an older Slipway",
}


class Foreign(NamedTuple):
    """A variable of another role; ``so`` is what holds as long as our input is not given."""

    whose: str
    role: str
    remedy: str
    so: str

    def ours(self) -> list[str]:
        """Return the inputs that the remedy names."""
        return re.findall(rf"\b(?:{self.role}|slipway)_\w+", self.remedy)


_NEWEST = "a host without Docker gets the newest engine"
_OLDER = "an installed engine is not upgraded"
_USUAL = "docker_ce installs its usual packages"
_KEY, _SIGNED = "Use docker_ce_key_file", "packages must be signed by Docker"
_MIRROR, _REGION = "Use docker_ce_mirrors: [https://mirror.example.org/docker-ce]", "slipway_region chooses the mirrors"
_COMPOSE = 'Use docker_ce_package_versions: {docker-compose-plugin: "2.32"}'
_PLUGIN = "Use docker compose, the plugin among docker_ce_packages"
_DROP_IN = "Write a drop-in of your own into /etc/systemd/system/docker.service.d"
_PIP, _NO_PYTHON = "Use ansible.builtin.pip", "no Python package is installed"
_EXEC_OPTS = "Use docker_daemon_options: {exec-opts: [native.cgroupdriver=systemd]}"

# By role: the remedy, what holds without it, and names with the letters of their owners.
_TABLE = {
    "docker_ce": [
        ("Use docker_ce_version", _NEWEST, "docker_version/HK docker__version/N"),
        ("Use docker_ce_version", _OLDER, "docker_package_state/G docker_packages_state/G docker_latest_version/H"),
        ("Use docker_ce_version", "the client's version is not pinned", "docker_cli_version/K"),
        (
            'Use docker_ce_package_versions: {containerd.io: "1.7"}',
            "containerd's version is not pinned",
            "docker_containerd_version/K",
        ),
        ("Remove it", "the Enterprise Edition is not installed", "docker_edition/G"),
        ("Use docker_ce_packages", _USUAL, "docker_package/G docker_packages/G"),
        ("Use docker_ce_packages", _USUAL, "docker_install_compose_plugin/G docker_compose_package/G"),
        (
            _PLUGIN,
            "the program docker-compose is not installed",
            "docker_install_compose/G docker_compose_path/G docker_compose_url/G",
        ),
        (_PLUGIN, "", "docker_compose/H"),
        (
            _COMPOSE,
            "Compose's version is not pinned",
            "docker_compose_version/G docker_compose_package_state/G docker__compose_v2_version/N",
        ),
        (
            "Use docker_ce_remove_conflicting",
            "",
            "docker_obsolete_packages/G docker_remove_packages_apt/K docker_remove_packages_yum/K",
        ),
        ("Use docker_ce_remove_conflicting", "", "docker_remove_pre_ce/H"),
        ("Use docker_ce_state: absent", "Docker is not removed", "docker_remove/H docker__state/N"),
        ("Use docker_ce_purge_data: true", "images and containers are kept", "docker_remove_all/H"),
        (_MIRROR, _REGION, "docker_add_repo/G docker_setup_repos/H docker__apt_repository/N"),
        (_MIRROR, _REGION, "docker_repo_url/G docker_apt_repository/G docker_yum_repo_url/G"),
        (_MIRROR, _REGION, "docker_debian_repo_base_url/K docker_ubuntu_repo_base_url/K"),
        (_MIRROR, _REGION, "docker_fedora_repo_base_url/K docker_rh_repo_base_url/K docker__apt_repository_url/N"),
        (
            "Use docker_ce_channel",
            "the channel is stable",
            "docker_apt_release_channel/G docker_yum_repo_enable_test/G docker_channel/H docker__channel/N",
        ),
        ("Use slipway_platform", "", "docker_apt_ansible_distribution/G docker_x_mint_ubuntu_mapping/H"),
        (_KEY, _SIGNED, "docker_apt_gpg_key/G docker_yum_gpg_key/G docker_disable_gpg_check/H"),
        (_KEY, _SIGNED, "docker_allow_unauthenticated/H docker_debian_repo_gpgkey/K docker_fedora_repo_gpgkey/K"),
        (_KEY, _SIGNED, "docker_rh_repo_gpgkey/K docker_ubuntu_repo_gpgkey/K"),
        (_KEY, _SIGNED, "docker_ce_key_fingerprints/S docker_ce_require_signed_index/S"),
        ("Use docker_ce_service_state", "the engine is started", "docker_service_manage/G docker_service_state/G"),
        ("Use docker_ce_service_enabled", "the engine starts at boot", "docker_service_enabled/G"),
        ("Use docker_ce_restart", "", "docker_restart_on_package_change/G"),
        (
            _DROP_IN,
            "Slipway writes no such drop-in",
            "docker_systemd_service_config/H docker_mount_flags/K docker__systemd_override/N",
        ),
        ("Use community.docker.docker_plugin", "no plugin of the engine is installed", "docker_plugins/HK"),
        (_PIP, _NO_PYTHON, "docker_sdk/H docker_stack/H docker_additional_packages_pip/H docker__pip_packages/N"),
        ("Use ansible.builtin.package", "these packages are not installed", "docker_additional_packages_os/H"),
    ],
    "user_groups": [
        (
            "Use user_groups_members: {docker: [alice]}",
            "",
            "docker_users/GH docker__users/N docker_privileged_users/R",
        ),
    ],
    "docker_daemon": [
        ("Use docker_daemon_options", "", "docker_daemon_options/G docker_daemon_config/H docker_daemon_opts/H"),
        ("Use docker_daemon_options", "", "docker_options/K docker__daemon_json/N docker__daemon_flags/N"),
        (
            "Use docker_daemon_http_proxy",
            "Slipway sets no environment",
            "docker_daemon_envs/H docker__daemon_environment/N",
        ),
        ("Use docker_daemon_restart", "", "docker_restart_handler_state/G"),
        ("Use docker_daemon_audit: true", "Slipway gives auditd no rules", "docker_enable_audit/H"),
        ("Use docker_daemon_data_root", "Slipway sets no data-root", "docker_daemon_graph/K"),
        ("Use docker_daemon_log_opts: {max-size: 50m, max-file: 5}", "Slipway sets no log-opts", "docker_log_opts/K"),
        ("Use docker_daemon_registry_mirrors", "Slipway sets no registry-mirrors", "docker_registry_mirrors/K"),
        (
            "Use docker_daemon_insecure_registries",
            "Slipway sets no insecure-registries",
            "docker_insecure_registries/K",
        ),
        ("Use docker_daemon_options: {iptables: false}", "Slipway does not set iptables", "docker_iptables_enabled/K"),
        ("Use docker_daemon_options: {storage-driver: overlay2}", "Slipway sets no driver", "docker_storage_options/K"),
        (_EXEC_OPTS, "Slipway sets no exec-opts", "docker_cgroup_driver/K"),
        (
            "Use docker_daemon_options: {dns-search: [example.org]}",
            "Slipway sets no dns-search",
            "docker_dns_search_domains/K",
        ),
    ],
    "registry": [("Use the key config of registry_instances", "", "registry_config/K")],
}

FOREIGN = {
    name: Foreign(" and ".join(OWNERS[letter] for letter in letters), role, remedy, so)
    for role, rows in _TABLE.items()
    for remedy, so, names in rows
    for name, _, letters in (one.partition("/") for one in names.split())
}


def notes(given: Iterable[str], takes: Collection[str], listed: Collection[str] = ()) -> list[str]:
    """Return a sentence for each variable of another role, with our input beside it; none where that is given.

    :param given: the names of all variables, inputs among them.
    :param takes: the roles of the host; a variable of others concerns the role that has an input for it.
    :param listed: those of a play of somebody's own, which are all that it runs.
    """
    names = set(given)
    said = [
        _sentence(name, FOREIGN[name], names)
        for name in names & FOREIGN.keys()
        if FOREIGN[name].role in takes and names.isdisjoint(FOREIGN[name].ours())
    ]
    # It is an input too, of the same name.
    if "docker_daemon_options" in names and "docker_ce" in takes and "docker_daemon" not in (listed or takes):
        said.append(
            "docker_daemon_options has no effect here, since docker_daemon is not among this host's roles. Add it."
        )
    return sorted(said)


def _sentence(name: str, foreign: Foreign, given: set[str]) -> str:
    # Either may set the same key.
    by_others = foreign.role == "docker_daemon" and given & {"docker_daemon_options", "docker_daemon_profile"}
    so = f", so {foreign.so}" if foreign.so and not by_others else ""
    return f"{name} is a variable of {foreign.whose}; Slipway does not read it{so}. {foreign.remedy}."
