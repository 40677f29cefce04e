"""What ``golang`` does besides the calls of its plan: toolchains, from archives and from source.

What is there works until the new toolchain is whole.
"""

import json
import os
import re
from functools import partial
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.engine import download, files
from ansible_collections.slipway.node.plugins.module_utils.engine.long import follow, is_begun
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.engine.trees import remove_unused
from ansible_collections.slipway.node.plugins.module_utils.golang.install import install
from ansible_collections.slipway.node.plugins.module_utils.golang.plan import unmanaged_paths, wanted_environment
from ansible_collections.slipway.node.plugins.module_utils.golang.toolchain import MANIFEST, with_environment

# A toolchain that is installed anew has the environment file that Go ships.
LOOK_AGAIN_AFTER = ("install_toolchain",)
REMEDY = (
    "Set golang_mirrors to folders that this host reaches and that hold the file, golang_archive_checksum if its sum "
    "is another, or https_proxy in the environment of the play if this host reaches the network through one."
)
# Compiles Go's source archive, $1, in the folder that it runs in. For users, an admin may have set these variables for
# all programs; here they would name another Go's library, or flags.
BUILD = """\
unset GOROOT GOBIN GOTOOLDIR GOOS GOARCH
export GOTOOLCHAIN=local GOFLAGS= HOME="$PWD"
command -v gcc || command -v clang || export CGO_ENABLED=0
umask 022
rm -rf go && tar --extract --gzip --no-same-owner --file "$1" || exit
(cd go/src && bash make.bash) || exit
rm -rf go/pkg/obj go/pkg/bootstrap
"""


def install_toolchain(run: Run, _actions: List[Dict[str, Any]]) -> None:
    want = run.want
    run.folder(want["work"])
    if want["install_method"] == "source":
        _build(run)
    else:
        try:
            _place(run, _fetch(run, want["file"]), archive=want["file"]["path"])
        except BaseException:
            # Above all where the disk is full.
            run.remove(want["work"])
            raise
    run.remove(want["work"])


def configure_environment(run: Run, _actions: List[Dict[str, Any]]) -> None:
    path, found = os.path.join(run.want["tree"], "go.env"), run.observed["toolchains"].get(run.want["version"])
    run.write(path, with_environment(files.read(path), wanted_environment(run.want, found)))


# Not one from which a program was started meanwhile.
remove_toolchains = remove_unused


def _build(run: Run) -> None:
    """Compile Go. After a failure the folder to work in stays, with the log and what was fetched."""
    want, work = run.want, run.want["work"]
    # Of the folder too, in which another run may build the same version.
    name = "golang-" + re.sub("[^A-Za-z0-9.]+", "-", want["tree"]).strip("-")
    log, about = os.path.join(work, "build.log"), os.path.join(work, "fetched.json")
    if not is_begun(run, name, work):
        if not run.observed["bootstrap"]:
            _fetch_bootstrap(run)
        files.replace(about, json.dumps(_fetch(run, want["file"])), 0o644)
    env = {
        "GOROOT_BOOTSTRAP": run.observed["bootstrap"] or os.path.join(work, "bootstrap"),
        # For Go before 1.23, which keeps it.
        "GOROOT_FINAL": want["tree"],
    }
    try:
        argv, progress = ["sh", "-c", BUILD, "build", want["file"]["name"]], partial(_progress, want["version"])
        follow(run, name, argv, work, env, progress, log)
    except Failed as failed:
        raise Failed(
            "Go %s did not build, and what was there is as it was. Mend what the log says and run again, set "
            "golang_bootstrap_version to another version if the compiler is to blame, or use golang_install_method: "
            "archive.\n%s" % (want["version"], str(failed).replace("\n", "\n  "))
        )
    os.rename(log, os.path.join(work, "go/build.log"))
    _place(run, json.loads(files.read(about)), tree=os.path.join(work, "go"))


def _progress(version: str, log: str) -> str:
    """Return what a build does now, by the last lines of its log."""
    steps = re.findall("^Building (.*?)(?: using .*|[.])?$", log, re.MULTILINE)
    return "Go %s is being compiled: %s" % (version, steps[-1] if steps else "its source is unpacked")


def _fetch_bootstrap(run: Run) -> None:
    """Fetch the toolchain that compiles Go, unless an earlier run did."""
    older, path = run.want["bootstrap"], os.path.join(run.want["work"], "bootstrap")
    there = json.loads(files.read(os.path.join(path, MANIFEST)) or "{}")
    if there.get("version") != older["version"]:
        about = dict(_fetch(run, older), version=older["version"], method="archive")
        install(run, path, about, archive=older["path"])


def _fetch(run: Run, file: Dict[str, Any]) -> Dict[str, str]:
    """Fetch a file of Go, unless an earlier run did; return what a manifest has of it."""
    answer = download.fetch_for(
        run,
        file["urls"],
        file["path"],
        REMEDY,
        "Is there a Go %s? The newest that golang knows is %s." % (file["version"], run.want["newest"]),
        checksum=file["checksum"],
        suffix=".sha256",
        allow_unverified=run.want["allow_unverified"],
        timeout=run.want["mirror_timeout"],
    )
    return {"url": answer["url"], "checksum": answer["checksum"]}


def _place(run: Run, fetched: Dict[str, str], archive: str = "", tree: str = "") -> None:
    want = run.want
    about = dict(fetched, version=want["version"], method=want["install_method"])
    aside = unmanaged_paths(want, run.observed).get(want["tree"], "")
    install(run, want["tree"], about, archive, tree, aside)
