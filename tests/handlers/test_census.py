"""How many connections are open, by kind."""

from __future__ import annotations

from jupyter_ws_hub.handlers.census import count_sockets
from jupyter_ws_hub.handlers.parts import OpenSocket, SocketKind
from jupyter_ws_hub.services.ports import SocketCounts

from ..support.fakes import FakeClock
from .test_ticker import FakeSocket


def socket(kind: SocketKind, principal: str) -> OpenSocket:
    fake = FakeSocket(FakeClock())
    fake.kind, fake.principal = kind, principal
    return fake


def test_there_are_none_at_first() -> None:
    assert count_sockets(set()) == SocketCounts(0, 0, 0, 0)


def test_each_kind_is_counted_and_a_user_with_many_windows_once() -> None:
    sockets = [
        *(socket("main", "alice") for _ in range(3)),
        socket("main", "bob"),
        *(socket("terminal", "carol") for _ in range(2)),
        socket("file-stream", "alice"),
    ]
    assert count_sockets(sockets) == SocketCounts(main=4, terminals=2, file_streams=1, users=2)
