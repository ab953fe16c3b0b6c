"""A tree that goes to a manager which keeps its files elsewhere: entry by entry, with an outcome for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codec import encode_chunk
from jupyter_ws_hub.protocol.transfer import (
    Done,
    EntryResult,
    Finish,
    Settled,
    StreamHello,
    StreamWelcome,
    TreeEntries,
    TreeEntry,
    encode_stream,
)
from jupyter_ws_hub.transfers.digest import file_root
from jupyter_ws_hub.transfers.operation import Operation, UploadPlan
from jupyter_ws_hub.transfers.spooled_tree import SpooledTree
from jupyter_ws_hub.transfers.streams import stream_of
from tests.support.client import until
from tests.support.fakes import fake_peer
from tests.support.managers import Async, Ignorant, Shelf, Sync

from .test_remote import refusal
from .test_spooled_upload import Elsewhere, make
from .test_store import FakeWire

__all__ = ["make"]  # the fixture

FILES = {f"sub/{number % 3}/{number}.txt": str(number).encode() * number for number in range(20)}


def entry(path: str, data: bytes, **more: Any) -> TreeEntry:
    """How a client announces a file."""
    return TreeEntry(path=path, type="file", size=len(data), root=file_root(data, "xxh3-128"), **more)


class Planter:
    """A client of one tree."""

    def __init__(self, elsewhere: Elsewhere, op: Operation) -> None:
        """Open a stream, without hello."""
        self.wire = FakeWire()
        stream = stream_of(op, elsewhere.store, self.wire, fake_peer())
        assert isinstance(stream, SpooledTree)
        self.stream = stream

    async def send(self, entries: list[TreeEntry], data: bytes) -> None:
        """Say hello and send entries from where the server is."""
        self.stream.receive(encode_stream(StreamHello()))
        await until(lambda: bool(self.wire.sent), "the welcome")
        welcome = self.wire.texts[0]
        assert isinstance(welcome, StreamWelcome)
        self.stream.receive(encode_stream(TreeEntries(welcome.entry, entries[welcome.entry :])))
        if data[welcome.byte_offset :]:
            self.stream.receive(encode_chunk(welcome.byte_offset, data[welcome.byte_offset :]))

    async def finish(self, entries: list[TreeEntry], data: bytes) -> Done:
        """Say that all is sent; what comes back at the end."""
        self.stream.receive(encode_stream(Finish(len(data), "", len(entries))))
        await until(lambda: self.wire.closed is not None, "the end")
        done = self.wire.texts[-1]
        assert isinstance(done, Done), done
        return done

    @property
    def results(self) -> dict[int, EntryResult]:
        """What the server told of entries, by their number."""
        settled = [message for message in self.wire.texts if isinstance(message, Settled)]
        return {result.entry: result for message in settled for result in message.results}


@pytest.fixture(params=[Async, Sync, Ignorant], ids=lambda kind: kind.__name__)
def elsewhere(request: pytest.FixtureRequest, make: Callable[[Shelf], Elsewhere]) -> Iterator[Elsewhere]:
    yield make(request.param())


async def create(elsewhere: Elsewhere, path: str = "", **plan: Any) -> Operation:
    return await elsewhere.store.create_upload(fake_peer(), path, 0, UploadPlan(kind="tree", **plan))


async def test_all_entries_arrive_where_they_belong(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.shelf.put("base", None)
    entries = [entry(path, data) for path, data in FILES.items()]
    entries.append(TreeEntry(path="empty/inside", type="directory", size=0))
    data = b"".join(FILES.values())
    planter = Planter(elsewhere, await create(elsewhere, "base"))
    await planter.send(entries, data)
    done = await planter.finish(entries, data)
    assert (done.entries, done.failed, planter.results) == (21, 0, {})
    assert {path: elsewhere.shelf.read(path) for path in elsewhere.shelf.names()} == {
        f"base/{path}": data for path, data in FILES.items()
    }
    assert "base/empty/inside" in elsewhere.shelf.kept
    assert elsewhere.spooled() == []


async def test_an_entry_that_fails_does_not_keep_others(elsewhere: Elsewhere) -> None:
    for name in ("old", "renamed.txt", "skipped"):
        elsewhere.shelf.put(name, b"old")
    elsewhere.shelf.put("file", b"")
    entries = [
        entry("good", b"1"),
        entry(".hidden", b"2"),
        TreeEntry(path="wrong", type="file", size=1, root="0" * 32),
        TreeEntry(path="missing", type="file", size=0, missing=True),
        entry("old", b"5", if_exists="fail"),
        entry("renamed.txt", b"6", if_exists="rename"),
        entry("skipped", b"7", if_exists="skip"),
        entry("file/inside", b"8"),
        entry("../outside", b"9"),
        entry("last", b"x"),
    ]
    data = b"12x5" + b"6789x"
    planter = Planter(elsewhere, await create(elsewhere, if_exists="overwrite"))
    await planter.send(entries, data)
    done = await planter.finish(entries, data)
    assert (done.entries, done.failed) == (10, 6)
    told = {number: (r.state, r.error.code if r.error else r.path) for number, r in planter.results.items()}
    assert told == {
        1: ("failed", "forbidden"),
        2: ("failed", "digest_mismatch"),
        3: ("failed", "source_changed"),
        4: ("failed", "exists"),
        5: ("renamed", "renamed-1.txt"),
        6: ("skipped", None),
        7: ("failed", "exists"),
        8: ("failed", "invalid"),
    }
    assert {path: elsewhere.shelf.read(path) for path in elsewhere.shelf.names()} == {
        **{"good": b"1", "last": b"x", "renamed-1.txt": b"6", "file": b""},
        **dict.fromkeys(["old", "renamed.txt", "skipped"], b"old"),
    }


async def test_a_tree_goes_on_in_another_server_and_what_it_had_put_is_no_conflict(elsewhere: Elsewhere) -> None:
    entries = [entry(path, data) for path, data in FILES.items()]
    data = b"".join(FILES.values())
    op = await create(elsewhere)
    planter = Planter(elsewhere, op)
    await planter.send(entries[:10], b"".join(list(FILES.values())[:10]))
    await until(lambda: op.settled == 10, "the first half")
    await planter.stream.closed()
    # The server died after it had put more than it has written down.
    owned = await elsewhere.store.own(op)
    op.begun = 12
    await elsewhere.store.save(op, owned)
    owned.close()
    paths = list(FILES)
    elsewhere.shelf.put(paths[10], FILES[paths[10]])
    elsewhere.shelf.put(f"{paths[11]}.{op.id[:12]}.11.part~", b"half")
    elsewhere.restart()
    again = Planter(elsewhere, await elsewhere.store.find(op.id, "alice"))
    await again.send(entries, data)
    assert (await again.finish(entries, data)).failed == 0
    assert {path: elsewhere.shelf.read(path) for path in elsewhere.shelf.names()} == FILES


async def test_a_tree_into_what_is_no_directory_is_refused(elsewhere: Elsewhere) -> None:
    elsewhere.shelf.put("file", b"")
    assert (await refusal(create(elsewhere, "file"))).code.wire_name == "invalid"
    assert (await refusal(create(elsewhere, "missing"))).code.wire_name == "not_found"
    assert (await refusal(create(elsewhere, ".hidden"))).code.wire_name == "not_found"
