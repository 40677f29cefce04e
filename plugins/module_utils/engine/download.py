"""A file from the first of several mirrors that gives the right one: verified, whole or not at all.

``fetch(urls, dest, ...)`` refuses a mirror with the reason and asks the next. What was at ``dest`` stays until the new
file is complete and has the wanted sum.
"""

import contextlib
import errno
import glob
import hashlib
import os
import re
import tempfile
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible.module_utils.urls import open_url
from ansible_collections.slipway.node.plugins.module_utils.engine.files import sha256
from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed, Run
from ansible_collections.slipway.node.plugins.module_utils.engine.web import reason

# Less than this in the time limit is a stall: a trickle of single bytes defeats a limit on each read.
_PROGRESS = 16 * 1024
_CHUNK = 1 << 18
# A run that was killed leaves its part; one that is still written to is younger.
_STALE_SECONDS = 3600


class MirrorError(Exception):
    """The reason, for an admin to read, why a mirror is not used."""


class MissingFile(MirrorError):
    """The mirror answers that it does not have the file."""


class HostError(Exception):
    """What is wrong on this very host, so that another mirror would not help."""


class Limits:
    """How long a mirror may take: seconds without progress, and seconds for a whole file (0: any)."""

    def __init__(self, timeout: float, total: float = 0) -> None:
        self.timeout = timeout
        self.total = total
        self._end = time.monotonic() + total
        self._window = (time.monotonic(), 0)

    def check(self, size: int) -> None:
        """Take note that `size` bytes are there.

        :raises MirrorError: too slow.
        """
        now = time.monotonic()
        if self.total and now > self._end:
            raise MirrorError("too slow: not done within %g s" % self.total)
        since, before = self._window
        if size - before >= _PROGRESS:
            self._window = (now, size)
        elif now - since > self.timeout:
            raise MirrorError("stalled: %d bytes within %g s" % (size - before, self.timeout))


def fetch(
    urls: List[str],
    dest: str,
    checksum: str = "",
    suffix: str = "",
    allow_unverified: bool = False,
    timeout: float = 20,
    total_timeout: float = 0,
) -> Dict[str, Any]:
    """Fetch a file; return how: ``url`` is empty where no mirror was good.

    :raises HostError: no space, no such folder.
    """
    wanted = checksum.strip().lower()
    answer = {"changed": False, "url": "", "checksum": "", "checksum_source": "", "size": 0}  # type: Dict[str, Any]
    answer["verified"], answer["refused"] = False, []
    if wanted and sha256(dest) == wanted:
        return dict(answer, checksum=wanted, checksum_source="given", verified=True, size=os.path.getsize(dest))
    for url in urls:
        try:
            source, expected = "given", wanted
            if not wanted:
                expected, source = _published(url, suffix, Limits(timeout, total_timeout), allow_unverified)
            found = dict(answer, url=public(url), checksum_source=source, verified=bool(expected))
            if expected and sha256(dest) == expected:
                return dict(found, checksum=expected, size=os.path.getsize(dest))
            found["checksum"], found["size"] = _download(url, dest, expected, Limits(timeout, total_timeout))
            return dict(found, changed=True)
        except MirrorError as error:
            answer["refused"].append({"url": public(url), "reason": str(error)})
    return answer


def fetch_for(run: Run, urls: List[str], dest: str, remedy: str, **options: Any) -> Dict[str, Any]:
    """Fetch a file for a phase, and tell of mirrors that were refused and of a sum that was not known.

    :param remedy: a sentence for the end of the error that names all refused mirrors.
    :param options: of :func:`fetch`, whose answer is returned.
    :raises Failed: no mirror was good, or this host is to blame.
    """
    try:
        answer = fetch(urls, dest, **options)
    except HostError as error:
        raise Failed("%s cannot be fetched: %s. What was there is as it was." % (dest, error))
    name = os.path.basename(dest)
    if not answer["checksum"]:
        raise Failed(refusal(name, answer, remedy))
    for note in notes(name, answer):
        run.note(note)
    return answer


def refusal(name: str, answer: Dict[str, Any], remedy: str) -> str:
    """Return why a file cannot be had, by mirror."""
    lines = ["%s cannot be fetched; what was there is as it was." % name]
    lines += ["  %(url)s: %(reason)s" % refused for refused in answer["refused"]]
    return "\n".join(lines + [remedy]).strip()


def notes(name: str, answer: Dict[str, Any]) -> List[str]:
    """Return what an admin should know of a file that was fetched."""
    said = ["refused %(url)s: %(reason)s" % refused for refused in answer["refused"]]
    if not answer["verified"]:
        said.append("%s was NOT VERIFIED, as was allowed. Its sum is %s." % (name, answer["checksum"]))
    elif answer["checksum_source"] != "given":
        said.append(
            "The sum of %s was read from %s, so it guards against damage and not against the mirror; to pin it: %s."
            % (name, answer["checksum_source"], answer["checksum"])
        )
    return said


def public(url: str) -> str:
    """Return a URL without the user and password that it may hold."""
    return re.sub(r"(?<=//)[^/@]*@", "", url)


def read_sum(text: str, name: str) -> str:
    """Return the sum that a ``.sha256`` file or a list of sums holds for a file; empty where it holds none."""
    lines = [line.split() for line in text.splitlines() if re.match(r"\s*[0-9A-Fa-f]{64}(\s|$)", line)]
    named = [words[0] for words in lines if len(words) > 1 and words[-1].lstrip("*").rsplit("/", 1)[-1] == name]
    alone = [words[0] for words in lines if len(lines) == 1 and len(words) == 1]
    return (named + alone + [""])[0].lower()


def _published(url: str, suffix: str, limits: Limits, allow_unverified: bool) -> Tuple[str, str]:
    """Return the sum that a mirror publishes beside a file, and where; both empty if none is and none need be."""
    name = url.rsplit("/", 1)[-1]
    if suffix:
        try:
            parts = []  # type: List[bytes]
            _receive(url + suffix, limits, lambda part, length: parts.append(part))
        except MirrorError as error:
            if not (allow_unverified and isinstance(error, MissingFile)):
                raise MirrorError("%s (for %s%s, where its sum should be)" % (error, name, suffix))
        else:
            found = read_sum(b"".join(parts).decode("utf-8", "replace"), name)
            if found:
                return found, public(url + suffix)
            if not allow_unverified:
                raise MirrorError("its %s%s holds no SHA-256 sum" % (name, suffix))
    elif not allow_unverified:
        raise MirrorError("no SHA-256 sum is known for %s, and unverified files are not taken" % name)
    return "", ""


def _download(url: str, dest: str, expected: str, limits: Limits) -> Tuple[str, int]:
    folder, name = os.path.split(dest)
    _clean(folder, name)
    try:
        handle, part_file = tempfile.mkstemp(prefix=".%s." % name, suffix=".part", dir=folder)
    except OSError as error:
        raise HostError("%s cannot be written: %s" % (folder, error.strerror))
    total = hashlib.sha256()
    try:
        with os.fdopen(handle, "wb") as file:

            def write(part: bytes, length: Optional[int]) -> None:
                if length is not None:
                    check_space(folder, length - file.tell())
                try:
                    file.write(part)
                except OSError as error:
                    raise HostError(_no_space(folder, error))
                total.update(part)

            size = _receive(url, limits, write)
            try:
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                raise HostError(_no_space(folder, error))
        found = total.hexdigest()
        if expected and found != expected:
            raise MirrorError("its sum is sha256 %s, expected %s" % (found, expected))
        os.chmod(part_file, 0o644)
        os.rename(part_file, dest)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part_file)
    return found, size


def _receive(url: str, limits: Limits, write: Callable[[bytes, Optional[int]], None]) -> int:
    """Hand each part of a URL's body to ``write``, the first with the whole length where it is known.

    :raises MirrorError: no connection, an error status, too slow, or cut short.
    """
    size = 0
    try:
        # Not decompressed, as some servers call an archive's own compression that of the transfer.
        response = open_url(url, timeout=limits.timeout, http_agent="slipway", decompress=False)
        with contextlib.closing(response):
            header = response.headers.get("Content-Length") or ""
            length = int(header) if header.isdigit() else None
            while True:
                part = response.read1(_CHUNK)
                if not part:
                    break
                write(part, None if size else length)
                size += len(part)
                if size != length:
                    limits.check(size)
    except (HostError, MirrorError):
        raise
    except ValueError as error:
        raise MirrorError("not a usable URL: %s" % error)
    except Exception as error:  # what open_url raises differs between releases and with the kind of URL
        text = reason(error, limits.timeout)
        missing = getattr(error, "code", 0) in (403, 404, 410) or "no such file" in text
        raise (MissingFile if missing else MirrorError)(text)
    if length is not None and size != length:
        raise MirrorError("cut short: %d of %d bytes" % (size, length))
    return size


def check_space(folder: str, needed: int) -> None:
    """Refuse what does not fit.

    :raises HostError: too little space is free, with how much.
    """
    status = os.statvfs(folder or ".")
    free = status.f_bavail * status.f_frsize
    if needed > free:
        raise HostError("no space in %s: %d MiB are needed, %d MiB are free" % (folder, (needed >> 20) + 1, free >> 20))


def _no_space(folder: str, error: OSError) -> str:
    text = "no space left" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error.strerror)
    return "%s cannot be written: %s" % (folder, text)


def _clean(folder: str, name: str) -> None:
    """Remove what killed runs left."""
    for path in glob.glob("%s/.%s.*.part" % (glob.escape(folder), glob.escape(name))):
        with contextlib.suppress(OSError):
            if time.time() - os.path.getmtime(path) > _STALE_SECONDS:
                os.unlink(path)
