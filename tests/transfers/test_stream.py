"""What both streams have in common: a stream ends once, says why if the socket still takes it, and lets go."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import NORMAL_CLOSURE, Code
from jupyter_ws_hub.protocol.errors import HubError, RemoteProtocolError
from jupyter_ws_hub.protocol.transfer import Done, StreamError
from jupyter_ws_hub.transfers import stream as module
from jupyter_ws_hub.transfers.operation import Operation, UploadPlan
from jupyter_ws_hub.transfers.settings import TransferSettings
from jupyter_ws_hub.transfers.store import TransferStore
from jupyter_ws_hub.transfers.stream import TransferStream

from ..support.fakes import fake_journal, fake_peer, fake_runtime
from .test_store import FakeFiles, FakeWire


class Probe(TransferStream):
    """A stream that fails as it is told, and counts."""

    error: HubError | None = None
    taken = 0
    settled = 0

    def _take_data(self, frame: bytes) -> None:
        self.taken += 1
        if self.error is not None:
            raise self.error

    async def _settle(self) -> None:
        self.settled += 1

    async def finish(self, done: Done) -> None:
        await self._finish_with(done)


def make(tmp_path: Path, wire: FakeWire | None = None) -> tuple[Probe, FakeWire, Operation]:
    journal = fake_journal(tmp_path)
    store = TransferStore(FakeFiles(tmp_path), fake_runtime(), TransferSettings(), journal)
    operation = Operation("op", "upload", "alice", "a.bin", 1, UploadPlan())
    wire = wire or FakeWire()
    probe = Probe(operation, store, wire, fake_peer())
    operation.stream = probe
    return probe, wire, operation


async def test_an_error_is_told_before_the_close_and_nothing_is_taken_after_it(tmp_path: Path) -> None:
    probe, wire, _ = make(tmp_path)
    probe.error = HubError(Code.WRONG_OFFSET, "Not there.", details={"expected": 7})
    probe.receive(b"x")
    await probe.idle()
    probe.receive(b"y")
    await probe.idle()
    assert wire.texts == [StreamError(probe.error.info, 7)]
    assert wire.closed == (Code.WRONG_OFFSET, "Not there.")
    assert probe.taken == 1


async def test_an_unknown_type_is_told_and_the_stream_goes_on(tmp_path: Path) -> None:
    probe, wire, _ = make(tmp_path)
    probe.receive('{"type":"teleport"}')
    await probe.idle()
    assert (len(wire.texts), wire.closed) == (1, None)
    probe.error = RemoteProtocolError(Code.UNKNOWN_TYPE, "No such frame.")
    probe.receive(b"x")
    await probe.idle()
    assert wire.closed == (Code.UNKNOWN_TYPE, "No such frame.")


async def test_the_end_is_told_once(tmp_path: Path) -> None:
    probe, wire, _ = make(tmp_path)
    await probe.finish(Done("a.bin", 1, "", ""))
    await probe.give_up(HubError(Code.SUPERSEDED, "Too late."))
    assert [type(message) for message in wire.texts] == [Done]
    assert wire.closed == (NORMAL_CLOSURE, "done")


async def test_a_socket_that_takes_nothing_is_closed_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FAREWELL_S", 0.01)

    async def never(message: str | bytes) -> None:
        await asyncio.Event().wait()

    probe, wire, _ = make(tmp_path, FakeWire(never))
    await asyncio.wait_for(probe.give_up(HubError(Code.CANCELLED, "Over.")), 5)
    assert (wire.sent, wire.closed, probe.settled) == ([], (Code.CANCELLED, "Over."), 1)


@pytest.mark.parametrize(("before", "after"), [("running", "paused"), ("committing", "committing"), ("done", "done")])
async def test_a_lost_socket_pauses_what_runs_and_lets_the_operation_go(
    tmp_path: Path, before: str, after: str
) -> None:
    probe, wire, operation = make(tmp_path)
    operation.state = before  # type: ignore[assignment]  # the parameters are states
    await probe.closed()
    probe.receive(b"late")
    await probe.idle()
    assert (operation.state, operation.stream, probe.settled, probe.taken) == (after, None, 1, 0)
    assert wire.sent == []


async def test_a_lost_socket_leaves_its_successor_alone(tmp_path: Path) -> None:
    probe, _, operation = make(tmp_path)
    operation.state, operation.stream = "running", (other := Probe(operation, probe._store, FakeWire(), fake_peer()))
    await probe.closed()
    assert (operation.state, operation.stream) == ("running", other)
