"""What is in a directory: all that Jupyter shows, nothing from outside, no circles, nothing left out unsaid."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.transfers.walk import Member, Walk, etag_of

from .test_partial import as_plain_user
from .test_source import refused


def visible(name: str) -> bool:
    return not name.startswith(".")


def walk(place: Path, root: Path | None = None, *, max_entries: int = 1000, hidden: bool = False) -> list[Member]:
    allows = (lambda name: True) if hidden else visible
    return Walk(place, root or place, allows, max_entries, "d").members()


def paths(place: Path, root: Path | None = None, *, hidden: bool = False) -> list[str]:
    return [member.path + "/" * (member.validator is None) for member in walk(place, root, hidden=hidden)]


def put(place: Path, *names: str) -> None:
    for name in names:
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def test_members_come_in_order_and_directories_before_what_is_in_them(tmp_path: Path) -> None:
    put(tmp_path, "b.txt", "a/z", "a/b/c", "a.txt", "é")
    (tmp_path / "empty").mkdir()
    assert paths(tmp_path) == ["a/", "a/b/", "a/b/c", "a/z", "a.txt", "b.txt", "empty/", "é"]
    assert walk(tmp_path) == walk(tmp_path)


def test_hidden_ones_are_left_out_unless_they_are_allowed(tmp_path: Path) -> None:
    put(tmp_path, "a", ".secret", ".git/config", "d/.x", "d/.~a.part")
    assert paths(tmp_path) == ["a", "d/"]
    assert paths(tmp_path, hidden=True) == [".git/", ".git/config", ".secret", "a", "d/", "d/.x", "d/.~a.part"]


def test_links_lead_neither_out_nor_in_circles(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "root-evil"
    put(root, "d/a", "other/b")
    put(outside, "secret", "tree/x")
    links = {
        "inside": root / "other/b",
        "relative": Path("../other/b"),
        "out": outside / "secret",
        "out-relative": Path("../../root-evil/secret"),
        "out-directory": outside / "tree",
        "directory": root / "other",
        "circle": root / "d",
        "self": Path("self"),
        "dangling": root / "nothing",
    }
    for name, target in links.items():
        (root / "d" / name).symlink_to(target)
    (root / "d" / "via").symlink_to("out")
    assert paths(root / "d", root) == ["a", "inside", "relative"]
    by_path = {member.path: member for member in walk(root / "d", root)}
    assert by_path["inside"].size == len("other/b")


def test_a_directory_that_is_itself_a_link_gives_what_is_in_it(tmp_path: Path) -> None:
    root, data = tmp_path / "root", tmp_path / "data-disk"
    put(data, "a", "d/b")
    (data / "link").symlink_to("a")
    root.mkdir()
    (root / "data").symlink_to(data)
    assert paths(root / "data", root) == ["a", "d/", "d/b", "link"]


def test_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a")
    os.mkfifo(tmp_path / "fifo")
    assert paths(tmp_path) == ["a"]


def test_too_many_are_refused_and_just_enough_are_not(tmp_path: Path) -> None:
    put(tmp_path, "a", "b", "d/c")
    assert len(walk(tmp_path, max_entries=4)) == 4
    error = refused(lambda: walk(tmp_path, max_entries=3))
    assert error.code is Code.TOO_BIG
    assert "3" in error.message


def test_a_name_that_cannot_be_told_is_refused_and_not_left_out(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.txt")).write_text("x")
    error = refused(lambda: walk(tmp_path))
    assert error.code is Code.INVALID
    error.message.encode()


def test_a_directory_that_is_gone_is_not_found(tmp_path: Path) -> None:
    error = refused(lambda: walk(tmp_path / "nothing"))
    assert error.code is Code.NOT_FOUND
    assert str(tmp_path) not in error.message


def test_a_very_deep_tree_is_walked(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    depth = 300
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        next_one = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = next_one
    os.close(here)
    assert len(walk(tmp_path)) == depth


def unreadable(place: Path) -> None:
    put(place, "a", "closed", "d/x")
    (place / "closed").chmod(0)
    error = refused(lambda: walk(place))
    assert error.code is Code.FORBIDDEN
    assert "d/closed" in error.message
    assert str(place) not in error.message
    (place / "closed").unlink()
    (place / "d").chmod(0)
    assert paths(place) == ["a"]  # Jupyter shows no directory that it cannot list
    (place / "d").chmod(0o700)


def test_a_file_that_cannot_be_read_is_told_and_not_left_out() -> None:
    as_plain_user(unreadable)


# The etag


def test_the_etag_changes_with_everything_that_is_sent(tmp_path: Path) -> None:
    put(tmp_path, "a", "d/b")
    (tmp_path / "empty").mkdir()
    seen = {etag_of(walk(tmp_path), "tree")}

    def changes() -> None:
        etag = etag_of(walk(tmp_path), "tree")
        assert etag not in seen
        seen.add(etag)

    os.utime(tmp_path / "a", (1, 1))
    changes()
    (tmp_path / "a").chmod(0o700)
    changes()
    (tmp_path / "d/b").rename(tmp_path / "d/c")
    changes()
    put(tmp_path, "d/e")
    changes()
    (tmp_path / "empty").rmdir()
    changes()
    assert etag_of(walk(tmp_path), "zip") not in seen


def test_the_etag_does_not_change_with_what_is_hidden(tmp_path: Path) -> None:
    put(tmp_path, "a", "d/b")
    before = etag_of(walk(tmp_path), "zip")
    put(tmp_path, ".x", "d/.ipynb_checkpoints/b")
    os.utime(tmp_path / "d", (5, 5))
    assert etag_of(walk(tmp_path), "zip") == before


def test_a_directory_is_as_new_as_the_newest_in_it(tmp_path: Path) -> None:
    put(tmp_path, "d/e/a", "d/b")
    (tmp_path / "empty").mkdir()
    os.utime(tmp_path / "d/e/a", (3000, 3000))
    os.utime(tmp_path / "d/b", (2000, 2000))
    os.utime(tmp_path / "empty", (1000, 1000))
    times = {member.path: member.mtime_ns // 10**9 for member in walk(tmp_path)}
    assert times == {"d": 3000, "d/b": 2000, "d/e": 3000, "d/e/a": 3000, "empty": 1000}
