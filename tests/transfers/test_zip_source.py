"""A directory as an archive: of the size that was told, the same bytes each time, and good for any program."""

from __future__ import annotations

import io
import os
import stat
import struct
import subprocess
import time
import zipfile
import zlib
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.transfers.walk import Member
from jupyter_ws_hub.transfers.zip_source import ZIP64_ENTRIES, ZipSource, archive_bytes, info_of

from .test_source import read, refused
from .test_walk import walk

TIMES = [0, 1, 315_532_800, 1_700_000_001, 2**31 - 1, 2**31 + 5, 4_354_819_200, -5]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "my dir"
    (place / "sub" / "empty").mkdir(parents=True)
    for number, when in enumerate(TIMES):
        name = ["é.txt", "sub/b", "a b", "x\ny"][number % 4] + str(number)
        (place / name).write_bytes(os.urandom(1000 * number))
        os.utime(place / name, (when, when))
    (place / "run").write_text("#!/bin/sh\n")
    (place / "run").chmod(0o755)
    return place


def archive(place: Path) -> ZipSource:
    return ZipSource(place, "my dir", "my dir", walk(place))


def test_the_archive_has_what_the_directory_has(place: Path, tmp_path: Path) -> None:
    source = archive(place)
    data = read(source, source.size)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        assert names[0] == "my dir/"
        assert "my dir/sub/empty/" in names
        for info in opened.infolist():
            if not info.is_dir():
                file = place.parent / info.filename
                assert opened.read(info) == file.read_bytes()
                assert stat.S_IMODE(info.external_attr >> 16) == stat.S_IMODE(file.stat().st_mode)
                when = min(max(int(file.stat().st_mtime), 315_532_800), 4_354_819_199)
                assert abs(int(time.mktime((*info.date_time, 0, 0, 0)) - time.timezone) - when) <= 1
        files = {str(path.relative_to(place.parent)) for path in place.rglob("*") if path.is_file()}
        assert {name for name in names if not name.endswith("/")} == files


def test_any_program_can_unpack_it_with_its_times(place: Path, tmp_path: Path) -> None:
    source = archive(place)
    (tmp_path / "a.zip").write_bytes(read(source, source.size))
    code = "import shutil, sys; shutil.unpack_archive(sys.argv[1], sys.argv[2])"
    subprocess.run(["python3", "-c", code, tmp_path / "a.zip", tmp_path / "out"], check=True, timeout=30)
    assert (tmp_path / "out/my dir/run").read_text() == "#!/bin/sh\n"
    assert (tmp_path / "out/my dir/sub/empty").is_dir()


def test_the_same_members_give_the_same_bytes_from_any_place(place: Path) -> None:
    source = archive(place)
    data = read(source, source.size)
    again = archive(place)
    assert again.etag == source.etag
    for at in (0, 1, 29, 30, 100, len(data) // 2, len(data) - 1, len(data)):
        assert again.seek(at) == 0
        read(again, at)
        assert read(again, len(data) - at) == data[at:]


def test_pieces_of_any_size_are_the_same_bytes(place: Path) -> None:
    source = archive(place)
    data = read(source, source.size)
    source.seek(0)
    found, size = b"", 1
    while len(found) < len(data):
        size = min(size * 2 + 1, len(data) - len(found))
        found += read(source, size // 2, size - size // 2)
    assert found == data


def test_an_empty_directory_is_a_good_archive(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    source = ZipSource(tmp_path / "d", "d", "d", walk(tmp_path / "d"))
    with zipfile.ZipFile(io.BytesIO(read(source, source.size))) as opened:
        assert opened.namelist() == ["d/"]


def test_a_changed_member_is_told(place: Path) -> None:
    source = archive(place)
    read(source, 1)
    (place / "run").write_text("changed")
    error = refused(lambda: read(source, source.size - 1))
    assert error.code is Code.SOURCE_CHANGED
    source.close()


def test_more_than_there_is_is_no_endless_wait(place: Path) -> None:
    source = archive(place)
    assert refused(lambda: read(source, source.size + 1)).code is Code.INTERNAL


class Counting:
    """A file that only counts."""

    count = 0

    def write(self, data: bytes) -> int:
        """Count."""
        self.count += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """There is nothing to close."""


@pytest.mark.parametrize("number", [ZIP64_ENTRIES - 1, ZIP64_ENTRIES, ZIP64_ENTRIES + 1])
def test_the_size_is_right_also_with_very_many_entries(number: int) -> None:
    infos = [info_of(Member(f"{n}", 0, 0, 0o755, None), "d") for n in range(number)]
    sink = Counting()
    with zipfile.ZipFile(sink, "w") as opened:
        for info in infos:
            opened.mkdir(info)
    assert archive_bytes(infos) == sink.count


@pytest.mark.timeout(180)
def test_a_file_beyond_4_gib_makes_a_good_archive(tmp_path: Path) -> None:
    """The sparse file is read as fast as memory; its archive is kept sparse, too."""
    place = tmp_path / "d"
    place.mkdir()
    size = 4 * 2**30 + 5
    with (place / "a.bin").open("wb") as file:
        file.truncate(size)
        file.seek(size - 5)
        file.write(b"after")
    (place / "b.txt").write_text("behind it")
    source = ZipSource(place, "d", "d", walk(place))
    backing = bytearray(8 * 2**20)
    buffer, zeros = memoryview(backing), bytes(len(backing))
    with (tmp_path / "a.zip").open("w+b") as copy:
        left = source.size
        while left:
            piece = buffer[: min(left, len(buffer))]
            source.read_into([piece])
            if backing == zeros:
                copy.seek(len(piece), os.SEEK_CUR)
            else:
                copy.write(piece)
            left -= len(piece)
        with zipfile.ZipFile(copy) as opened:
            info = opened.getinfo("d/a.bin")
            assert (info.file_size, opened.read("d/b.txt")) == (size, b"behind it")
        assert info.CRC == crc_of_zeros_and(size, b"after")
        copy.seek(info.header_offset)
        begin = info.header_offset + 30 + sum(struct.unpack("<26xHH", copy.read(30)))
        copy.seek(begin + size - 5)
        assert copy.read(5) == b"after"


def crc_of_zeros_and(size: int, end: bytes) -> int:
    zeros, left, crc = bytes(8 * 2**20), size - len(end), 0
    while left:
        piece = min(left, len(zeros))
        crc, left = zlib.crc32(memoryview(zeros)[:piece], crc), left - piece
    return zlib.crc32(end, crc)
