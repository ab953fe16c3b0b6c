"""Keys show themselves nowhere, and come from places that only their owner can read."""

from __future__ import annotations

import base64
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.assistants.keys import MAX_QUOTE, PIECE, Key, KeyUnusable, read_key

SECRET = "sk-Very5ecretKeyOfNobody"


def test_a_key_shows_itself_only_when_it_is_asked_to() -> None:
    key = Key(SECRET)
    for shown in (repr(key), str(key), f"{key}", repr([key])):
        assert SECRET not in shown
    assert key.reveal() == SECRET and key and not Key()
    try:
        raise ValueError(key)
    except ValueError:
        assert SECRET not in traceback.format_exc()


@given(st.integers(0, len(SECRET) - PIECE), st.text(max_size=5), st.booleans())
def test_nothing_with_a_part_of_the_key_is_quoted(start: int, around: str, upper: bool) -> None:
    part = SECRET[start : start + PIECE]
    assert Key(SECRET).quote(around + (part.upper() if upper else part) + around) == ""


def test_encoded_keys_are_not_quoted_and_other_texts_are_short_and_in_one_line() -> None:
    assert Key(SECRET).quote(f"Basic {base64.b64encode(SECRET.encode()).decode()}") == ""
    assert Key("ab").quote("xABx") == ""
    assert Key(SECRET).quote("It is\n  broken.") == "It is broken."
    assert len(Key().quote("x" * 1000)) == MAX_QUOTE + 1


def test_where_a_key_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", " from-env ")
    file = tmp_path / "key"
    file.write_text("from-file\n")
    file.chmod(0o400)
    assert not read_key("", "")
    assert read_key("A_KEY", "").reveal() == "from-env"
    assert read_key("A_KEY", str(file)).reveal() == "from-file"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_key("", "~/key").reveal() == "from-file"


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o602, 0o610, 0o601])
def test_a_file_that_others_may_use_is_refused(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET)
    file.chmod(mode)
    with pytest.raises(KeyUnusable, match="chmod 600"):
        read_key("", str(file))


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"two\nlines", b"\xff\xfe", "schlüssel".encode()])
def test_what_is_no_key_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(KeyUnusable) as caught:
        read_key("", str(file))
    assert str(tmp_path) not in str(caught.value)
