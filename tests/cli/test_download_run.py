"""Downloads against a server that cuts, changes and lies; the command runs as a real process."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from ..support.address import until
from ..support.cli import Cli, end_of
from ..support.fake_transfers import TIME_MS, FakeServer, fake_server

BIG = random.Random(1).randbytes(9_000_000)
TREE = {
    "top/a.txt": b"a",
    "top/b/big.bin": BIG,
    "top/b/c/d.txt": b"d" * 5000,
    "top/e/": b"",
    "top/f.txt": b"",
    "top/ü *?": b"odd",
}


def here(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in folder.rglob("*")}


EXPECTED = {
    "a.txt": b"a",
    "b": None,
    "b/big.bin": BIG,
    "b/c": None,
    "b/c/d.txt": b"d" * 5000,
    "e": None,
    "f.txt": b"",
    "ü *?": b"odd",
}


def corrupt(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("paged", [False, True])
async def test_a_tree_comes_whole_over_cuts(tmp_path: Path, paged: bool) -> None:
    async with fake_server(TREE) as server:
        server.cut_after, server.paged = [1_000_000, 60_000, 3_000_000], paged
        down = await Cli(server.url, tmp_path).run("download", "t*p", ".")
        assert (down.status, down.err) == (0, "")
        assert here(tmp_path / "top") == EXPECTED
        assert (tmp_path / "top" / "b" / "c" / "d.txt").stat().st_mtime_ns == TIME_MS * 1_000_000
        haves = [hello.have for hello in server.hellos]
        assert len(haves) == 4 and haves == sorted(haves) and haves[-1] > 3_500_000
        assert {name.split("/")[0] for name in here(tmp_path)} == {"top"}, "something is left"


async def test_contents_go_into_a_folder_and_keep_to_the_policy(tmp_path: Path) -> None:
    async with fake_server(TREE) as server:
        cli = Cli(server.url, tmp_path)
        target = tmp_path / "target"
        target.mkdir()
        (target / "a.txt").write_text("mine")
        down = await cli.run("download", "top/.", "target")
        assert down.status == 1 and "a.txt: it exists already" in down.err
        assert here(target) == EXPECTED | {"a.txt": b"mine"}
        assert (await cli.run("download", "top/.", "target", "--if-exists", "overwrite")).status == 0
        assert here(target) == EXPECTED
        assert {name.split("/")[0] for name in here(tmp_path)} == {"target"}


async def test_a_file_that_is_not_what_it_should_be_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "big.bin"
    target.write_text("mine")
    async with fake_server({"big.bin": BIG, **TREE}) as server:
        server.lies = corrupt
        down = await Cli(server.url, tmp_path).run("download", "big.bin", "top", ".", "--if-exists", "overwrite")
        assert down.status == 1 and down.err.count("what arrived is not") == 2
    assert here(tmp_path) == {"big.bin": b"mine"}


async def test_a_part_that_was_spoiled_is_fetched_anew(tmp_path: Path) -> None:
    async with fake_server({"big.bin": BIG}) as server:
        cli = Cli(server.url, tmp_path)
        await interrupt(cli, server, "big.bin", tmp_path / "big.bin.part")
        part = tmp_path / "big.bin.part"
        with part.open("r+b") as file:
            file.write(b"spoiled")
        down = await cli.run("download", "big.bin", ".")
        assert (down.status, down.err) == (0, "") and "begins anew" in down.out
        assert here(tmp_path) == {"big.bin": BIG}
        assert server.created[-2]["expect"] == "e1"


async def interrupt(cli: Cli, server: FakeServer, source: str, part: Path) -> None:
    """Kill a command in the midst of its download: when `part` has some bytes."""
    server.cut_after, server.stalls = [4_000_000], True
    process = await cli.start("download", source, ".")
    await until(lambda: part.exists() and part.stat().st_size > 1_000_000, "some bytes to be written")
    process.kill()
    await end_of(process)


async def test_a_folder_is_gone_on_with_by_the_next_command(tmp_path: Path) -> None:
    async with fake_server(TREE) as server:
        cli = Cli(server.url, tmp_path)
        await interrupt(cli, server, "top", tmp_path / "top.part" / "tree" / "b" / "big.bin")
        down = await cli.run("download", "top", ".")
        assert (down.status, down.err) == (0, "")
        assert here(tmp_path) == {"top": None} | {f"top/{name}": data for name, data in EXPECTED.items()}
        assert server.created[-1]["expect"] == "e1"
        assert server.hellos[-1].entries == 1 and server.hellos[-1].have > 1_000_000


async def test_a_folder_that_has_changed_meanwhile_begins_anew(tmp_path: Path) -> None:
    async with fake_server(dict(TREE)) as server:
        cli = Cli(server.url, tmp_path)
        await interrupt(cli, server, "top", tmp_path / "top.part" / "tree" / "b" / "big.bin")
        server.etag = "e2"
        del server.files["top/a.txt"]
        down = await cli.run("download", "top", ".")
        assert down.status == 0 and "has changed on the server" in down.out
        assert here(tmp_path / "top") == {name: data for name, data in EXPECTED.items() if name != "a.txt"}
        assert server.hellos[-1].have == 0


async def test_a_name_that_is_taken_by_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "top.part").mkdir()
    (tmp_path / "a.txt.part").write_text("mine")
    async with fake_server(TREE) as server:
        down = await Cli(server.url, tmp_path).run("download", "top", "top/a.txt", ".")
    assert down.status == 1 and down.err.count("is in the way") == 2
    assert here(tmp_path) == {"top.part": None, "a.txt.part": b"mine"}


HOSTILE = ["../evil", "/evil", "a/../../evil", "a//evil", "./evil", "", "..", "a/\0evil", "x" * 300]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_writes_nothing_outside(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    async with fake_server({"top/bad": b"evil", "top/good": b"good"}) as server:
        server.announced = lambda path: name if path == "bad" else path
        down = await Cli(server.url, folder).run("download", "top", ".")
    assert down.status == 1 and "Traceback" not in down.err
    assert here(folder) == {"top": None, "top/good": b"good"}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["folder"]


async def test_links_in_the_way_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = tmp_path / "folder"
    (folder / "top").mkdir(parents=True)
    os.symlink(outside, folder / "top" / "b")
    os.symlink(outside / "a.txt", folder / "top" / "a.txt")
    async with fake_server(TREE) as server:
        down = await Cli(server.url, folder).run("download", "top", ".", "--if-exists", "overwrite")
    assert down.status == 1 and "it is no folder" in down.err
    assert list(outside.iterdir()) == []
    assert (folder / "top" / "a.txt").read_bytes() == b"a" and not (folder / "top" / "a.txt").is_symlink()


async def test_an_entry_that_comes_twice_is_told(tmp_path: Path) -> None:
    async with fake_server({"top/a": b"1", "top/b": b"2"}) as server:
        server.announced = lambda path: "same"
        down = await Cli(server.url, tmp_path).run("download", "top", ".")
    assert down.status == 1 and here(tmp_path / "top") == {"same": b"1"}
