"""The one list of the whole site: in which order the phases of all sections act, and what is rolled out with what.

A section is a role, or a part of one: ``registry`` serves, ``registry_client`` uses. Its functions are in files of its
folder: ``want(inputs, platform)`` and ``plan(want, observed)``, which are pure, ``observe(host, want)``, which reads,
and in ``act.py`` a function for each phase, which changes the host.
"""

from typing import List, NamedTuple

Step = NamedTuple(
    "Step",
    [
        # When: each host of a batch rolls out, then registries serve, then clients come, then images.
        ("stage", str),
        # The role whose tasks do it, and the file of them.
        ("role", str),
        ("tasks", str),
        # Phases, as `section.phase`, in their order; those of several sections may interleave.
        ("phases", List[str]),
    ],
)
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
    Step(
        "roll out",
        "docker_ce",
        "act",
        [
            "docker_ce.clean_leftovers",
            "docker_ce.configure_repository",
            "docker_ce.remove_conflicting",
            "docker_ce.install_packages",
            "docker_ce.hold_packages",
            "docker_ce.manage_service",
            "docker_ce.remove_packages",
            "docker_ce.remove_repository",
            "docker_ce.purge_data",
        ],
    ),
    Step("roll out", "docker_daemon", "act", ["docker_daemon.configure"]),
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
    Step("roll out", "registry", "act", ["registry.create_folders"]),
    # Once the registries answer.
    Step("clients", "registry", "client", ["registry_client.trust_authority"]),
    # Of any host, what all the others pull.
    Step("publish", "images", "publish", ["images.push_images"]),
    Step("place", "images", "place", ["images.pull_images"]),
    # On a build host, for a host that lacks the archive: asked for by name alone.
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
# The end of every plan: what is left for later on purpose. Nothing acts on it.
LATER = "later"


def ordered(sections: List[str]) -> List[str]:
    """Return the phases of sections, as ``section.phase``, in the order in which they act."""
    return [name for step in STEPS for name in step.phases if name.partition(".")[0] in sections]


def sections_of(step: Step) -> List[str]:
    """Return the sections of a step."""
    return list(dict.fromkeys(name.partition(".")[0] for name in step.phases))
