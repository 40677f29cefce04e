#!/usr/bin/python
"""Make a SIF file from an image, with a note beside it of what it was made from."""

DOCUMENTATION = r"""
---
module: images_sif
short_description: Make a SIF file from an image
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Builds beside the place of the file and puts it there at once, so that users see the old one or the new one. A note
    beside it, C(.NAME.slipway.json), tells from what it was made, with its size and its SHA-256 sum.
  - Always builds; M(slipway.node.state) tells whether that is needed.
options:
  path:
    description: The SIF file.
    type: path
    required: true
  program:
    description: C(singularity) or C(apptainer).
    type: path
    required: true
  location:
    description:
      - The source, as the program takes it. From C(docker-daemon:NAME) the image is saved by C(docker) first, since
        programs speak an API that newer engines do not know.
    type: str
  archive:
    description: An archive of C(docker save) or an OCI archive on this host, in place of O(location).
    type: path
  image:
    description: Which image of O(archive) is meant, where it holds several and none is called like the file.
    type: str
    default: ""
  source:
    description: What the note says of the source.
    type: str
    required: true
  digest:
    description: The digest or id of the source's image, empty where it has none.
    type: str
    default: ""
  arguments:
    description: Further arguments of C(build).
    type: list
    elements: str
    default: []
  authfile:
    description: A file of logins to registries. One that does not exist is left out.
    type: path
attributes:
  check_mode:
    description: Builds nothing.
    support: full
"""

EXAMPLES = r"""
- name: Make a SIF file
  slipway.node.images_sif:
    path: /opt/sif/tool.sif
    program: /opt/singularity/current/bin/singularity
    location: docker://registry.example.org:5000/team/tool:1
    source: registry.example.org:5000/team/tool:1
"""

RETURN = r"""
note:
  description: What is noted of the file.
  type: dict
  returned: success
"""

import json
import os
import shutil
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.node.plugins.module_utils.engine.files import sha256
from ansible_collections.slipway.node.plugins.module_utils.images import archive
from ansible_collections.slipway.node.plugins.module_utils.images.remedies import with_remedy
from ansible_collections.slipway.node.plugins.module_utils.images.sif import sif_state_path
from ansible_collections.slipway.node.plugins.module_utils.singularity.credentials import AUTH_VARIABLES

# What images call machines.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def single_image(path: str, image: str, folder: str) -> str:
    """Write an archive with one image of another archive; return its path."""
    contents = archive.read(path)
    chosen = archive.choose(path, contents, image, image)
    machine = os.uname().machine
    part = archive.part(path, chosen, "linux/" + ARCHITECTURES.get(machine, machine))
    target = os.path.join(folder, "image.tar")
    with open(target, "wb") as file:
        archive.stream(path, contents, part, "slipway/image:1", file)
    return target


def source(module: AnsibleModule, folder: str) -> str:
    """Return what the program is to read."""
    given, location = module.params["archive"], module.params["location"]
    if given:
        about = archive.facts(given, os.path.basename(module.params["path"]), module.params["image"])
        if about["inside"]:
            return "docker-archive:" + single_image(given, about["inside"], folder)
        return "%s:%s" % (about["transport"], given)
    if not location.startswith("docker-daemon:"):
        return location
    saved, error = archive.save(module.run_command, location.partition(":")[2], folder)
    if error:
        module.fail_json(msg="%s cannot be made from %s: %s" % (module.params["path"], location, error))
    written = single_image(saved, "", folder)
    os.unlink(saved)
    return "docker-archive:" + written


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "program": {"type": "path", "required": True},
            "location": {"type": "str"},
            "archive": {"type": "path"},
            "image": {"type": "str", "default": ""},
            "source": {"type": "str", "required": True},
            "digest": {"type": "str", "default": ""},
            "arguments": {"type": "list", "elements": "str", "default": []},
            "authfile": {"type": "path"},
        },
        required_one_of=[("location", "archive")],
        mutually_exclusive=[("location", "archive")],
        supports_check_mode=True,
    )
    path, params = module.params["path"], module.params
    if module.check_mode:
        module.exit_json(changed=True, note={})
    if not os.access(params["program"], os.X_OK) or os.path.isdir(params["program"]):
        module.fail_json(
            msg="%s, which makes SIF files on this host, is no program. Install it with the role singularity, or name "
            "another in images_sif_command; or another host in images_sif_host." % params["program"]
        )
    # In the same folder, so that the last step is a rename; also the place for layers, since /tmp may be small.
    work = tempfile.mkdtemp(prefix=".slipway-", dir=os.path.dirname(path))
    try:
        environment = {"LC_ALL": "C"}
        for flavor in ("SINGULARITY", "APPTAINER"):
            environment[flavor + "_TMPDIR"] = environment[flavor + "_CACHEDIR"] = work
        if params["authfile"] and os.path.exists(params["authfile"]):
            environment.update((name, params["authfile"]) for name in AUTH_VARIABLES.values())
        location = source(module, work)
        part = os.path.join(work, "part.sif")
        command = [params["program"], "build"] + params["arguments"] + [part, location]
        rc, out, err = module.run_command(command, environ_update=environment)
        if rc or not os.path.exists(part):
            said = [line for line in (out + err).splitlines() if "FATAL" in line] or (out + err).splitlines()
            module.fail_json(
                msg="%s cannot be made from %s: %s" % (path, params["source"], with_remedy("\n".join(said)))
            )
        note = {"source": params["source"], "digest": params["digest"], "sha256": sha256(part)}
        note["size"] = os.stat(part).st_size
        written = os.path.join(work, "note")
        with open(written, "w") as file:
            json.dump(note, file, sort_keys=True)
        os.chmod(part, 0o755)
        os.chmod(written, 0o644)
        # Between the two the note is of no file or of another size, so a run that breaks off here is repeated.
        # No file is without a note, as others' files are.
        moves = [(part, path), (written, sif_state_path(path))]
        for made, place in moves if os.path.exists(path) else reversed(moves):
            os.rename(made, place)
    except archive.ArchiveError as error:
        module.fail_json(msg=str(error))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    module.exit_json(changed=True, note=note)


if __name__ == "__main__":
    main()
