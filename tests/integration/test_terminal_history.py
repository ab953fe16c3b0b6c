"""What a client that has just come is shown of the past: all of it, but nothing in it asks its screen a question."""

from __future__ import annotations

import json

import pytest

from tests.support.client import WAIT_S, Address
from tests.support.terminal_client import TerminalClient
from tests.support.terminals import on_new_terminal

from .test_terminal_process import joined

QUERIES: dict[str, bytes] = {
    "device status": b"\x1b[5n",
    "cursor position": b"\x1b[6n",
    "cursor position, DEC": b"\x1b[?6n",
    "primary attributes": b"\x1b[c",
    "primary attributes, 0": b"\x1b[0c",
    "secondary attributes": b"\x1b[>c",
    "tertiary attributes": b"\x1b[=c",
    "identify": b"\x1bZ",
    "version": b"\x1b[>q",
    "mode, ANSI": b"\x1b[4$p",
    "mode, DEC": b"\x1b[?2004$p",
    "foreground": b"\x1b]10;?\x07",
    "background": b"\x1b]11;?\x1b\\",
    "cursor colour": b"\x1b]12;?\x07",
    "palette": b"\x1b]4;1;?\x07",
    "setting": b"\x1bP$qm\x1b\\",
    "terminfo": b"\x1bP+q544e\x1b\\",
    "text area": b"\x1b[18t",
}
"""What xterm.js, or another screen, answers as if its user had typed. Source: xterm's ctlseqs; ECMA-48."""

HARMLESS = [
    b"\x1b[31m",
    b"\x1b[0m",
    b"\x1b[2J",
    b"\x1b[?25h",
    b"\x1b]0;title\x07",
    b"\x1b]11;#112233\x07",
    b"\x1b[1;5H",
]


def octal(data: bytes) -> str:
    """As printf takes it."""
    return "".join(f"\\{byte:03o}" for byte in data)


async def print_raw(client: TerminalClient, data: bytes) -> int:
    """Have the terminal write bytes; gives the offset of the first of them."""
    written = await client.run(f"printf '<%b>' '{octal(data)}'")
    return client.mark - len(written) + written.rindex(b"<" + data + b">") + 1


@pytest.mark.parametrize("name", QUERIES)
async def test_a_query_is_overwritten_for_a_client_that_has_just_come(address: Address, name: str) -> None:
    query = QUERIES[name]
    data = b"red " + HARMLESS[0] + b"a" + query + b"b" + query + HARMLESS[1]
    async with on_new_terminal(address) as first:
        at = await print_raw(first, data)
        async with TerminalClient(address, first.name) as late:
            assert late.welcome and not late.welcome.resumed
            await late.reach(first.received)
            assert late.replay is not None and late.replay.until == late.welcome.head
            shown = late.output[at - late.base :][: len(data)]
            assert shown == data.replace(query, bytes(len(query)))
            assert len(late.output) == len(first.output), "offsets are the same for all"
            # What comes now is not history: it is asked, and of everybody.
            again = await print_raw(first, data)
            await late.reach(first.received)
            assert late.output[again - late.base :][: len(data)] == data


@pytest.mark.parametrize("window", [16 * 1024, 16 * 1024 + 1, 64 * 1024 + 3, 256 * 1024])
async def test_no_query_slips_through_where_a_frame_or_a_window_ends(address: Address, window: int) -> None:
    async with on_new_terminal(address) as first:
        await first.run("printf '%0.sx\\033[6n' $(seq 1 60000)", 30)
        late = TerminalClient(address, first.name, acks=False)
        await late.connect(window=window)
        while late.received < first.received:
            await late.wait_for(lambda: late.received > late.acked, "more of the past")
            await late.acknowledge()
        assert late.output.count(b"x\0\0\0\0") == 60_000
        assert b"\x1b[6n" not in late.output
        await late.drop()


async def test_what_asks_nothing_is_kept(address: Address) -> None:
    data = b"x".join(HARMLESS)
    async with on_new_terminal(address) as first:
        at = await print_raw(first, data)
        async with TerminalClient(address, first.name) as late:
            await late.reach(first.received)
            assert late.output[at - late.base :][: len(data)] == data


async def test_an_exact_resume_changes_nothing(address: Address) -> None:
    data = b"".join(QUERIES.values())
    async with on_new_terminal(address) as first, TerminalClient(address, first.name) as away:
        await away.drop()
        at = await print_raw(first, data)
        welcome = await away.connect()
        assert welcome.resumed
        await away.reach(first.received)
        assert away.output[at - away.base :][: len(data)] == data


async def test_the_json_path_leaves_queries_out(address: Address) -> None:
    async with on_new_terminal(address) as first:
        for query in QUERIES.values():
            await print_raw(first, b"a" + query + b"b")
        await print_raw(first, HARMLESS[0])
        async with joined(address, first.name) as late:
            assert json.loads(await late.recv()) == ["setup", {}]
            kind, history = json.loads(await late.recv())
            assert kind == "stdout"
            assert history.count("<ab>") == len(QUERIES), history
            assert not any(query.decode() in history for query in QUERIES.values())
            assert f"<{HARMLESS[0].decode()}>" in history


@pytest.mark.parametrize("wanted", [0, 1, 1000])
async def test_a_client_may_want_only_so_much_of_the_past(address: Address, wanted: int) -> None:
    async with on_new_terminal(address) as first:
        await first.run("seq 1 2000")
        late = TerminalClient(address, first.name)
        welcome = await late.connect(history=wanted)
        assert welcome.head - welcome.start <= wanted
        await late.reach(first.received, WAIT_S)
        assert late.output == first.output[late.base - first.base :]
        await late.drop()


async def test_the_past_is_there_up_to_the_ring_s_size_and_ends_where_the_present_begins(address: Address) -> None:
    async with on_new_terminal(address) as first:
        await first.run("seq 1 1000000", 30)
        late = TerminalClient(address, first.name)
        welcome = await late.connect()
        assert 3 * 1024 * 1024 < welcome.head - welcome.start <= 4 * 1024 * 1024
        await late.reach(first.received)
        assert late.output == first.output[late.base - first.base :]
        assert late.gaps == []
        await late.drop()
