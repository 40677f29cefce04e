"""Archives of images: what `docker save` writes, and OCI image layouts in a tar file.

What is in one is read without unpacking it. :func:`stream` rewrites either kind into what `docker load` takes, with one
image under one name, so that no other tag of the host moves and no other tool is needed: engines without containerd's
image store do not load OCI archives, and skopeo's way into an engine speaks an API that new engines no longer know.
"""

import hashlib
import io
import json
import tarfile
import zlib
from typing import Any, BinaryIO, Dict, Iterator, List

from ansible_collections.slipway.node.plugins.module_utils.engine.run import Failed
from ansible_collections.slipway.node.plugins.module_utils.images.reference import BadReferenceError, parse

# Manifests and configurations are smaller, layers may be.
_SMALL = 4 * 1024 * 1024
_LISTS = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
# What says what is in an archive; replaced in a stream.
_TABLES = ("manifest.json", "index.json", "oci-layout", "repositories")
ZSTANDARD = b"\x28\xb5\x2f\xfd"
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


class ArchiveError(Failed, ValueError):
    """An archive that cannot be used; its text says why and what to do."""


def read(path: str) -> Dict[str, Any]:
    """Return what is in an archive: its format, and its images with tags, digest and one part a platform.

    A part has platform, config (the image's id), digest and layers. ``digest`` is empty where there is no manifest.
    """
    try:
        with tarfile.open(path, "r:*") as archive:
            texts = {}  # type: Dict[str, bytes]
            for member in archive:
                if member.isfile() and member.size <= _SMALL:
                    file = archive.extractfile(member)
                    data = file.read() if file else b""
                    if data.lstrip()[:1] in (b"{", b"["):
                        texts[_plain(member.name)] = data
    except FileNotFoundError:
        raise ArchiveError("%s does not exist. Correct the path." % path)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        # Newer Pythons go on with a line for each compression that it is not.
        said = str(error).split("\n")[0].rstrip(":")
        with open(path, "rb") as packed:
            if packed.read(4) == ZSTANDARD:
                raise ArchiveError(
                    "%s is packed by zstd, which nodes do not read. Unpack it: zstd -d %s" % (path, path)
                )
        raise ArchiveError(
            "%s cannot be read as a tar archive (%s). Make it anew with `docker save` or `skopeo copy`." % (path, said)
        )
    try:
        if "manifest.json" in texts:
            return {"format": "docker", "images": _docker_images(texts)}
        if "index.json" in texts:
            return {
                "format": "oci",
                "images": [_oci_image(texts, one) for one in _json(texts["index.json"])["manifests"]],
            }
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ArchiveError("%s is damaged or incomplete (%s: %s)." % (path, type(error).__name__, error))
    raise ArchiveError(
        "%s is a tar archive without manifest.json or index.json, so neither of `docker save` nor an OCI one. An "
        "export of a container (`docker export`) is none." % path
    )


def choose(path: str, archive: Dict[str, Any], name: str, wanted: str = "") -> Dict[str, Any]:
    """Return the image that is meant: the one called ``wanted``, the only one, or the one called like ``name``."""
    images = archive["images"]
    if wanted or len(images) > 1:
        images = [image for image in images if any(_same(tag, wanted or name) for tag in image["tags"])]
    if len(images) != 1:
        tags = [", ".join(image["tags"]) or "one without a name" for image in archive["images"]]
        which = "%d are meant" % len(images) if images else "none is %s" % (wanted or name)
        raise ArchiveError(
            "%s holds %s, of which %s. Name one of them in archive_image, or save the one image alone."
            % (path, "; ".join(tags) or "no image", which)
        )
    return images[0]  # type: ignore[no-any-return]


def part(path: str, image: Dict[str, Any], platform: str) -> Dict[str, Any]:
    """Return an image's part for a platform such as ``linux/amd64``; the only part is for all."""
    # Those of a variant come after the one without.
    parts = sorted(image["parts"], key=lambda one: len(one["platform"]))
    found = [one for one in parts if (one["platform"] + "/").startswith(platform + "/")]
    if not found and len(parts) != 1:
        have = ", ".join(sorted(one["platform"] for one in parts))
        raise ArchiveError("%s has no image for %s, only for %s." % (path, platform, have))
    return (found or parts)[0]  # type: ignore[no-any-return]


def facts(path: str, name: str, wanted: str = "") -> Dict[str, Any]:
    """Return what there is to know of the image of an archive that is meant, without its layers.

    ``ids`` has all by which an engine may know it: ids of its parts and digests. ``pushed_digest`` is by what a
    registry knows it once it was copied there with all its platforms: an archive of `docker save` gets a new manifest
    then. ``inside`` is its name in an archive of several.
    """
    archive = read(path)
    image = choose(path, archive, name, wanted)
    ids = {image["digest"]} | {one[key] for one in image["parts"] for key in ("config", "digest")}
    oci = archive["format"] == "oci"
    return {
        "ids": sorted(ids - {""}),
        "pushed_digest": image["digest"] if oci else image["parts"][0]["config"],
        "transport": "oci-archive" if oci else "docker-archive",
        "inside": image["tags"][0] if len(archive["images"]) > 1 and image["tags"] else "",
    }


def stream(path: str, archive: Dict[str, Any], chosen: Dict[str, Any], name: str, out: BinaryIO) -> None:
    """Write what `docker load` takes: one image, the part ``chosen``, under one name."""
    oci = archive["format"] == "oci"
    needed = {chosen["config_path"]} | set(chosen["layers"])
    table = [{"Config": chosen["config_path"], "RepoTags": [name], "Layers": chosen["layers"]}]
    with tarfile.open(path, "r:*") as archived, tarfile.open(fileobj=out, mode="w|") as target:
        for member in archived:
            plain = _plain(member.name)
            # Archives of older engines hold links between layers, so all is passed on.
            if plain in _TABLES or (oci and member.isfile() and plain not in needed):
                continue
            target.addfile(member, archived.extractfile(member) if member.isfile() else None)
        text = json.dumps(table).encode("utf-8")
        about = tarfile.TarInfo("manifest.json")
        about.size = len(text)
        target.addfile(about, io.BytesIO(text))


def _docker_images(texts: Dict[str, bytes]) -> List[Dict[str, Any]]:
    # Engines since 25 write an OCI layout beside, which has the manifests' digests.
    top = _json(texts["index.json"])["manifests"] if "index.json" in texts else []
    leaves = [leaf["digest"] for descriptor in top for leaf in _leaves(texts, descriptor)]
    digests = dict((_json(_blob(texts, digest))["config"]["digest"], digest) for digest in leaves)
    images = []
    for one in _json(texts["manifest.json"]):
        config = one["Config"]
        identity = _sha(texts[config])
        if identity.split(":")[1] not in config:
            raise ValueError("%s is not what its name says" % config)
        about = _part(texts[config], identity, config, digests.get(identity, ""), one["Layers"])
        images.append({"tags": one.get("RepoTags") or [], "digest": about["digest"], "parts": [about]})
    return images


def _oci_image(texts: Dict[str, bytes], descriptor: Dict[str, Any]) -> Dict[str, Any]:
    annotations = descriptor.get("annotations") or {}
    tags = [annotations[key] for key in _NAMES if annotations.get(key)]
    parts = []
    for one in _leaves(texts, descriptor):
        manifest = _json(_blob(texts, one["digest"]))
        config = manifest["config"]["digest"]
        # A list may name attestations, which are no images.
        if (one.get("platform") or {}).get("os") == "unknown":
            continue
        layers = [_blob_path(layer["digest"]) for layer in manifest["layers"]]
        parts.append(_part(_blob(texts, config), config, _blob_path(config), one["digest"], layers))
    return {"tags": tags, "digest": descriptor["digest"], "parts": parts}


def _part(config: bytes, identity: str, path: str, digest: str, layers: List[str]) -> Dict[str, Any]:
    about = _json(config)
    names = [about.get("os") or "linux", about.get("architecture") or "", about.get("variant") or ""]
    platform = "/".join(name for name in names if name)
    return {"platform": platform, "config": identity, "config_path": path, "digest": digest, "layers": layers}


def _leaves(texts: Dict[str, bytes], descriptor: Dict[str, Any]) -> Iterator[Dict[str, Any]]:
    """Yield the descriptors of manifests below one, however lists are nested."""
    content = _json(_blob(texts, descriptor["digest"]))
    if descriptor.get("mediaType") in _LISTS or "manifests" in content:
        for one in content["manifests"]:
            # Some tools leave out platforms that were not copied.
            if _blob_path(one["digest"]) in texts:
                for leaf in _leaves(texts, one):
                    yield leaf
    else:
        yield descriptor


def _blob_path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _blob(texts: Dict[str, bytes], digest: str) -> bytes:
    data = texts[_blob_path(digest)]
    if digest.startswith("sha256:") and _sha(data) != digest:
        raise ValueError("%s is not what its name says" % digest)
    return data


def _same(tag: str, wanted: str) -> bool:
    """Tell whether an archive's name for an image is the wanted one; OCI archives may have a tag alone."""
    try:
        return tag == wanted or parse(tag)["name"] == parse(wanted)["name"]
    except BadReferenceError:
        return False


def _plain(name: str) -> str:
    return name[2:] if name.startswith("./") else name


def _json(data: bytes) -> Any:
    return json.loads(data.decode("utf-8"))


def _sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
