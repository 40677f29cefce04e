"""The table of what stands in for Enterprise Linux' own packages."""

from lab.upstream.rocky import CONTENT, EMPTY, LINKS, PROVIDES, REQUIRES

NAMES = {*CONTENT, *EMPTY}


def test_no_package_of_debian_is_in_two() -> None:
    packages = [package for content in CONTENT.values() for package in content.split()]
    assert len(packages) == len(set(packages))


def test_what_is_required_is_there() -> None:
    provided = {words.split()[0] for several in PROVIDES.values() for words in several}
    assert {other for several in REQUIRES.values() for other in several} <= NAMES | provided


def test_every_table_speaks_of_packages_that_are_made() -> None:
    assert {*REQUIRES, *PROVIDES, *LINKS} <= NAMES
    assert not CONTENT.keys() & EMPTY.keys()
