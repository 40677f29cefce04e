"""What is read of a host's images: from its engine, of registries in networks, and who uses them."""

import json

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host, NoAnswer, docker_command
from ansible_collections.slipway.node.plugins.module_utils.images import observe
from ansible_collections.slipway.node.plugins.module_utils.images.record import record
from images_examples import ENTRY, PUSH, SIF, A, B, C, image, observed, want


def test_an_engine_s_images_are_found_under_all_their_names():
    answer = {"Id": A, "RepoTags": ["busybox:1", "h:5000/x:1"], "RepoDigests": [f"busybox@{B}"]}
    host = Host(lambda command, **_: (1, json.dumps(answer) + "\n", "No such image"))
    found = observe._images(host, ["busybox:1", f"busybox@{B}", "h:5000/x:1", "other:1"])
    assert {name: bool(about) for name, about in found.items()} == {
        "busybox:1": True,
        f"busybox@{B}": True,
        "h:5000/x:1": True,
        "other:1": False,
    }


def test_what_was_pushed_of_containerd_s_store_is_told_by_its_configuration():
    one = {**PUSH, "kind": "docker-daemon", "location": "docker-daemon:app:1"}
    found = observed(images={"app:1": image(A)})
    assert observe.source_ids(Host(), want(), one, found)["ids"] == [A]
    found["record"]["pushed"]["app:1"] = {"id": B, "from": A}
    assert observe.source_ids(Host(), want(), one, found)["ids"] == [A, B]
    # Of an earlier image of that name.
    found["record"]["pushed"]["app:1"] = {"id": B, "from": C}
    assert observe.source_ids(Host(), want(), one, found)["ids"] == [A]


def test_registries_of_a_network_count_for_skopeo_and_for_sif_files(tmp_path):
    oras = {**SIF, "location": "oras://10.0.0.1/t:1"}
    archived = {**SIF, "path": "/x", "location": "archive:/srv/app.tar:app", "archive": "/srv/app.tar"}
    local = {**PUSH, "target": "docker://[fd00::1]:5000/app:1", "location": "docker://docker.io/library/app:1"}
    wanted = want(push=[local], build=[SIF, oras, archived], skopeo=True, registries=str(tmp_path / "none"))
    wanted.update(mirrors={"docker.io": ["https://10.0.0.2"]}, insecure=["10.0.0.0/8", "fd00::/8", "0.0.0.0/0"])
    found = observe.observe(Host(lambda *_, **__: (1, "", "")), wanted)
    assert found["plain_http"] == ["10.0.0.1", "10.0.0.2", "[fd00::1]:5000"]
    # Who copies nothing asks no name service.
    assert observe.observe(Host(), want(mirrors=wanted["mirrors"], insecure=wanted["insecure"]))["plain_http"] == []


def test_who_uses_which_image():
    answers = {"ps": "c1 c2\n", "inspect": f"{B} /two\n{A} /one\n{A} /also\n"}
    start = len(docker_command())
    host = Host(lambda command, **_: (0, answers[command[start]], ""))
    assert observe._containers(host) == {A: ["also", "one"], B: ["two"]}
    with pytest.raises(NoAnswer, match="which images are in use"):
        observe._containers(Host(lambda *_, **__: (1, "", "")))


@pytest.mark.parametrize(("answers", "program", "dockerd"), [(True, 0, False), (False, 0, True), (False, 1, False)])
def test_whether_an_engine_that_does_not_answer_is_there(tmp_path, answers, program, dockerd):
    path = tmp_path / "images.json"
    record(str(path), "images", "app:1", A, "")

    def run(command, **_):
        if "version" in command:
            return (0, "26.1.5 linux/amd64\n", "") if answers else (1, "", "")
        return (program, "", "") if "command -v dockerd" in command else (0, "", "")

    found = observe.observe(Host(run), want(state="absent", record=str(path), sif_path=""))
    assert (bool(found["engine"]), found["dockerd"]) == (answers, dockerd)


def test_the_engine_of_this_host_is_asked_whatever_root_s_context_says(tmp_path):
    asked = []

    def run(command, **_):
        asked.append(command)
        return 0, "26.1.5 linux/amd64\n" if "version" in command else "", ""

    wanted = want(preload=[ENTRY])
    observe.observe(Host(run), wanted)
    assert [command[: len(docker_command())] for command in asked] == [docker_command()] * 2
