"""The client that uploads a tree, and the comparison of what came: a file less would be a file faster."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from .file_systems import FileSystem, ours
from .file_tree import NAME, compare
from .file_trees import FILE_BYTES, FOLDER_FILES, small_files, upload_tree
from .file_wire import content
from .lab import Lab

COUNT = FOLDER_FILES + 7


def put(root: Path) -> FileSystem:
    for file in small_files(COUNT):
        folder = root / NAME / file.folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file.name).write_bytes(file.data)
    return FileSystem(1, 1, "hub", str(root))


def test_the_files_are_the_content_in_order() -> None:
    files = small_files(5000)
    assert len({(file.folder, file.name) for file in files}) == 5000
    assert {len(file.data) for file in files} == {FILE_BYTES}
    data = b"".join(file.data for file in files)
    assert data == (content() * 2)[: len(data)]


def test_a_tree_that_came_is_taken_away(tmp_path: Path) -> None:
    compare(put(tmp_path), COUNT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("harm", ["missing", "wrong", "more"])
def test_what_did_not_come_is_seen(harm: str, tmp_path: Path) -> None:
    system = put(tmp_path)
    victim = tmp_path / NAME / small_files(COUNT)[-1].folder / small_files(COUNT)[-1].name
    if harm == "missing":
        victim.unlink()
    else:
        (victim if harm == "wrong" else victim.with_name("other")).write_bytes(b"else")
    with pytest.raises((RuntimeError, FileNotFoundError)):
        compare(system, COUNT)


def test_a_tree_is_uploaded(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    try:
        system = ours(lab)
        with closing(upload_tree(system, NAME, 1500)) as client:
            client.run()
        compare(system, 1500)
    finally:
        lab.close()
