"""The one list of the whole site: in which order the phases of all sections act, and what is rolled out with what.

A section is a role, or a part of one: ``registry`` serves, ``registry_client`` uses. Its functions are in files of its
folder: ``want(inputs, platform)`` and ``plan(want, observed)``, which are pure, ``observe(host, want)``, which reads,
and in ``act.py`` a function for each phase, which changes the host.
"""

from typing import TYPE_CHECKING, List, NamedTuple, Sequence, Tuple

if TYPE_CHECKING:
    # For Ansible, which packs what is imported anywhere. Each is compiled where it is asked for: there is no byte code.
    # What only acting needs is in modules/act.py.
    from ansible_collections.slipway.node.plugins.module_utils.docker_ce import observe, plan, want  # noqa: F401, F811
    from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import observe, plan, want  # noqa: F401, F811
    from ansible_collections.slipway.node.plugins.module_utils.golang import observe, plan, want  # noqa: F401, F811
    from ansible_collections.slipway.node.plugins.module_utils.images import observe, plan, want  # noqa: F401, F811
    from ansible_collections.slipway.node.plugins.module_utils.registry import observe, plan, want  # noqa: F401, F811
    from ansible_collections.slipway.node.plugins.module_utils.registry_client import observe, plan, want  # noqa: F401, F811
    from ansible_collections.slipway.node.plugins.module_utils.singularity import observe, plan, want  # noqa: F401, F811
    from ansible_collections.slipway.node.plugins.module_utils.singularity_build import observe, plan, want  # noqa: F401, F811
    from ansible_collections.slipway.node.plugins.module_utils.user_groups import observe, plan, want  # noqa: F401, F811


class Section(NamedTuple):
    """What is asked of a host and acted on by itself."""

    name: str
    # Whose inputs and tasks it has.
    role: str
    # The groups whose hosts take the role where slipway_roles does not say.
    groups: Sequence[str]
    # The group whose hosts alone are asked for it, and the one without a host of which nobody is.
    only_in: str = ""
    if_any: str = ""
    # Whether it is acted only where a task names it.
    by_name: bool = False
    # Its facts that the site's final table shows.
    columns: Sequence[str] = ()
    # What the table of verify.yml shows: a column, the variable of a task's result, and how it ended in words.
    proofs: Sequence[Tuple[str, str, str, str]] = ()
    # What tells that a host has what it made, as a shell pattern with inputs.
    record: str = ""


DOCKER_HOSTS = ("container_hosts", "registry_hosts")
IMAGE_HOSTS = DOCKER_HOSTS + ("singularity_hosts",)
SECTIONS = (
    Section("user_groups", "user_groups", DOCKER_HOSTS),
    Section(
        "docker_ce",
        "docker_ce",
        DOCKER_HOSTS,
        columns=("engine", "mirror"),
        proofs=(
            ("container", "__docker_ce_tried", "did not run", "container runs"),
            ("image", "__docker_ce_pulled", "not pulled", "pulled, runs"),
        ),
    ),
    Section("docker_daemon", "docker_daemon", DOCKER_HOSTS),
    Section("golang", "golang", ("golang_hosts",), columns=("go",), record="{root}/go-*/.slipway.json"),
    Section(
        "singularity",
        "singularity",
        ("singularity_hosts",),
        columns=("singularity",),
        record="{root}/*/.slipway.json",
        proofs=(("singularity", "__singularity_tried", "did not run", "container runs"),),
    ),
    # On a build host, for a host that lacks the archive.
    Section("singularity_build", "singularity", ("singularity_hosts",), by_name=True),
    Section("registry", "registry", IMAGE_HOSTS, only_in="registry_hosts", columns=("registry",)),
    # With registries a host is at least a client of them.
    Section(
        "registry_client",
        "registry",
        IMAGE_HOSTS,
        if_any="registry_hosts",
        proofs=(("registries", "__registry_tried", "do not answer", "answer"),),
    ),
    Section("images", "images", IMAGE_HOSTS),
)
GROUPS = IMAGE_HOSTS + ("golang_hosts",)


class Step(NamedTuple):
    """What is done at once on a host."""

    # When: each host of a batch rolls out, registries serve, then clients come, then images are published and placed.
    stage: str
    # The role whose tasks do it, and the file of them.
    role: str
    tasks: str
    # Phases, as `section.phase`, in their order; those of several sections may interleave.
    phases: Sequence[str]
    # The section of other hosts after whose acting this host looks again, and its fact that names them.
    after: Tuple[str, str] = ("", "")


STEPS = [
    # First, since Docker's package would give the group docker a number of its own.
    Step(
        "roll out",
        "user_groups",
        "act",
        [
            "user_groups.create_groups",
            "user_groups.add_members",
            "user_groups.revoke_members",
            "user_groups.remove_groups",
        ],
    ),
    # Configuration is there before an engine starts, and where one failed for its settings' sake.
    Step(
        "roll out",
        "docker_ce",
        "act",
        [
            "docker_ce.clean_leftovers",
            "docker_ce.configure_repository",
            "docker_daemon.write_configuration",
            "docker_ce.remove_conflicting",
            "docker_ce.install_packages",
            "docker_ce.hold_packages",
            "docker_daemon.configure",
            "docker_daemon.watch_files",
            "docker_ce.manage_service",
            "docker_ce.remove_packages",
            "docker_ce.remove_repository",
            "docker_ce.purge_data",
            # It says where the engine's data is.
            "docker_daemon.remove_configuration",
        ],
    ),
    Step(
        "roll out",
        "golang",
        "act",
        [
            "golang.install_toolchain",
            "golang.configure_environment",
            # The links of commands lead through that to the toolchain.
            "golang.switch_links",
            "golang.write_profile",
            "golang.remove_toolchains",
        ],
    ),
    Step(
        "roll out",
        "singularity",
        "act",
        [
            "singularity.install_packages",
            "singularity.allow_namespaces",
            "singularity.install_tree",
            "singularity.set_config",
            "singularity.write_files",
            "singularity.give_ranges",
            # Before it a container is run.
            "singularity.switch_version",
            "singularity.write_modulefiles",
            "singularity.remove_versions",
        ],
    ),
    Step(
        "roll out",
        "registry",
        "act",
        [
            "registry.create_folders",
            "registry.provide_image",
            "registry.write_files",
            "registry.issue_certificate",
            "registry.set_accounts",
            "registry.start_containers",
            "registry.restart_containers",
            "registry.schedule_collection",
            "registry.unschedule_collection",
            "registry.open_firewall",
            "registry.remove",
        ],
    ),
    # Once the registries answer.
    Step(
        "clients",
        "registry",
        "client",
        [
            "registry_client.trust_authority",
            "registry_client.log_in",
            "registry_client.log_out",
            "registry_client.distrust_authority",
        ],
        after=("registry", "registry_hosts"),
    ),
    # Of any host, what all the others pull.
    Step(
        "publish",
        "images",
        "publish",
        [
            "images.install_skopeo",
            "images.write_registries",
            "images.push_images",
            "images.build_sif",
            # On the controller, which hands them to the other hosts.
            "images.keep_sif",
        ],
        after=("images", "publishers"),
    ),
    Step(
        "place",
        "images",
        "place",
        [
            "images.pull_images",
            "images.load_images",
            "images.place_sif",
            "images.remove_images",
            "images.remove_files",
        ],
    ),
    Step(
        "build",
        "singularity",
        "build_archive",
        [
            "singularity_build.install_build_packages",
            "singularity_build.fetch_source",
            "singularity_build.install_go",
            "singularity_build.build_archive",
        ],
    ),
]
# What stops, replaces or removes something: it is done only where the plan that was shown named it.
HARMFUL = {
    "docker_ce.remove_conflicting",
    "docker_ce.install_packages",
    "docker_ce.remove_packages",
    "docker_ce.purge_data",
    "registry.remove",
    "images.remove_images",
    "images.remove_files",
    "user_groups.revoke_members",
}
# The end of every plan: what is left for later on purpose. Nothing acts on it.
LATER = "later"


def ordered(sections: List[str]) -> List[str]:
    """Return the phases of sections, as ``section.phase``, in the order in which they act."""
    return [name for step in STEPS for name in step.phases if name.partition(".")[0] in sections]


def sections_of(step: Step) -> List[str]:
    """Return the sections of a step."""
    return list(dict.fromkeys(name.partition(".")[0] for name in step.phases))
