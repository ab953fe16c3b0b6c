"""Cells of notebooks as text for a model: their source, and what their outputs say; pictures are left out.

Pure, and cheap whatever a notebook holds: nothing is looked at beyond the characters that are wanted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

MAX_OUTPUT_CHARACTERS: Final = 4000
MAX_OUTPUTS: Final = 20
TEXT_TYPES: Final = ("text/markdown", "text/plain", "text/latex", "application/json")

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")


def find_cell(notebook: object, id: str) -> tuple[int, Mapping[str, Any]] | None:
    """The cell with this id and its number, from 1; None if there is none."""
    cells = _cells(notebook)
    return next(((n, cell) for n, cell in enumerate(cells, 1) if cell.get("id") == id), None)


def notebook_pieces(notebook: object) -> Iterator[str]:
    """All cells, each with its outputs, in pieces; whoever has enough stops."""
    for number, cell in enumerate(_cells(notebook), 1):
        yield from cell_pieces(number, cell)


def cell_pieces(number: int, cell: Mapping[str, Any]) -> Iterator[str]:
    """One cell, then each of its outputs."""
    kind = cell.get("cell_type")
    yield f"[{kind if kind in ('code', 'markdown') else 'raw'} cell {number}]\n"
    yield from _text(cell.get("source"))
    yield "\n"
    outputs = cell.get("outputs")
    if not isinstance(outputs, Sequence) or isinstance(outputs, str):
        return
    for output in outputs[:MAX_OUTPUTS]:
        if isinstance(output, Mapping):
            yield f"[output of cell {number}]\n{_output(output)}\n"
    if len(outputs) > MAX_OUTPUTS:
        yield f"[{len(outputs) - MAX_OUTPUTS} more outputs left out]\n"


def _cells(notebook: object) -> list[Mapping[str, Any]]:
    cells = notebook.get("cells") if isinstance(notebook, Mapping) else None
    return [cell for cell in cells if isinstance(cell, Mapping)] if isinstance(cells, list) else []


def _text(value: object) -> Iterator[str]:
    """A text as notebooks have it: one, or a list of lines."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (line for line in value if isinstance(line, str))


def _output(output: Mapping[str, Any]) -> str:
    kind = output.get("output_type")
    if kind == "stream":
        return _short(output.get("text"))
    if kind == "error":
        traceback = output.get("traceback")
        lines = [f"{line}\n" for line in traceback if isinstance(line, str)] if isinstance(traceback, list) else []
        return _short(lines or f"{output.get('ename')}: {output.get('evalue')}")
    data = output.get("data")
    if not isinstance(data, Mapping) or not data:
        return "[nothing]"
    for mime_type in TEXT_TYPES:
        if isinstance(data.get(mime_type), str | list):
            return _short(data[mime_type]) + _left_out(data)
    return _left_out(data).strip() or f"[{', '.join(sorted(map(str, data)))[:100]} left out]"


def _left_out(data: Mapping[str, Any]) -> str:
    return "\n[picture left out]" if any(str(mime_type).startswith("image/") for mime_type in data) else ""


def _short(value: object) -> str:
    """The beginning of a text, without the codes that colour it in a terminal."""
    parts: list[str] = []
    length = 0
    for part in _text(value):
        parts.append(part[: 2 * MAX_OUTPUT_CHARACTERS])
        length += len(parts[-1])
        if length > 2 * MAX_OUTPUT_CHARACTERS:
            break
    text = _ANSI.sub("", "".join(parts)).rstrip("\n")
    return text if len(text) <= MAX_OUTPUT_CHARACTERS else text[:MAX_OUTPUT_CHARACTERS] + "\n[cut]"
