"""Files of a tree whose names are symbolic links: what these lead to is replaced, as in the upload of one file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.transfer import ABSENT, IfExists
from jupyter_ws_hub.transfers.disk import Validator
from jupyter_ws_hub.transfers.tree_writer import Group, discard

from .test_tree_writer import OP, Writing, arrived, base, no_descriptor_is_lost, put, put_over_a_kill, tree

__all__ = ["base", "no_descriptor_is_lost"]  # the fixtures


@pytest.fixture(params=["absolute", "relative", "outside", "two", "within a linked directory"])
def link(base: Path, tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A link to a file that is there: its path in the tree, and where it leads."""
    real = (tmp_path if request.param in ("outside", "two") else base) / "elsewhere" / "real.txt"
    real.parent.mkdir()
    real.write_bytes(b"old")
    real.chmod(0o640)
    if request.param == "within a linked directory":
        (base / "sub").symlink_to("elsewhere")
        (real.parent / "a.txt").symlink_to("real.txt")
        return "sub/a.txt", real
    (base / "sub").mkdir()
    target = real if request.param in ("absolute", "outside") else "../../elsewhere/real.txt"
    if request.param == "relative":
        target = "../elsewhere/real.txt"
    if request.param == "two":
        (tmp_path / "second").symlink_to(real)
        target = tmp_path / "second"
    (base / "sub" / "a.txt").symlink_to(target)
    return "sub/a.txt", real


@pytest.mark.parametrize("policy", ["fail", "overwrite", "rename", "skip"])
def test_a_link_to_a_file_stays_one_as_in_the_upload_of_one_file(
    base: Path, tmp_path: Path, link: tuple[str, Path], policy: IfExists
) -> None:
    path, real = link
    result = {"fail": Code.EXISTS, "overwrite": path, "rename": "sub/a-1.txt", "skip": "skipped"}[policy]
    results = put(base, arrived(0, "before"), arrived(1, path), arrived(2, "sub/after"), policy=policy)
    assert results == ["before", result, "sub/after"]
    assert (base / path).is_symlink()
    assert real.read_bytes() == (b"data" if policy == "overwrite" else b"old")
    assert real.stat().st_mode & 0o777 == 0o640
    assert (base / "sub/a-1.txt").exists() == (policy == "rename")
    assert list(tmp_path.rglob(".~*")) == []


def test_a_link_is_written_through_only_if_what_it_leads_to_is_as_expected(base: Path, link: tuple[str, Path]) -> None:
    path, real = link
    etag = Validator.of(real.stat()).etag
    assert put(base, arrived(0, path, if_exists="overwrite", expect="another")) == [Code.CONFLICT]
    assert put(base, arrived(0, path, if_exists="overwrite", expect=ABSENT)) == [Code.EXISTS]
    assert real.read_bytes() == b"old"
    assert put(base, arrived(0, path, if_exists="overwrite", expect=etag)) == [path]
    assert ((base / path).is_symlink(), real.read_bytes()) == (True, b"data")


def test_a_link_that_leads_to_no_place_for_a_file_is_left_alone(base: Path) -> None:
    (base / "directory").mkdir()
    links = {"circle": "back", "back": "circle", "gone": "nowhere/at/all", "dir": "directory", "root": "/"}
    for name, target in links.items():
        (base / name).symlink_to(target)
    results = put(base, *[arrived(n, name) for n, name in enumerate(links)], policy="overwrite")
    assert results == [Code.NOT_FOUND, Code.NOT_FOUND, Code.NOT_FOUND, Code.INVALID, Code.INVALID]
    assert {name: os.readlink(base / name) for name in links} == links
    assert sorted(path.name for path in base.iterdir()) == sorted([*links, "directory"])


def test_what_a_kill_has_left_where_a_link_leads_can_be_removed(base: Path, link: tuple[str, Path]) -> None:
    path, real = link
    writing = Writing(base, "overwrite")
    group = Group([arrived(0, path)])
    writing.writer.write(group, writing.note)
    assert len(list(real.parent.glob(".~*"))) == 1
    discard(base, OP, writing.noted)
    assert list(real.parent.glob(".~*")) == []
    writing.writer.clean(group)
    writing.close()


@pytest.mark.parametrize(
    ("policy", "is_dangling"), [("fail", True), ("skip", True), ("overwrite", True), ("overwrite", False)]
)
@pytest.mark.parametrize("steps", range(8))
def test_a_kill_makes_no_doubles_where_a_link_leads(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: IfExists, steps: int, is_dangling: bool
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (base / "a").symlink_to(outside / "real")
    if not is_dangling:
        (outside / "real").write_bytes(b"old")
    outcomes = put_over_a_kill(base, monkeypatch, policy, steps, [arrived(0, "a", b"1"), arrived(1, "b", b"2")])
    assert (base / "a").is_symlink()
    assert (tree(outside), tree(base)) == ({"real": b"1"}, {"a": b"1", "b": b"2"})
    assert [one.path for one in outcomes.values()] in ([], ["a", "b"])
