"""How much of notifications there may be."""

from __future__ import annotations

import msgspec


class NoticeSettings(msgspec.Struct, frozen=True):
    """The limits of one user, as config.py documents them."""

    per_s: float = 20.0
    burst: float = 200.0
