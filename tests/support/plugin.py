"""Makes services of the tests known to the servers that a test starts, as an installed package would."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_ws_hub.assistants.discovery import ENTRY_POINTS as ASSISTANTS
from jupyter_ws_hub.services import ENTRY_POINTS
from jupyter_ws_hub.services.base import Service

from .address import REPOSITORY

Install = Callable[..., None]
"""Called with a module's source, its class and its name."""


def installing(
    group: str, target: str, module: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Install]:
    """For a fixture: puts a distribution with one module and one entry point of a group on this process's path."""
    before, usual_target, usual_module = set(sys.modules), target, module

    def distribution(source: str, target: str = usual_target, module: str = usual_module) -> None:
        (folder / f"{module}.py").write_text(source)
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{module} = {module}:{target}\n")

    monkeypatch.syspath_prepend(str(folder))
    yield distribution
    for name in set(sys.modules) - before:
        if name.startswith("fake_"):
            del sys.modules[name]


@contextmanager
def installed(folder: Path, *services: type[Service], assistants: Mapping[str, type] | None = None) -> Iterator[None]:
    """Servers that are started inside the block find these services, and assistants, by their entry points."""
    dist = folder / "test_services-0.dist-info"
    dist.mkdir(parents=True)
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: test-services\nVersion: 0\n")
    groups = {ENTRY_POINTS: {kind.name: kind for kind in services}, ASSISTANTS: assistants or {}}
    lines = []
    for group, kinds in groups.items():
        points = [f"{name} = {kind.__module__}:{kind.__name__}" for name, kind in kinds.items()]
        lines += [f"[{group}]", *points, ""]
    (dist / "entry_points.txt").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), str(folder)]))
        yield
