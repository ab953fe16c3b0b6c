"""PROTOCOL.md is current and names everything that the code serves."""

from __future__ import annotations

import logging

import pytest

from jupyter_ws_hub import reference
from jupyter_ws_hub.protocol import FILE_STREAM_SUBPROTOCOL, HUB_SUBPROTOCOL, TERMINAL_SUBPROTOCOL
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.services import discover


def test_the_tables_are_current() -> None:
    assert reference.main(["--check"]) == 0


def test_everything_that_is_served_is_described() -> None:
    text = reference.TARGET.read_text()
    for subprotocol in (HUB_SUBPROTOCOL, TERMINAL_SUBPROTOCOL, FILE_STREAM_SUBPROTOCOL):
        assert subprotocol in text
    for code in Code:
        assert f"| {int(code)} | `{code.wire_name}` |" in text
    for service in discover(logging.getLogger(), own_only=True):
        for method in service.methods():
            assert f"| `{method.name}` |" in text
        for topic in service.all_topics():
            assert f"| `{topic.pattern}` |" in text


def test_what_is_written_by_hand_stays() -> None:
    text = "before\n<!-- begin codes -->\nold\n<!-- end codes -->\nafter\n"
    made = reference.generate(text)
    assert made.startswith("before\n<!-- begin codes -->\n| number |")
    assert made.endswith("<!-- end codes -->\nafter\n")
    assert "old" not in made
    assert reference.generate(made) == made


def test_a_section_that_nothing_makes_is_an_error() -> None:
    with pytest.raises(KeyError):
        reference.generate("<!-- begin nonsense -->\n<!-- end nonsense -->")
