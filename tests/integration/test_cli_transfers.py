"""`jupyter ws-hub upload` and `download` as people use them: real processes, a real server, a bad network."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
from pathlib import Path

from tests.support.address import until
from tests.support.cli import Cli, end_of
from tests.support.proxy import Fault, FaultProxy, Way
from tests.support.server import RealServer

SIZE = 24_000_000
SLOW = Fault(up=Way(bytes_per_s=8_000_000, slow_after=100_000), down=Way(bytes_per_s=8_000_000, slow_after=100_000))
ODD = ["a b", "ü — 中文", "quo'te\"s", "*?[x]", "-r", "#%&;$`!", "semi:colon", "~", "x" * 250, "e\u0301"]


def through(proxy: FaultProxy, cli: Cli) -> Cli:
    return Cli(f"http://127.0.0.1:{proxy.port}/", cli.folder)


def modified_ms(path: Path) -> int:
    """To the nearest: a server may hold times in seconds with a fraction."""
    return round(path.stat().st_mtime_ns / 1_000_000)


def tree(folder: Path) -> dict[str, tuple[bytes | None, int]]:
    """All that is in a folder: contents and modification times in ms; of folders neither."""
    return {
        str(path.relative_to(folder)): (None, 0) if path.is_dir() else (path.read_bytes(), modified_ms(path))
        for path in folder.rglob("*")
    }


def folder_times(folder: Path) -> dict[str, int]:
    """The modification times in ms of all folders, and of this one itself."""
    return {str(path.relative_to(folder)): modified_ms(path) for path in (folder, *folder.rglob("*")) if path.is_dir()}


def make_folder(folder: Path) -> Path:
    (folder / "empty" / "emptier").mkdir(parents=True)
    (folder / "deep" / "er").mkdir(parents=True)
    for number, name in enumerate(ODD):
        path = folder / ("deep" if number % 2 else ".") / name
        path.write_bytes(random.Random(number).randbytes(number * 1000))
        os.utime(path, ns=(0, 1_600_000_000_123_000_000 + number * 10**9))
    large = folder / "deep" / "er" / "large.bin"
    large.write_bytes(random.Random(1).randbytes(3_000_000))
    os.utime(large, ns=(0, 1_600_000_000_456_000_000))
    for number, name in enumerate(("empty/emptier", "empty", "deep/er", "deep", ".")):
        os.utime(folder / name, ns=(0, 1_500_000_000_789_000_000 + number * 10**9))
    return folder


def source_of(cli: Cli, name: str = "big.bin", size: int = SIZE, seed: int = 5) -> Path:
    path = cli.folder / name
    path.write_bytes(random.Random(seed).randbytes(size))
    os.utime(path, ns=(0, 1_600_000_000_123_000_000))
    return path


async def test_a_file_goes_up_and_comes_down(server: RealServer, cli: Cli) -> None:
    big = source_of(cli)
    up = await cli.run("upload", big, "new.bin")
    assert (up.status, up.err) == (0, "") and "1 of 1 files uploaded" in up.out
    assert (server.root / "new.bin").read_bytes() == big.read_bytes()
    assert modified_ms(server.root / "new.bin") == modified_ms(big)
    down = await cli.run("download", "new.bin", ".", "--quiet")
    assert down == (0, "", "")
    assert (cli.folder / "new.bin").read_bytes() == big.read_bytes()
    assert modified_ms(cli.folder / "new.bin") == modified_ms(big)
    assert sorted(path.name for path in cli.folder.iterdir()) == ["big.bin", "cli-data", "new.bin"]
    (cli.folder / "zero").touch()
    assert (await cli.run("upload", "zero", "/", "--sha256")).status == 0
    assert (server.root / "zero").read_bytes() == b""
    assert list((cli.folder / "cli-data").rglob("*.json")) == [], "what has ended is not remembered"


async def test_a_folder_goes_up_with_all_that_is_in_it(server: RealServer, cli: Cli) -> None:
    folder = make_folder(cli.folder / "folder")
    up = await cli.run("upload", "-r", "folder", "/")
    assert (up.status, up.err) == (0, "")
    assert tree(server.root / "folder") == tree(folder)
    assert folder_times(server.root / "folder") == folder_times(folder), "a large file comes after the tree's end"
    assert (await cli.run("upload", "folder/.", "copy")).status == 0
    assert tree(server.root / "copy") == tree(folder)
    assert folder_times(server.root / "copy") == folder_times(folder)
    (cli.folder / "one.txt").write_text("1")
    assert (await cli.run("upload", "folder/empty", "one.txt", "copy/")).status == 0
    assert (server.root / "copy" / "one.txt").read_text() == "1"


async def test_what_cannot_be_sent_is_told_and_the_rest_is_there(server: RealServer, cli: Cli) -> None:
    folder = cli.folder / "folder"
    folder.mkdir()
    (folder / "good.txt").write_text("good")
    os.mkfifo(folder / "pipe")
    os.symlink(folder, folder / "loop")
    os.symlink("nowhere", folder / "broken")
    os.close(os.open(os.fsencode(folder) + b"/\xff", os.O_CREAT))
    up = await cli.run("upload", "folder", "missing", "/")
    assert up.status == 1
    assert [path.name for path in (server.root / "folder").iterdir()] == ["good.txt"]
    for part in ("pipe: it is no plain file", "loop: it is a link", "broken: No such file", "no UTF-8", "missing: No"):
        assert part in up.err, up.err


async def test_an_upload_goes_on_over_cuts(server: RealServer, cli: Cli) -> None:
    big = source_of(cli)
    folder = make_folder(cli.folder / "folder")
    chance = random.Random(3)

    def fault(number: int) -> Fault:
        after = chance.randrange(100_000, SIZE // 4) if 1 <= number <= 6 else None
        return Fault(up=Way(cut_after=after), how=chance.choice(["rst", "fin"]))

    async with FaultProxy(server.port, fault) as proxy:
        up = await through(proxy, cli).run("upload", big, folder, "/")
        assert (up.status, up.err) == (0, ""), up
        assert len(proxy.links) > 5
        assert sum(link.up_bytes for link in proxy.links) < 1.5 * SIZE, "it begins anew after each cut"
    assert (server.root / "big.bin").read_bytes() == big.read_bytes()
    assert tree(server.root / "folder") == tree(folder)
    assert folder_times(server.root / "folder") == folder_times(folder)


async def test_the_times_of_folders_outlive_cuts(server: RealServer, cli: Cli) -> None:
    """With small files only, in more groups than one, on a link that is cut again and again."""
    folder = cli.folder / "folder"
    for number in range(60):
        (folder / f"d{number % 6}" / f"e{number}").mkdir(parents=True)
        (folder / f"d{number % 6}" / f"e{number}" / "a.bin").write_bytes(random.Random(number).randbytes(60_000))
    for number, path in enumerate(sorted([folder, *folder.rglob("*")], reverse=True)):
        os.utime(path, ns=(0, 1_500_000_000_789_000_000 + number * 10**9))

    def fault(number: int) -> Fault:
        return Fault(up=Way(cut_after=1_200_000 if number <= 4 else None))

    async with FaultProxy(server.port, fault) as proxy:
        up = await through(proxy, cli).run("upload", "folder/.", "copy")
        assert (up.status, up.err) == (0, ""), up
        assert len(proxy.links) > 4
    assert tree(server.root / "copy") == tree(folder)
    assert folder_times(server.root / "copy") == folder_times(folder)


async def killed(cli: Cli, proxy: FaultProxy, bytes_moved: int, *arguments: str | Path, up: bool) -> None:
    """Run a command through a slow proxy, and kill it when so much has passed."""
    process = await through(proxy, cli).start(*arguments)
    try:

        def moved() -> bool:
            return sum(link.up_bytes if up else link.down_bytes for link in proxy.links) > bytes_moved

        await until(moved, "the bytes to pass", 30)
    finally:
        process.kill()
    assert (await end_of(process)).status == -signal.SIGKILL


async def test_a_command_that_was_killed_is_gone_on_with(server: RealServer, cli: Cli) -> None:
    big = source_of(cli)
    async with FaultProxy(server.port, SLOW) as proxy:
        await killed(cli, proxy, SIZE // 2, "upload", big, "/", up=True)
        (state,) = (cli.folder / "cli-data").rglob("*.json")
        assert state.stat().st_mode & 0o777 == 0o600
        assert not (server.root / "big.bin").exists()
        before = sum(link.up_bytes for link in proxy.links)
        proxy.fault = Fault()
        up = await through(proxy, cli).run("upload", big, "/")
        assert (up.status, up.err) == (0, "")
        again = sum(link.up_bytes for link in proxy.links) - before
    assert again < SIZE * 0.75, f"{again} bytes were sent the second time"
    assert (server.root / "big.bin").read_bytes() == big.read_bytes()


async def test_another_file_of_that_name_is_not_mixed_with_the_first(server: RealServer, cli: Cli) -> None:
    big = source_of(cli)
    async with FaultProxy(server.port, SLOW) as proxy:
        await killed(cli, proxy, SIZE // 2, "upload", big, "/", up=True)
        source_of(cli, seed=6)  # as large, and as old
        proxy.fault = Fault()
        up = await through(proxy, cli).run("upload", big, "/")
    assert up.status == 0 and "begins anew" in up.out
    assert (server.root / "big.bin").read_bytes() == big.read_bytes()
    assert [path.name for path in server.root.rglob("*")] == ["big.bin"], "a partial file is left"


async def test_a_download_that_was_killed_is_gone_on_with_and_begins_anew_if_the_source_is_another(
    server: RealServer, cli: Cli
) -> None:
    big = source_of(cli)
    there = server.root / "big.bin"
    shutil.copy(big, there)
    here = cli.folder / "here"
    here.mkdir()
    async with FaultProxy(server.port, SLOW) as proxy:
        await killed(cli, proxy, SIZE // 2, "download", "big.bin", "here", up=False)
        assert sorted(path.name for path in here.iterdir()) == ["big.bin.part", "big.bin.part.json"]
        before = sum(link.down_bytes for link in proxy.links)
        proxy.fault = Fault()
        down = await through(proxy, cli).run("download", "big.bin", "here")
        assert (down.status, down.err) == (0, "")
        again = sum(link.down_bytes for link in proxy.links) - before
        assert again < SIZE * 0.75, f"{again} bytes came the second time"
        assert (here / "big.bin").read_bytes() == there.read_bytes()
        assert [path.name for path in here.iterdir()] == ["big.bin"]

        (here / "big.bin").unlink()
        proxy.fault = SLOW
        await killed(cli, proxy, before + again + SIZE // 2, "download", "big.bin", "here", up=False)
        there.write_bytes(random.Random(9).randbytes(SIZE // 2))
        proxy.fault = Fault()
        down = await through(proxy, cli).run("download", "big.bin", "here")
    assert down.status == 0 and "has changed on the server" in down.out
    assert (here / "big.bin").read_bytes() == there.read_bytes()
    assert [path.name for path in here.iterdir()] == ["big.bin"]


async def test_a_download_goes_on_over_cuts(server: RealServer, cli: Cli) -> None:
    shutil.copy(source_of(cli), server.root / "there.bin")

    def fault(number: int) -> Fault:
        return Fault(down=Way(cut_after=3_000_000 if 1 <= number <= 4 else None))

    async with FaultProxy(server.port, fault) as proxy:
        down = await through(proxy, cli).run("download", "there.bin", "here.bin")
        assert (down.status, down.err) == (0, "")
        assert len(proxy.links) == 6
        assert sum(link.down_bytes for link in proxy.links) < 1.4 * SIZE, "it begins anew after each cut"
    assert (cli.folder / "here.bin").read_bytes() == (cli.folder / "big.bin").read_bytes()


async def test_ctrl_c_says_how_to_go_on(server: RealServer, cli: Cli) -> None:
    big = source_of(cli)
    async with FaultProxy(server.port, SLOW) as proxy:
        for arguments in (("upload", str(big), "/"), ("upload", str(big), "/"), ("download", "there.bin", "down.bin")):
            shutil.copy(big, server.root / "there.bin")
            before = sum(link.up_bytes + link.down_bytes for link in proxy.links)
            process = await through(proxy, cli).start(*arguments)

            def moved(before: int = before) -> bool:
                return sum(link.up_bytes + link.down_bytes for link in proxy.links) > before + 2_000_000

            await until(moved, "some bytes to pass", 30)
            process.send_signal(signal.SIGINT)
            ended = await end_of(process)
            where = "on the server, for a day" if arguments[0] == "upload" else "here, of a file in NAME.part"
            assert ended.status == 130 and f"is kept {where}" in ended.err
            assert "run the same command again" in ended.err and "Traceback" not in ended.err
        proxy.fault = Fault()
        assert (await through(proxy, cli).run("upload", big, "/")).status == 0
        assert (await through(proxy, cli).run("download", "there.bin", "down.bin")).status == 0
    assert (server.root / "big.bin").read_bytes() == big.read_bytes() == (cli.folder / "down.bin").read_bytes()


async def test_what_is_there_already_is_treated_as_told(server: RealServer, cli: Cli) -> None:
    folder = cli.folder / "folder"
    folder.mkdir()
    for name in ("old.txt", "new.txt"):
        (folder / name).write_text(f"my {name}")
    there = server.root / "folder"
    there.mkdir()

    def begin() -> None:
        for path in there.iterdir():
            path.unlink()
        (there / "old.txt").write_text("there")

    for sources, place in ((["folder"], "/"), (["folder/old.txt"], "folder")):
        begin()
        failed = await cli.run("upload", *sources, place)
        assert failed.status == 1 and "old.txt" in failed.err and "--if-exists" in failed.err
        assert (there / "old.txt").read_text() == "there"
        skipped = await cli.run("upload", *sources, place, "--if-exists", "skip")
        assert (skipped.status, skipped.err) == (0, "") and "skipped" in skipped.out
        assert (there / "old.txt").read_text() == "there"
        renamed = await cli.run("upload", "folder/old.txt", "folder", "--if-exists", "rename")
        assert renamed.status == 0 and " as folder/" in renamed.out
        assert (there / "old.txt").read_text() == "there"
        assert "my old.txt" in {path.read_text() for path in there.iterdir()}
        assert (await cli.run("upload", *sources, place, "--if-exists", "overwrite")).status == 0
        assert (there / "old.txt").read_text() == "my old.txt"


async def test_what_is_here_already_is_treated_as_told(server: RealServer, cli: Cli) -> None:
    (server.root / "a.txt").write_text("theirs")
    mine = cli.folder / "a.txt"
    mine.write_text("mine")
    failed = await cli.run("download", "a.txt", ".")
    assert failed.status == 1 and "it exists already" in failed.err and "--if-exists" in failed.err
    skipped = await cli.run("download", "a.txt", ".", "--if-exists", "skip")
    assert (skipped.status, skipped.err, mine.read_text()) == (0, "", "mine")
    renamed = await cli.run("download", "a.txt", ".", "--if-exists", "rename")
    assert renamed.status == 0 and (cli.folder / "a (1).txt").read_text() == "theirs" and mine.read_text() == "mine"
    assert (await cli.run("download", "a.txt", ".", "--if-exists", "overwrite")).status == 0
    assert mine.read_text() == "theirs"
    assert sorted(path.name for path in cli.folder.iterdir()) == ["a (1).txt", "a.txt"]


async def test_patterns_are_matched_on_the_server(server: RealServer, cli: Cli) -> None:
    for folder in ("runs/1", "runs/2", "other"):
        (server.root / folder).mkdir(parents=True)
    for path in ("runs/1/one.log", "runs/2/two.log", "runs/2/three.txt", "other/four.log", "lit[1].log"):
        (server.root / path).write_text(path)
    down = await cli.run("download", "runs/*/*.log", "lit[1].log", "nothing*", ".")
    assert down.status == 1 and "Nothing on the server matches 'nothing*'" in down.err
    assert sorted(path.name for path in cli.folder.glob("*.log")) == ["lit[1].log", "one.log", "two.log"]


async def test_a_command_that_cannot_work_says_why_and_leaves_nothing(server: RealServer, cli: Cli) -> None:
    (cli.folder / "a.txt").write_text("a")
    for arguments, status, words in (
        (("upload", "a.txt"), 2, "required"),
        (("upload", "a.txt", "nowhere/"), 2, "folder is needed"),
        (("upload", "a.txt", "nowhere/b.txt"), 1, "no folder 'nowhere'"),
        (("upload", "a.txt", "../../b.txt"), 2, "outside"),
        (("upload", "nothing.txt", "/"), 2, "no file or folder"),
        (("download", "nothing.txt", "."), 1, "There is no 'nothing.txt'"),
        (("download", "nothing.txt", "nowhere/"), 2, "folder is needed"),
    ):
        ended = await cli.run(*arguments)
        assert ended.status == status and words in ended.err, (arguments, ended)
        assert "Traceback" not in ended.err
    refused = await Cli(server.url, cli.folder, "wrong").run("upload", "a.txt", "/")
    assert refused.status == 2 and "--token" in refused.err
    async with FaultProxy(1) as proxy:
        gone = await through(proxy, cli).run("upload", "a.txt", "/")
    assert gone.status == 1 and "cannot be reached" in gone.err
    assert [path.name for path in cli.folder.iterdir()] == ["a.txt"] and not [*server.root.iterdir()]


async def test_a_server_that_is_killed_and_comes_back_gets_the_rest(server: RealServer, cli: Cli) -> None:
    big = source_of(cli)
    async with FaultProxy(server.port, SLOW) as proxy:
        process = await through(proxy, cli).start("upload", big, "/")
        await until(lambda: sum(link.up_bytes for link in proxy.links) > SIZE // 2, "half of it", 30)
        await asyncio.to_thread(server.kill)
        proxy.fault = Fault()
        await asyncio.to_thread(server.start)
        up = await end_of(process)
        assert up.status == 0, up
        assert sum(link.up_bytes for link in proxy.links) < 1.4 * SIZE, "it begins anew"
    assert (server.root / "big.bin").read_bytes() == big.read_bytes()
