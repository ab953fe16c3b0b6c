"""Local directories and small files on their way into entries and frames."""

from __future__ import annotations

import os
import random
from pathlib import Path

from jupyter_ws_hub.cli.tree_source import BATCH_BYTES, BATCH_ENTRIES, Local, TreeSource
from jupyter_ws_hub.protocol.codec import INBOUND_CHUNK_FRAME_BYTES, decode_chunk
from jupyter_ws_hub.protocol.transfer import TREE_FILE_BYTES, TreeEntries, TreeEntry, encode_stream
from tests.support.client import root_of


def local(path: Path, name: str) -> Local:
    found = path.stat()
    return Local(name, path, path.is_dir(), 0 if path.is_dir() else found.st_size, found.st_mtime_ns)


def make(folder: Path, sizes: list[int]) -> tuple[list[Local], list[bytes]]:
    contents = [random.Random(n).randbytes(size) for n, size in enumerate(sizes)]
    for number, data in enumerate(contents):
        (folder / f"f{number}").write_bytes(data)
    return [local(folder / f"f{n}", f"t/f{n}") for n in range(len(sizes))], contents


def all_of(source: TreeSource, entry: int, byte_offset: int) -> tuple[list[TreeEntry], bytes]:
    source.go_to(entry, byte_offset)
    entries: list[TreeEntry] = []
    data = b""
    while (batch := source.read()).entries:
        assert len(batch.entries) <= BATCH_ENTRIES
        for frame in batch.frames:
            chunk = decode_chunk(bytes(frame))
            assert chunk.byte_offset == byte_offset + len(data)
            data += chunk.payload
        entries += batch.entries
        assert len(data) == sum(entry.size for entry in entries), "bytes come with their entries"
    return entries, data


def test_entries_and_bytes_are_in_order_from_anywhere(tmp_path: Path) -> None:
    found, contents = make(tmp_path, [0, 10, 70_000, 5, 0, 400_000, 400_000, 400_000, *[3] * (BATCH_ENTRIES + 5)])
    (tmp_path / "dir").mkdir()
    source = TreeSource([local(tmp_path / "dir", "t/dir"), *found], "xxh3-128")
    entries, data = all_of(source, 0, 0)
    assert data == b"".join(contents)
    assert [entry.path for entry in entries] == ["t/dir", *[one.path for one in found]]
    assert (entries[0].type, entries[0].root) == ("directory", None)
    assert [entry.root for entry in entries[1:]] == [root_of(body) for body in contents]
    assert entries[1].mtime_ms == found[0].mtime_ns // 1_000_000
    assert all_of(source, 4, 80_000) == (entries[4:], b"".join(contents[3:]))
    assert sum(map(len, contents)) > BATCH_BYTES
    source.close()


def test_entries_with_the_longest_paths_fit_into_messages_that_the_server_takes() -> None:
    """Control characters are six times as long in JSON."""
    folder = "/".join(["\x01" * 250] * 12)
    paths = [f"{folder}/{number}" for number in range(BATCH_ENTRIES)]
    source = TreeSource([Local(path, Path("/"), True, 0, 0) for path in paths], "xxh3-128")
    source.go_to(0, 0)
    found: list[str] = []
    while (batch := source.read()).entries:
        found += [entry.path for entry in batch.entries]
        assert len(encode_stream(TreeEntries(0, batch.entries))) < INBOUND_CHUNK_FRAME_BYTES
    assert found == paths
    source.close()


def test_what_cannot_be_read_any_more_is_missing_and_said_why(tmp_path: Path) -> None:
    found, _ = make(tmp_path, [5, 6, 7, 8])
    os.unlink(tmp_path / "f0")
    os.truncate(tmp_path / "f1", TREE_FILE_BYTES + 1)
    os.unlink(tmp_path / "f2")
    os.mkfifo(tmp_path / "f2")
    source = TreeSource(found, "sha256")
    entries, data = all_of(source, 0, 0)
    assert [(entry.missing, entry.size) for entry in entries] == [(True, 0)] * 3 + [(False, 8)]
    assert len(data) == 8
    assert source.unread[0] == "No such file or directory"
    assert "grown" in source.unread[1] and "plain" in source.unread[2]
    source.close()
