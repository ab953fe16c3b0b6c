"""Which keys leave, and that no other key is lost, however they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.cli.detach_keys import DetachKeys, parse_keys
from jupyter_ws_hub.cli.servers import CommandError


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("~.", b"~."),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("Ctrl-]", b"\x1d"),
        ("^]", b"\x1d"),
        ("^],d", b"\x1dd"),
        ("ctrl-a,d", b"\x01d"),
        ("enter,~,.", b"\r~."),
        ("esc,q", b"\x1bq"),
        ("", b""),
    ],
)
def test_keys_have_names(text: str, keys: bytes) -> None:
    assert parse_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-p,", "ctrl-1,x", "ü", "a,bc"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(CommandError, match="names no keys"):
        parse_keys(text)


@pytest.mark.parametrize(
    ("typed", "sent", "left"),
    [
        (b"~.", b"", True),
        (b"ls\r~.", b"ls\r", True),
        (b"ls\n~.more", b"ls\n", True),
        (b"a~.", b"a~.", False),
        (b"\r~~.", b"\r~.", False),
        (b"\r~x~.", b"\r~x~.", False),
        (b"\r~\r~.", b"\r~\r", True),
        (b"\r~", b"\r", False),
    ],
)
def test_the_escape_counts_at_the_start_of_a_line(typed: bytes, sent: bytes, left: bool) -> None:
    assert DetachKeys("~.").feed(typed) == (sent, left)


@pytest.mark.parametrize(
    ("typed", "sent", "left"),
    [
        (b"ab\x10\x11", b"ab", True),
        (b"\x10x", b"\x10x", False),
        (b"\x10\x10\x11", b"\x10", True),
        (b"\x11\x10", b"\x11", False),
    ],
)
def test_a_sequence_counts_anywhere(typed: bytes, sent: bytes, left: bool) -> None:
    assert DetachKeys("ctrl-p,ctrl-q").feed(typed) == (sent, left)


@given(st.lists(st.sampled_from([b"~", b".", b"\r", b"x", b"\x10", b"\x11", b"~.", b"\x10\x11"])), st.booleans())
def test_how_keys_come_does_not_matter(parts: list[bytes], escape: bool) -> None:
    name = "~." if escape else "ctrl-p,ctrl-q"
    whole = DetachKeys(name).feed(b"".join(parts))
    keys, sent, left = DetachKeys(name), b"", False
    for part in parts:
        out, left = keys.feed(part)
        sent += out
        if left:
            break
    assert (sent, left) == whole


def test_without_keys_all_goes_through() -> None:
    keys = DetachKeys("")
    assert keys.feed(b"\r~.\x10\x11") == (b"\r~.\x10\x11", False)
    assert keys.hint == "no keys detach"


def test_the_hint_says_what_to_press() -> None:
    assert DetachKeys("~.").hint == "Enter, then ~. detaches"
    assert DetachKeys("ctrl-p,ctrl-q").hint == "ctrl-p,ctrl-q detaches"
