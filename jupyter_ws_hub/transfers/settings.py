"""Limits of transfers, with their defaults."""

from __future__ import annotations

import msgspec


class TransferSettings(msgspec.Struct, frozen=True):
    """Limits of transfers."""

    max_upload_bytes: int = 0
    """0: no limit."""
    max_active: int = 16
    """Streams that one principal may have open."""
    max_operations: int = 2000
    """Operations of one principal that are known."""
    min_free_bytes: int = 0
    """Stays free where uploads go."""
    bytes_per_s: float = 0.0
    """Of one principal's transfers together; 0: no limit."""
    keep_idle_s: float = 24 * 3600
    keep_ended_s: float = 600
    threads: int = 4
    max_entries: int = 1_000_000
    """Files and directories in one download."""
    windows_bytes: int = 64 * 1024 * 1024
    """For all windows together, beyond what each stream has at first."""
    progress_interval_s: float = 0.2
    touch_interval_s: float = 300.0
    """So often a running operation says in the journal that it is alive."""
