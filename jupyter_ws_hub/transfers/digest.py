"""The digest of a file that arrives in order: one per block, and a root over them.

xxh3-128 (https://github.com/Cyan4973/xxHash): it finds transmission errors; it does not protect against forgery.
"""

from __future__ import annotations

from typing import Final

import xxhash

from ..protocol.transfer import BLOCK_BYTES

ALGORITHM: Final = "xxh3-128"


class BlockDigest:
    """Digests of 4 MiB blocks and the root digest: the digest of the block digests, put one behind the other."""

    def __init__(self, block_bytes: int = BLOCK_BYTES) -> None:
        """Start at byte 0."""
        self._block_bytes = block_bytes
        self._blocks: list[bytes] = []
        self._current = xxhash.xxh3_128()
        self._in_block = 0
        self.byte_offset = 0

    def update(self, data: bytes | memoryview) -> None:
        """Take the bytes that follow."""
        view = memoryview(data)
        while view:
            part = view[: self._block_bytes - self._in_block]
            self._current.update(part)
            self._in_block += len(part)
            self.byte_offset += len(part)
            view = view[len(part) :]
            if self._in_block == self._block_bytes:
                self._blocks.append(self._current.digest())
                self._current.reset()
                self._in_block = 0

    def blocks(self) -> list[str]:
        """The digests of the blocks so far in hex, the last one possibly of a shorter block."""
        return [digest.hex() for digest in self._all()]

    def root(self) -> str:
        """The root digest in hex."""
        return xxhash.xxh3_128(b"".join(self._all())).hexdigest()

    def _all(self) -> list[bytes]:
        return self._blocks + ([self._current.digest()] if self._in_block else [])
