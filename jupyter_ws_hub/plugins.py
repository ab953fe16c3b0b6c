"""What other packages add to a server, by entry points."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from logging import Logger
from typing import Any


def load_plugins(group: str, what: str, logger: Logger) -> Iterator[tuple[str, Any]]:
    """What the entry points of a group name, each with the words by which the log can name it.

    What cannot be loaded is logged as "The <what> … cannot be loaded" and left out.
    """
    for point in entry_points(group=group):
        source = f"{point.name} ({point.value})"
        try:
            loaded = point.load()
        except Exception as error:  # a package that we do not know, while it is imported
            logger.error("The %s %s cannot be loaded.", what, source, exc_info=error)
            continue
        yield source, loaded
