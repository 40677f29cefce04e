"""Make an OCI archive with an image for two architectures from one with an image for one.

The second image has the same layers and says it is for arm64: enough to see that a list is kept whole, not to run.
"""

import hashlib
import io
import json
import sys
import tarfile

INDEX = "application/vnd.oci.image.index.v1+json"


def main(source: str, target: str) -> None:
    with tarfile.open(source) as archive:
        blobs = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
    first = json.loads(blobs["index.json"])["manifests"][0]
    manifest = json.loads(blobs[path(first["digest"])])
    config = json.loads(blobs[path(manifest["config"]["digest"])])
    first["platform"] = {"os": "linux", "architecture": config["architecture"]}
    first.pop("annotations", None)
    config["architecture"] = "arm64"
    manifest["config"] = add(blobs, config, manifest["config"]["mediaType"])
    second = add(blobs, manifest, first["mediaType"], platform={"os": "linux", "architecture": "arm64"})
    index = add(blobs, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [first, second]}, INDEX)
    blobs["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [index]}).encode()
    with tarfile.open(target, "w") as archive:
        for name, data in sorted(blobs.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def add(blobs: dict, content: dict, media: str, **more: object) -> dict:
    data = json.dumps(content).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    blobs[path(digest)] = data
    return {"mediaType": media, "size": len(data), "digest": digest, **more}


if __name__ == "__main__":
    main(*sys.argv[1:])
