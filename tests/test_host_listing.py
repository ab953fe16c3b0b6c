"""What is known of a ContentsManager: whether it is plain, where its directories lie, its etags and events."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager, FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager
from jupyter_server.services.contents.manager import ContentsManager

from jupyter_ws_hub import host_listing as module
from jupyter_ws_hub.host_listing import directory_of, is_plain, listen, refuse_large, with_etag
from jupyter_ws_hub.listing.elsewhere import ContentsEvent
from jupyter_ws_hub.listing.entry import Directory
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers.disk import Validator

from .support.fakes import until


class Configured(AsyncLargeFileManager):
    """A site's own, which changes nothing about listings."""

    def run_pre_save_hooks(self, model: Any, path: Any, **kwargs: Any) -> None:
        """Do nothing."""


class Choosy(LargeFileManager):
    """Lists what it likes."""

    def should_list(self, name: str) -> bool:
        """Only names with an x."""
        return "x" in name


class Elsewhere(ContentsManager):
    """Keeps nothing on this disk."""


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (FileContentsManager, True),
        (AsyncFileContentsManager, True),
        (LargeFileManager, True),
        (AsyncLargeFileManager, True),
        (Configured, True),
        (Choosy, False),
        (Elsewhere, False),
    ],
)
def test_a_manager_is_plain_if_it_overrides_nothing_that_makes_listings(kind: Any, plain: bool) -> None:
    assert is_plain(kind()) is plain


def test_where_directories_cannot_be_held_open_only_the_manager_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = LargeFileManager(root_dir=str(tmp_path))
    assert directory_of(manager, "") is not None
    monkeypatch.setattr(module, "has_descriptors", lambda: False)
    assert directory_of(manager, "") is None


def test_also_what_was_put_onto_one_manager_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = LargeFileManager(root_dir=str(tmp_path))
    assert is_plain(manager)
    monkeypatch.setattr(manager, "should_list", lambda name: True)
    assert not is_plain(manager)


def test_a_directory_is_told_with_the_rules_for_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    manager = AsyncLargeFileManager(root_dir=str(tmp_path), allow_hidden=True, hide_globs=["*.x"])
    assert directory_of(manager, "/link/") == Directory(str(tmp_path / "real"), "link", True, ("*.x",))
    assert directory_of(Choosy(root_dir=str(tmp_path)), "real") is None


def test_etags_are_those_of_transfers_and_exact_times(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "broken").symlink_to("nowhere")
    manager: Any = LargeFileManager(root_dir=str(tmp_path))
    model = with_etag(manager, manager.get("a", content=False))
    assert model["etag"] == Validator.of((tmp_path / "a").stat()).etag
    assert model["mtime_ms"] == (tmp_path / "a").stat().st_mtime_ns // 1_000_000
    assert with_etag(manager, manager.get("", content=False))["etag"] is None
    assert with_etag(manager, manager.get("broken", content=False))["etag"] is None


def test_elsewhere_an_etag_is_made_of_time_and_size() -> None:
    model = {"type": "file", "path": "a", "last_modified": datetime(2026, 1, 1, tzinfo=UTC), "size": 5}
    manager = Elsewhere()
    assert with_etag(manager, model)["etag"] == "2026-01-01T00:00:00+00:00-5"
    assert with_etag(manager, {**model, "size": 6})["etag"] != with_etag(manager, model)["etag"]
    assert with_etag(manager, {**model, "type": "directory"})["etag"] is None


@pytest.mark.parametrize("kind", [LargeFileManager, AsyncLargeFileManager])
async def test_what_is_done_through_the_manager_is_told_until_it_is_enough(tmp_path: Path, kind: Any) -> None:
    manager = kind(root_dir=str(tmp_path), delete_to_trash=False)
    seen: list[ContentsEvent] = []
    stop = listen(manager, seen.append)

    async def do(name: str, *args: Any) -> None:
        done = getattr(manager, name)(*args)
        if hasattr(done, "__await__"):
            await done

    await do("save", {"type": "file", "format": "text", "content": "x"}, "/a.txt")
    await do("get", "a.txt")
    await do("rename", "a.txt", "b.txt")
    await do("delete", "b.txt")
    await until(lambda: len(seen) >= 3)
    assert seen == [
        ContentsEvent("save", "a.txt"),
        ContentsEvent("rename", "b.txt", "a.txt"),
        ContentsEvent("delete", "b.txt"),
    ]
    stop()
    await do("save", {"type": "file", "format": "text", "content": "x"}, "c.txt")
    await do("get", "c.txt")
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("name", "size", "type", "format", "refused"),
    [
        ("a", 1200, None, None, False),
        ("a", 1201, None, None, True),
        ("a", 1200, "file", "text", False),
        ("a", 900, "file", "base64", False),
        ("a", 901, "file", "base64", True),
        ("n.ipynb", 2400, None, None, False),
        ("n.ipynb", 2401, "notebook", None, True),
        ("n.ipynb", 1201, "file", None, True),
    ],
)
def test_what_cannot_fit_an_answer_is_refused_by_its_size_on_the_disk(
    tmp_path: Path, name: str, size: int, type: str | None, format: str | None, refused: bool
) -> None:
    manager: Any = AsyncLargeFileManager(root_dir=str(tmp_path))
    (tmp_path / name).write_bytes(bytes(size))
    refuse_large(Elsewhere(), name, type, format, 1)
    refuse_large(manager, "not-there", type, format, 1)
    if not refused:
        refuse_large(manager, name, type, format, 1200)
        return
    with pytest.raises(HubError) as caught:
        refuse_large(manager, name, type, format, 1200)
    assert caught.value.code is Code.TOO_BIG
    assert f"{size:,}" in caught.value.message and "transfers.create" in caught.value.message
    assert str(tmp_path) not in caught.value.message
