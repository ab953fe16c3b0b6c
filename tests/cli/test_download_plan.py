"""Which files of the server go where."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_ws_hub.cli.download_plan import Found, Remote, find, find_all, make_plan
from jupyter_ws_hub.cli.hub_client import HubClient
from jupyter_ws_hub.cli.servers import CommandError, Server
from jupyter_ws_hub.protocol.errors import HubError

from ..support.fake_transfers import fake_server

FILES = {"a.txt": b"", "b.csv": b"", "d/x.csv": b"", "d/y.csv": b"", "d/.h.csv": b"", "e/x.csv": b"", "[1].csv": b""}


@pytest.mark.parametrize("paged", [False, True])
@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("a.txt", ["a.txt"]),
        ("d/", ["d"]),
        ("*.csv", ["[1].csv", "b.csv"]),
        ("*/x.csv", ["d/x.csv", "e/x.csv"]),
        ("d/[xz].csv", ["d/x.csv"]),
        ("d/.h*", ["d/.h.csv"]),
        ("[1].csv", ["[1].csv"]),
        ("/", [""]),
        ("?/?.csv", ["d/x.csv", "d/y.csv", "e/x.csv"]),
    ],
)
async def test_patterns_are_matched_component_by_component(source: str, paths: list[str], paged: bool) -> None:
    async with fake_server(FILES) as server:
        server.paged = paged
        async with HubClient(Server(server.url)) as hub:
            assert [found.path for found in await find(hub, source)] == paths


async def test_what_is_not_there_is_told_and_the_same_thing_comes_once() -> None:
    async with fake_server(FILES) as server, HubClient(Server(server.url)) as hub:
        for source in ("none", "none*", "a.txt/b", "*/none"):
            with pytest.raises(HubError, match="not_found"):
                await find(hub, source)
        found, failures = await find_all(hub, ["a.txt", "none", "a.*", "d/."])
    assert [(one.remote.path, one.contents) for one in found] == [("a.txt", False), ("d", True)]
    assert [failure.name for failure in failures] == ["none"]


def file(path: str) -> Found:
    return Found(Remote(path.rpartition("/")[2], path, "file"), False)


def folder(path: str, contents: bool = False) -> Found:
    return Found(Remote(path.rpartition("/")[2], path, "directory"), contents)


def test_places_are_those_of_scp(tmp_path: Path) -> None:
    for found, local, target in (
        (file("d/a"), tmp_path, tmp_path / "a"),
        (file("d/a"), tmp_path / "new", tmp_path / "new"),
        (folder("d"), tmp_path, tmp_path / "d"),
        (folder("d"), tmp_path / "new", tmp_path / "new"),
        (folder("d", True), tmp_path, tmp_path),
        (folder("", True), tmp_path / "new", tmp_path / "new"),
    ):
        (wanted,) = make_plan([found], str(local))
        assert wanted.target == target
        assert wanted.part.parent == tmp_path


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for found, local, words in (
        ([file("a"), file("b")], tmp_path / "new", "does not exist"),
        ([file("a"), file("b")], tmp_path / "file", "is no folder"),
        ([file("a")], f"{tmp_path}/new/", "make it first"),
        ([file("a")], tmp_path / "x" / "y", "no folder"),
        ([file("d/a"), file("e/a")], tmp_path, "Two of the sources"),
    ):
        with pytest.raises(CommandError, match=words):
            make_plan(found, str(local))


def test_times_are_as_exact_as_the_server_says() -> None:
    assert Remote("a", "a", "file", mtime_ms=5).mtime_ns == 5_000_000
    assert Remote("a", "a", "file", last_modified="1970-01-01T00:00:01.000002Z").mtime_ns == 1_000_002_000
    assert Remote("a", "a", "file", last_modified="yesterday").mtime_ns is None
