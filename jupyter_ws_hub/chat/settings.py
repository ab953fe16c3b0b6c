"""Limits of conversations; config.py documents them."""

from __future__ import annotations

import msgspec


class ChatSettings(msgspec.Struct, frozen=True):
    """How often one user may do what costs others something; 0: no limit."""

    posts_per_minute: float = 300
    """Messages, edits and deletions."""
    searches_per_minute: float = 120
    """Searches and exports."""
    changes_per_minute: float = 120
    """Rooms made and changed."""
    presences_per_minute: float = 240
    """Changes of who is where and types."""
