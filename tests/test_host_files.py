"""Local files behind real managers, sync and async, and the spool for those that keep their files elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.web import HTTPError

from jupyter_ws_hub.host import ContentsAdapter
from jupyter_ws_hub.host_files import FilesAdapter
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.transfers.spool import Spool
from tests.support.managers import Async, Sync

from .test_host import HIDDEN, OUTSIDE, manager, names, refusal

__all__ = ["manager"]  # the fixture


def adapter(manager: Any, tmp_path: Path) -> FilesAdapter:
    """The adapter for a manager, with a spool of its own."""
    serverapp: Any = SimpleNamespace(contents_manager=manager)
    return FilesAdapter(serverapp, Spool(tmp_path / "spool", "/root"), logging.getLogger("test"))


@pytest.fixture
def files(manager: Any, tmp_path: Path) -> FilesAdapter:
    return adapter(manager, tmp_path)


def everything(files: FilesAdapter, path: str) -> list[Callable[[], Awaitable[Any]]]:
    """All that can be asked about a path."""
    return [lambda: files.source(path), lambda: files.target(path), lambda: files.directory(path)]


@pytest.mark.parametrize("path", [*OUTSIDE, *HIDDEN, "nul\x00"])
async def test_what_is_hidden_or_outside_is_not_there(files: FilesAdapter, manager: Any, path: str) -> None:
    before = names(manager)
    for ask in everything(files, path):
        assert (await refusal(ask())).code is Code.NOT_FOUND
    assert names(manager) == before


async def test_hidden_files_are_there_where_the_administrator_allows_them(files: FilesAdapter, manager: Any) -> None:
    manager.allow_hidden = True
    assert await files.source(".dir/a.txt") == Path(manager.root_dir) / ".dir" / "a.txt"
    assert files.allows(".x")
    assert (await refusal(files.source("../outside.txt"))).code is Code.NOT_FOUND


async def test_what_is_in_the_way_or_missing_has_its_code(files: FilesAdapter, manager: Any) -> None:
    cases: list[tuple[Callable[[], Awaitable[Any]], Code]] = [
        (lambda: files.source("sub"), Code.INVALID),
        (lambda: files.source("missing.txt"), Code.NOT_FOUND),
        (lambda: files.target("sub"), Code.INVALID),
        (lambda: files.target(""), Code.INVALID),
        (lambda: files.target("missing/a.txt"), Code.NOT_FOUND),
        (lambda: files.target("a.txt/b.txt"), Code.NOT_FOUND),
        (lambda: files.directory("a.txt"), Code.INVALID),
        (lambda: files.directory("missing"), Code.NOT_FOUND),
    ]
    for work, code in cases:
        error = await refusal(work())
        assert error.code is code, error
        assert manager.root_dir not in error.message


async def test_a_place_is_told_as_an_api_path_where_the_root_is_a_symbolic_link(manager: Any, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(manager.root_dir)
    files = adapter(type(manager)(root_dir=str(tmp_path / "link")), tmp_path)
    assert files.api_path(await files.target("sub/new.txt")) == "sub/new.txt"


async def test_files_on_this_disk_need_no_spool(files: FilesAdapter, tmp_path: Path) -> None:
    assert files.remote is None
    await files.target("b.txt")
    await files.source("a.txt")
    await files.release("a.txt")
    assert not (tmp_path / "spool").exists()


async def test_a_streamed_upload_runs_the_hooks_and_is_one_save_event(manager: Any, tmp_path: Path) -> None:
    files, events, seen = adapter(manager, tmp_path), [], []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        events.append((data["action"], data["path"]))

    manager.event_logger.add_listener(
        schema_id="https://events.jupyter.org/jupyter_server/contents_service/v1", listener=listen
    )
    manager.register_pre_save_hook(lambda model, path, contents_manager: seen.append(("pre", path, model["type"])))
    manager.register_post_save_hook(lambda model, os_path, contents_manager: seen.append(("post", os_path, "")))
    await files.before_save("sub/new.txt", 5)
    target = await files.target("sub/new.txt")
    assert await files.after_save("sub/new.txt", target) is None
    for _ in range(100):
        if events:
            break
        await asyncio.sleep(0.01)
    assert events == [("save", "sub/new.txt")]
    assert seen == [("pre", "sub/new.txt", "file"), ("post", f"{manager.root_dir}/sub/new.txt", "")]


async def test_a_hook_may_refuse_before_and_only_warn_after(files: FilesAdapter, manager: Any) -> None:
    def refuse(**arguments: Any) -> None:
        raise HTTPError(403, f"not in {manager.root_dir}, please")

    manager.register_pre_save_hook(refuse)
    manager.register_post_save_hook(refuse)
    error = await refusal(files.before_save("a.txt", 5))
    assert error.code is Code.FORBIDDEN
    warning = await files.after_save("a.txt", Path(manager.root_dir) / "a.txt")
    assert warning is not None
    for message in (error.message, warning):
        assert "please" in message
        assert manager.root_dir not in message


@pytest.mark.parametrize("kind", [Async, Sync])
async def test_files_elsewhere_are_spooled_under_the_same_rules(kind: Any, tmp_path: Path) -> None:
    elsewhere = kind(root_dir=str(tmp_path))
    elsewhere.put("a.txt", b"hello")
    elsewhere.put("sub", None)
    files = adapter(elsewhere, tmp_path)
    assert files.remote is not None
    assert (await files.target("sub/new.txt")).parent == tmp_path / "spool"
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700
    source = await files.source("a.txt")
    assert source.read_bytes() == b"hello"
    assert source.stat().st_mode & 0o777 == 0o600
    await files.release("a.txt")
    assert list((tmp_path / "spool").iterdir()) == []
    for ask in everything(files, ".hidden"):
        assert (await refusal(ask())).code is Code.NOT_FOUND
    error = await refusal(files.directory("sub"))
    assert (error.code, error.code.retryable) == (Code.UNSUPPORTED, False)
    assert (await refusal(files.target("missing/a"))).code is Code.NOT_FOUND
    assert (await refusal(files.target("sub"))).code is Code.INVALID
    assert (await refusal(files.source("sub"))).code is Code.INVALID


@pytest.mark.parametrize("kind", [Async, Sync])
async def test_an_etag_of_the_file_service_is_one_that_an_upload_can_expect(kind: Any, tmp_path: Path) -> None:
    elsewhere = kind(root_dir=str(tmp_path))
    elsewhere.put("a.txt", b"hello")
    serverapp: Any = SimpleNamespace(contents_manager=elsewhere)
    etag = (await ContentsAdapter(serverapp).get("a.txt", content=False))["etag"]
    remote = adapter(elsewhere, tmp_path).remote
    assert remote is not None
    await remote.check("a.txt", "overwrite", etag)
    elsewhere.put("a.txt", b"HELLO")
    assert (await refusal(remote.check("a.txt", "overwrite", etag))).code is Code.CONFLICT
