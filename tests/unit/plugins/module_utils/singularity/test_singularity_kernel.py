"""Settings of the kernel, as the boot reads them."""

import pytest
from ansible_collections.slipway.node.plugins.module_utils.singularity.kernel import boot_value


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], ("", "")),
        ([("/usr/lib/sysctl.d/50.conf", "# user.max = 1\n;user.max=2\nuser.other = 3\n")], ("", "")),
        ([("/usr/lib/sysctl.d/50.conf", "user.max = 7\n-user/max=8\n")], ("8", "/usr/lib/sysctl.d/50.conf")),
        # The later name wins, whatever the folder; of two files with one name the stronger folder's alone is read.
        ([("/usr/lib/sysctl.d/99.conf", "user.max=0"), ("/etc/sysctl.d/90.conf", "user.max=9")],
         ("0", "/usr/lib/sysctl.d/99.conf")),
        ([("/usr/lib/sysctl.d/99.conf", "user.max=0"), ("/etc/sysctl.d/99.conf", "")], ("", "")),
    ],
)  # fmt: skip
def test_settings_at_boot_are_read_as_the_boot_reads_them(files, expected):
    assert boot_value(files, "user.max") == expected
