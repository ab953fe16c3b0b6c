"""Which local files and folders go where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_ws_hub.cli.servers import CommandError
from jupyter_ws_hub.cli.upload_plan import Plan, is_contents_only, make_plan, remote_path
from jupyter_ws_hub.protocol.transfer import TREE_FILE_BYTES


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir" / "sub").mkdir(parents=True)
    (tmp_path / "dir" / "a.txt").write_text("a")
    (tmp_path / "dir" / "sub" / "b.txt").write_text("b")
    with (tmp_path / "dir" / "large").open("wb") as file:
        file.truncate(TREE_FILE_BYTES + 1)
    (tmp_path / "one.txt").write_text("1")
    return tmp_path


def places(plan: Plan) -> tuple[str, list[str], list[str]]:
    return plan.base, [found.path for found in plan.tree], [found.path for found in plan.large]


@pytest.mark.parametrize(
    ("sources", "remote", "kind", "expected"),
    [
        (["one.txt"], "to", "directory", ("to", [], ["one.txt"])),
        (["one.txt"], "to/", "directory", ("to", [], ["one.txt"])),
        (["one.txt"], "/", "directory", ("", [], ["one.txt"])),
        (["one.txt"], "a/new.txt", None, ("a", [], ["new.txt"])),
        (["one.txt"], "old.txt", "file", ("", [], ["old.txt"])),
        (["dir"], "to", "directory", ("to", ["dir", "dir/a.txt", "dir/sub/b.txt", "dir/sub", "dir"], ["dir/large"])),
        (["dir/"], "to", "directory", ("to", ["dir", "dir/a.txt", "dir/sub/b.txt", "dir/sub", "dir"], ["dir/large"])),
        (["dir"], "new", None, ("", ["new", "new/a.txt", "new/sub/b.txt", "new/sub", "new"], ["new/large"])),
        (["dir/."], "to", "directory", ("to", ["a.txt", "sub/b.txt", "sub"], ["large"])),
        (["dir/."], "x/new", None, ("x", ["new", "new/a.txt", "new/sub/b.txt", "new/sub", "new"], ["new/large"])),
        (["dir/sub", "one.txt"], "to", "directory", ("to", ["sub/b.txt", "one.txt", "sub"], [])),
    ],
)
def test_places_are_those_of_scp(
    sources: list[str], remote: str, kind: str | None, expected: tuple[str, list[str], list[str]]
) -> None:
    assert places(make_plan(sources, remote, kind)) == expected


@pytest.mark.parametrize(
    ("sources", "remote", "kind", "words"),
    [
        (["one.txt", "dir"], "new", None, "does not exist"),
        (["one.txt"], "new/", None, "make it first"),
        (["one.txt", "dir"], "old.txt", "file", "is a file"),
        (["dir"], "old.txt", "file", "cannot take its place"),
        (["dir/a.txt", "dir/sub/../a.txt"], "to", "directory", "Two of the sources"),
    ],
)
def test_what_cannot_be_is_told(sources: list[str], remote: str, kind: str | None, words: str) -> None:
    with pytest.raises(CommandError, match=words) as caught:
        make_plan(sources, remote, kind)
    assert caught.value.status == 2


def test_what_cannot_be_sent_does_not_hold_up_the_rest(files: Path) -> None:
    os.symlink("..", files / "dir" / "up")
    os.mkfifo(files / "dir" / "pipe")
    os.close(os.open(os.fsencode(files) + b"/dir/\xff", os.O_CREAT))
    plan = make_plan(["dir", "missing"], "to", "directory")
    reasons = {os.path.basename(name.rstrip("'")): reason for name, reason in plan.failures}
    assert [found.path for found in plan.small if "/up/" not in found.path] == ["dir/a.txt", "dir/sub/b.txt"]
    assert reasons["pipe"] == "it is no plain file" and "UTF-8" in reasons[r"\udcff"]
    assert "missing" in reasons and any("link to a folder that it lies in" in reason for reason in reasons.values())


@pytest.mark.parametrize(
    ("text", "path"),
    [("", ""), ("/", ""), (".", ""), ("a//b/", "a/b"), ("./a", "a"), ("/a/../b", "b"), ("~/a", "a"), ("a/..", "")],
)
def test_remote_paths_are_read_as_people_write_them(text: str, path: str) -> None:
    assert remote_path(text) == path


@pytest.mark.parametrize("text", ["..", "../a", "a/../../b", "/../a"])
def test_remote_paths_stay_inside(text: str) -> None:
    with pytest.raises(CommandError, match="outside"):
        remote_path(text)


def test_contents_are_meant_by_a_dot() -> None:
    assert [is_contents_only(text) for text in (".", "a/.", "a/./", "..", "a", "a/", "a.", ".a")] == [
        *[True] * 4,
        *[False] * 4,
    ]
