"""The files of the flood: a wrong size would be taken for lost output."""

from __future__ import annotations

from pathlib import Path

import pytest

from .terminal_flood import KINDS, make_file


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_has_the_size_and_the_lines_that_it_is_said_to_have(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    lines = make_file(file, KINDS[kind].line, 300_000)
    data = file.read_bytes()
    assert (len(data), data.count(b"\n")) == (300_000, lines)
    assert lines > 1000
