"""What is shown has no key and no path of the server in it, whatever a provider or a system said."""

from __future__ import annotations

import pytest

from jupyter_ws_hub.chat.plain_words import for_a_person, for_the_log, without_secrets

KEY = "sk-proj-abcDEF123456_789"


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        "Incorrect API key provided: abcdef******1234. Look at https://example.org/account.",
        f"headers: {{'Authorization': 'Bearer {KEY}'}}",
        f"Authorization: Basic {KEY}",
        f"api_key={KEY}",
        f'{{"api-key": "{KEY}"}}',
        f"token = {KEY}",
        "Bearer abcdef******1234",
    ],
)
def test_a_key_is_left_out(text: str) -> None:
    assert KEY not in without_secrets(text)
    assert "abcdef" not in without_secrets(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ann/models/small.gguf is damaged", "small.gguf is damaged"),
        ("cannot open '/srv/x/y'", "cannot open 'y'"),
        ("cannot open C:\\Users\\ann\\model.bin", "cannot open model.bin"),
        ("~/models/a.bin is gone", "a.bin is gone"),
        ("https://example.org/v1/chat/completions refused", "https://example.org/v1/chat/completions refused"),
        ("either/or and 3/4 of them", "either/or and 3/4 of them"),
        ("two\nlines   here", "two lines here"),
    ],
)
def test_a_path_of_the_server_is_its_last_part(text: str, shown: str) -> None:
    assert for_a_person(text) == shown


def test_it_is_short() -> None:
    assert len(for_a_person("x" * 1_000_000)) == 500


def test_the_log_has_where_it_happened_and_no_key() -> None:
    try:
        raise ValueError(f"Bearer {KEY}")
    except ValueError as error:
        text = for_the_log(error)
    assert "test_plain_words.py" in text
    assert KEY not in text
