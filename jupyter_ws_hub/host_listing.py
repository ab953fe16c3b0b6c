"""What host.py must know of a ContentsManager: whether it is a local file system with Jupyter's own rules, its etags,
its events.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from jupyter_server.services.contents.filemanager import FileContentsManager

from .host_manager import is_local, model_etag
from .listing.elsewhere import ContentsEvent
from .listing.entry import Directory
from .protocol.codes import Code
from .protocol.errors import HubError
from .services.ports import Model
from .system import has_descriptors
from .transfers.disk import Validator

_RULES: Final = (
    "get _dir_model _file_model _notebook_model _base_model should_list is_hidden is_writable dir_exists _get_os_path"
).split()
_NOTEBOOK_PARTS: Final = 2
"""A notebook on the disk has lines and indents that its answer has not: it may be that much larger."""
_CHANGES: Final = {"create", "save", "upload", "rename", "copy", "delete"}


def is_plain(manager: Any) -> bool:
    """Whether listings of this manager follow from its traits: it overrides nothing that makes them."""
    if not isinstance(manager, FileContentsManager):
        return False
    makers = (str(getattr(getattr(manager, name), "__module__", "")) for name in _RULES)
    return all(module.startswith("jupyter_server.") for module in makers)


def directory_of(manager: Any, path: str) -> Directory | None:
    """A directory on this machine's disk, with the manager's rules; None if only the manager can list it."""
    if not is_plain(manager) or not has_descriptors():
        return None
    path = path.strip("/")
    globs = tuple(str(glob) for glob in manager.hide_globs)
    # Without its links: what the system tells of a directory names it as it was asked to watch it.
    os_path = Path(manager._get_os_path(path)).resolve()
    return Directory(str(os_path), path, bool(manager.allow_hidden), globs)


def with_etag(manager: Any, model: Model) -> Model:
    """The model, with `etag`, which tells this state of the file from others, and exact `mtime_ms`."""
    more: Model = {"etag": None}
    if is_local(manager):
        locate: Callable[[str], str] = manager._get_os_path
        path = Path(locate(model["path"].strip("/")))
        with contextlib.suppress(OSError):  # it has just gone, or is a broken link
            more["mtime_ms"] = path.lstat().st_mtime_ns // 1_000_000
            more["etag"] = None if model["type"] == "directory" else Validator.of(path.stat()).etag
    elif model["type"] != "directory":
        more["etag"] = model_etag(model)
    return {**model, **more}


def refuse_large(manager: Any, path: str, type: str | None, format: str | None, max_bytes: int) -> None:
    """Raise `too_big` if a file's size on the disk says that its content has more bytes as JSON, however it is read.

    Managers decode and encode on the event loop; nobody is to wait for an answer that cannot be sent. Where it is not
    known what a manager's sizes are sizes of, nothing is refused.
    """
    if not is_local(manager):
        return
    try:
        size = Path(manager._get_os_path(path.strip("/"))).stat().st_size
    except OSError:
        return  # the manager says what is wrong
    limit = max_bytes
    if type == "notebook" or (type is None and path.endswith(".ipynb")):
        limit *= _NOTEBOOK_PARTS
    elif format == "base64":
        limit = limit * 3 // 4
    if size > limit:
        raise HubError(
            Code.TOO_BIG,
            f"{path!r} has {size:,} bytes; {limit:,} can be read at once, more as a download (transfers.create).",
            details={"size": size, "limit": limit},
        )


def listen(manager: Any, on_event: Callable[[ContentsEvent], None]) -> Callable[[], None]:
    """Be told of what is changed through the manager, on the event loop; until what is returned is called."""
    loop = asyncio.get_running_loop()

    async def listener(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        if data.get("action") in _CHANGES:
            event = ContentsEvent(data["action"], data["path"].strip("/"), (data.get("source_path") or "").strip("/"))
            loop.call_soon_threadsafe(on_event, event)

    events, schema = manager.event_logger, manager.event_schema_id
    events.add_listener(schema_id=schema, listener=listener)
    return lambda: events.remove_listener(schema_id=schema, listener=listener)
