"""The protocols without I/O: structs, codecs, state machines and the code table.

Standard library and msgspec only; no clock, no randomness, no event loop: times and ids are arguments.
PROTOCOL.md beside this file is the normative text.
"""

from __future__ import annotations

from typing import Final

HUB_SUBPROTOCOL: Final = "v1.hub.jupyter-ws-hub"
TERMINAL_SUBPROTOCOL: Final = "v1.terminal.jupyter-ws-hub"
FILE_STREAM_SUBPROTOCOL: Final = "v1.file-stream.jupyter-ws-hub"
