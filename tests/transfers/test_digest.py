"""The root digest of a file is the same however its bytes arrive, and is made as PROTOCOL.md says."""

from __future__ import annotations

import os
from itertools import pairwise

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES
from jupyter_ws_hub.transfers.digest import BlockDigest


def reference(data: bytes, block_bytes: int) -> tuple[list[str], str]:
    """The digests as the protocol describes them, from the whole data at once."""
    blocks = [xxhash.xxh3_128(data[at : at + block_bytes]) for at in range(0, len(data), block_bytes)]
    root = xxhash.xxh3_128(b"".join(block.digest() for block in blocks))
    return [block.hexdigest() for block in blocks], root.hexdigest()


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)), st.integers(1, 64))
def test_any_split_gives_the_digests_of_the_whole(data: bytes, cuts: list[int], block_bytes: int) -> None:
    digest = BlockDigest(block_bytes=block_bytes)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        digest.update(memoryview(data)[start:end])
        assert digest.byte_offset == end
        assert (digest.blocks(), digest.root()) == reference(data[:end], block_bytes)


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES])
def test_whole_blocks_and_the_rest_are_digested(size: int) -> None:
    data = os.urandom(size)
    digest = BlockDigest()
    for at in range(0, size, 1_000_003):
        digest.update(data[at : at + 1_000_003])
    assert (digest.blocks(), digest.root()) == reference(data, BLOCK_BYTES)
    assert len(digest.blocks()) == -(-size // BLOCK_BYTES)


def test_the_names_and_sizes_of_the_protocol_stand() -> None:
    assert BlockDigest().algorithm == "xxh3-128"
    assert BLOCK_BYTES == 4 * 1024 * 1024
    assert BlockDigest().root() == xxhash.xxh3_128(b"").hexdigest()


@given(st.binary(min_size=1, max_size=100), st.data())
def test_one_changed_byte_changes_the_root(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 1))
    changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    roots = []
    for content in (data, changed):
        digest = BlockDigest(block_bytes=16)
        digest.update(content)
        roots.append(digest.root())
    assert roots[0] != roots[1]
