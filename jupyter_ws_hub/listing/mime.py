"""The MIME type of a name, by the tables of another process: `mimetypes` there may have been taught more."""

from __future__ import annotations

import msgspec


class MimeTables(msgspec.Struct, frozen=True):
    """What `mimetypes` knows, as its module documents it."""

    types: dict[str, str] = {}
    suffixes: dict[str, str] = {}
    encodings: dict[str, str] = {}

    def guess(self, name: str) -> str | None:
        """As `mimetypes.guess_type(path)[0]` of a path that ends in `name`."""
        base, extension = _split(name)
        while (whole := self.suffixes.get(extension.lower())) is not None:
            base, extension = _split(base + whole)
        if extension in self.encodings:
            base, extension = _split(base)
        return self.types.get(extension.lower())


def _split(name: str) -> tuple[str, str]:
    """As posixpath.splitext of a name: leading dots belong to no extension."""
    dot = name.rfind(".")
    if dot <= 0 or not name[:dot].strip("."):
        return name, ""
    return name[:dot], name[dot:]
