"""Cells and outputs of any notebook as text, whatever stands in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.chat.notebook_text import (
    MAX_OUTPUT_CHARACTERS,
    MAX_OUTPUTS,
    cell_pieces,
    find_cell,
    notebook_pieces,
)


def shown(*outputs: dict[str, Any]) -> str:
    """What is shown of these outputs."""
    pieces = list(cell_pieces(3, {"cell_type": "code", "source": ["a = 1\n", "a"], "outputs": list(outputs)}))
    text = "".join(pieces)
    assert text.startswith("[code cell 3]\na = 1\na\n")
    return text.removeprefix("[code cell 3]\na = 1\na\n")


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ({"output_type": "stream", "text": ["one\n", "two\n"]}, "one\ntwo"),
        ({"output_type": "stream", "text": "\x1b[31mred\x1b[0m\n"}, "red"),
        ({"output_type": "execute_result", "data": {"text/plain": "42"}}, "42"),
        ({"output_type": "display_data", "data": {"text/html": "<b>x</b>", "text/plain": ["x"]}}, "x"),
        ({"output_type": "display_data", "data": {"text/html": "<b>x</b>"}}, "[text/html left out]"),
        ({"output_type": "display_data", "data": {"image/png": "aaaa"}}, "[picture left out]"),
        (
            {"output_type": "display_data", "data": {"image/png": "aaaa", "text/plain": "<Figure>"}},
            "<Figure>\n[picture left out]",
        ),
        ({"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[0;31mE\x1b[0m: v"]}, "E: v"),
        ({"output_type": "error", "ename": "E", "evalue": "v", "traceback": []}, "E: v"),
        ({"output_type": "display_data", "data": {}}, "[nothing]"),
    ],
)
def test_an_output_is_text_without_colours_and_pictures(output: dict[str, Any], text: str) -> None:
    assert shown(output) == f"[output of cell 3]\n{text}\n"


def test_a_long_output_is_cut_and_many_are_counted() -> None:
    text = shown({"output_type": "stream", "text": "x" * 10_000_000})
    assert len(text) < MAX_OUTPUT_CHARACTERS + 100 and text.endswith("[cut]\n")
    many = shown(*[{"output_type": "stream", "text": ["y\n"] * 100_000}] * (MAX_OUTPUTS + 5))
    assert many.endswith("[5 more outputs left out]\n")


def test_a_cell_is_found_by_its_id() -> None:
    notebook = {"cells": [{"id": "a"}, {"id": "b", "source": "x"}]}
    assert find_cell(notebook, "b") == (2, {"id": "b", "source": "x"})
    assert find_cell(notebook, "c") is None


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "cell_type", "source", "outputs", "output_type", "data", "text", "traceback", "id"]
            ),
            inner,
            max_size=5,
        )
    ),
)


@given(ANYTHING)
def test_no_notebook_is_so_broken_that_it_cannot_be_shown(notebook: Any) -> None:
    assert isinstance("".join(notebook_pieces(notebook)), str)
    assert isinstance("".join(notebook_pieces({"cells": [notebook, {"outputs": [notebook], "source": notebook}]})), str)
    find_cell(notebook, "a")
