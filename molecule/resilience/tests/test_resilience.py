"""What is on nodes that an older Slipway made, once this one ran twice."""

from pathlib import Path

LOOK = Path(__file__).parents[1] / "files" / "what_runs.sh"


def test_nothing_was_restarted(host):
    assert host.check_output(LOOK.read_text()) == host.file("/root/running").content_string.strip()


def test_a_container_has_its_data(host):
    assert host.check_output("docker exec job /bin/cat /own /kept/file").split() == ["own", "kept"]
