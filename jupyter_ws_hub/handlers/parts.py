"""What the handlers are handed: the parts of one server, put together by app.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ..host_notices import NoticeSources
from ..hub.hub import Hub
from ..identity import Identity
from ..protocol.errors import HubError
from ..server_api import Call
from ..terminals.flow import Flows
from ..transfers.store import TransferStore
from ..turns import Turns

SocketKind = Literal["main", "terminal", "file-stream"]


class OpenSocket(Protocol):
    """A socket for which time passes, whose user is checked again, and which can be told of the server's end."""

    kind: SocketKind
    principal: str
    """Whose it is."""
    login: str | None
    """What all requests of one browser's login have in common; None where there was none."""
    check_due_s: float | None
    """When the user is to be checked again, by the monotonic clock; None until that is set."""

    def tick(self) -> None:
        """Let time pass; called about once a second."""
        ...

    async def recheck(self) -> None:
        """Return if the user may still be here; raise HubError if not, anything else if that is not known."""
        ...

    def drop(self, error: HubError) -> None:
        """Tell the client why, and close."""
        ...

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
    may_watch: bool
    """Whether users who may read terminals, but not use them, may look on."""
    call: Call
    """Calls a method of a service by its name."""
    sources: NoticeSources
    """Knows this user's programs."""
    identity: Identity
    """Who the users of open sockets are, asked again."""
    flows: Flows = field(default_factory=Flows)
    """What pauses terminals of a manager that is not ours."""
    turns: Turns = field(default_factory=Turns)
    """What the connections on /ws have to write."""
    sockets: set[OpenSocket] = field(default_factory=set)
    """All open sockets."""
