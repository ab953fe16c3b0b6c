"""What a provider says of an error is read whatever it looks like, and never repeated with a key in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.assistants.events import ProviderError
from jupyter_ws_hub.assistants.failures import MAX_RETRY_MS, Failures, read_error, retry_after_ms
from jupyter_ws_hub.assistants.keys import Key

NOW_S = 1_000_000_000.0  # Sun, 09 Sep 2001 01:46:40 GMT
SECRET = "sk-Very5ecretKeyOfNobody"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["error", "message", "code", "type"]), x),
)


@pytest.mark.parametrize(
    ("headers", "wait_ms"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3000),
        ({"retry-after": "0.5"}, 500),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "1e9"}, MAX_RETRY_MS),
        ({"retry-after": "inf"}, MAX_RETRY_MS),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "120", "retry-after": "9"}, 120),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9000),
        ({"retry-after": "Sun, 09 Sep 2001 01:47:40 GMT"}, 60_000),
        ({"retry-after": "Sun, 09 Sep 2001 01:45:40 GMT"}, 0),
        ({"retry-after": "Sun, 99 Sep 2001 01:45:40 GMT"}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], wait_ms: int | None) -> None:
    assert retry_after_ms(headers, NOW_S) == wait_ms


@given(JSON)
def test_any_body_is_read(body: Any) -> None:
    error = read_error(body)
    assert isinstance(error.words, str)
    assert Failures("It", Key()).status(400, error, {}, "m", NOW_S).message


@pytest.mark.parametrize("status", [300, 400, 401, 402, 404, 413, 429, 500])
def test_no_text_has_the_key(status: int) -> None:
    error = ProviderError(message=f"the key {SECRET}", code=SECRET, type=SECRET)
    assert SECRET not in str(Failures("It", Key(SECRET)).status(status, error, {}, "m", NOW_S))


def test_the_number_of_an_error_amid_a_stream_counts_as_its_status() -> None:
    failures = Failures("It", Key())
    assert "too often" in failures.said(ProviderError(message="x", code=429)).message
    assert "It says: x" in failures.said(ProviderError(message="x", code="odd")).message
