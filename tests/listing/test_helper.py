"""The server's end of the helper: listings, bounds, cancelling, and a helper that dies."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from jupyter_ws_hub.listing import admission
from jupyter_ws_hub.listing import helper as module
from jupyter_ws_hub.listing.entry import Directory, DirectoryChanged, Order, Page
from jupyter_ws_hub.listing.helper import CREDIT, HelperDied, ListingHelper, ListingSettings
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.fakes import until

MANY = 2000


@asynccontextmanager
async def running() -> AsyncIterator[ListingHelper]:
    """A helper that is ended."""
    helper = ListingHelper(logging.getLogger("test"), ListingSettings(max_listings=2, max_watches=2))
    try:
        yield helper
    finally:
        await helper.stop()
    assert helper.pid is None


@pytest.fixture
def many(tmp_path: Path) -> Directory:
    for number in range(MANY):
        (tmp_path / f"f{number}").touch()
    return Directory(str(tmp_path), "d")


def page(data: bytes) -> Page:
    return msgspec.json.decode(data, type=Page)


async def whole(helper: ListingHelper, directory: Directory, page_entries: int = 0) -> list[Page]:
    return [page(data) async for data in helper.pages(directory, Order(), page_entries)]


async def test_where_the_system_lacks_what_it_rests_on_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_descriptors", lambda: False)
    async with running() as helper:
        await helper.start()
        assert helper.pid is None


async def test_a_listing_is_whole_and_uses_one_process(many: Directory) -> None:
    async with running() as helper:
        await helper.start()
        pid = helper.pid
        pages = await whole(helper, many)
        assert [entry.name for one in pages for entry in one.entries] == [f"f{n}" for n in range(MANY)]
        window = page(await helper.window(many, Order(descending=True), 10, 5))
        assert [entry.name for entry in window.entries] == [f"f{MANY - 11 - n}" for n in range(5)]
        assert helper.pid == pid is not None
        assert helper.under_way == 0


async def test_it_starts_by_itself_and_guesses_types_as_the_server_does(tmp_path: Path) -> None:
    async with running() as helper:
        (tmp_path / "a.txt").touch()
        assert helper.pid is None
        ((one,),) = [one.entries for one in await whole(helper, Directory(str(tmp_path), ""))]
        assert one.mimetype == "text/plain"


async def test_what_cannot_be_listed_is_the_system_s_error(tmp_path: Path) -> None:
    async with running() as helper:
        with pytest.raises(FileNotFoundError):
            await whole(helper, Directory(str(tmp_path / "nowhere"), ""))
        with pytest.raises(FileNotFoundError):
            await helper.window(Directory(str(tmp_path / "nowhere"), ""), Order(), 0, 1)


async def test_a_slow_reader_has_few_pages_on_their_way(many: Directory) -> None:
    async with running() as helper:
        async with aclosing(helper.pages(many, Order(), 1)) as pages:
            await anext(pages)
            for _ in range(50):  # let come what would
                await asyncio.sleep(0.001)
            assert helper._process is not None
            (inbox,) = helper._process.inboxes.values()
            assert inbox.__self__._frames.qsize() < CREDIT  # type: ignore[attr-defined]  # a bound method


async def test_a_thousand_cancelled_listings_leave_nothing(many: Directory) -> None:
    async with running() as helper:
        await helper.start()
        pid = helper.pid
        for _ in range(20):
            tasks = [asyncio.create_task(whole(helper, many, 1)) for _ in range(50)]
            await asyncio.sleep(0.005)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        assert helper.under_way == 0
        assert helper.pid == pid
        assert len(await whole(helper, many)) > 1
        assert len(os.listdir(f"/proc/{pid}/fd")) < 12


async def test_listings_that_nobody_takes_hold_up_no_other(many: Directory) -> None:
    async with running() as helper:
        held = [helper.pages(many, Order(), 1, "a") for _ in range(3)]
        for pages in held:
            await asyncio.wait_for(anext(pages), 5)
        for who in ("b", "c"):
            window = page(await asyncio.wait_for(helper.window(many, Order(), 0, 1, who), 5))
            assert len(window.entries) == 1
            assert len(await whole(helper, many)) > 1
        assert helper.under_way == len(held)
        rest = [[data async for data in pages] for pages in held]
        assert [len(pages) for pages in rest] == [MANY - 1] * 3, "who comes late gets all"
        assert helper.under_way == 0


async def test_one_that_is_too_many_ends_the_one_that_nobody_took_longest(
    many: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "SPARED_S", 0.05)
    async with running() as helper:
        held = [helper.pages(many, Order(), 1, "a") for _ in range(10)]
        for pages in held:
            await asyncio.wait_for(anext(pages), 5)
        assert helper.under_way == 3
        assert len(os.listdir(f"/proc/{helper.pid}/fd")) < 12
        for pages in held[:7]:
            with pytest.raises(HubError) as caught:
                await anext(pages)
            assert (caught.value.code, caught.value.retry_after_ms) == (Code.BUSY, 1000)
        for pages in held[7:]:
            await anext(pages)
            await pages.aclose()
        assert helper.under_way == 0


async def test_a_helper_that_is_killed_ends_its_listings_and_the_next_one_works(many: Directory) -> None:
    async with running() as helper:
        async with aclosing(helper.pages(many, Order(), 1)) as pages:
            await anext(pages)
            first = helper.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            with pytest.raises(HelperDied):
                async for _ in pages:
                    pass
        assert len(await whole(helper, many)) > 1
        assert helper.pid not in (None, first)


async def test_where_it_cannot_be_started_that_is_told(many: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as helper:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        await helper.start()
        with pytest.raises(HelperDied):
            await whole(helper, many)
        monkeypatch.undo()
        assert await whole(helper, many)


async def test_changes_are_told_and_a_new_helper_goes_on_watching(tmp_path: Path) -> None:
    async with running() as helper:
        told: list[DirectoryChanged] = []
        watch = await helper.watch(Directory(str(tmp_path), "d"), False, told.append)
        (tmp_path / "a").touch()
        await until(lambda: [e.name for change in told for e in change.entries] == ["a"])
        told.clear()
        pid = helper.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: told == [DirectoryChanged("d", reset=True)])
        (tmp_path / "b").touch()
        await until(lambda: [e.name for change in told for e in change.entries] == ["b"])
        watch.stop()
        watch.stop()
        assert helper.under_way == 0 and not helper.watches


async def test_watches_have_a_limit_and_refusals_take_no_place(tmp_path: Path) -> None:
    async with running() as helper:
        here = Directory(str(tmp_path), "d")
        for _ in range(3):
            with pytest.raises(FileNotFoundError):
                await helper.watch(Directory(str(tmp_path / "nowhere"), "d"), False, print)
        first, _ = [await helper.watch(here, False, print) for _ in range(2)]
        with pytest.raises(HubError) as caught:
            await helper.watch(here, False, print)
        assert caught.value.code is Code.BUSY
        first.stop()
        await helper.watch(here, False, print)


async def test_after_the_end_nothing_starts_again(many: Directory) -> None:
    helper = ListingHelper(logging.getLogger("test"), ListingSettings())
    await helper.start()
    pid = helper.pid
    await helper.stop()
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(HelperDied):
        await whole(helper, many)
