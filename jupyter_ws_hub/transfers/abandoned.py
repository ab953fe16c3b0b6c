"""Transfers of roots that no server serves any more: their own server would end them when they are left for too long.

So any server that shares the journal does it. It takes them over as a server takes over anything, which a living owner
would notice, and never such as a living owner has written of lately. All methods block.
"""

from __future__ import annotations

from logging import Logger
from pathlib import Path
from typing import Final

from ..protocol.errors import HubError
from .journal import Journal, Record
from .partial import PARTIAL_SUFFIX, discard
from .tree_writer import discard as discard_entries

ALIVE_S: Final = 900.0
"""A server writes more often than this that a transfer moves, however soon it ends what does not."""
UNREACHABLE_S: Final = 30 * 24 * 3600.0
"""For so long a directory that is not there may come back: its disk may not be mounted now."""


def collect(journal: Journal, older_than_s: float, logger: Logger) -> int:
    """End what other roots have left, and nobody has touched since then; give how many. Raises OSError."""
    count = 0
    for id in sorted(journal.ids()):
        try:
            count += _end(journal, id, older_than_s - ALIVE_S)
        except (HubError, OSError) as error:  # a later round tries again
            reason = error.strerror if isinstance(error, OSError) else error.message
            logger.warning("A transfer that was left in another root has not been ended: %s", reason)
    if count:
        logger.info("%d transfers that were left in roots of other servers were ended.", count)
    return count


def _end(journal: Journal, id: str, older_than_s: float) -> bool:
    def is_left() -> bool:
        record = journal.stranger(id)
        return record is not None and _is_left(record, older_than_s)

    if not is_left():
        return False
    ownership = journal.take(id, is_left)
    if ownership is None:  # somebody goes on with it, or has ended it
        return False
    try:
        with ownership.hold():
            record = journal.stranger(id)
            if record is not None:
                _discard(record)
            journal.remove(id)
    finally:
        ownership.close()
    return True


def _is_left(record: Record, older_than_s: float) -> bool:
    if record.touched_s >= older_than_s:
        return False
    is_reachable = record.partial is None or Path(record.partial).parent.is_dir()
    return is_reachable or record.touched_s < older_than_s - UNREACHABLE_S


def _discard(record: Record) -> None:
    """Remove what has arrived. Raises OSError."""
    if record.putting and record.target is not None:
        discard_entries(Path(record.target), record.id, record.putting)
    if record.partial is None or not record.partial.endswith(f".{record.id[:12]}{PARTIAL_SUFFIX}"):
        return
    left = discard(Path(record.partial))
    if left is not None:
        raise left
