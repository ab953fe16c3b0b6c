"""Makes services of the tests known to the servers that a test starts, as an installed package would."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_ws_hub.services import ENTRY_POINTS
from jupyter_ws_hub.services.base import Service

from .address import REPOSITORY


@contextmanager
def installed(folder: Path, *services: type[Service]) -> Iterator[None]:
    """Servers that are started inside the block find these services by their entry points."""
    dist = folder / "test_services-0.dist-info"
    dist.mkdir(parents=True)
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: test-services\nVersion: 0\n")
    points = [f"{kind.name} = {kind.__module__}:{kind.__name__}" for kind in services]
    (dist / "entry_points.txt").write_text("\n".join([f"[{ENTRY_POINTS}]", *points, ""]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), str(folder)]))
        yield
