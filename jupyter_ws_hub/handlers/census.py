"""Counts open sockets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from ..services.ports import SocketCounts
from .parts import OpenSocket


def count_sockets(sockets: Collection[OpenSocket]) -> SocketCounts:
    """How many there are of each kind, and how many users are on /ws."""
    kinds = Counter(socket.kind for socket in sockets)
    users = {socket.principal for socket in sockets if socket.kind == "main"}
    return SocketCounts(kinds["main"], kinds["terminal"], kinds["file-stream"], len(users))
