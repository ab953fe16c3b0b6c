"""The bytes of a tree cut into its files: any cut of the bytes into chunks gives the same files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError, RemoteProtocolError
from jupyter_ws_hub.protocol.transfer import ENTRIES_AHEAD, TREE_FILE_BYTES, TreeEntries, TreeEntry
from jupyter_ws_hub.transfers.tree import Arrived, TreeSplitter


def file(size: int, path: str = "f") -> TreeEntry:
    return TreeEntry(path, size)


def content(whole: list[Arrived]) -> list[tuple[int, bytes, int]]:
    return [(arrived.number, b"".join(arrived.parts), arrived.end) for arrived in whole]


@given(
    sizes=st.lists(st.integers(0, 9), max_size=30),
    cuts=st.lists(st.integers(1, 20), min_size=1),
    batches=st.lists(st.integers(1, 7), min_size=1),
    start=st.tuples(st.integers(0, 5), st.integers(0, 50)),
)
def test_any_chunks_and_any_announcements_give_the_same_files(
    sizes: list[int], cuts: list[int], batches: list[int], start: tuple[int, int]
) -> None:
    first, offset = start
    splitter, data = TreeSplitter(first, offset), bytes(range(256)) * 2
    data = data[: sum(sizes)]
    expected, at = [], 0
    for number, size in enumerate(sizes):
        expected.append((first + number, data[at : at + size], offset + at + size))
        at += size
    whole: list[Arrived] = []
    announced = sent = turn = 0
    while announced < len(sizes):
        batch = sizes[announced : announced + batches[turn % len(batches)]]
        splitter.announce(TreeEntries(first + announced, [file(size) for size in batch]))
        announced += len(batch)
        until = sum(sizes[:announced])
        whole += splitter.take([])
        while sent < until:
            end = min(until, sent + cuts[turn % len(cuts)])
            turn += 1
            whole += splitter.take([memoryview(data)[sent:end]])
            sent = end
        turn += 1
    assert content(whole) == expected
    assert not splitter.has_whole
    assert splitter.announced_bytes == offset + sum(sizes)


def test_empty_files_are_whole_at_once() -> None:
    splitter = TreeSplitter(0, 0)
    assert not splitter.has_whole
    splitter.announce(TreeEntries(0, [file(0), file(0), file(2), file(0)]))
    assert splitter.has_whole
    assert content(splitter.take([])) == [(0, b"", 0), (1, b"", 0)]
    assert not splitter.has_whole
    assert content(splitter.take([memoryview(b"ab")])) == [(2, b"ab", 2), (3, b"", 2)]


def test_entries_come_in_order_and_not_too_many_ahead() -> None:
    splitter = TreeSplitter(3, 0)
    for first in (0, 2, 4):
        with pytest.raises(RemoteProtocolError):
            splitter.announce(TreeEntries(first, [file(0)]))
    with pytest.raises(RemoteProtocolError):
        splitter.announce(TreeEntries(3, [file(0)] * (ENTRIES_AHEAD + 1)))
    splitter.announce(TreeEntries(3, [file(0)] * ENTRIES_AHEAD))
    with pytest.raises(RemoteProtocolError):
        splitter.announce(TreeEntries(3 + ENTRIES_AHEAD, [file(0)]))
    splitter.take([])
    splitter.settled(4)
    splitter.announce(TreeEntries(3 + ENTRIES_AHEAD, [file(0)]))


@pytest.mark.parametrize(
    "entry",
    [file(-1), file(TREE_FILE_BYTES + 1), TreeEntry("d", 1, "directory"), TreeEntry("gone", 1, missing=True)],
)
def test_sizes_that_cannot_be_are_refused(entry: TreeEntry) -> None:
    with pytest.raises(RemoteProtocolError):
        TreeSplitter(0, 0).announce(TreeEntries(0, [entry]))


def test_bytes_that_were_not_announced_are_too_big() -> None:
    splitter = TreeSplitter(0, 10)
    splitter.announce(TreeEntries(0, [file(5)]))
    splitter.check_data(15)
    with pytest.raises(HubError) as caught:
        splitter.check_data(16)
    assert caught.value.code is Code.TOO_BIG
