"""What changes in a directory that is watched, as it is told: by the system, or by looking again and again."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_ws_hub.listing import notify
from jupyter_ws_hub.listing.entry import Directory, DirectoryChanged
from jupyter_ws_hub.listing.messages import WatchBody
from jupyter_ws_hub.listing.mime import MimeTables
from jupyter_ws_hub.listing.notify import MAX_CHANGES, Notifier, Watched

DEADLINE_S = 10.0


class Watchtower:
    """A notifier that is polled until what is waited for was told."""

    def __init__(self) -> None:
        """Nothing is watched."""
        self.told: list[tuple[int, DirectoryChanged]] = []
        self.notifier = Notifier(lambda id, change: self.told.append((id, change)))

    def watch(self, id: int, folder: Path, *, polling: bool = False, globs: tuple[str, ...] = ()) -> None:
        """Watch a directory."""
        self.notifier.add(id, WatchBody(Directory(str(folder), folder.name, False, globs), polling), MimeTables())

    def until(self, condition: Callable[[], bool]) -> None:
        """Poll until the condition holds."""
        deadline_s = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline_s, self.told
            self.notifier.poll()

    def entries(self, id: int) -> set[str]:
        """Names of all entries that were told."""
        return {entry.name for one, change in self.told if one == id for entry in change.entries}

    def removed(self, id: int) -> set[str]:
        """All names that were told to be gone."""
        return {name for one, change in self.told if one == id for name in change.removed}


@pytest.fixture
def tower(monkeypatch: pytest.MonkeyPatch) -> Watchtower:
    monkeypatch.setattr(notify, "CHECK_S", 0.1)
    monkeypatch.setattr(notify, "SHARED_POLL_MS", 50)
    return Watchtower()


@pytest.mark.parametrize("polling", [False, True])
def test_new_changed_renamed_and_removed_files_are_told(tower: Watchtower, tmp_path: Path, polling: bool) -> None:
    (tmp_path / "old").write_text("x")
    tower.watch(1, tmp_path, polling=polling)
    (tmp_path / "new").write_text("x")
    (tmp_path / "folder").mkdir()
    tower.until(lambda: tower.entries(1) == {"new", "folder"})
    tower.told.clear()
    (tmp_path / "old").write_text("longer")
    later_s = int(time.time()) + 10  # who polls sees only newer times, in whole seconds
    os.utime(tmp_path / "old", (later_s, later_s))
    (tmp_path / "new").rename(tmp_path / "newer")
    tower.until(lambda: tower.entries(1) >= {"old", "newer"} and tower.removed(1) == {"new"})
    newest = [entry for _, change in tower.told for entry in change.entries if entry.name == "old"][-1]
    assert (newest.size, newest.mtime_ms, newest.path) == (6, later_s * 1000, f"{tmp_path.name}/old")
    (tmp_path / "folder").rmdir()
    tower.until(lambda: "folder" in tower.removed(1))


def test_what_is_hidden_or_deeper_is_not_told(tower: Watchtower, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    tower.watch(1, tmp_path, globs=("*.pyc",))
    for name in (".hidden", ".~a.0123.part", "x.pyc", "deep/file"):
        (tmp_path / name).touch()
    (tmp_path / "seen").touch()
    tower.until(lambda: "seen" in tower.entries(1))
    assert tower.entries(1) <= {"seen", "deep"}
    assert tower.removed(1) == set()


def test_many_changes_are_told_together_and_too_many_as_a_reset(tower: Watchtower, tmp_path: Path) -> None:
    tower.watch(1, tmp_path)
    for number in range(250):
        (tmp_path / f"a{number}").touch()
    tower.until(lambda: len(tower.entries(1)) == 250)
    assert len(tower.told) < 50
    assert all(len(change.entries) <= 100 for _, change in tower.told)
    tower.told.clear()
    for number in range(3 * MAX_CHANGES):
        (tmp_path / f"b{number}").touch()
    tower.until(lambda: any(change.reset for _, change in tower.told))


def test_a_directory_that_goes_and_comes_back(tower: Watchtower, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    tower.watch(1, folder)
    shutil.rmtree(folder)
    tower.until(lambda: any(change.gone for _, change in tower.told))
    tower.told.clear()
    folder.mkdir()
    tower.until(lambda: any(change.reset for _, change in tower.told))
    (folder / "again").touch()
    tower.until(lambda: "again" in tower.entries(1))
    tower.told.clear()
    (tmp_path / "other").mkdir()
    folder.rename(tmp_path / "away")
    (tmp_path / "other").rename(folder)
    tower.until(lambda: any(change.reset or change.gone for _, change in tower.told))


def test_directories_are_watched_apart_and_until_it_is_enough(tower: Watchtower, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    tower.watch(1, tmp_path / "a")
    tower.watch(2, tmp_path / "b")
    tower.watch(3, tmp_path)
    for name in ("a", "b"):
        (tmp_path / name / "x").touch()
    tower.until(lambda: tower.entries(1) == {"x"} == tower.entries(2))
    tower.notifier.remove(1)
    tower.notifier.remove(1)
    (tmp_path / "a" / "y").touch()
    (tmp_path / "b" / "y").touch()
    tower.until(lambda: "y" in tower.entries(2))
    assert "y" not in tower.entries(1)
    for id in (2, 3):
        tower.notifier.remove(id)
    tower.until(lambda: len(tower.notifier) == 0)
    assert tower.notifier._watchers == {}


@pytest.mark.parametrize("polling", [False, True])
def test_nothing_is_lost_while_other_directories_are_added(tower: Watchtower, tmp_path: Path, polling: bool) -> None:
    tower.watch(0, tmp_path, polling=polling)
    for number in range(1, 20):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"f{number}").touch()
        tower.watch(number, tmp_path / f"d{number}", polling=polling)
    tower.until(lambda: {f"f{number}" for number in range(1, 20)} <= tower.entries(0))


def test_a_directory_that_is_not_there_is_refused_and_spoils_nothing(tower: Watchtower, tmp_path: Path) -> None:
    tower.watch(1, tmp_path)
    with pytest.raises(FileNotFoundError):
        tower.watch(2, tmp_path / "nowhere")
    (tmp_path / "x").touch()
    tower.until(lambda: tower.entries(1) == {"x"})


def test_one_that_cannot_be_opened_again_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    watched = Watched(1, WatchBody(Directory(str(folder), "folder"), False), MimeTables())
    assert watched.check() is None
    folder.rmdir()
    assert watched.check() == DirectoryChanged("folder", gone=True)
    assert watched.check() is None and watched.is_gone and watched.changes() == []
    folder.touch()
    assert watched.check() is not None and watched.is_gone
    watched.close()
