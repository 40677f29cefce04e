"""Where an engine's data is, and what of it is the engine's."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.data import data_roots, engine_data

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import FakeHost


@pytest.mark.parametrize(
    ("root", "found"),
    [("/data/docker/231072.231072", "/data/docker"), ("/data/26.1", "/data/26.1"), ("/data/x", "/data/x")],
)
def test_with_remapped_users_the_engine_names_a_folder_in_its_data_root(root, found):
    assert data_roots(FakeHost(), {"DockerRootDir": root})[0] == found


def test_of_a_folder_that_others_use_too_only_what_is_the_engine_s_goes():
    files = ["/data/231072.231072", "/data/overlay2", "/data/3.x.txt", "/data/own"]
    assert engine_data(FakeHost(dict.fromkeys(files, b"")), "/data") == ["/data/231072.231072", "/data/overlay2"]
