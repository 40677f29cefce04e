"""References to images, ``[registry[:port]/]repository[:tag][@digest]``, read as Docker reads them.

``busybox``, ``docker.io/busybox`` and ``docker.io/library/busybox:latest`` are one image; compare ``name``, show
``familiar``. A source is a reference or a place of another kind, ``TRANSPORT:PLACE``, as skopeo and Singularity have
it.
"""

import re
from typing import Any, Dict, Tuple

HUB = "docker.io"
# Names that Docker Hub answers to.
_ALIASES = {"index.docker.io": HUB, "registry-1.docker.io": HUB}
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = re.compile(r"(?:%s(?:\.%s)*|\[[0-9a-fA-F:]+\])(?::([0-9]+))?" % (_LABEL, _LABEL))
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_LONGEST = 255
_EXAMPLE = "Write one such as busybox:1.37 or registry.example.org:5000/team/app:1."

# Transports by what follows them.
_PASSED_ON = ("library", "oras", "shub")


class BadReferenceError(ValueError):
    """A reference that cannot be; its text says what is wrong and how to write it."""


def parse(text: Any) -> Dict[str, str]:
    """Return the parts of a reference: registry, repository, tag, digest, name and familiar.

    ``tag`` is ``latest`` where neither a tag nor a digest is given, and empty where only a digest is.
    """
    if not isinstance(text, str) or not text:
        raise BadReferenceError("%r is no image reference. %s" % (text, _EXAMPLE))
    scheme = re.match(r"[a-z+-]+://", text)
    if scheme:
        raise BadReferenceError(
            "%r begins with %s, which is not part of a reference: leave it out." % (text, scheme.group())
        )
    if re.search(r"\s", text):
        raise BadReferenceError("%r holds white space. %s" % (text, _EXAMPLE))
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise BadReferenceError(
            "%r: the digest %r is not sha256: and 64 hexadecimal digits in small letters. Copy it whole, as `docker "
            "image ls --digests` or `skopeo inspect` prints it." % (text, digest)
        )
    registry, path = _split(rest)
    repository, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise BadReferenceError(
            "%r: the tag %r is not 1 to 128 letters, digits, dots, dashes and underscores that begin with a letter, a "
            "digit or an underscore." % (text, tag)
        )
    registry = parse_registry(registry, text)
    _check_repository(text, repository)
    if registry == HUB and "/" not in repository:
        repository = "library/" + repository
    if len(registry) + len(repository) + 1 > _LONGEST:
        raise BadReferenceError("%r is longer than %d characters: shorten the repository." % (text, _LONGEST))
    tag = tag or ("" if digest else "latest")
    end = (":" + tag if tag else "") + at + digest
    return {
        "registry": registry,
        "repository": repository,
        "tag": tag,
        "digest": digest,
        "name": "%s/%s%s" % (registry, repository, end),
        "familiar": _familiar(registry, repository) + end,
    }


def parse_registry(registry: str, text: str = "") -> str:
    """Return a registry's name, Docker Hub's whatever it is called.

    :param text: the reference that holds it.
    :raises BadReferenceError: there can be no such registry.
    """
    match = _REGISTRY.fullmatch(registry)
    port = match.group(1) if match else None
    if not match or (port is not None and not 0 < int(port) < 65536):
        raise BadReferenceError(
            "%r: %r is no registry. Write a host name or address, with a port from 1 to 65535 if it is not 443, as in "
            "registry.example.org:5000." % (text or registry, registry)
        )
    return _ALIASES.get(registry, registry)


def parse_source(text: Any) -> Dict[str, str]:
    """Return the parts of a source: transport, path, location and, where it names an image, those of :func:`parse`.

    ``location`` is the source in full, as skopeo and Singularity take it. Without a transport it is ``docker``.
    """
    if not isinstance(text, str) or not text:
        raise BadReferenceError("%r is no source of an image. %s" % (text, _EXAMPLE))
    match = re.match(r"(docker|library|oras|shub)://(.*)|(docker-daemon|docker-archive|oci-archive):(.*)", text, re.S)
    if not match:
        if re.match(r"[a-z+-]+://", text):
            raise BadReferenceError(
                "%r is of no transport that images can come from; there are docker://, docker-daemon:, "
                "docker-archive:, oci-archive:, library:// and oras://." % text
            )
        return dict(parse(text), transport="docker", path="", location="docker://" + parse(text)["name"])
    transport, place = (match.group(1), match.group(2)) if match.group(1) else (match.group(3), match.group(4))
    if transport == "docker":
        return dict(parse(place), transport=transport, path="", location="docker://" + parse(place)["name"])
    if transport == "docker-daemon":
        return dict(parse(place), transport=transport, path="", location="docker-daemon:" + parse(place)["familiar"])
    if transport in _PASSED_ON:
        if not re.fullmatch(r"[^\s]+", place):
            raise BadReferenceError("%r names nothing after %s://." % (text, transport))
        return {"transport": transport, "path": "", "location": text}
    path = place.partition(":")[0]
    if not path.startswith("/"):
        raise BadReferenceError(
            "%r: write the archive's absolute path on the host that reads it, as in %s:/srv/images/app.tar."
            % (text, transport)
        )
    return {"transport": transport, "path": path, "location": text}


def _split(text: str) -> Tuple[str, str]:
    """Return registry and the rest: the first part is a registry if it could not be a repository's."""
    first, slash, rest = text.partition("/")
    if slash and (re.search(r"[.:\[]", first) or first == "localhost"):
        return first, rest
    return HUB, text


def _familiar(registry: str, repository: str) -> str:
    """Return the shortest form that means the same."""
    full = "%s/%s" % (registry, repository)
    if registry != HUB:
        return full
    first, _slash, rest = repository.partition("/")
    short = rest if first == "library" and "/" not in rest else repository
    return short if _split(short)[0] == HUB else full


def _check_repository(text: str, repository: str) -> None:
    if all(_COMPONENT.fullmatch(part) for part in repository.split("/")):
        return
    if repository != repository.lower() and all(_COMPONENT.fullmatch(part) for part in repository.lower().split("/")):
        raise BadReferenceError("%r: repositories are written in small letters: %s." % (text, repository.lower()))
    raise BadReferenceError(
        "%r: %r is no repository. Use small letters and digits, with dots, dashes and underscores between them and "
        "single slashes between parts." % (text, repository)
    )
