"""The outcomes of one session's requests, kept until the client says that it has them: bounded, never evicted."""

from __future__ import annotations

from collections.abc import Iterable

from .declare import Lane


class Outcomes:
    """Encoded replies by `ref`."""

    def __init__(self, max_count: int, max_bytes: int) -> None:
        """`is_full` from `max_count` replies or `max_bytes` on; what then still ends is kept as well."""
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._replies: dict[int, tuple[Lane, bytes]] = {}
        self._bytes = 0
        self.done_ref = 0
        """Everything up to here is settled at the client."""

    @property
    def is_full(self) -> bool:
        """Whether no new request should be begun."""
        return len(self._replies) >= self._max_count or self._bytes >= self._max_bytes

    def get(self, ref: int) -> tuple[Lane, bytes] | None:
        """The reply to a request and its lane."""
        return self._replies.get(ref)

    def put(self, ref: int, lane: Lane, reply: bytes) -> None:
        """Keep a reply."""
        self._replies[ref] = (lane, reply)
        self._bytes += len(reply)

    def settle(self, done_ref: int, also: Iterable[int] = ()) -> list[int]:
        """The client has all replies up to `done_ref`, and those in `also`: forget them, give their `ref`s."""
        self.done_ref = max(self.done_ref, done_ref)
        refs = [ref for ref in self._replies if ref <= self.done_ref]
        refs += [ref for ref in set(also) if ref > self.done_ref and ref in self._replies]
        for ref in refs:
            self._bytes -= len(self._replies.pop(ref)[1])
        return refs
