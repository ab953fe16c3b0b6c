"""Putting a finished file in its place: names, attributes, what is there, and what a crash in between has done."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import ABSENT, IfExists
from jupyter_ws_hub.transfers import publish
from jupyter_ws_hub.transfers.publish import Place

POLICIES: list[IfExists] = ["fail", "overwrite", "rename", "skip"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A name in a directory, in which there is a partial file."""
    (tmp_path / ".part").write_bytes(b"new")
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield Place(descriptor, "a.txt", "a.txt")
    os.close(descriptor)


def identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


@pytest.mark.parametrize(
    ("name", "second"),
    [
        *[("a.txt", "a-1.txt"), ("noext", "noext-1"), ("a.tar.gz", "a.tar-1.gz"), (".env", ".env-1"), ("a.", "a-1.")],
        *[("x" * 255, "x" * 253 + "-1"), ("x" * 251 + ".txt", "x" * 249 + "-1.txt"), ("ä" * 127, "ä" * 126 + "-1")],
        ("a." + "x" * 253, "-1." + "x" * 253),
    ],
)
def test_the_next_names_are_as_jupyter_numbers_them_and_never_too_long(name: str, second: str) -> None:
    assert list(islice(publish.names(name, "rename"), 2)) == [name, second] or len(os.fsencode(second)) > 255
    assert list(publish.names(name, "fail")) == [name]
    assert len(set(islice(publish.names(name, "rename"), 200))) == 200


@pytest.mark.parametrize("policy", POLICIES)
def test_a_free_name_is_taken_by_the_file_itself(tmp_path: Path, place: Place, policy: IfExists) -> None:
    its = identity(tmp_path / ".part")
    assert publish.publish(".part", place, policy) == "a.txt"
    assert os.listdir(tmp_path) == ["a.txt"]
    assert identity(tmp_path / "a.txt") == its
    assert publish.find_published(tmp_path, "a.txt", policy, *its) == "a.txt"
    assert publish.find_published(place.directory, "a.txt", policy, *its) == "a.txt"


@pytest.mark.parametrize("thing", ["file", "directory", "link"])
def test_what_has_the_name_stays(tmp_path: Path, place: Place, thing: str) -> None:
    its, target = identity(tmp_path / ".part"), tmp_path / "a.txt"
    makes: dict[str, Callable[[], None]] = {"file": target.touch, "directory": target.mkdir}
    makes.get(thing, lambda: target.symlink_to("nowhere"))()
    for policy in ("fail", "skip"):
        with pytest.raises(HubError) as caught:
            publish.publish(".part", place, policy)
        assert caught.value.code is Code.EXISTS
    assert publish.find_published(tmp_path, "a.txt", "rename", *its) is None
    assert publish.publish(".part", place, "rename") == "a-1.txt"
    assert publish.find_published(tmp_path, "a.txt", "rename", *its) == "a-1.txt"
    target.rmdir() if thing == "directory" else target.unlink()
    assert publish.find_published(tmp_path, "a.txt", "rename", *its) == "a-1.txt", "the name before it is free now"


def test_what_was_linked_is_published_though_its_partial_file_is_still_there(tmp_path: Path, place: Place) -> None:
    its = identity(tmp_path / ".part")
    assert publish.find_published(tmp_path, "a.txt", "fail", *its) is None
    os.link(tmp_path / ".part", tmp_path / "a.txt")
    assert publish.find_published(tmp_path, "a.txt", "fail", *its) == "a.txt"


def test_a_partial_file_that_cannot_be_removed_changes_nothing(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **more: object) -> None:
        raise PermissionError(errno.EPERM, "append only")

    monkeypatch.setattr(os, "unlink", refuse)
    assert publish.publish(".part", place, "fail") == "a.txt"


def test_without_hard_links_a_failure_takes_the_placeholder_back(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **more: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    def fail(*arguments: object, **more: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "link", refuse)
    replace = os.replace
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError):
        publish.publish(".part", place, "fail")
    assert os.listdir(tmp_path) == [".part"]
    monkeypatch.setattr(os, "replace", replace)
    (tmp_path / "a.txt").touch()
    assert publish.publish(".part", place, "rename") == "a-1.txt"
    assert (tmp_path / "a-1.txt").read_bytes() == b"new"


def test_what_is_expected_is_compared(tmp_path: Path, place: Place) -> None:
    publish.check_expected(place, None)
    publish.check_expected(place, ABSENT)
    assert publish.etag_at(place) == ABSENT
    (tmp_path / "a.txt").write_bytes(b"old")
    etag = publish.etag_at(place)
    publish.check_expected(place, etag)
    for expected in (ABSENT, "another"):
        with pytest.raises(HubError) as caught:
            publish.check_expected(place, expected)
        assert (caught.value.code, caught.value.details) == (Code.CONFLICT, {"expected": expected, "current": etag})


def kept_mode(tmp_path: Path, place: Place, policy: IfExists) -> int:
    descriptor = os.open(tmp_path / ".part", os.O_RDWR)
    try:
        publish.keep_attributes(descriptor, place, 0o640, policy)
        return os.fstat(descriptor).st_mode & 0o7777
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(("mode", "kept"), [(0o755, 0o755), (0o4755, 0o755), (0o2755, 0o755), (0o600, 0o600)])
def test_only_what_replaces_a_file_has_its_attributes_but_not_its_powers(
    tmp_path: Path, place: Place, mode: int, kept: int
) -> None:
    assert kept_mode(tmp_path, place, "overwrite") == 0o640
    (tmp_path / "a.txt").touch()
    (tmp_path / "a.txt").chmod(mode)
    os.setxattr(tmp_path / "a.txt", "user.note", b"kept")
    assert kept_mode(tmp_path, place, "rename") == 0o640
    assert os.listxattr(tmp_path / ".part") == []
    assert kept_mode(tmp_path, place, "overwrite") == kept
    assert os.getxattr(tmp_path / ".part", "user.note") == b"kept"


def test_a_directory_is_not_replaced(tmp_path: Path, place: Place) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(HubError) as caught:
        kept_mode(tmp_path, place, "overwrite")
    assert caught.value.code is Code.INVALID


def test_a_directory_that_cannot_be_brought_to_the_disk_takes_nothing_back() -> None:
    reading, writing = os.pipe()
    publish.sync_directory(reading)
    os.close(reading)
    os.close(writing)
