"""Images, wanted and observed, for the tests of the section ``images``."""

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
ENTRY = {
    "name": "app:1",
    "local": "app:1",
    "pull": "app:1",
    "source": "",
    "digest": "",
    "refresh": False,
    "archive": "",
    "remote": False,
    "archive_image": "",
    "ids": [],
    "pushed_digest": "",
    "transport": "",
    "inside": "",
    "read": "",
    "copy": {},
}
PUSH = {
    **ENTRY,
    "kind": "docker",
    "location": "docker://docker.io/library/app:1",
    "title": "app:1",
    "target": "docker://h/app:1",
}
SIF = {**PUSH, "path": "/opt/sif/app.sif", "name": "app.sif", "no_https": False}
# A SIF file as it should be, but for its size and note.
FILE = {"mode": 0o755, "owner": 0, "note_owner": 0}
NOTE = {"source": "app:1", "digest": A, "sha256": "0", "size": 10}


def want(**more):
    return {
        "state": "present",
        "record": "/var/lib/slipway/images.json",
        "authfile": "/none",
        "registries": "",
        "mirrors": {},
        "insecure": [],
        "skopeo": False,
        "keep": "",
        "kept": {},
        "preload": [],
        "push": [],
        "build": [],
        "place": [],
        "sif_path": "/opt/sif",
        "publishers": ["node"],
        **more,
    }


def observed(**more):
    return {
        "engine": {"version": "26.1.5", "platform": "linux/amd64"},
        "record": {"images": {}, "pushed": {}},
        "recorded": False,
        "images": {},
        "archives": {},
        "registry": {},
        "skopeo": True,
        "registries": None,
        "plain_http": [],
        "dockerd": True,
        "pushed": {},
        "sources": {},
        "sif": {},
        "containers": {},
        **more,
    }


def image(identity, *digests):
    return {"id": identity, "digests": [f"app@{digest}" for digest in digests], "tags": []}


def pushed(digest="", config="", error=""):
    return {"app:1": {"digest": digest, "config": config, "error": error}}
