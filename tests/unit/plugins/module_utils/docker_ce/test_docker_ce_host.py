"""The section ``docker_ce`` on a folder that stands for a host's files: a first installation, and removal."""

import glob
import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.observe import observe
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import GROUP, changes, plan
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import drift, made


class Machine(Host):
    """A host whose files are below a folder, and on which no program answers."""

    def __init__(self, root):
        super().__init__(lambda command, environ_update: (1, "", ""))
        self.root = str(root)

    def read_bytes(self, path):
        return super().read_bytes(self.root + path)

    def glob(self, *patterns):
        return sorted(path[len(self.root) :] for one in patterns for path in glob.glob(self.root + one))


@pytest.fixture
def configured(tmp_path):
    """Return a function that writes daemon.json."""

    def write(text):
        (tmp_path / "etc/docker").mkdir(parents=True, exist_ok=True)
        (tmp_path / "etc/docker/daemon.json").write_text(text)
        return Machine(tmp_path)

    return write


def test_a_configuration_from_before_the_first_installation_is_tried_by_the_engine_that_comes(configured, tmp_path):
    host = Machine(tmp_path)
    assert not changes(made(), observe(host, made()))["is_tried"]
    host = configured('{"graph": "/var/lib/docker"}')
    assert changes(made(), observe(host, made()))["is_tried"]


@pytest.mark.parametrize(
    ("text", "root"),
    [
        (json.dumps({"data-root": "/data/docker"}), "/data/docker"),
        ("{}", "/var/lib/docker"),
        # What cannot be a data-root, or cannot be read, is no reason to delete other folders.
        (json.dumps({"data-root": "/"}), "/var/lib/docker"),
        (json.dumps({"data-root": "data"}), "/var/lib/docker"),
        (json.dumps({"data-root": ["/data"]}), "/var/lib/docker"),
        ('["data-root"]', "/var/lib/docker"),
        ("{", "/var/lib/docker"),
    ],
)
def test_data_of_an_engine_that_is_down_is_where_its_configuration_says(configured, tmp_path, text, root):
    for folder in ("data/docker", "var/lib/docker"):
        (tmp_path / folder / "overlay2").mkdir(parents=True)
    (tmp_path / "data/docker/home").mkdir()
    want = made(state="absent", purge_data=True)
    observed = observe(configured(text), want)
    (purge,) = plan(want, observed)["purge_data"]
    assert (purge["item"], purge["is"], purge["want"]) == (root, "holds data", "empty")
    # What else is in a folder of the admin's is not the engine's; its own goes whole.
    assert purge["do"] == [
        ["command", ["rm", "-rf", "--one-file-system", "--", "/data/docker/overlay2"]]
        if root == "/data/docker"
        else ["command", ["find", "-H", root, "-xdev", "-mindepth", "1", "-delete"]]
    ]


def test_the_group_is_left_to_the_first_installation_and_made_where_a_package_s_configuration_is_left(tmp_path):
    host, want = Machine(tmp_path), made()
    assert GROUP not in [one["item"] for one in drift(want, observe(host, want))]
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (info / "docker-ce.list").touch()
    assert GROUP in [one["item"] for one in drift(want, observe(host, want))]
