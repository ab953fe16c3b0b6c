"""Partial files without an operation are removed, and nothing else is."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

import pytest

from jupyter_ws_hub.transfers import strays
from jupyter_ws_hub.transfers.partial import partial_path
from jupyter_ws_hub.transfers.settings import TransferSettings
from jupyter_ws_hub.transfers.store import TransferStore
from jupyter_ws_hub.transfers.strays import DIRECTORIES, INTERVAL_S, collect
from jupyter_ws_hub.transfers.tree_writer import partial_name
from tests.support.client import until
from tests.support.fakes import FakeClock, fake_journal, fake_peer, fake_runtime

from .test_store import ANY, FakeFiles

LOST, KNOWN = "0123456789ab" + "0" * 20, "ba9876543210" + "0" * 20
LATER_S = 100.0
"""From now: what is here is older than that, by its change time too, which nobody can set."""


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def later() -> float:
    return time.time() + LATER_S


def test_what_no_operation_knows_is_removed_and_what_one_knows_stays(tmp_path: Path) -> None:
    for id in (LOST, KNOWN):
        partial_path(tmp_path / "a b\n.bin", id).write_bytes(b"1")
        (tmp_path / partial_name(id, 7)).write_bytes(b"1")
    assert collect(tmp_path, later(), lambda: [KNOWN]) == 2
    assert names(tmp_path) == sorted([partial_path(tmp_path / "a b\n.bin", KNOWN).name, partial_name(KNOWN, 7)])


def test_a_file_that_is_younger_stays_also_one_whose_modification_time_was_set(tmp_path: Path) -> None:
    partial = partial_path(tmp_path / "a", LOST)
    partial.write_bytes(b"1")
    os.utime(partial, (1000, 1000))
    assert collect(tmp_path, time.time() - 10, lambda: []) == 0
    assert partial.exists()
    os.utime(partial, (later() + 10, later() + 10))
    assert collect(tmp_path, later(), lambda: []) == 0
    assert partial.exists()


def test_what_is_no_partial_file_of_ours_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = LOST[:12]
    others = [
        f"~a.{key}.part",
        f".~a.{key}.par",
        f".~a.{key}.part2",
        f".~a.{key[1:]}.part",
        ".~a.part",
        f".~{key}.part",
    ]
    others += [f".~a.{key.upper()}.part", f".a.{key}.part", "a.part"]
    for name in others:
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / f".~dir.{key}.part").mkdir()
    (tmp_path / f".~link.{key}.part").symlink_to("a.part")
    before = names(tmp_path)
    assert collect(tmp_path, later(), lambda: []) == 0
    assert names(tmp_path) == before

    mine = partial_path(tmp_path / "mine", LOST)
    mine.write_bytes(b"1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: mine.stat().st_uid + 1)
        assert collect(tmp_path, later(), lambda: []) == 0
    assert mine.exists()
    assert collect(tmp_path, later(), lambda: []) == 1
    assert names(tmp_path) == before


def test_of_many_names_only_some_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strays, "NAMES", 5)
    for number in range(8):
        (tmp_path / partial_name(LOST, number)).write_bytes(b"1")
    assert [collect(tmp_path, later(), lambda: []) for _ in range(3)] == [5, 3, 0]


def test_an_operation_that_is_made_meanwhile_is_known(tmp_path: Path) -> None:
    """The ids are asked for when the names were seen, and only if there is anything to ask for."""
    asked = []

    def ids() -> list[str]:
        asked.append(names(tmp_path))
        return [LOST]

    assert collect(tmp_path, later(), ids) == 0
    assert asked == []
    partial_path(tmp_path / "a", LOST).write_bytes(b"1")
    assert collect(tmp_path, later(), ids) == 0
    assert len(asked) == 1
    assert names(tmp_path) == [partial_path(tmp_path / "a", LOST).name]


class Place:
    """A store on a directory, with a clock that begins long after now."""

    def __init__(self, root: Path) -> None:
        """Nothing is there yet."""
        root.mkdir()
        self.files = FakeFiles(root)
        self.clock = FakeClock(time.time() + LATER_S)
        self.settings = TransferSettings(keep_idle_s=LATER_S / 2)
        self.journal = fake_journal(root)
        self.store = TransferStore(self.files, fake_runtime(self.clock), self.settings, self.journal)
        self.number = 0

    def leave(self, directory: Path | None = None) -> Path:
        """A partial file that nobody knows."""
        partial = partial_path((directory or self.files.root) / "lost", LOST)
        partial.write_bytes(b"1")
        return partial

    async def upload(self, directory: str = "") -> None:
        """Begin an upload there."""
        self.number += 1
        await self.store.create_upload(fake_peer(), f"{directory}new{self.number}", 1, ANY)


async def test_an_upload_that_begins_removes_them_at_most_once_an_hour_in_each_directory(tmp_path: Path) -> None:
    place = Place(tmp_path / "root")
    (place.files.root / "other").mkdir()
    lost = place.leave()
    await place.upload()
    await until(lambda: not lost.exists(), "the partial file to go")

    lost, elsewhere = place.leave(), place.leave(place.files.root / "other")
    place.clock.advance(INTERVAL_S - 1)
    await place.upload()
    await place.upload("other/")
    await until(lambda: not elsewhere.exists(), "the other directory's to go")
    assert lost.exists()

    place.clock.advance(1)
    await place.upload()
    await place.store.stop()
    assert not lost.exists()


async def test_it_is_known_of_so_many_directories_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strays, "DIRECTORIES", 2)
    assert DIRECTORIES >= 2
    place = Place(tmp_path / "root")
    lost = []
    for name in ("a", "b", "c"):
        (place.files.root / name).mkdir()
        lost.append(place.leave(place.files.root / name))
        await place.upload(f"{name}/")
    await until(lambda: not lost[0].exists() and not lost[1].exists(), "the first two to go")
    assert lost[2].exists()
    place.clock.advance(INTERVAL_S)
    await place.upload("c/")
    await place.store.stop()
    assert not lost[2].exists()


async def test_a_directory_that_cannot_be_read_is_told_of_and_hinders_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    place = Place(tmp_path / "root")

    def refuse(*args: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(strays, "collect", refuse)
    with caplog.at_level(logging.WARNING):
        await place.upload()
        await place.store.stop()
    assert "could not be searched" in caplog.text
    assert len(place.store.journal.ids()) == 1
