"""Operations to records and back: pure, without a disk."""

from __future__ import annotations

from ..protocol.codes import Code
from ..protocol.errors import HubError
from .journal import Journal, Record
from .operation import ENDED, Operation

_SAME = (
    *("path", "size", "name", "created_s", "touched_s", "etag", "entries", "settled", "failed", "begun"),
    *("byte_offset", "durable", "boot", "held", "done", "target", "partial", "mode", "publishing", "putting"),
)


def record_of(operation: Operation, journal: Journal) -> Record:
    """What is kept of an operation."""
    return Record(
        id=operation.id,
        direction=operation.direction,
        kind=operation.kind,
        principal=operation.principal,
        root=journal.root,
        plan=operation.plan,
        download=operation.download,
        state=operation.state,
        error=operation.error.info if operation.error is not None else None,
        **{name: getattr(operation, name) for name in _SAME},
    )


def adopt(record: Record) -> Operation:
    """An operation that another process has made."""
    operation = Operation(record.id, record.direction, record.principal, record.path, record.size, record.plan)
    operation.download, operation.kind = record.download, record.kind
    apply(record, operation)
    return operation


def apply(record: Record, operation: Operation) -> None:
    """Bring an operation that nobody moves here to what the journal says."""
    for name in _SAME:
        setattr(operation, name, getattr(record, name))
    operation.error = _error(record)
    running = record.state not in ENDED and record.state not in ("waiting", "paused")
    operation.state = "paused" if running else record.state


def _error(record: Record) -> HubError | None:
    error = record.error
    if error is None:
        return None
    code = next((code for code in Code if code.wire_name == error.code), Code.INTERNAL)
    return HubError(code, error.message, details=error.details)
