"""What the handlers are handed: the parts of one server, put together by app.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..hub.hub import Hub
from ..transfers.store import TransferStore

if TYPE_CHECKING:
    from .base import HubSocket


@dataclass
class Parts:
    """Everything behind the endpoints."""

    hub: Hub
    transfers: TransferStore
    owner: str
    """The principal where the server has no user names."""
    start: Callable[[], Any]
    """Awaited before the first use: starts the services unless they run."""
    active: Callable[[], None]
    """Tell the server of a person's activity."""
    sockets: set[HubSocket] = field(default_factory=set)
    """All open sockets, to be closed when the server stops."""
