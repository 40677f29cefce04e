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


def fetch(
    urls: List[str],
    dest: str,
    checksum: str = "",
    suffix: str = "",
    allow_unverified: bool = False,
    timeout: float = 20,
) -> Dict[str, Any]:
    """Fetch a file; return how: ``url`` is empty where no mirror was asked or none was good.

    :param suffix: by which a mirror names the file's sum, where none is given.
    :param timeout: seconds without progress.
    :raises HostError: no space, no such folder.
    """
    wanted = checksum.strip().lower()
    answer = {"changed": False, "url": "", "checksum": "", "checksum_source": "", "refused": []}  # type: Dict[str, Any]
    if wanted and sha256(dest) == wanted:
        return dict(answer, checksum=wanted, checksum_source="given")
    for url in urls:
        try:
            source, expected = "given", wanted
            if not wanted:
                expected, source = _published(url, suffix, timeout, allow_unverified)
            found = dict(answer, url=public(url), checksum_source=source)
            if expected and sha256(dest) == expected:
                return dict(found, checksum=expected)
            return dict(found, checksum=_download(url, dest, expected, timeout), changed=True)
        except MirrorError as error:
            # 403 may be the word of a proxy.
            is_missing = isinstance(error, MissingFile) and "403" not in str(error)
            answer["refused"].append({"url": public(url), "reason": str(error), "missing": is_missing})
    return answer


def fetch_for(run: Run, urls: List[str], dest: str, remedy: str, missing: str = "", **options: Any) -> Dict[str, Any]:
    """Fetch a file for a phase, and tell of mirrors that were refused and of a sum that was not known.

    :param remedy: a sentence for the end of the error that names all refused mirrors.
    :param missing: what is to be said where no mirror has the file.
    :param options: of :func:`fetch`, whose answer is returned.
    :raises Failed: no mirror was good, or this host is to blame.
    """
    try:
        answer = fetch(urls, dest, **options)
    except HostError as error:
        raise Failed("%s cannot be fetched: %s. What was there is as it was." % (dest, error))
    name, checksum, refused = os.path.basename(dest), answer["checksum"], answer["refused"]
    if not checksum and missing and all(one["missing"] for one in refused):
        where = ", ".join(one["url"].rpartition("/")[0] for one in refused)
        raise Failed("No mirror has %s (%s). %s What was there is as it was." % (name, where, missing))
    if not checksum:
        lines = ["  %(url)s: %(reason)s" % one for one in refused]
        raise Failed("\n".join(["%s cannot be fetched; what was there is as it was." % name] + lines + [remedy]))
    for one in refused:
        run.note("refused %(url)s: %(reason)s" % one)
    if not answer["checksum_source"]:
        run.note("%s was NOT VERIFIED, as was allowed. Its sum is %s." % (name, checksum))
    elif answer["checksum_source"] != "given":
        run.note(
            "The sum of %s was read from %s, so it guards against damage and not against the mirror; to pin it: %s."
            % (name, answer["checksum_source"], checksum)
        )
    return answer


def public(url: str) -> str:
    """Return a URL without the user and password that it may hold."""
    return re.sub(r"(?<=//)[^/@]*@", "", url)


def read_sum(text: str, name: str) -> str:
    """Return the sum that a ``.sha256`` file or a list of sums holds for a file; empty where it holds none."""
    lines = [line.split() for line in text.splitlines() if re.match(r"\s*[0-9A-Fa-f]{64}(\s|$)", line)]
    named = [words[0] for words in lines if len(words) > 1 and words[-1].lstrip("*").rsplit("/", 1)[-1] == name]
    alone = [words[0] for words in lines if len(lines) == 1 and len(words) == 1]
    return (named + alone + [""])[0].lower()


def _published(url: str, suffix: str, timeout: float, allow_unverified: bool) -> Tuple[str, str]:
    """Return the sum that a mirror publishes beside a file, and where; both empty if none is and none need be."""
    name = url.rsplit("/", 1)[-1]
    if suffix:
        try:
            parts = []  # type: List[bytes]
            _receive(url + suffix, timeout, lambda part, length: parts.append(part))
        except MirrorError as error:
            if isinstance(error, MissingFile) and _is_missing(url, timeout):
                raise
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


def _download(url: str, dest: str, expected: str, timeout: float) -> str:
    """Fetch a file from a mirror; return its sum."""
    folder, name = os.path.split(dest)
    _clean(folder, name)
    total = hashlib.sha256()
    part_file = ""
    try:
        handle, part_file = tempfile.mkstemp(prefix=".%s." % name, suffix=".part", dir=folder)
        with os.fdopen(handle, "wb") as file:

            def write(part: bytes, length: Optional[int]) -> None:
                if length is not None:
                    check_space(folder, length - file.tell())
                file.write(part)
                total.update(part)

            _receive(url, timeout, write)
            file.flush()
            os.fsync(file.fileno())
        if expected and total.hexdigest() != expected:
            raise MirrorError("its sum is sha256 %s, expected %s" % (total.hexdigest(), expected))
        os.chmod(part_file, 0o644)
        os.rename(part_file, dest)
    except OSError as error:
        text = "no space left" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error.strerror)
        raise HostError("%s cannot be written: %s" % (folder, text))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part_file)
    return total.hexdigest()


def _receive(url: str, timeout: float, write: Callable[[bytes, Optional[int]], None]) -> None:
    """Hand each part of a URL's body to ``write``, the first with the whole length where it is known.

    :raises MirrorError: no connection, an error status, too slow, or cut short.
    :raises OSError: ``write`` did.
    """
    size, since, before = 0, time.monotonic(), 0
    with contextlib.closing(_open(url, timeout)) as response:
        header = response.headers.get("Content-Length") or ""
        length = int(header) if header.isdigit() else None
        while size != length:
            try:
                part = response.read1(_CHUNK)
            except Exception as error:
                raise MirrorError(reason(error, timeout))
            if not part:
                break
            write(part, None if size else length)
            size += len(part)
            if size - before >= _PROGRESS:
                since, before = time.monotonic(), size
            elif time.monotonic() - since > timeout and size != length:
                raise MirrorError("stalled: %d bytes within %g s" % (size - before, timeout))
    if length is not None and size != length:
        raise MirrorError("cut short: %d of %d bytes" % (size, length))


def _open(url: str, timeout: float, method: str = "GET") -> Any:
    try:
        # Not decompressed, as some servers call an archive's own compression that of the transfer.
        return open_url(url, timeout=timeout, http_agent="slipway", decompress=False, method=method)
    except ValueError as error:
        raise MirrorError("not a usable URL: %s" % error)
    except Exception as error:  # what open_url raises differs between releases and with the kind of URL
        text = reason(error, timeout)
        missing = getattr(error, "code", 0) in (403, 404, 410) or "no such file" in text
        raise (MissingFile if missing else MirrorError)(text)


def _is_missing(url: str, timeout: float) -> bool:
    try:
        _open(url, timeout, "HEAD").close()
    except MissingFile:
        return True
    except MirrorError:
        pass
    return False


def check_space(folder: str, needed: int) -> None:
    """Refuse what does not fit.

    :raises HostError: too little space is free, with how much.
    """
    status = os.statvfs(folder or ".")
    free = status.f_bavail * status.f_frsize
    if needed > free:
        raise HostError("no space in %s: %d MiB are needed, %d MiB are free" % (folder, (needed >> 20) + 1, free >> 20))


def _clean(folder: str, name: str) -> None:
    """Remove what killed runs left."""
    for path in glob.glob("%s/.%s.*.part" % (glob.escape(folder), glob.escape(name))):
        with contextlib.suppress(OSError):
            if time.time() - os.path.getmtime(path) > _STALE_SECONDS:
                os.unlink(path)
