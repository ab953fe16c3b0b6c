"""What the handlers are handed: the parts of one server, put together by app.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..hub.hub import Hub
from ..terminals.flow import Flows
from ..transfers.store import TransferStore


class OpenSocket(Protocol):
    """A socket that can be told of the server's end."""

    def shut_down(self) -> None:
        """Tell the client to come back, and close."""
        ...


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
    flows: Flows = field(default_factory=Flows)
    """What pauses terminals whose clients do not keep up."""
    sockets: set[OpenSocket] = field(default_factory=set)
    """All open sockets, to be closed when the server stops."""
