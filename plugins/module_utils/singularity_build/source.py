"""The sources of a version: a release archive from the first good mirror, by a sum that is known or is told."""

import http.client
import json
import os
import re
from typing import Tuple

from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.urls import open_url
from ansible_collections.slipway.node.plugins.module_utils.engine import download
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.engine.web import reason

# Seconds within which a release API must answer.
TIMEOUT = 30
REMEDY = (
    "What is installed stays in service. Set singularity_mirrors to one that this host reaches, or correct "
    "singularity_archive_checksum."
)


def fetch(run: Run) -> None:
    """Fetch and unpack the sources.

    :raises Failed: there is no sum of them, or no mirror has what it is of, or it is no release.
    """
    want, name = run.want, run.want["stem"] + ".tar.gz"
    checksum = want["known_sum"] or run.observed["told_sum"]
    if not checksum:
        checksum, why = ask(want["release_api"], name)
        if not checksum and not want["allow_unverified"]:
            raise Failed(
                "There is no sum of %s: the role has none, and %s. Set singularity_archive_checksum to its SHA-256, "
                "from a source that you trust; singularity_allow_unverified: true takes it without." % (name, why)
            )
    if checksum and not want["known_sum"]:
        run.write(want["sum_file"], checksum + "\n")
        run.note(
            "%s says that %s has the SHA-256 sum %s. It is kept in %s and holds from now on; compare it with another "
            "source, or set singularity_archive_checksum." % (want["release_api"], name, checksum, want["kept_sum"])
        )
    answer = download.fetch_for(
        run,
        want["mirrors"],
        want["source"],
        REMEDY,
        checksum=checksum,
        allow_unverified=want["allow_unverified"],
        timeout=want["mirror_timeout"],
    )
    _unpack(run, answer["checksum"])


def ask(url: str, archive: str) -> Tuple[str, str]:
    """Return the sum that a release API tells of an archive, or why it tells none."""
    if not url:
        return "", "the release API is not asked"
    try:
        answer = open_url(url, headers={"Accept": "application/json"}, timeout=TIMEOUT)
        text = to_text(answer.read(1 << 22), errors="replace")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return "", "%s told none (it answers: %s)" % (url, reason(error, TIMEOUT))
    return release_sum(text, archive), "%s told none (it answers: %s)" % (url, text[:100])


def release_sum(answer: str, archive: str) -> str:
    """Return the SHA-256 sum that GitHub's release API told of an archive; empty where it told none.

    :param answer: the text of its answer, whatever that is: old releases have no digest, a captive portal says HTML.
    """
    try:
        release = json.loads(answer)
    except ValueError:
        return ""
    assets = release.get("assets") if isinstance(release, dict) else None
    for one in assets if isinstance(assets, list) else []:
        if isinstance(one, dict) and one.get("name") == archive:
            found = re.match(r"sha256:([0-9a-f]{64})\Z", str(one.get("digest")))
            return found.group(1) if found else ""
    return ""


def _unpack(run: Run, checksum: str) -> None:
    folder, source = run.want["folder"], run.want["folder"] + "/source"
    for name in ("source", "stage", "configured"):
        run.remove(os.path.join(folder, name))
    run.folder(source)
    options = ["--gzip", "--no-same-owner", "--strip-components=1", "--directory", source]
    run.command(["tar", "--extract"] + options + ["--file", run.want["source"]])
    if not os.path.exists(source + "/VERSION"):
        raise Failed(
            "%s holds no file VERSION, so it is no release archive: GitHub's automatic source archives lack what "
            "compiling needs. Let singularity_mirrors name the release's own %s.tar.gz."
            % (run.want["source"], run.want["stem"])
        )
    # Last, since sources without it are not whole.
    run.write("%s/.unpacked-%s" % (source, checksum), "")
