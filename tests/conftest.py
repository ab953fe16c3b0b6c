"""Fixtures for all tests: an in-process server with the extension on, and real server processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .support.server import RealServer

pytest_plugins = ("pytest_jupyter.jupyter_server",)


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Enable the extension, refuse handlers without a decision on authentication, keep messages in this test's file."""
    return {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_ws_hub": True, "jupyter_server_terminals": True},
            "allow_unauthenticated_access": False,
        },
        "HubApp": {"database": str(tmp_path / "hub.sqlite")},
    }


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., RealServer]]:
    """Start real `jupyter server` processes; whatever a test started is ended after it."""
    servers: list[RealServer] = []

    def start(**options: Any) -> RealServer:
        root = tmp_path / f"server{len(servers)}"
        prepare = options.pop("prepare", None)
        server = RealServer(options.pop("base_dir", root), **options)
        servers.append(server)
        if prepare is not None:
            prepare(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()
