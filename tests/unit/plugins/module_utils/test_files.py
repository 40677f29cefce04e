"""Files are read, summed and replaced whole: mode, strange bytes and what was there before."""

import hashlib

import pytest
from ansible_collections.slipway.node.plugins.module_utils.engine import files


@pytest.mark.parametrize(("was", "given", "then"), [(0o640, 0o644, 0o640), (0o644, 0o600, 0o600), (None, 0o644, 0o644)])
def test_a_file_keeps_its_mode_unless_it_is_private(tmp_path, was, given, then):
    path = tmp_path / "new" / "file"
    if was:
        path.parent.mkdir()
        path.write_text("old")
        path.chmod(was)
    files.replace(str(path), "new", given, 0o700)
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == then
    assert [one.name for one in path.parent.iterdir()] == ["file"]
    assert was or path.parent.stat().st_mode & 0o777 == 0o700


def test_bytes_that_are_no_utf_8_survive(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"caf\xe9\n")
    files.replace(str(path), files.read(str(path)) + "more\n", 0o644)
    assert path.read_bytes() == b"caf\xe9\nmore\n"


def test_a_file_that_cannot_be_replaced_is_as_it_was(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        files.replace(str(tmp_path / "folder"), "new", 0o644)
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_a_file_that_is_not_there_is_empty_and_has_no_sum(tmp_path):
    path = tmp_path / "file"
    assert files.read(str(path)) == files.read(f"{path}/below") == files.sha256(str(path)) == ""
    path.write_text("x")
    assert files.sha256(str(path)) == hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(28, "No space left on device"), "The disk is full. Free space there, and run again."),
        (OSError(30, "Read-only file system", b"/ro"), "/ro: The file system is read-only. Mount it for writing"),
        (OSError(40, "Too many levels of symbolic links", "/x"), "/x: Too many levels of symbolic links."),
        (OSError("are you root?"), "are you root."),
    ],
)
def test_an_error_of_the_system_is_told_in_words_for_people(error, text):
    assert files.why(error).startswith(text)


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError) as error:
        files.replace(str(tmp_path / "file/x"), "text", 0o644)
    assert error.value.filename == str(tmp_path / "file/x")
