"""dockerd's command line as systemd units write it."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import unit

CAT = """# /lib/systemd/system/docker.service
[Service]
EnvironmentFile=-/etc/default/docker
ExecStart=/usr/bin/dockerd -H fd:// \\
    --containerd=/run/c.sock $DOCKER_OPTS

# /etc/systemd/system/docker.service.d/slipway-flags.conf
[Service]
ExecStart=
ExecStart=/usr/bin/dockerd
"""
OWN = "/etc/systemd/system/docker.service.d/slipway-flags.conf"


def words(*environment):
    return unit.command(CAT, OWN, list(environment))


def test_the_command_is_the_one_without_slipways_drop_in():
    assert words() == ["/usr/bin/dockerd", "-H", "fd://", "--containerd=/run/c.sock"]


def test_environment_files_are_expanded():
    assert unit.environment_files(CAT) == ["/etc/default/docker"]
    assert words('# DOCKER_OPTS="--no"\nDOCKER_OPTS="--debug --mtu 1400"\n')[4:] == ["--debug", "--mtu", "1400"]


@pytest.mark.parametrize(
    ("line", "keys", "found"),
    [
        ("-H fd:// -H tcp://:1", ["hosts"], {"hosts": "-H fd:// -H tcp://:1"}),
        ("-Hfd://", ["hosts"], {"hosts": "-Hfd://"}),
        ("--debug --mtu 1400", ["mtu", "debug"], {"debug": "--debug", "mtu": "--mtu 1400"}),
        ("--registry-mirror=http://m", ["registry-mirrors"], {"registry-mirrors": "--registry-mirror=http://m"}),
        ("--add-runtime a=b", ["runtimes"], {}),
        ("-H fd://", ["debug"], {}),
    ],
)
def test_clashes(line, keys, found):
    assert unit.conflicts(["dockerd", *line.split()], keys) == found


def test_the_drop_in_keeps_the_other_flags():
    text = unit.drop_in(
        ["/usr/bin/env", "A=1", "/dockerd", "-H", "fd://", "--label", "a=b c", "--debug"], ["hosts", "debug"]
    )
    assert text.splitlines()[1:] == ["[Service]", "ExecStart=", 'ExecStart=/usr/bin/env A=1 /dockerd --label "a=b c"']


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (["/usr/bin/dockerd", "-D"], ["/usr/bin/dockerd", "-D"]),
        (["/usr/bin/numactl", "--membind=0", "dockerd", "-D"], ["dockerd", "-D"]),
        (["/bin/sh", "-c", "exec dockerd -D"], ["dockerd", "-D"]),
        (["/usr/local/sbin/docker-start"], []),
    ],
)
def test_dockerd_is_found_behind_what_starts_it(line, found):
    assert unit.engine_words(line) == found


def test_the_drop_in_gives_up_a_shell_s_own_line():
    text = unit.drop_in(["/bin/sh", "-c", "exec dockerd -H fd:// --debug"], ["hosts"])
    assert text.splitlines()[3] == "ExecStart=/usr/bin/env dockerd --debug"


def test_proxies_are_quoted():
    assert unit.proxy_environment('http://u:a"b\\@p', "", "localhost").splitlines()[1:] == [
        'HTTP_PROXY="http://u:a\\"b\\\\@p"',
        'NO_PROXY="localhost"',
    ]
