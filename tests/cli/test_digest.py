"""The client's digest of a file in blocks is the server's."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.cli.digest import BlockDigest
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES
from tests.support.client import root_of


@given(st.binary(max_size=100), st.lists(st.integers(1, 20), max_size=30))
def test_pieces_do_not_matter(data: bytes, sizes: list[int]) -> None:
    whole, pieces = BlockDigest(block_bytes=16), BlockDigest(block_bytes=16)
    whole.update(data)
    at = 0
    for size in [*sizes, 100]:
        pieces.update(memoryview(data)[at : at + size])
        at += size
    assert (pieces.root(), pieces.whole_blocks) == (whole.root(), whole.whole_blocks)
    assert pieces.byte_offset == len(data) and len(whole.whole_blocks) == len(data) // 16


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, BLOCK_BYTES + 1])
def test_it_is_the_servers(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    digest = BlockDigest()
    digest.update(data[:size])
    assert digest.root() == root_of(data[:size])


def test_sha256_is_as_the_protocol_says() -> None:
    digest = BlockDigest("sha256", block_bytes=4)
    digest.update(b"abcdef")
    blocks = hashlib.sha256(b"abcd").digest() + hashlib.sha256(b"ef").digest()
    assert digest.root() == hashlib.sha256(blocks).hexdigest()
    assert BlockDigest("sha256").root() == hashlib.sha256(b"").hexdigest()
