"""Names that look alike are found, and nobody is shown as what they are not."""

from __future__ import annotations

import pytest

from jupyter_ws_hub.chat.names import MAX_NAME_CHARACTERS, clean, clean_title, looks_like, shown_name, skeleton


@pytest.mark.parametrize(
    "fake",
    [
        "claude",
        "CLAUDE",
        "Cl\u0430ude",  # Cyrillic a
        "\u0421laude",  # Cyrillic capital es
        "c1aude",
        "C|aude",
        "\uff43\uff4c\uff41\uff55\uff44\uff45",  # full width
        "\U0001d41clau\U0001d41de",  # mathematical bold
        "cla\u200bude",  # zero width space
        "\u202eclaude",  # right to left
        "c l a u d e",
        "cl-au_de.",
        "cla\u0301ude",  # accent
        "cl\u00e4ude",
        "clau\u00adde",  # soft hyphen
        "cl\u03b1ude",  # Greek alpha
        "clau\u3164de",  # Hangul filler
        "cla\u2800ude",  # blank braille
        "\u24d2laude",  # circled
    ],
)
def test_a_look_alike_is_found(fake: str) -> None:
    assert looks_like(fake, "claude")
    assert shown_name("someone", fake, ["claude"]).endswith(" (a person)")
    assert shown_name(fake, "Honest", ["claude"]) == "Honest (a person)"


@pytest.mark.parametrize("other", ["claudia", "clau", "alice", "", "claude2x", "\u674e\u96f7", "cloud"])
def test_another_name_is_none(other: str) -> None:
    assert not looks_like(other, "claude")
    assert "person" not in shown_name("someone", other, ["claude"])


def test_two_letters_can_look_like_one() -> None:
    assert looks_like("rnodel", "model") and looks_like("vveb", "web")


def test_names_that_show_nothing_do_not_look_like_each_other() -> None:
    assert skeleton("\u200b") == skeleton("?") == ""
    assert not looks_like("\u200b", "?")


def test_a_name_is_one_line_of_what_is_seen() -> None:
    assert clean("  A\u202eB\n\tC\u200b\x00 ") == "AB C"
    assert clean("e\u0301") == "\u00e9"
    assert len(clean("x" * 1000)) == MAX_NAME_CHARACTERS
    assert clean_title("\u200b\n") == ""


def test_who_has_no_name_is_shown_by_their_username() -> None:
    assert shown_name("bob", "", []) == "bob"
    assert shown_name("bob", "\u200b", []) == "bob"
    assert shown_name("", "", []) == "?"


def test_people_of_all_scripts_keep_their_names() -> None:
    for name in (
        "\u674e\u96f7",
        "\u0410\u043d\u043d\u0430",
        "Ren\u00e9",
        "\u05d3\u05d5\u05d3",
        "\u0623\u062d\u0645\u062f",
    ):
        assert shown_name("u", name, ["claude", "local"]) == name
