"""What Go calls architectures."""

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.node.plugins.filter import golang


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("x86_64", "amd64"),
        ("aarch64", "arm64"),
        ("ppc64le", "ppc64le"),
        ("s390x", "s390x"),
        ("riscv64", "riscv64"),
        ("armv7l", "armv6l"),
        ("loongarch64", "loong64"),
    ],
)
def test_go_architecture(machine, expected):
    assert golang.go_architecture(machine) == expected


def test_an_unknown_architecture_is_an_error_that_lists_the_known():
    with pytest.raises(AnsibleFilterError, match="what Go calls alpha; it knows x86_64, aarch64"):
        golang.go_architecture("alpha")
