"""The hub's limits and times."""

from __future__ import annotations

import msgspec

from ..protocol.codec import INBOUND_FRAME_BYTES
from ..protocol.session import Timing
from .limits import LimitSettings


class HubSettings(msgspec.Struct, frozen=True):
    """As config.py documents them."""

    timing: Timing = Timing()
    max_frame_bytes: int = INBOUND_FRAME_BYTES
    outbox_bytes: int = 4 * 1024 * 1024
    max_requests: int = 64
    max_running: int = 16
    max_outcomes: int = 256
    outcome_bytes: int = 1024 * 1024
    max_replay: int = 1_000_000
    max_topics: int = 128
    max_connections: int = 1000
    max_connections_per_user: int = 0
    """0: no limit but `max_connections`, which is what parts on their own need; a server has a limit."""
    limits: LimitSettings = LimitSettings()
    session_ttl_s: float = 120.0
    server_name: str = "jupyter_ws_hub"

    @property
    def max_reply_bytes(self) -> int:
        """The largest answer: it fits what may wait to be sent as urgent."""
        return self.outbox_bytes // 2
