"""What is said over the pipes is one line each, whatever is in it."""

from __future__ import annotations

import msgspec
import pytest

from jupyter_ws_hub.assistants.local_messages import (
    Drop,
    Ended,
    Loaded,
    News,
    NotLoaded,
    Order,
    Question,
    Setup,
    Text,
    line,
)
from jupyter_ws_hub.chat.assistant import Turn


@pytest.mark.parametrize(
    "message",
    [Setup("/a\nb", 1, 2), Question(1, [Turn("user", "a\n\u2028\r\0🌍")], 3, 0.5, None), Drop(1)],
)
def test_orders_come_as_they_were_sent(message: Order) -> None:
    data = line(message)
    assert data.count(b"\n") == 1 and data.endswith(b"\n")
    assert msgspec.json.decode(data, type=Order) == message


@pytest.mark.parametrize("message", [Loaded(), NotLoaded("x\ny"), Text(1, "\n\n"), Ended(1, "stop", 1, 2)])
def test_news_come_as_they_were_sent(message: News) -> None:
    data = line(message)
    assert data.count(b"\n") == 1 and data.endswith(b"\n")
    assert msgspec.json.decode(data, type=News) == message
