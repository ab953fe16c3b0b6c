"""The digest of a file in blocks, as the file stream has it: one per block, and a root over them."""

from __future__ import annotations

import hashlib
from typing import Protocol

import xxhash

from ..protocol.transfer import BLOCK_BYTES, DigestName


class _Hash(Protocol):
    def update(self, data: memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


def new_hash(name: DigestName) -> _Hash:
    """A hash to be fed."""
    return hashlib.sha256() if name == "sha256" else xxhash.xxh3_128()


class BlockDigest:
    """Takes a file's bytes in order; `byte_offset` says up to where it has them."""

    def __init__(self, name: DigestName = "xxh3-128", block_bytes: int = BLOCK_BYTES) -> None:
        """Start at byte 0."""
        self.byte_offset = 0
        self._name = name
        self._block_bytes = block_bytes
        self._blocks: list[bytes] = []
        self._current = new_hash(name)
        self._inside = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the bytes that follow."""
        view = memoryview(data)
        self.byte_offset += len(view)
        while view:
            part = view[: self._block_bytes - self._inside]
            self._current.update(part)
            self._inside += len(part)
            view = view[len(part) :]
            if self._inside == self._block_bytes:
                self._blocks.append(self._current.digest())
                self._current = new_hash(self._name)
                self._inside = 0

    @property
    def whole_blocks(self) -> list[str]:
        """The digests, in hex, of the blocks that are whole."""
        return [digest.hex() for digest in self._blocks]

    def root(self) -> str:
        """The root digest in hex."""
        over = new_hash(self._name)
        last = [self._current.digest()] if self._inside else []
        over.update(memoryview(b"".join([*self._blocks, *last])))
        return over.digest().hex()
