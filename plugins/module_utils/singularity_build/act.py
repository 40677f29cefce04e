"""From the sources to an archive. What is there of an attempt that broke off is used again."""

import os
import re
from typing import List

from ansible_collections.slipway.node.plugins.module_utils.engine import download, files
from ansible_collections.slipway.node.plugins.module_utils.engine.long import follow
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import Action
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run, last_lines
from ansible_collections.slipway.node.plugins.module_utils.golang.install import install
from ansible_collections.slipway.node.plugins.module_utils.singularity.act import install_packages
from ansible_collections.slipway.node.plugins.module_utils.singularity_build import source
from ansible_collections.slipway.node.plugins.module_utils.singularity_build.pack import pack
from ansible_collections.slipway.node.plugins.module_utils.singularity_build.plan import is_this
from ansible_collections.slipway.node.plugins.module_utils.singularity_build.toolchain import newest, to_fetch

# Compiler and headers.
install_build_packages = install_packages
# The sources say which Go they need.
LOOK_AGAIN_AFTER = ("fetch_source", "install_go")
# What Go says of each package is its path alone; all else is worth reading.
PACKAGE = re.compile(r"^[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.~+-]+)*$", re.MULTILINE)
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


def begin(run: Run) -> None:
    want = run.want
    for path in (want["dir"], want["folder"], os.path.dirname(want["log"])):
        run.folder(path)
    if not is_this(want, run.observed):
        for name in ("configured", want["unit"] + ".status", "source/builddir", "stage"):
            run.remove(os.path.join(want["folder"], name))
        run.write(want["folder"] + "/task", want["task"] + "\n")


def fetch_source(run: Run, _actions: List[Action]) -> None:
    source.fetch(run)


def install_go(run: Run, _actions: List[Action]) -> None:
    """Install a Go that suffices into the build folder, for this alone."""
    want = run.want
    go, version = want["go"], to_fetch(want, run.observed["go_needed"])
    name = "go%s.%s.tar.gz" % (version, want["go_kind"])
    path = os.path.join(want["dir"], name)
    answer = download.fetch_for(
        run,
        ["%s/%s" % (mirror.rstrip("/"), name) for mirror in go["mirrors"]],
        path,
        "Set golang_mirrors to folders that the build host reaches and that hold the file.",
        checksum=go["sums"].get(version, {}).get(want["go_kind"], ""),
        suffix=".sha256",
        allow_unverified=go["allow_unverified"],
        timeout=go["mirror_timeout"],
    )
    about = {"url": answer["url"], "checksum": answer["checksum"], "version": version, "method": "archive"}
    install(run, "%s/go-%s" % (want["dir"], version), about, archive=path)
    run.remove(path)


def build_archive(run: Run, _actions: List[Action]) -> None:
    want, folder = run.want, run.want["folder"]
    go, version = newest(run.observed["toolchains"], run.observed["go_needed"], want["go_version"])
    vendored = run.observed["is_vendored"]
    script = os.path.join(folder, "build.sh")
    run.write(script, run.secrets["singularity_build_script"], 0o755)
    env = dict((name, os.environ[name]) for name in PROXIES if name in os.environ)
    env.update(
        SLIPWAY_FOLDER=folder,
        SLIPWAY_CACHE=want["dir"],
        SLIPWAY_GO=go,
        SLIPWAY_TREE=want["tree"],
        SLIPWAY_NAME=want["name"],
        SLIPWAY_MODE="vendor" if vendored else "readonly",
        SLIPWAY_PROXY="off" if vendored else want["goproxy"],
    )
    argv, log = ["/bin/sh", script] + want["mconfig"], want["log"]
    try:
        seconds = follow(run, want["unit"], argv, folder, env, lambda _end: progress(files.read(log)), log)
    except Failed as failed:
        raise Failed(failure(want["stem"], str(failed), files.read(log)))
    facts = dict((name, want[name]) for name in ("flavor", "version", "platform", "mconfig"))
    facts.update(go=version[len("go") :], source=run.observed["source"], seconds=seconds)
    pack(folder + "/stage", want["tree"], folder, "%s-%s%s" % (want["stem"], version, want["end"]), facts)


def progress(log: str) -> str:
    """Return how far a compilation is."""
    return "%d packages compiled, last line: %s" % (len(PACKAGE.findall(log)), last_lines(log, 1)[:120])


def failure(stem: str, how: str, log: str) -> str:
    """Return what to do where compiling failed.

    :param how: what ``follow`` says of it, of which the log's end comes without the names of packages here.
    """
    end = last_lines("\n".join(line for line in log.splitlines() if not PACKAGE.match(line)), 25)
    full = "The disk is full: make room, or set singularity_build_dir to a folder on a larger disk."
    remedy = full if "No space left on device" in log else "Mend the cause."
    lines = [
        "Compiling %s failed. %s Then run again: it goes on where it stopped." % (stem, remedy),
        "What is installed stays in service. %s" % how.splitlines()[0],
    ]
    return "\n  ".join(["\n".join(lines)] + end.splitlines())
