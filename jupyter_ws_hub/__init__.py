"""Jupyter that holds up: terminals, transfers and messages over WebSockets that resume."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["__version__"]

_HERE = Path(__file__).parent


def _version() -> str:
    """The version stands in labextension/package.json and reaches us through the package's metadata."""
    try:
        return version("jupyter-ws-hub")
    except PackageNotFoundError:
        package = json.loads((_HERE.parent / "labextension" / "package.json").read_text())
        return str(package["version"])


__version__ = _version()


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-ws-hub"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .app import HubApp

    return [{"module": "jupyter_ws_hub", "app": HubApp}]
