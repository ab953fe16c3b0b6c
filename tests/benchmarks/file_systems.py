"""The systems whose transfers of files are compared: ours, JupyterLab's own, tus, and what one writes without a hub."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import msgspec

from .lab import Lab

OURS: Final = "ours"
TWIN: Final = "ours, HTTP"
STOCK: Final = "JupyterLab's own path"
TUS: Final = "tus"
SINK: Final = "naive Tornado"
TUS_PACKAGES: Final = "TUS_PACKAGES"
"""The environment variable that names a folder in which `npm install @tus/server @tus/file-store` was done."""
SERVER: Final = Path(__file__).with_name("tus_server.mjs")

Dialect: TypeAlias = Literal["hub", "twin", "stock", "tus", "sink"]


class FileSystem(msgspec.Struct, frozen=True):
    """A server that takes or gives files; `root` is the folder where they lie."""

    port: int
    pid: int
    dialect: Dialect
    root: str

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        return Path(self.root)

    def at(self, port: int) -> FileSystem:
        """The same server, reached at another port."""
        return msgspec.structs.replace(self, port=port)


def ours(lab: Lab, **traits: Any) -> FileSystem:
    """A server with the extension, and the `traits` given."""
    return FileSystem(lab.hub(**traits).port, lab.hub_pid, "hub", str(lab.root))


def twin(system: FileSystem) -> FileSystem:
    """The same server for downloads over HTTP."""
    return msgspec.structs.replace(system, dialect="twin")


def stock(lab: Lab) -> FileSystem:
    """A Jupyter server without the extension."""
    return FileSystem(lab.stock().port, lab.hub_pid, "stock", str(lab.root))


def sink(lab: Lab) -> FileSystem:
    """A Tornado handler that appends messages to a file."""
    folder = lab.folder / "sink"
    folder.mkdir(parents=True, exist_ok=True)
    port = lab.peer("tornado", "/sink").port
    return FileSystem(port, lab.peer_pid("tornado"), "sink", str(folder))


def tus(lab: Lab) -> FileSystem | None:
    """The tus server on Node.js, if its packages are named by `TUS_PACKAGES`."""
    node, packages = shutil.which("node"), os.environ.get(TUS_PACKAGES)
    if node is None or packages is None:
        return None
    folder = lab.folder / "tus"
    folder.mkdir(parents=True, exist_ok=True)
    target = lab.program("tus", lambda port: [node, str(SERVER), packages, str(port), str(folder)])
    return FileSystem(target.port, lab.peer_pid("tus"), "tus", str(folder))


def uploaders(lab: Lab) -> Mapping[str, FileSystem]:
    """Start all that take files."""
    systems = {STOCK: stock(lab), TUS: tus(lab), SINK: sink(lab), OURS: ours(lab)}
    return {name: system for name, system in systems.items() if system is not None}


def without_tus(systems: Mapping[str, object]) -> str:
    """A note for the table where tus is missing."""
    return "" if TUS in systems else f"{TUS_PACKAGES} is not set, so tus is left out"
