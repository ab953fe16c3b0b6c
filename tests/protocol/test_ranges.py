"""Which bytes an HTTP request gets: every form of a range and a condition, against plain slicing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.protocol.ranges import Selection, headers_of, select

SIZE = 1000
WHOLE = Selection(200, 0, SIZE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bytes=0-0", Selection(206, 0, 1)),
        ("bytes=0-", Selection(206, 0, SIZE)),
        ("bytes=10-19", Selection(206, 10, 20)),
        ("bytes=999-", Selection(206, 999, 1000)),
        ("bytes=990-5000", Selection(206, 990, 1000)),
        ("bytes=-1", Selection(206, 999, 1000)),
        ("bytes=-5000", Selection(206, 0, 1000)),
        ("BYTES = 1-2", Selection(206, 1, 3)),
        ("bytes=1000-", Selection(416)),
        ("bytes=1000-2000", Selection(416)),
        ("bytes=-0", Selection(416)),
        # No range, or none of ours: the whole.
        ("bytes=20-10", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=1-2,4-5", WHOLE),
        ("bytes=0-0,-1", WHOLE),
        ("lines=1-2", WHOLE),
        ("bytes=\u0661-", WHOLE),
        ("bytes=1-2x", WHOLE),
    ],
)
def test_a_range_gives_its_bytes(value: str, expected: Selection) -> None:
    assert select({"Range": value}, "e", SIZE) == expected


@given(st.integers(0, 50), st.integers(0, 60), st.integers(0, 60))
def test_single_ranges_are_slices(size: int, first: int, last: int) -> None:
    data = bytes(range(size))
    for value, wanted in (
        (f"bytes={first}-{last}", data[first : last + 1] if last >= first else data),
        (f"bytes={first}-", data[first:]),
        (f"bytes=-{last}", data[max(0, size - last) :]),
    ):
        chosen = select({"Range": value}, "e", size)
        if chosen.status == 416:
            assert wanted == b""
        else:
            assert data[chosen.begin : chosen.end] == wanted
            assert wanted or chosen.status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-Match": '"e"'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"a", "e"'}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": 'W/"e"'}, 412),
        ({"If-Match": ""}, 412),
        ({"If-None-Match": '"e"'}, 304),
        ({"If-None-Match": 'W/"e"'}, 304),
        ({"If-None-Match": '"a", "e"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-Match": '"other"', "If-None-Match": '"e"'}, 412),
        ({"Range": "bytes=1-2", "If-Range": '"e"'}, 206),
        ({"Range": "bytes=1-2", "If-Range": '"other"'}, 200),
        ({"Range": "bytes=1-2", "If-Range": 'W/"e"'}, 200),
        ({"Range": "bytes=1-2", "If-Range": "Wed, 21 Oct 2015 07:28:00 GMT"}, 200),
        ({"Range": "bytes=5000-", "If-Range": '"other"'}, 200),
        ({"Range": "bytes=5000-", "If-None-Match": '"e"'}, 304),
    ],
)
def test_conditions_come_before_ranges(headers: dict[str, str], status: int) -> None:
    assert select(headers, "e", SIZE).status == status


def test_only_get_has_ranges() -> None:
    assert select({"Range": "bytes=1-2"}, "e", SIZE, is_get=False) == WHOLE


def test_an_empty_file_has_no_range() -> None:
    assert select({"Range": "bytes=0-"}, "e", 0) == Selection(416)
    assert select({}, "e", 0) == Selection(200, 0, 0)


def test_an_answer_says_what_it_is() -> None:
    assert headers_of(Selection(206, 10, 20), "e", SIZE) == {
        "ETag": '"e"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-cache",
        "Content-Length": "10",
        "Content-Range": "bytes 10-19/1000",
    }
    assert headers_of(Selection(416), "e", SIZE)["Content-Range"] == "bytes */1000"
    assert "Content-Length" not in headers_of(Selection(304), "e", SIZE)
