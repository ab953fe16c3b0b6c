"""Which messages a retention does not keep, found from the oldest on without reading what stays."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .base import LogRetention


class Totals(msgspec.Struct, frozen=True):
    """What a log knows of its messages without reading them.

    `kept` of them have data, of `bytes` in all. `last_ms` is the latest of their times. Times may step back: `skew_ms`
    is by how much at most one was behind a time before it.
    """

    kept: int = 0
    bytes: int = 0
    last_ms: int = 0
    skew_ms: int = 0

    def plus(self, sizes_times: Iterable[tuple[int, int]]) -> Totals:
        """The totals with messages added at the end, of these sizes and times."""
        kept, total, last_ms, skew_ms = self.kept, self.bytes, self.last_ms, self.skew_ms
        for size, time_ms in sizes_times:
            kept += 1
            total += size
            if time_ms > last_ms:
                last_ms = time_ms
            elif last_ms - time_ms > skew_ms:
                skew_ms = last_ms - time_ms
        return Totals(kept, total, last_ms, skew_ms)

    def minus(self, kept: int, size: int) -> Totals:
        """The totals without the data of `kept` messages that had `size` bytes in all."""
        return Totals(self.kept - kept, self.bytes - size, self.last_ms, self.skew_ms)


class Surplus(msgspec.Struct, frozen=True):
    """That the `number` oldest messages are not kept, of which `kept` have data, of `bytes` in all."""

    number: int = 0
    kept: int = 0
    bytes: int = 0


def surplus(
    oldest_first: Iterable[tuple[int | None, int]],
    totals: Totals,
    retention: LogRetention,
    now_ms: int,
    enough: int | None = None,
) -> Surplus:
    """What a retention does not keep, given each message's size (None: compacted) and time, oldest first.

    What is kept is the longest end of the log that is within all limits. No more is taken from `oldest_first` than
    what is removed, one message, and those within the log's skew: a message that is younger than the limit by the skew
    has none after it that is too old. With `enough` it may stop when that many are found; there may be more then.
    """
    oldest_ms = now_ms - retention.age_s * 1000
    kept = size_gone = 0  # of those that were looked at
    found = Surplus()
    for number, (size, time_ms) in enumerate(oldest_first, 1):
        over = totals.kept - kept > retention.count or totals.bytes - size_gone > retention.bytes
        if not over and time_ms >= oldest_ms + totals.skew_ms:
            break
        if size is not None:
            kept += 1
            size_gone += size
        if over or time_ms < oldest_ms:
            found = Surplus(number, kept, size_gone)
            if number == enough:
                break
    return found
