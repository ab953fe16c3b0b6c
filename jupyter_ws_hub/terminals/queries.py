"""What programs ask a terminal. In history it must not be asked again: the answer would be typed into the shell.

Sequences: ECMA-48; xterm's ctlseqs for DA, DSR, DECRQM, DECRQSS, XTVERSION, XTGETTCAP, OSC colours and window reports.
"""

from __future__ import annotations

import re
from typing import Final

_QUERIES: Final = "|".join(
    (
        r"\x1b\[\??[0-9;]*n",  # DSR and CPR
        r"\x1b\[[>=]?[0-9;]*c",  # DA 1, 2 and 3
        r"\x1bZ",  # DECID
        r"\x1b\[>[0-9;]*q",  # XTVERSION
        r"\x1b\[\??[0-9;]*\$p",  # DECRQM
        r"\x1b\[[0-9;]*\*y",  # DECRQCRA
        r"\x1b\[[01]?x",  # DECREQTPARM
        r"\x1b\[\?[0-9;]*u",  # the kitty keyboard's flags
        r"\x1b\[(?:1[1345689]|2[01])(?:;[0-9]+)*t",  # window reports
        r"\x1bP[$+]q[^\x07\x1b]*\x1b\\",  # DECRQSS and XTGETTCAP
        r"\x1b\](?:4|5|1[0-9]|52);[^\x07\x1b]*(?:\x07|\x1b\\)",  # colours and the clipboard, with a question mark
    )
)
"""Takes time in proportion to the output, whatever that is: a question mark is looked for afterwards."""

_IN_BYTES: Final = re.compile(_QUERIES.encode())
_IN_TEXT: Final = re.compile(_QUERIES)

MAX_SEQUENCE_BYTES: Final = 256
"""A longer sequence that is not complete is taken for none."""

_OPEN: Final = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*|[\]P][^\x07\x1b]*\x1b?)?\Z",
)


def blank_queries(output: bytes) -> bytes:
    """The same number of bytes, with NULs, which terminals ignore, where there were queries."""

    def blanked(found: re.Match[bytes]) -> bytes:
        sequence = found[0]
        return sequence if sequence.startswith(b"\x1b]") and b"?" not in sequence else bytes(len(sequence))

    return _IN_BYTES.sub(blanked, output)


def remove_queries(text: str) -> str:
    """The text without queries."""

    def removed(found: re.Match[str]) -> str:
        sequence = found[0]
        return sequence if sequence.startswith("\x1b]") and "?" not in sequence else ""

    return _IN_TEXT.sub(removed, text)


def whole_sequences(output: bytes) -> int:
    """How many bytes at the beginning end with no sequence half told; all, where that one would be all there is."""
    from_here = max(0, len(output) - MAX_SEQUENCE_BYTES)
    found = _OPEN.search(output, from_here)
    return found.start() if found is not None and found.start() > 0 else len(output)
