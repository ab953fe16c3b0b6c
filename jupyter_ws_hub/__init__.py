"""Jupyter that holds up: terminals, transfers and messages over WebSockets that resume.

Importing this package costs nothing: helper processes, which must start at once, import it too, and so do kernels, for
`notify`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["__version__", "notify", "notify_from_server"]

if TYPE_CHECKING:
    from .notifier.notify import notify
    from .server_api import notify_from_server

    __version__: str


def _version() -> str:
    """The version stands in labextension/package.json and reaches us through the package's metadata."""
    import json
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path

    try:
        return version("jupyter-ws-hub")
    except PackageNotFoundError:
        package = json.loads((Path(__file__).parent.parent / "labextension" / "package.json").read_text())
        return str(package["version"])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name == "notify":
        from .notifier.notify import notify

        return notify
    if name == "notify_from_server":
        from .server_api import notify_from_server

        return notify_from_server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter-ws-hub"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from .app import HubApp

    return [{"module": "jupyter_ws_hub", "app": HubApp}]
