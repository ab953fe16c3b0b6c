"""The digest of a file that arrives in order: one per block, and a root over them.

xxh3-128 (https://github.com/Cyan4973/xxHash) finds transmission errors; it does not protect against forgery, as sha256
does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import xxhash

from ..protocol.transfer import BLOCK_BYTES, DigestName

DIGEST_BYTES: Final = {"xxh3-128": 16, "sha256": 32}


def _begin(algorithm: DigestName, data: bytes = b"") -> Any:
    return xxhash.xxh3_128(data) if algorithm == "xxh3-128" else hashlib.sha256(data)


def file_root(data: bytes | memoryview, algorithm: DigestName) -> str:
    """The root digest in hex of a file that is here as a whole and has at most one block."""
    return str(_begin(algorithm, _begin(algorithm, bytes(data)).digest() if data else b"").hexdigest())


class BlockDigest:
    """Digests of 4 MiB blocks and the root digest: the digest of the block digests, put one behind the other."""

    def __init__(
        self, algorithm: DigestName = "xxh3-128", block_bytes: int = BLOCK_BYTES, blocks: Iterable[bytes] = ()
    ) -> None:
        """Start at byte 0, or behind whole blocks whose digests are known."""
        self.algorithm = algorithm
        self._block_bytes = block_bytes
        self.whole: list[bytes] = list(blocks)
        """The digests of the whole blocks so far."""
        self._current = _begin(algorithm)
        self._in_block = 0
        self.byte_offset = len(self.whole) * block_bytes

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
                self.whole.append(self._current.digest())
                self._current = _begin(self.algorithm)
                self._in_block = 0

    def blocks(self) -> list[str]:
        """The digests of the blocks so far in hex, the last one possibly of a shorter block."""
        return [digest.hex() for digest in self._all()]

    def root(self) -> str:
        """The root digest in hex."""
        return str(_begin(self.algorithm, b"".join(self._all())).hexdigest())

    def _all(self) -> list[bytes]:
        return self.whole + ([self._current.digest()] if self._in_block else [])
