"""A PTY is paused exactly while it has clients and none of them keeps up."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.ioloop import IOLoop

from jupyter_ws_hub.terminals.flow import PROGRESS_BYTES, PROGRESS_S, Flows, Progress, PtyFlow

from ..support.fakes import turns


@dataclass(eq=False)
class Client:
    """A client of ours."""

    is_behind: bool = False
    holds_up: bool = False


class StockClient:
    """A client of the stock endpoint: it says nothing of how it keeps up."""


def make(*clients: Any) -> tuple[PtyFlow, list[Any], list[str]]:
    its, calls = list(clients), list[str]()
    return PtyFlow(its, lambda: calls.append("pause"), lambda: calls.append("resume")), its, calls


def test_a_pty_waits_only_while_nobody_keeps_up() -> None:
    slow, fast = Client(is_behind=True), Client()
    flow, clients, calls = make(slow, fast)
    flow.check()
    assert calls == []
    clients.remove(fast)
    flow.check()
    flow.check()
    assert calls == ["pause"]
    slow.is_behind = False
    flow.check()
    assert calls == ["pause", "resume"]


def test_a_pty_that_everybody_left_goes_on() -> None:
    flow, clients, calls = make(Client(is_behind=True))
    flow.check()
    clients.clear()
    flow.check()
    assert calls == ["pause", "resume"]


def test_a_client_of_the_stock_endpoint_keeps_the_pty_going() -> None:
    flow, _, calls = make(Client(is_behind=True), StockClient())
    flow.check()
    assert calls == []


@given(st.lists(st.lists(st.booleans(), max_size=3), max_size=30))
def test_pause_and_resume_alternate_and_end_as_the_clients_are(states: list[list[bool]]) -> None:
    flow, clients, calls = make()
    for state in states:
        clients[:] = [Client(behind) for behind in state]
        flow.check()
        assert flow.paused == (bool(state) and all(state))
    assert calls == ["pause", "resume"] * (len(calls) // 2) + ["pause"] * (len(calls) % 2)


@dataclass(eq=False)
class Process:
    fd: int


@dataclass(eq=False)
class Pty:
    ptyproc: Process
    clients: list[Any] = field(default_factory=list)


async def test_what_is_paused_is_not_read_and_is_read_again_afterwards() -> None:
    reading, writing = os.pipe()
    read: list[bytes] = []
    loop = IOLoop.current()
    loop.add_handler(reading, lambda fd, events: read.append(os.read(fd, 100)), IOLoop.READ)
    client = Client(is_behind=True)
    pty, flows = Pty(Process(reading), [client]), Flows()
    try:
        assert flows.of(pty) is flows.of(pty)
        flows.of(pty).check()
        os.write(writing, b"output")
        await turns()
        assert read == []
        client.is_behind = False
        flows.of(pty).check()
        await turns()
        assert read == [b"output"]
    finally:
        loop.remove_handler(reading)
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("registered", [True, False])
async def test_a_pty_that_is_closed_meanwhile_is_not_minded(registered: bool) -> None:
    reading, writing = os.pipe()
    loop = IOLoop.current()
    if registered:
        loop.add_handler(reading, lambda fd, events: None, IOLoop.READ)
    client = Client()
    flow = Flows().of(Pty(Process(reading), [client]))
    if registered:
        loop.remove_handler(reading)
    os.close(reading)
    os.close(writing)
    client.is_behind = True
    flow.check()
    client.is_behind = False
    flow.check()


def test_one_that_would_lose_output_and_makes_progress_holds_up_the_rest() -> None:
    fast, slow = Client(), Client()
    flow, _, calls = make(fast, slow)
    slow.holds_up = True
    flow.check()
    slow.holds_up = False
    flow.check()
    assert calls == ["pause", "resume"]


def test_progress_is_a_rate_or_all_there_is() -> None:
    progress = Progress(0.0)
    assert progress.is_made and not progress.note(1.9, 0, PROGRESS_BYTES)
    assert progress.note(PROGRESS_S, PROGRESS_BYTES - 1, PROGRESS_BYTES) and not progress.is_made
    assert progress.note(2 * PROGRESS_S, 2 * PROGRESS_BYTES, PROGRESS_BYTES) and progress.is_made
    assert progress.note(3 * PROGRESS_S, 2 * PROGRESS_BYTES, 0) and progress.is_made
    assert progress.note(4 * PROGRESS_S, 2 * PROGRESS_BYTES, 1) and not progress.is_made
