"""The services: one file per feature, found by `discover`; other packages add theirs by entry point."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Collection, Iterator
from logging import Logger

from ..plugins import load_plugins
from .base import Service

ENTRY_POINTS = "jupyter_ws_hub.services"
_NO_SERVICES = {"base", "ports"}


def _own() -> Iterator[type[Service]]:
    for module_info in pkgutil.iter_modules(__path__):
        if module_info.name in _NO_SERVICES:
            continue
        module = importlib.import_module(f"{__name__}.{module_info.name}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, Service) and member.__module__ == module.__name__:
                yield member


def _foreign(logger: Logger) -> Iterator[type[Service]]:
    for source, service in load_plugins(ENTRY_POINTS, "service", logger):
        if inspect.isclass(service) and issubclass(service, Service):
            yield service
        else:
            logger.error("The entry point %s is no Service class.", source)


def discover(logger: Logger, disabled: Collection[str] = (), *, own_only: bool = False) -> list[Service]:
    """Make one of each service: this package's and those of the entry-point group `jupyter_ws_hub.services`.

    `own_only` leaves the entry points out, `disabled` names services to leave out. Of two with the same name the first
    one counts; the log tells of the other, and of a name to leave out that no service has.
    """
    found: dict[str, Service] = {}
    unknown = set(disabled)
    for kind in (*_own(), *(() if own_only else _foreign(logger))):
        try:
            service = kind()
            unknown.discard(kind.name)
            if kind.name in disabled:
                continue
        except Exception as error:
            logger.error("The service %s.%s cannot be made.", kind.__module__, kind.__name__, exc_info=error)
            continue
        if kind.name in found:
            logger.error("The service name %r is taken; %s.%s is left out.", kind.name, kind.__module__, kind.__name__)
            continue
        found[kind.name] = service
    for name in sorted(unknown):
        logger.warning("There is no service %r that could be disabled.", name)
    return [found[name] for name in sorted(found)]
