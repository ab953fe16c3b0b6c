"""What was attached to a question, read with the asker's permission and written so that a model takes it for data."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from ..ports import Peer
from .messages import Attachment


class GetFile(Protocol):
    """Reads a file as services.ports.Contents does."""

    def __call__(
        self, path: str, *, content: bool, type: str | None = None, format: str | None = None
    ) -> Awaitable[dict[str, Any]]:
        """Give its model; raises `HubError`."""
        ...


class ContextReader:
    """Reads attachments through the server's ContentsManager."""

    def __init__(self, get: GetFile, max_characters: int) -> None:
        """Give at most `max_characters` for all attachments of a message together."""
        self._get, self._max_characters = get, max_characters

    async def read(self, attachments: Sequence[Attachment], peer: Peer) -> str:
        """A text that names and quotes them; "" for none.

        Raises:
            HubError: `forbidden` without the permission to read contents, `not_found`, `invalid` for what is no text;
                with the path as it was asked for.
        """
        raise NotImplementedError
