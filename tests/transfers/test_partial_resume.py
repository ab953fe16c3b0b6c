"""Going on with a partial file: all counts after the death of a process, what is durable after that of the machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES
from jupyter_ws_hub.transfers.digest import BlockDigest
from jupyter_ws_hub.transfers.partial import PartialFile, Upload
from tests.support.client import root_of

OP = "0123456789abcdef"
DATA = os.urandom(3 * BLOCK_BYTES + 1000)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where uploads go."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root" / "a.bin"


def upload(target: Path) -> Upload:
    return Upload(OP, "a.bin", target.parent.parent / "blocks", size=len(DATA))


@pytest.fixture
def left(target: Path) -> Path:
    """What a process that died has left."""
    file = PartialFile(target, upload(target))
    for at in range(0, len(DATA), BLOCK_BYTES // 2):
        file.write([DATA[at : at + BLOCK_BYTES // 2]])
    file.close()
    return file.partial


def go_on(target: Path, left: Path, durable: int | None = None) -> tuple[int, int]:
    """Go on, send the rest; how much counted, and how much of that was durable. The end must be right."""
    file = PartialFile(target, upload(target), left, durable)
    offset, certain = file.byte_offset, file.durable
    assert left.stat().st_size == offset
    file.write([DATA[offset:]])
    assert file.digest.root() == root_of(DATA)
    file.close()
    assert left.read_bytes() == DATA
    assert (target.parent.parent / "blocks").read_bytes() == b"".join(file.digest.whole)
    return offset, certain


def damage(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"damaged")


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES, len(DATA)])
def test_all_that_was_written_counts_in_the_same_run_of_the_machine(target: Path, left: Path, size: int) -> None:
    os.truncate(left, size)
    assert go_on(target, left) == (size, 0)


@pytest.mark.parametrize("durable", [0, BLOCK_BYTES - 1, 2 * BLOCK_BYTES, 2 * BLOCK_BYTES + 5])
def test_only_what_is_durable_counts_after_another_start(target: Path, left: Path, durable: int) -> None:
    damage(left, durable)
    assert go_on(target, left, durable) == (durable, durable)


@pytest.mark.parametrize(("at", "sound"), [(2 * BLOCK_BYTES + 5, 2), (3 * BLOCK_BYTES - 7, 2)])
def test_a_damaged_last_block_does_not_count(target: Path, left: Path, at: int, sound: int) -> None:
    damage(left, at)
    assert go_on(target, left, 3 * BLOCK_BYTES + 100) == (sound * BLOCK_BYTES, sound * BLOCK_BYTES)


def test_digests_that_were_lost_or_are_zeros_cost_time_or_bytes_and_never_the_file(target: Path, left: Path) -> None:
    blocks = target.parent.parent / "blocks"
    whole = blocks.read_bytes()
    for content in (b"", whole[:16], whole[:20], whole * 2):
        blocks.write_bytes(content)
        assert go_on(target, left) == (len(DATA), 0)
        assert go_on(target, left, len(DATA)) == (len(DATA), len(DATA))
    blocks.unlink()
    assert go_on(target, left)[0] == len(DATA)
    blocks.write_bytes(bytes(len(whole)))
    assert go_on(target, left, len(DATA))[0] == 0


def test_more_than_was_announced_does_not_count(target: Path, left: Path) -> None:
    with left.open("ab") as file:
        file.write(b"somebody else's")
    assert go_on(target, left) == (len(DATA), 0)


def test_a_partial_file_of_which_nothing_was_written_down_is_made_again(target: Path, left: Path) -> None:
    """The server died before it could say that it had made one."""
    file = PartialFile(target, upload(target))
    assert (file.partial, file.byte_offset, left.stat().st_size) == (left, 0, 0)
    file.write([DATA])
    file.close()
    assert (left.read_bytes(), os.listdir(target.parent)) == (DATA, [left.name])


def test_what_is_no_file_any_more_is_gone(target: Path, left: Path) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    left.unlink()
    makes: list[Callable[[], object]] = [int, left.mkdir, lambda: os.mkfifo(left), lambda: left.symlink_to(target)]
    for make in makes:
        make()
        with pytest.raises(HubError) as caught:
            PartialFile(target, upload(target), left)
        assert caught.value.code in (Code.NOT_FOUND, Code.INVALID)
        left.rmdir() if left.is_dir() else left.unlink(missing_ok=True)
    assert len(os.listdir("/proc/self/fd")) == descriptors


@contextmanager
def superseded() -> Iterator[None]:
    raise HubError(Code.SUPERSEDED, "somebody else has it")
    yield


def test_whoever_lost_the_upload_neither_makes_nor_cuts_its_file(target: Path, left: Path) -> None:
    for partial in (left, None):
        with pytest.raises(HubError) as caught:
            PartialFile(target, upload(target), partial, 5, superseded)
        assert caught.value.code is Code.SUPERSEDED
        assert left.read_bytes() == DATA


def test_what_could_not_be_brought_to_the_disk_does_not_count(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After such an error the system takes the pages for clean: to ask again would be answered with success."""
    file = PartialFile(target, upload(target))
    file.write([DATA[:1000]])
    assert file.sync() == 1000
    file.write([DATA[1000:5000]])

    def full(descriptor: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    monkeypatch.setattr(os, "fdatasync", full)
    with pytest.raises(HubError) as caught:
        file.sync()
    assert caught.value.code is Code.NO_SPACE
    with pytest.raises(HubError):
        file.write([DATA[5000:]])
    file.close()
    assert go_on(target, file.partial) == (1000, 0)


def test_offsets_beyond_32_bits_are_kept(target: Path) -> None:
    """A sparse file: nothing but its end is on the disk."""
    blocks, size = 1300, 1300 * BLOCK_BYTES
    zeros = BlockDigest()
    zeros.update(bytes(BLOCK_BYTES))
    its = Upload(OP, "a.bin", target.parent.parent / "blocks", size=size + 10)
    file = PartialFile(target, its)
    file.close()
    os.truncate(file.partial, size)
    (target.parent.parent / "blocks").write_bytes(zeros.whole[0] * blocks)
    file = PartialFile(target, its, file.partial)
    assert file.byte_offset == size > 5 * 2**30
    file.write([b"0123456789"])
    file.prepare("fail", None, None)
    file.publish("fail", None, target, nullcontext())
    assert target.stat().st_size == size + 10
    with target.open("rb") as published:
        published.seek(size - 2)
        assert published.read() == b"\0\x000123456789"
