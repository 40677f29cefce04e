"""What is tried again, what is told, and what is noted."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import docker_command
from ansible_collections.slipway.node.plugins.modules import images_pull

GONE = (1, "", "dial tcp 10.0.0.1:5000: connect: connection refused")
UNKNOWN = (1, "", "manifest for app:1 not found: manifest unknown")
DONE = (0, "", "")


class Module:
    """A module whose commands answer one after the other."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def run_command(self, command):
        assert command[: len(docker_command())] == docker_command()
        self.asked.append(command[len(docker_command()) :])
        return self.answers.pop(0)


@pytest.mark.parametrize(
    ("answers", "asked", "found"),
    [
        ([DONE, (0, "sha256:1\n", "")], ["pull", "image"], ("sha256:1", "")),
        # A registry that does not answer is asked again; one that has no such image is not.
        ([GONE, GONE, DONE, (0, "sha256:1\n", "")], ["pull", "pull", "pull", "image"], ("sha256:1", "")),
        ([GONE, GONE, GONE], ["pull", "pull", "pull"], ("", "cannot be reached")),
        ([UNKNOWN], ["pull"], ("", "no such image")),
        ([(1, "", "strange")] * 3, ["pull", "pull", "pull"], ("", "strange")),
    ],
)
def test_pulling(monkeypatch, answers, asked, found):
    monkeypatch.setattr(images_pull, "PAUSE", 0)
    module = Module(*answers)
    identity, error = images_pull.pull(module, {"pull": "app:1", "local": "app:1", "source": ""})
    assert [command[0] for command in module.asked] == asked
    assert identity == found[0]
    assert found[1] in error


@pytest.mark.parametrize(
    ("local", "tagged"), [("app:1", True), ("h:5000/app:1", False), (f"h:5000/app@sha256:{'0' * 64}", False)]
)
def test_a_name_of_one_s_own_is_a_tag(local, tagged):
    module = Module(DONE, DONE, DONE)
    images_pull.pull(module, {"pull": "h:5000/app:1", "local": local, "source": ""})
    assert (["tag", "h:5000/app:1", local] in module.asked) == tagged
