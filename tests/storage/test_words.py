"""Words are found whatever their case and accents, as beginnings, in a row, and shown in a piece of their text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.storage.words import BEFORE, SNIPPET_CHARACTERS, Wanted, askable, folded, snippet, spaced, words_of

TEXTS = st.text(max_size=40)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *(("", []), (" \n\0!", []), ("Ab-c_1.5", ["ab", "c", "1", "5"]), ("don't", ["don", "t"])),
        *(("ÅngstrÖm", ["angstrom"]), ("e\u0301t\u00e9", ["ete"]), ("Straße", ["strasse"]), ("İ", ["i"])),
        *(("한국어", ["한국어"]), ("東京tower", ["東", "京", "tower"]), ("コード", ["コ", "ー", "ド"]), ("x²", ["x²"])),
    ],
)
def test_what_words_a_text_has(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_words_without_a_letter_or_digit_cannot_be_asked_for() -> None:
    assert askable(["a", "!", "", "\0", "1", "-b-"]) == ["a", "1", "-b-"]


@given(TEXTS)
def test_folding_twice_changes_nothing(text: str) -> None:
    once = " ".join(words_of(text))
    assert words_of(once) == words_of(text)
    assert folded(once) == once
    assert once == spaced(text).strip(" ")


@given(TEXTS, st.text(max_size=10), TEXTS)
def test_what_a_text_has_stands_in_it_and_its_snippet_is_of_it(before: str, word: str, after: str) -> None:
    text = f"{before} {word} {after}"
    if askable([word]):
        assert Wanted([word]).stand_in(spaced(text))
        assert Wanted([word, word[: len(word) // 2] or word]).stand_in(spaced(text)) or not askable([word[:5]])
    assert len(snippet([word], text)) <= SNIPPET_CHARACTERS + 2


@pytest.mark.parametrize(
    ("words", "text", "there"),
    [
        *((["ab"], "abc", True), (["bc"], "abc", False), (["ab", "x"], "abc x", False), (["x", "ab"], "abc x", True)),
        *((["a b"], "a b", True), (["a b"], "a c b", False), (["a b", "c"], "a bb c", False), (["a b"], "a bb", True)),
    ],
)
def test_all_words_stand_there_and_the_last_may_be_a_beginning(words: list[str], text: str, there: bool) -> None:
    assert Wanted(words).stand_in(spaced(text)) is there


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        *((["b"], "a b c", "a b c"), (["none"], "a b c", "a b c"), ([], "", ""), (["!"], "a", "a")),
        (["ZUR"], f"{'x' * 100} Zürich", f"…{'x' * (BEFORE - 1)} Zürich"),
        (["zurich"], f"{'x' * 100} Zu\u0308rich", f"…{'x' * (BEFORE - 1)} Zürich"),
        (
            ["a-b"],
            f"a {'x' * 100} a.b {'y' * 300}",
            f"…{'x' * (BEFORE - 1)} a.b {'y' * (SNIPPET_CHARACTERS - BEFORE - 4)}…",
        ),
        (["later", "first"], f"{'-' * 60}first later", f"…{'-' * BEFORE}first later"),
        (["会議"], f"{'今' * 60}会議", f"…{'今' * BEFORE}会議"),
    ],
)
def test_a_snippet_begins_a_little_before_the_first_word(words: list[str], text: str, expected: str) -> None:
    assert snippet(words, text) == expected
