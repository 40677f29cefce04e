"""Ansible's own tests of collections, `ansible-test sanity`, on the collection as it is installed.

They run without containers, each in an environment of its own, which is kept in .cache.
"""

import sys
from pathlib import Path

from ansible.release import __version__

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".cache" / "ansible-test"
PYTHON = "{}.{}".format(*sys.version_info)
# pip's bootstrap script, which ansible-test fetches from a server of its own unless it has it.
GET_PIP = HOME / ".ansible/test/cache/get_pip_24_2.py"
SKIPPED = {
    "changelog": "fragments of antsibull-changelog, which begin with the first release",
    "pep8": "what ruff looks at, in lines of 120 characters",
    "pylint": "what ruff and mypy look at, in a minute",
    "yamllint": "a step of its own, with this project's rules",
    "shellcheck": "the program is not in the environment",
}
IGNORED = {
    "roles/registry/files/slipway-registry shebang": "a program for admins, no module",
}


def test_ansible_s_own_tests_pass(site):
    # The collection is Apache-2.0, as a whole; that is asked of what goes into Ansible's own package.
    documented = [path for kind in ("callback", "lookup", "modules") for path in (ROOT / "plugins" / kind).glob("*.py")]
    ignored = [f"{path.relative_to(ROOT)} validate-modules:missing-gplv3-license" for path in documented]
    listed = site.installed / f"tests/sanity/ignore-{'.'.join(__version__.split('.')[:2])}.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("".join(f"{line}\n" for line in [*ignored, *IGNORED]))
    GET_PIP.parent.mkdir(parents=True, exist_ok=True)
    GET_PIP.write_text("import ensurepip\n\nensurepip.bootstrap()\n")
    skip = [word for name in SKIPPED for word in ("--skip-test", name)]
    site(
        *("ansible-test", "sanity", "--python", PYTHON, "--requirements", "--color", "no", *skip),
        cwd=site.installed,
        HOME=str(HOME),
    )
