"""Which assistants a server has: this package's own, and those of other packages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from logging import Logger
from typing import Any, Final

from traitlets.config import Configurable

from ..chat.assistant import Assistant
from ..plugins import load_plugins
from .base import BaseAssistant
from .local import LocalAssistant
from .openai import OpenAIAssistant

ENTRY_POINTS: Final = "jupyter_ws_hub.assistants"
OWN: Final[tuple[type[BaseAssistant], ...]] = (OpenAIAssistant, LocalAssistant)
ALL_OTHERS: Final = "*"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
METHODS: Final = ("info", "stream", "start", "stop")


def _make(kind: Any, parent: Configurable) -> Sequence[Any]:
    """Those of a class: what its `make` makes, which may be several or none, or just one."""
    make: Callable[[Configurable], Sequence[Any]] | None = getattr(kind, "make", None)
    return [kind(parent=parent)] if make is None else make(parent)


def _kinds(logger: Logger) -> Iterator[tuple[str, Any]]:
    for own in OWN:
        yield own.__name__, own
    yield from load_plugins(ENTRY_POINTS, "assistant", logger)


def _found(parent: Configurable, logger: Logger) -> Iterator[tuple[str, Assistant]]:
    for source, kind in _kinds(logger):
        try:
            made = [(assistant.info().name, assistant) for assistant in _make(kind, parent)]
        except Exception as error:  # a package that we do not know, or a wrong value of a trait
            logger.error("The assistant %s cannot be made.", source, exc_info=error)
            continue
        for name, assistant in made:
            if not isinstance(name, str) or not NAME.fullmatch(name):
                logger.error("The name of the assistant %s must be of a-z, 0-9 and hyphens; it is left out.", source)
            elif not all(callable(getattr(assistant, method, None)) for method in METHODS):
                logger.error("The assistant %s is none: it lacks one of %s.", source, ", ".join(METHODS))
            else:
                yield name, assistant


def discover(parent: Configurable, logger: Logger, wanted: Sequence[str] = (ALL_OTHERS,)) -> dict[str, Assistant]:
    """Make the assistants that are configured, by name, the default one first; none of them has started yet.

    Args:
        parent: has the configuration; this package's own assistants come first, then those of the entry-point group
            `jupyter_ws_hub.assistants`, where a name stands for a class that is made with `parent=…`, or that has a
            class method `make(parent)` which gives several.
        logger: is told of those that are broken, which are left out.
        wanted: names in their order; `*` stands for all that are not named.
    """
    found: dict[str, Assistant] = {}
    for name, assistant in _found(parent, logger):
        if name in found:
            logger.error("The assistant name %r is taken; the second one is left out.", name)
        else:
            found[name] = assistant
    for name in wanted:
        if name != ALL_OTHERS and name not in found:
            logger.warning("There is no assistant %r, or it is not configured.", name)
    others = [name for name in found if name not in wanted]
    order = [name for entry in wanted for name in (others if entry == ALL_OTHERS else [entry])]
    return {name: found[name] for name in order if name in found}


def model_pids(assistants: Mapping[str, Assistant]) -> list[int]:
    """The processes of this machine in which models of these assistants run now."""
    pids = [one.pid for one in assistants.values() if isinstance(one, BaseAssistant)]
    return [pid for pid in pids if pid is not None]
