"""Names sort as JupyterLab sorts them, the first ones are known before all are sorted, and names come back whole."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.listing.order import SAMPLE, Group, Sorted, keys, name_of, ranks

# What Node.js (ICU 7x) makes of these by `names.sort((a, b) => a.localeCompare(b, undefined, { numeric: true }))`.
IN_ORDER = [
    "_x",
    ".x",
    "1",
    "1.5",
    "1.10",
    "9",
    "10",
    "12345678901234567889",
    "12345678901234567890",
    "a",
    "A",
    "a1b2",
    "a1b10",
    "a10b1",
    "b",
    "B",
    "file",
    "File",
    "file 1",
    "file_1",
    "file-1",
    "file1.txt",
    "File1.txt",
    "file2.txt",
    "FILE2.txt",
    "file10.txt",
    "m x",
    "m_x",
    "m-x",
    "m,x",
    "m;x",
    "m:x",
    "m!x",
    "m?x",
    "m.x",
    "m'x",
    'm"x',
    "m(x",
    "m)x",
    "m[x",
    "m]x",
    "m{x",
    "m}x",
    "m@x",
    "m*x",
    "m\\x",
    "m&x",
    "m#x",
    "m%x",
    "m`x",
    "m^x",
    "m+x",
    "m<x",
    "m=x",
    "m>x",
    "m|x",
    "m~x",
    "m$x",
    "README.md",
    "readme.txt",
    "Untitled.ipynb",
    "Untitled1.ipynb",
    "Untitled2.ipynb",
    "Untitled10.ipynb",
    "x_y",
    "xa",
    "xy",
    "xY",
    "XZ",
    "z",
    "Z",
]
NAMES = st.text(st.characters(blacklist_characters="/\0"), min_size=1, max_size=12)


def test_the_order_is_that_of_the_browser() -> None:
    shuffled = random.Random(1).sample(IN_ORDER, len(IN_ORDER))
    assert [name_of(key) for key in sorted(keys(shuffled))] == IN_ORDER


@given(st.lists(NAMES, unique=True))
def test_names_come_back_whole_and_each_has_a_key_of_its_own(names: list[str]) -> None:
    made = keys(names)
    assert [name_of(key) for key in made] == names
    assert len(set(made)) == len(names)


@given(st.lists(NAMES, min_size=1, unique=True))
def test_the_order_of_two_names_does_not_depend_on_others(names: list[str]) -> None:
    together = {name: key for name, key in zip(names, keys(names), strict=True)}
    first = min(names, key=lambda name: together[name])
    for other in names:
        one, two = keys([first, other])
        assert one <= two or not (first.isascii() and other.isascii()) or "0" in first + other


def test_accents_sort_with_their_base_letter_and_bytes_that_are_no_text_somewhere() -> None:
    broken = b"x\xff".decode(errors="surrogateescape")
    names = ["f", "\u00e9b", "ea", "ec", broken]
    assert [name_of(key) for key in sorted(keys(names))] == ["ea", "\u00e9b", "ec", "f", broken]


def test_absurdly_long_numbers_take_no_absurd_memory() -> None:
    name = "1a" * 100 + "9" * 50
    assert len(keys([name, "1" * 200])[0]) < 100 * (20 + 1) + 50 + 1 + len(name) + 1


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("size", [0, 1, 100, 30 * SAMPLE])
def test_any_slice_is_that_of_the_whole(size: int, descending: bool) -> None:
    dice = random.Random(size)
    groups = [
        [f"{dice.choice('xX')}{dice.random()}" for _ in range(size)],
        ["b", "a"],
        [],
        [f"{dice.random()}" for _ in range(size // 2)],
    ]
    whole = [name_of(key) for group in groups for key in sorted(keys(group), reverse=descending)]
    made = Sorted([Group(list(group), ranks(group), descending) for group in groups])
    assert made.total == len(whole)
    places = [(0, 50), (0, 100), (size, 7), (size // 2, 300), (len(whole) - 1, 5), (len(whole), 5), (0, len(whole) + 1)]
    for first, limit in places:
        first = max(0, first)
        assert made.slice(first, limit) == whole[first : first + limit], (first, limit)


@pytest.mark.parametrize("descending", [False, True])
def test_the_first_ones_are_found_where_all_ranks_are_alike(descending: bool) -> None:
    count = 20 * SAMPLE
    names = ["".join("aA"[int(bit)] for bit in f"{number:015b}") for number in range(count)]
    made = Group(names, ranks(names), descending)
    assert len(set(ranks(names))) == 1
    assert made.slice(0, 50) == [name_of(key) for key in sorted(keys(names), reverse=descending)[:50]]
