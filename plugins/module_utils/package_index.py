"""The index of a package repository, fetched from one mirror, verified, and read.

``fetch(root, want, download)`` checks the mirror's key against pinned fingerprints, the index's
signature against that key, and every further file against the sum in the signed index, as apt and
dnf do. It answers which versions of which packages the mirror really offers, before anything on the
node is touched. Sources: the Debian repository format; createrepo_c's repomd.xml.
"""

import bz2
import gzip
import hashlib
import lzma
import re
import time
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree
from typing import Any, Callable, Dict, List, Tuple

from ansible_collections.slipway.node.plugins.module_utils import openpgp

_LARGEST = 64 * 1024 * 1024  # bytes; Docker's largest index has about 1 MiB
_UNPACK = {
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
    "": bytes,
}  # type: Dict[str, Callable[[bytes], bytes]]


class MirrorError(Exception):
    """The reason, for an admin to read, why a mirror is not used."""


class MissingFile(MirrorError):
    """The mirror answers that it does not have the file."""


class Index:
    """What a mirror offers.

    :ivar key: the mirror's signing key as it was served; its fingerprints are all expected ones.
    :ivar versions: the versions offered of each package.
    :ivar signed: whether the index itself was signed (always so for apt).
    """

    def __init__(self, key: bytes, versions: Dict[str, List[str]], signed: bool) -> None:
        self.key = key
        self.versions = versions
        self.signed = signed


class Downloader:
    """Fetch URLs within a deadline, so that a mirror that stalls or trickles cannot hold the run.

    :param timeout: seconds without an answer after which a mirror is given up.
    :param deadline: seconds that all files of one mirror may take together.
    :param proxy: the proxy's URL, or empty for the environment's.
    """

    def __init__(self, timeout: float, deadline: float, proxy: str = "") -> None:
        self._timeout = timeout
        self._limit = deadline
        self._end = time.monotonic() + deadline
        handlers = [urllib.request.ProxyHandler({"http": proxy, "https": proxy})] if proxy else []
        self._opener = urllib.request.build_opener(*handlers)
        self._opener.addheaders = [("User-Agent", "slipway")]

    def __call__(self, url: str) -> bytes:
        """Return the body that the URL answers with.

        :raises MissingFile: the server says that there is no such file.
        :raises MirrorError: no connection, an error status, too slow, or too large.
        """
        name = url.rsplit("/", 1)[-1]
        try:
            with self._opener.open(url, timeout=min(self._timeout, self._left())) as response:
                return self._read(response)
        except urllib.error.HTTPError as error:
            kind = MissingFile if error.code in (404, 410) else MirrorError
            raise kind("HTTP %d for %s" % (error.code, name))
        except urllib.error.URLError as error:
            raise MirrorError(self._reason(error.reason))
        except OSError as error:  # a time-out while reading, a reset
            raise MirrorError(self._reason(error))
        except ValueError as error:
            raise MirrorError("not a usable URL: %s" % error)

    def _read(self, response: Any) -> bytes:
        parts, size = [], 0  # type: List[bytes], int
        while True:
            part = response.read1(1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)
            size += len(part)
            if size > _LARGEST:
                raise MirrorError("its answer is larger than %d MiB" % (_LARGEST >> 20))
            self._left()

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if left <= 0:
            raise MirrorError("too slow: not done within %g s" % self._limit)
        return left

    def _reason(self, error: Any) -> str:
        text = str(getattr(error, "strerror", None) or error)
        if "timed out" in text:
            return "no answer within %g s" % self._timeout
        return text[:1].lower() + text[1:]


def fetch(root: str, want: Dict[str, Any], download: Callable[[str], bytes]) -> Index:
    """Fetch and verify the index of one mirror.

    :param root: the mirror's root, the part before ``/linux``.
    :param want: ``manager`` (apt, dnf), ``path`` (linux/debian), ``release`` (bookworm, 9), ``channel``,
        ``architecture``, ``fingerprints`` and ``require_signed_index``.
    :param download: takes a URL, returns its body or raises :class:`MirrorError`.
    :raises MirrorError: with the reason why this mirror is refused.
    """
    base = "%s/%s" % (root.rstrip("/"), want["path"])
    key = download(base + "/gpg")
    try:
        check_key(key, want["fingerprints"])
        if want["manager"] == "apt":
            return Index(key, _fetch_apt(base, want, key, download), True)
        return Index(key, *_fetch_dnf(base, want, key, download))
    except openpgp.OpenPGPError as error:
        raise MirrorError(str(error))


def check_key(key: bytes, expected: List[str]) -> None:
    """Refuse a key file that holds any key but the expected ones.

    :raises MirrorError: with the fingerprint that was found and those expected.
    """
    try:
        found = openpgp.fingerprints(key)
    except openpgp.OpenPGPError as error:
        raise MirrorError("its signing key is not usable: %s" % error)
    strange = [one for one in found if one not in expected]
    if strange:
        raise MirrorError("its signing key is %s, expected %s" % (", ".join(strange), " or ".join(expected)))


def _fetch_apt(base: str, want: Dict[str, Any], key: bytes, download: Callable[[str], bytes]) -> Dict[str, List[str]]:
    suite = "%s/dists/%s" % (base, want["release"])
    try:
        message = download(suite + "/InRelease")
    except MissingFile as error:
        raise MirrorError("%s: the release is not there, or not signed" % error)
    try:
        release = openpgp.verify_cleartext(key, message).decode("utf-8", "replace")
    except openpgp.OpenPGPError as error:
        raise MirrorError("InRelease is refused: %s" % error)
    sums = dict((path, digest) for digest, path in _release_sums(release))
    folder = "%s/binary-%s" % (want["channel"], want["architecture"])
    for suffix in (".gz", ".xz", ".bz2", ""):
        path = "%s/Packages%s" % (folder, suffix)
        if path in sums:
            return read_packages(_verified(download(suite + "/" + path), sums[path], suffix, path))
    raise MirrorError("it has no channel %s for %s" % (want["channel"], want["architecture"]))


def _release_sums(release: str) -> List[Tuple[str, str]]:
    section = re.search(r"(?m)^SHA256:\s*\n((?: .*\n?)+)", release)
    lines = section.group(1).splitlines() if section else []
    return [(line.split()[0], line.split()[2]) for line in lines if len(line.split()) == 3]


def read_packages(data: bytes) -> Dict[str, List[str]]:
    """Return the versions of each package in a ``Packages`` file."""
    versions = {}  # type: Dict[str, List[str]]
    for stanza in data.decode("utf-8", "replace").split("\n\n"):
        fields = dict(re.findall(r"(?m)^(Package|Version): *(\S+)", stanza))
        if len(fields) == 2:
            versions.setdefault(fields["Package"], []).append(fields["Version"])
    return versions


def _fetch_dnf(
    base: str, want: Dict[str, Any], key: bytes, download: Callable[[str], bytes]
) -> Tuple[Dict[str, List[str]], bool]:
    folder = "%s/%s/%s/%s" % (base, want["release"], want["architecture"], want["channel"])
    index = download(folder + "/repodata/repomd.xml")
    signed = True
    try:
        openpgp.verify_detached(key, download(folder + "/repodata/repomd.xml.asc"), index)
    except MissingFile as error:
        signed = False
        if want["require_signed_index"]:
            raise MirrorError("%s: the index is not signed" % error)
    except openpgp.OpenPGPError as error:
        raise MirrorError("repomd.xml is refused: %s" % error)
    path, digest = _primary(index)
    data = _verified(download(folder + "/" + path), digest, "." + path.rsplit(".", 1)[-1], path)
    return read_primary(data), signed


def _primary(index: bytes) -> Tuple[str, str]:
    try:
        root = ElementTree.fromstring(index)
    except ElementTree.ParseError as error:
        raise MirrorError("repomd.xml is not readable: %s" % error)
    space = "{http://linux.duke.edu/metadata/repo}"
    for data in root.iter(space + "data"):
        location, checksum = data.find(space + "location"), data.find(space + "checksum")
        if data.get("type") != "primary" or location is None or checksum is None:
            continue
        if checksum.get("type") == "sha256":
            return str(location.get("href")), str(checksum.text)
    raise MirrorError("repomd.xml names no primary index with a SHA-256 sum")


def read_primary(data: bytes) -> Dict[str, List[str]]:
    """Return the versions (``epoch:version-release``, no epoch 0) of each package in a ``primary.xml``."""
    versions = {}  # type: Dict[str, List[str]]
    space = "{http://linux.duke.edu/metadata/common}"
    for package in ElementTree.fromstring(data).iter(space + "package"):
        name, version = package.findtext(space + "name"), package.find(space + "version")
        if name and version is not None:
            epoch = "" if version.get("epoch") in (None, "0") else "%s:" % version.get("epoch")
            versions.setdefault(name, []).append("%s%s-%s" % (epoch, version.get("ver"), version.get("rel")))
    return versions


def _verified(data: bytes, digest: str, suffix: str, path: str) -> bytes:
    if hashlib.sha256(data).hexdigest() != digest.lower():
        raise MirrorError(
            "%s does not match the signed index: the mirror is corrupt or in the middle of an update" % path
        )
    if suffix not in _UNPACK:
        raise MirrorError("%s is compressed in a way that Slipway does not read" % path)
    return _UNPACK[suffix](data)
