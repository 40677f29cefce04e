"""After the whole drift table the engine is as it was."""


def test_engine_answers_with_the_wanted_version(host):
    assert host.check_output("docker version --format '{{.Server.Version}}'").startswith("26.1.")


def test_engine_runs_at_boot_and_now(host):
    assert host.service("docker").is_enabled and host.service("docker").is_running


def test_nothing_is_left_for_an_upgrade_of_the_system(host):
    if host.file("/etc/redhat-release").exists:
        assert host.run("dnf --assumeno upgrade docker-ce").rc == 0
    else:
        assert "docker-ce" in host.check_output("apt-mark showhold").split()
