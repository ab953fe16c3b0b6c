"""The helper process itself, spoken to over its pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.listing.entry import Directory, DirectoryChanged, Order, Page
from jupyter_ws_hub.listing.helper import START
from jupyter_ws_hub.listing.messages import FailedBody, Frame, Kind, ListBody, Unpacker, WatchBody, pack
from jupyter_ws_hub.listing.mime import MimeTables

HEAVY = ("asyncio", "tornado", "jupyter_server", "importlib.metadata", "watchfiles", "unicodedata")


class Spoken:
    """A helper process of its own, and what it has said."""

    def __init__(self) -> None:
        """Start it."""
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", START, *filter(None, sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._unpacker = Unpacker()
        self._frames: list[Frame] = []

    def say(self, kind: Kind, id: int, body: Any = b"") -> None:
        """Send a message."""
        assert self.process.stdin is not None
        self.process.stdin.write(pack(kind, id, body))
        self.process.stdin.flush()

    def list(self, id: int, folder: Path, credit: int = 100, **how: Any) -> None:
        """Ask for a listing."""
        self.say(Kind.LIST, id, ListBody(Directory(str(folder), ""), Order(), how.get("page_entries", 0), credit))

    def hear(self) -> Frame:
        """The next message."""
        assert self.process.stdout is not None
        while not self._frames:
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "it has ended"
            self._frames += self._unpacker.feed(data)
        return self._frames.pop(0)


@pytest.fixture
def helper() -> Iterator[Spoken]:
    spoken = Spoken()
    yield spoken
    process = spoken.process
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    assert process.wait(5) in (0, -signal.SIGTERM)


def fill(folder: Path, number: int) -> Path:
    folder.mkdir()
    for name in range(number):
        (folder / f"f{name}").touch()
    return folder


def test_nothing_heavy_is_imported() -> None:
    code = "import sys; import jupyter_ws_hub.listing.worker; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    clean = subprocess.check_output([sys.executable, "-c", "import sys; print(*sys.modules)"], text=True).split()
    assert [name for name in HEAVY if name in loaded and name not in clean] == []


def test_a_directory_is_listed_with_the_types_it_was_told(helper: Spoken, tmp_path: Path) -> None:
    (tmp_path / "a.own").touch()
    helper.say(Kind.MIME, 0, MimeTables({".own": "text/own"}))
    helper.list(7, tmp_path)
    kind, id, body = helper.hear()
    assert (kind, id) == (Kind.PAGE, 7)
    assert [entry.mimetype for entry in msgspec.json.decode(body, type=Page).entries] == ["text/own"]
    assert helper.hear() == Frame(Kind.END, 7, b"")


def test_what_cannot_be_read_is_an_error_number_and_the_next_one_works(helper: Spoken, tmp_path: Path) -> None:
    helper.list(1, tmp_path / "nowhere")
    assert helper.hear() == Frame(Kind.FAILED, 1, msgspec.json.encode(FailedBody(2)))
    helper.list(2, tmp_path)
    assert helper.hear().kind is Kind.PAGE


def test_pages_come_only_as_there_is_credit(helper: Spoken, tmp_path: Path) -> None:
    helper.list(1, fill(tmp_path / "a", 5), credit=2, page_entries=1)
    helper.list(2, fill(tmp_path / "b", 0))
    heard = [helper.hear()[:2] for _ in range(4)]
    assert sorted(heard) == sorted([(Kind.PAGE, 1), (Kind.PAGE, 1), (Kind.PAGE, 2), (Kind.END, 2)])
    helper.say(Kind.MORE, 1)
    assert helper.hear()[:2] == (Kind.PAGE, 1)
    for _ in range(2):
        helper.say(Kind.MORE, 1)
    assert [helper.hear()[:2] for _ in range(3)] == [(Kind.PAGE, 1), (Kind.PAGE, 1), (Kind.END, 1)]


def test_a_long_listing_does_not_hold_up_a_short_one(helper: Spoken, tmp_path: Path) -> None:
    helper.list(1, fill(tmp_path / "long", 3000), credit=10**6, page_entries=1)
    assert helper.hear().kind is Kind.PAGE
    helper.list(2, fill(tmp_path / "short", 1))
    order = []
    while (Kind.END, 1) not in order:
        order.append(helper.hear()[:2])
    assert order.index((Kind.END, 2)) < order.index((Kind.END, 1))


def test_what_is_dropped_is_not_gone_on_with(helper: Spoken, tmp_path: Path) -> None:
    folder = fill(tmp_path / "a", 50)
    for id in range(1, 200):
        helper.list(id, folder, credit=1, page_entries=1)
        helper.say(Kind.DROP, id)
        helper.say(Kind.MORE, id)
    helper.list(1000, folder)
    heard: list[tuple[Kind, int]] = []
    while not heard or heard[-1] != (Kind.END, 1000):
        heard.append(helper.hear()[:2])
    assert (Kind.END, 1) not in heard
    assert len(heard) <= 202
    assert len(os.listdir(f"/proc/{helper.process.pid}/fd")) < 12


def test_changes_are_told_until_the_watch_is_dropped(helper: Spoken, tmp_path: Path) -> None:
    helper.say(Kind.WATCH, 5, WatchBody(Directory(str(tmp_path), "d"), False))
    assert helper.hear() == Frame(Kind.WATCHING, 5, b"")
    (tmp_path / "new").touch()
    kind, id, body = helper.hear()
    assert (kind, id) == (Kind.CHANGED, 5)
    assert [entry.name for entry in msgspec.json.decode(body, type=DirectoryChanged).entries] == ["new"]
    helper.say(Kind.WATCH, 6, WatchBody(Directory(str(tmp_path / "nowhere"), "d"), False))
    assert helper.hear()[:2] == (Kind.FAILED, 6)
    helper.say(Kind.DROP, 5)
    (tmp_path / "newer").touch()
    helper.list(9, tmp_path)
    assert [helper.hear()[:2] for _ in range(2)] == [(Kind.PAGE, 9), (Kind.END, 9)]


def test_it_ends_with_its_server_and_not_by_control_c(tmp_path: Path) -> None:
    helper = Spoken()
    helper.list(1, tmp_path)
    helper.hear()
    helper.process.send_signal(signal.SIGINT)
    helper.list(2, tmp_path)
    assert [helper.hear().kind for _ in range(3)] == [Kind.END, Kind.PAGE, Kind.END]
    assert helper.process.stdin is not None and helper.process.stdout is not None
    helper.process.stdin.close()
    assert helper.process.wait(5) == 0
    helper.process.stdout.close()


def test_it_ends_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    helper = Spoken()
    assert helper.process.stdin is not None and helper.process.stdout is not None
    helper.process.stdout.close()
    helper.list(1, tmp_path)
    began_s = time.monotonic()
    assert helper.process.wait(5) == 0
    assert time.monotonic() - began_s < 5
    helper.process.stdin.close()
