"""Asking a ContentsManager: which ones are local, and what becomes of their errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager, FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager
from tornado.web import HTTPError

from jupyter_ws_hub.host import ContentsAdapter
from jupyter_ws_hub.host_manager import is_local, parent_of
from jupyter_ws_hub.protocol.codes import Code
from tests.support.managers import Async, Sync

from .test_host import contents, manager, refusal

__all__ = ["contents", "manager"]  # the fixtures


class Derived(AsyncLargeFileManager):
    """As sites derive managers: for hooks, formats, policies."""

    async def save(self, model: dict[str, Any], path: str = "") -> Any:
        base: Any = super()
        return await base.save(model, path)


class Drives(LargeFileManager):
    """Understands paths that are not on the disk."""

    def _get_os_path(self, path: str) -> str:
        return f"drive:{path}"


@pytest.mark.parametrize(
    "kind", [LargeFileManager, AsyncLargeFileManager, FileContentsManager, AsyncFileContentsManager, Derived]
)
def test_managers_of_the_disk_are_local(kind: Any, tmp_path: Path) -> None:
    assert is_local(kind(root_dir=str(tmp_path)))


@pytest.mark.parametrize("kind", [Async, Sync, Drives])
def test_managers_that_keep_files_elsewhere_are_not(kind: Any, tmp_path: Path) -> None:
    assert not is_local(kind(root_dir=str(tmp_path)))


def test_a_manager_whose_places_were_replaced_is_not_local(tmp_path: Path) -> None:
    replaced: Any = LargeFileManager(root_dir=str(tmp_path))
    replaced._get_os_path = lambda path: f"s3://{path}"
    assert not is_local(replaced)


def test_the_parent_of_a_path() -> None:
    assert [parent_of(path) for path in ("a", "/a/b/", "", "a/b/c")] == ["", "a", "", "a/b"]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Code.INVALID),
        (403, Code.FORBIDDEN),
        (404, Code.NOT_FOUND),
        (409, Code.EXISTS),
        (413, Code.TOO_BIG),
        (507, Code.NO_SPACE),
        (500, Code.INTERNAL),
        (418, Code.INTERNAL),
    ],
)
async def test_http_errors_become_codes_without_absolute_paths(
    contents: ContentsAdapter, manager: Any, status: int, code: Code, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (
        HTTPError(status, "failed for %s: %s", f"{manager.root_dir}/a.txt", "100% sure"),
        HTTPError(status, f"failed for {manager.root_dir}/a.txt, 100% sure"),
        HTTPError(status, reason="Because"),
        OSError(13, "Permission denied", f"{manager.root_dir}/a.txt"),
    ):

        def fail(*arguments: object, error: Exception = error, **more: object) -> None:
            raise error

        monkeypatch.setattr(type(manager), "get", fail)
        refused = await refusal(contents.get("a.txt", content=True))
        assert refused.code is (code if isinstance(error, HTTPError) else Code.FORBIDDEN)
        assert manager.root_dir not in refused.message
        assert "a.txt" in refused.message
