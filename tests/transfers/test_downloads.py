"""Opening what is downloaded: the right kind for what is there, and words that say which one it would be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import Kind
from jupyter_ws_hub.transfers.downloads import name_of, open_source, prepare
from jupyter_ws_hub.transfers.operation import DownloadPlan

from .test_store import FakeFiles


async def run(function: Callable[..., Any], *args: Any) -> Any:
    """Run it here."""
    return function(*args)


@pytest.fixture
def files(tmp_path: Path) -> FakeFiles:
    root = tmp_path / "my root"
    (root / "d" / "e").mkdir(parents=True)
    (root / "d" / "b.txt").write_text("12345")
    (root / "a.txt").write_text("123")
    return FakeFiles(root)


@pytest.mark.parametrize(
    ("path", "kind", "size", "entries", "name"),
    [
        ("a.txt", "file", 3, 0, "a.txt"),
        ("/d/b.txt", "file", 5, 0, "b.txt"),
        ("d", "tree", 5, 2, "d"),
        ("/d/", "tree", 5, 2, "d"),
        ("", "tree", 8, 4, "my root"),
        ("d", "zip", None, 0, "d.zip"),
        ("", "zip", None, 0, "my root.zip"),
    ],
)
async def test_an_operation_knows_what_comes(
    files: FakeFiles, path: str, kind: Kind, size: int | None, entries: int, name: str
) -> None:
    op = await prepare(files, run, path, DownloadPlan(kind), 1000)
    assert (op.kind, op.path, op.entries, op.name) == (kind, path.strip("/"), entries, name)
    assert op.size == size or (size is None and op.size > 300)
    assert op.etag
    assert (await prepare(files, run, path, DownloadPlan(kind, op.etag), 1000)).etag == op.etag
    with pytest.raises(HubError) as caught:
        await prepare(files, run, path, DownloadPlan(kind, "other"), 1000)
    assert caught.value.code is Code.SOURCE_CHANGED


@pytest.mark.parametrize(
    ("path", "kind", "code", "words"),
    [
        ("d", "file", Code.INVALID, "'zip' or 'tree'"),
        ("a.txt", "zip", Code.INVALID, "'file'"),
        ("a.txt", "tree", Code.INVALID, "'file'"),
        ("nothing", "zip", Code.NOT_FOUND, "nothing"),
        ("nothing", "file", Code.NOT_FOUND, "nothing"),
        (".hidden", "tree", Code.NOT_FOUND, "hidden"),
    ],
)
async def test_the_wrong_kind_is_told_with_the_right_one(
    files: FakeFiles, path: str, kind: Kind, code: Code, words: str
) -> None:
    with pytest.raises(HubError) as caught:
        await open_source(files, run, path, kind, 1000)
    assert caught.value.code is code
    assert words in caught.value.message
    assert str(files.root) not in caught.value.message


async def test_a_directory_may_not_have_more_than_the_limit(files: FakeFiles) -> None:
    with pytest.raises(HubError) as caught:
        await open_source(files, run, "", "zip", 3)
    assert caught.value.code is Code.TOO_BIG


def test_a_name_is_that_of_the_last_part(files: FakeFiles) -> None:
    assert name_of(files, "d/e/", "zip") == "e.zip"
