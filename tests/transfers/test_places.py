"""Names that may be made, and what is there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers.disk import Validator
from jupyter_ws_hub.transfers.places import DEPTH, free_bytes, occupied, parts_of


def allows(name: str) -> bool:
    return not name.startswith(".")


def no_path(path: str) -> Code:
    with pytest.raises(HubError) as caught:
        parts_of(path, allows)
    assert len(caught.value.message) < 1000
    return caught.value.code


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/abs", "a/", "a//b", ".", "..", "../x", "a/../b", "a/./b", "a/..", "\x00", "a\x00b", "x" * 256),
        *("ä" * 128, "/".join("x" * 200 for _ in range(30)), "/".join("x" for _ in range(DEPTH + 1))),
    ],
)
def test_what_is_no_path_of_names_is_refused(path: str) -> None:
    assert no_path(path) is Code.INVALID


@pytest.mark.parametrize("path", [".hidden", "a/.hidden", ".git/config", "a/.~b.part"])
def test_hidden_names_are_refused_where_they_are(path: str) -> None:
    assert no_path(path) is Code.FORBIDDEN
    assert parts_of(path, lambda name: True) == path.split("/")


@pytest.mark.parametrize(
    "name",
    ["a b", "\n", "'\"`$(x)", "\\", "a\\..\\b", "x" * 255, "ä" * 127, "..a", "a..", "-rf", "C:", "*?", "\t\r\x7f"],
)
def test_every_legal_character_is_taken(tmp_path: Path, name: str) -> None:
    if not name.startswith("."):
        assert parts_of(f"{name}/{name}", allows) == [name, name]
    (tmp_path / name).write_bytes(b"x")
    assert [one.name for one in occupied(tmp_path, [name], lambda name: True)] == [name]


def test_what_is_taken_is_told_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "file").write_bytes(b"123")
    (tmp_path / ".hidden").write_bytes(b"")
    (tmp_path / "dangling").symlink_to("nowhere")
    names = ["dir", "dir/file", "none", "../" + tmp_path.name, ".hidden", "dangling", "dir/file/deeper", "\udcff"]
    found = occupied(tmp_path, names, allows)
    assert [(one.name, one.type) for one in found] == [("dir", "directory"), ("dir/file", "file")]
    status = (tmp_path / "dir" / "file").stat()
    assert (found[1].size, found[1].etag) == (3, Validator.of(status).etag)
    assert found[1].mtime_ms == status.st_mtime_ns // 10**6


def test_free_space_is_told_or_a_lot(tmp_path: Path) -> None:
    assert 0 < free_bytes(tmp_path) < 2**62
    assert free_bytes(tmp_path / "none") == 2**62
