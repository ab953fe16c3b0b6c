"""Transfers that another root's servers have left are ended by any server, unless somebody goes on with them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers import abandoned
from jupyter_ws_hub.transfers.abandoned import ALIVE_S, UNREACHABLE_S, collect
from jupyter_ws_hub.transfers.journal import Journal, Ownership, Record
from jupyter_ws_hub.transfers.operation import Putting, UploadPlan
from jupyter_ws_hub.transfers.partial import partial_path
from jupyter_ws_hub.transfers.settings import TransferSettings
from jupyter_ws_hub.transfers.store import TransferStore
from jupyter_ws_hub.transfers.tree_writer import partial_name
from tests.support.client import until
from tests.support.fakes import FakeClock, fake_runtime

from .test_store import FakeFiles
from .uploader import begun

ID = "0123456789abcdef0123456789abcdef"
LOGGER = logging.getLogger("test")
TOUCHED_S = 1_000_000.0
LATER_S = TOUCHED_S + ALIVE_S + 1


@pytest.fixture
def home(tmp_path: Path) -> Journal:
    """The journal of a server that serves something else than `proj`, in one data directory with that."""
    (tmp_path / "proj").mkdir()
    return journal_of(tmp_path / "home")


def journal_of(root: Path) -> Journal:
    return Journal(root.parent / "transfers", str(root), LOGGER)


def partial_of(home: Journal) -> Path:
    return partial_path(Path(home.root).parent / "proj" / "big.bin", ID)


def left(home: Journal, **more: Any) -> Record:
    """An upload into `proj` that was left: its record is there, its partial file, and what else belongs to it."""
    proj, partial = Path(home.root).parent / "proj", partial_of(home)
    values = {"touched_s": TOUCHED_S, "partial": str(partial), "target": str(proj / "big.bin"), **more}
    plan = UploadPlan("fail")
    record = Record(
        id=ID,
        direction="upload",
        kind="file",
        principal="alice",
        path="big.bin",
        size=10,
        root=str(proj),
        plan=plan,
        download=None,
        name="big.bin",
        created_s=1.0,
        state="running",
        **values,
    )
    partial.write_bytes(b"12345")
    home.save(record)
    home.blocks_path(ID).write_bytes(b"x")
    return record


def names(home: Journal) -> list[str]:
    return sorted(os.listdir(home.blocks_path(ID).parent))


def test_what_was_left_goes_with_all_that_belongs_to_it(home: Journal) -> None:
    left(home)
    owner = home.take(ID)
    assert collect(home, LATER_S - 1, LOGGER) == 0
    assert partial_of(home).exists() and home.ids() == {ID}
    assert collect(home, LATER_S, LOGGER) == 1
    assert not partial_of(home).exists() and names(home) == []
    with pytest.raises(HubError) as caught, owner.hold():
        pass
    assert caught.value.code is Code.SUPERSEDED
    owner.close()
    assert collect(home, LATER_S, LOGGER) == 0


def test_what_is_of_this_root_or_not_understood_stays(home: Journal) -> None:
    left(home)
    assert collect(journal_of(Path(home.root).parent / "proj"), LATER_S, LOGGER) == 0
    (home.blocks_path(ID).with_suffix(".json")).write_bytes(b'{"id": "later version"}')
    assert collect(home, LATER_S, LOGGER) == 0
    assert partial_of(home).exists()


def test_what_its_server_goes_on_with_at_that_moment_stays_its_own(
    home: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = left(home)
    owner, take = home.take(ID), home.take

    def touched_first(id: str, may: Callable[[], bool]) -> Ownership | None:
        left(home, touched_s=record.touched_s + ALIVE_S)
        return take(id, may)

    monkeypatch.setattr(home, "take", touched_first)
    before = len(os.listdir("/proc/self/fd"))
    assert collect(home, LATER_S, LOGGER) == 0
    assert len(os.listdir("/proc/self/fd")) == before
    with owner.hold():
        assert partial_of(home).exists()
    owner.close()


def test_what_cannot_be_removed_now_is_tried_again(
    home: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    left(home)
    with monkeypatch.context() as patch:
        patch.setattr(abandoned, "discard", lambda path: PermissionError(13, "Permission denied"))
        assert collect(home, LATER_S, LOGGER) == 0
    assert home.ids() == {ID} and "Permission denied" in caplog.text
    assert collect(home, LATER_S, LOGGER) == 1
    assert not partial_of(home).exists()


def test_a_directory_that_is_not_there_may_come_back(home: Journal) -> None:
    left(home)
    proj = Path(home.root).parent / "proj"
    proj.rename(proj.with_name("away"))
    assert collect(home, LATER_S, LOGGER) == 0
    proj.with_name("away").rename(proj)
    assert collect(home, LATER_S, LOGGER) == 1
    assert not partial_of(home).exists()
    left(home)
    proj.rename(proj.with_name("away"))
    assert collect(home, LATER_S + UNREACHABLE_S, LOGGER) == 1
    assert home.ids() == set()


def test_nothing_goes_but_partial_files_of_the_transfer(home: Journal) -> None:
    proj = Path(home.root).parent / "proj"
    kept = [proj / "big.bin", partial_path(proj / "big.bin", "f" * 32)]
    for path in kept:
        path.write_bytes(b"1")
        left(home, partial=str(path))
        partial_of(home).unlink()
        assert collect(home, LATER_S, LOGGER) == 1
    assert all(path.exists() for path in kept)
    (proj / "sub").mkdir()
    (proj / "sub" / partial_name(ID, 3)).write_bytes(b"1")
    left(home, partial=None, target=str(proj), putting=(Putting(3, "sub"),))
    assert collect(home, LATER_S, LOGGER) == 1
    assert os.listdir(proj / "sub") == []


async def test_a_server_of_another_root_ends_what_was_left_for_too_long(tmp_path: Path) -> None:
    clock = FakeClock()
    stores, files = [], []
    for name in ("proj", "home"):
        (tmp_path / name).mkdir()
        files.append(FakeFiles(tmp_path / name))
        journal = journal_of(tmp_path / name)
        stores.append(TransferStore(files[-1], fake_runtime(clock), TransferSettings(), journal))
    proj, home = stores
    await begun(proj, b"x" * 5000, size=10_000)
    await until(lambda: len(files[0].names()) == 1, "a partial file")
    await proj.stop()
    assert len(files[0].names()) == 1
    clock.advance(TransferSettings().keep_idle_s)
    await home.sweep()
    assert len(files[0].names()) == 1
    clock.advance(3600)
    await home.sweep()
    assert files[0].names() == [] and home.journal.ids() == set()
    await home.stop()
