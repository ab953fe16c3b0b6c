"""Partial files on a real disk: short writes, full disks, all policies of publication, going on after a death."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import IfExists
from jupyter_ws_hub.transfers.disk import Validator
from jupyter_ws_hub.transfers.partial import PartialFile, Upload, partial_path
from tests.support.client import REPOSITORY

NOBODY = 65534


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where uploads go; its directory holds nothing else."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root" / "a.txt"


def make(target: Path) -> PartialFile:
    """The partial file of an upload."""
    return PartialFile(target, Upload("0123456789abcdef", "a.txt"))


def finish(
    file: PartialFile, target: Path, if_exists: IfExists, expect: str | None = None, mtime_s: float | None = None
) -> Path:
    """Publish what was written."""
    file.prepare(if_exists, expect, mtime_s)
    return file.publish(if_exists, expect, target, nullcontext())[0]


def publish(
    target: Path,
    if_exists: IfExists = "fail",
    expect: str | None = None,
    *,
    data: bytes = b"new",
    mtime_s: float | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> Path:
    """Upload `data` whole; `meanwhile` happens between writing and publishing. Nothing partial is left after it."""
    file = make(target)
    try:
        assert file.write([data[:1], memoryview(data)[1:]]) == len(data)
        meanwhile()
        return finish(file, target, if_exists, expect, mtime_s)
    finally:
        file.discard()
        assert not file.partial.exists()


def refused(work: Callable[[], object]) -> HubError:
    with pytest.raises(HubError) as caught:
        work()
    return caught.value


def etag(path: Path) -> str:
    return Validator.of(path.stat()).etag


@contextmanager
def tiny_disk(size: int) -> Iterator[Path]:
    """A file system of so many bytes, mounted for a helper process alone and reached by way of that.

    Where only root may mount, a helper in a user namespace of its own may, too. Nothing else sees it, and it is gone
    with the helper. What is followed to its real path is not on it.
    """
    place = tempfile.mkdtemp(prefix="tiny-disk-")
    script = f'mount -t tmpfs -o size={size} tmpfs "$0" && echo up && exec cat'
    try:
        for more in (["--mount"], ["--mount", "--map-root-user"], ["--mount", "--propagation", "unchanged"]):
            command = [shutil.which("unshare") or "false", *more, "sh", "-c", script, place]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as it:
                assert it.stdin is not None and it.stdout is not None
                if it.stdout.readline() == b"up\n":
                    yield Path(f"/proc/{it.pid}/root{place}")
                    return
        pytest.skip("no file system can be mounted here; test_upload.py has the same with a hook")
    finally:
        os.rmdir(place)


# Before publication


def test_the_partial_file_is_hidden_private_and_beside_the_target(target: Path) -> None:
    file = make(target)
    file.write([b"half"])
    assert os.listdir(target.parent) == [file.partial.name]
    assert file.partial.name.startswith(".")
    assert file.partial.stat().st_mode & 0o777 == 0o600
    file.discard()
    file.discard()
    assert os.listdir(target.parent) == []


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127, "😀" * 63, "x" * 119 + "ä" * 60])
def test_the_longest_names_have_a_partial_file(target: Path, name: str) -> None:
    partial = partial_path(target.with_name(name), "f" * 32)
    assert len(partial.name.encode()) <= 255
    partial.write_bytes(b"")


def test_short_writes_are_completed(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pwritev = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, parts, at: pwritev(fd, [b"".join(parts)[:7]], at))
    data = os.urandom(1000)
    assert publish(target, data=data).read_bytes() == data


def test_a_full_disk_says_so_and_what_was_written_is_known() -> None:
    with tiny_disk(256 * 1024) as place:
        file = make(place / "a.txt")
        error = refused(lambda: [file.write([b"x" * 50_000]) for _ in range(10)])
        assert error.code is Code.NO_SPACE
        written = file.digest.byte_offset
        assert 200_000 <= written == file.partial.stat().st_size
        file.discard()
        assert os.listdir(place) == []


# Publication


def test_a_new_file_appears_whole_with_the_usual_mode(target: Path) -> None:
    mask = os.umask(0o027)
    try:
        assert publish(target) == target
    finally:
        os.umask(mask)
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o664])
def test_a_replaced_file_keeps_its_mode(target: Path, mode: int) -> None:
    target.write_bytes(b"old")
    target.chmod(mode)
    publish(target, "overwrite")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"new", mode)


def test_fail_leaves_what_is_there(target: Path) -> None:
    target.write_bytes(b"old")
    before = etag(target)
    assert refused(lambda: publish(target, "fail")).code is Code.EXISTS
    assert (target.read_bytes(), etag(target)) == (b"old", before)


def test_fail_leaves_what_appeared_meanwhile(target: Path) -> None:
    error = refused(lambda: publish(target, "fail", meanwhile=lambda: target.write_bytes(b"theirs")))
    assert error.code is Code.EXISTS
    assert target.read_bytes() == b"theirs"


@pytest.mark.parametrize(
    ("name", "second"), [("a.txt", "a-1.txt"), ("noext", "noext-1"), ("a.tar.gz", "a.tar-1.gz"), (".env", ".env-1")]
)
def test_rename_takes_the_next_free_name(target: Path, name: str, second: str) -> None:
    target = target.with_name(name)
    assert [publish(target, "rename", data=bytes([n])).name for n in range(2)] == [name, second]
    assert (target.read_bytes(), target.with_name(second).read_bytes()) == (b"\0", b"\1")


def test_an_expected_state_is_replaced_and_another_is_not(target: Path) -> None:
    target.write_bytes(b"old")
    publish(target, "overwrite", etag(target))
    assert target.read_bytes() == b"new"
    before = etag(target)
    error = refused(lambda: publish(target, "overwrite", before, meanwhile=lambda: target.write_bytes(b"theirs")))
    assert error.code is Code.CONFLICT
    assert error.details == {"expected": before, "current": etag(target)}
    assert target.read_bytes() == b"theirs"


def test_where_nothing_is_expected_nothing_is_replaced(target: Path) -> None:
    publish(target, "overwrite", "absent")
    assert refused(lambda: publish(target, "overwrite", "absent")).code is Code.CONFLICT
    target.unlink()
    assert refused(lambda: publish(target, "overwrite", "1-2-3-4")).code is Code.CONFLICT
    assert not target.exists()


@pytest.mark.parametrize("expect", ["absent", "etag"])
def test_what_changes_while_the_data_goes_to_the_disk_is_not_replaced(
    target: Path, monkeypatch: pytest.MonkeyPatch, expect: str
) -> None:
    """To sync a large file takes seconds: what was expected must hold after it, not only before."""
    if expect == "etag":
        target.write_bytes(b"old")
        expect = etag(target)
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        if b"theirs" not in (target.read_bytes() if target.exists() else b""):
            target.write_bytes(b"theirs, written meanwhile")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    assert refused(lambda: publish(target, "overwrite", expect)).code is Code.CONFLICT
    assert target.read_bytes() == b"theirs, written meanwhile"


def test_the_modification_time_is_the_source_s(target: Path) -> None:
    assert publish(target, mtime_s=1234567890.5).stat().st_mtime == 1234567890.5


def test_a_modification_time_that_cannot_be_is_an_error_of_the_table(target: Path) -> None:
    assert not refused(lambda: publish(target, mtime_s=1e27)).code.retryable
    assert not target.exists()


@pytest.mark.parametrize("link", ["absolute", "relative", "dangling"])
def test_a_symbolic_link_stays_one_and_what_it_points_to_is_replaced(target: Path, link: str) -> None:
    place = target.parent / "sub" / "real.txt"
    place.parent.mkdir()
    if link != "dangling":
        place.write_bytes(b"old")
        place.chmod(0o640)
    target.symlink_to(place if link == "absolute" else "sub/real.txt")
    publish(target, "overwrite")
    assert target.is_symlink()
    assert (place.read_bytes(), target.read_bytes()) == (b"new", b"new")
    assert link == "dangling" or place.stat().st_mode & 0o777 == 0o640
    assert refused(lambda: publish(target, "fail")).code is Code.EXISTS


def test_a_symbolic_link_may_lead_to_another_file_system(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        place = Path(elsewhere) / "real.txt"
        if os.stat(elsewhere).st_dev == os.stat(target.parent).st_dev:
            pytest.skip("/dev/shm is the same file system here")
        place.write_bytes(b"old")
        target.symlink_to(place)
        publish(target, "overwrite")
        assert (target.is_symlink(), place.read_bytes()) == (True, b"new")
        assert os.listdir(elsewhere) == ["real.txt"]


def test_without_hard_links_a_file_is_published_too(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*arguments: object, **more: object) -> None:
        raise OSError(errno.EPERM, "no hard links here") if not target.exists() else FileExistsError()

    monkeypatch.setattr(os, "link", no_links)
    assert publish(target).read_bytes() == b"new"
    assert refused(lambda: publish(target)).code is Code.EXISTS
    target.unlink()

    def broken(*arguments: object, **more: object) -> None:
        raise OSError(errno.EIO, "the disk fails")

    monkeypatch.setattr(os, "replace", broken)
    assert refused(lambda: publish(target)).code is Code.INTERNAL
    assert not target.exists(), "an empty file was left under the target's name"


def test_files_published_at_once_leave_the_process_s_umask_alone(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """umask is the process's: to change it, even for a moment, changes what every other thread creates."""
    real, before = os.umask, os.umask(0o022)
    together = threading.Barrier(2)

    def switch(mask: int) -> int:
        """What a switch between the two threads at the worst moment does."""
        try:
            together.wait(0.2)
        except threading.BrokenBarrierError:
            pass
        return real(mask)

    monkeypatch.setattr(os, "umask", switch)
    try:
        with ThreadPoolExecutor(2) as threads:
            for number in range(10):
                together.reset()
                names = [target.with_name(f"{number}-{side}") for side in "ab"]
                for path in threads.map(publish, names):
                    assert path.stat().st_mode & 0o777 == 0o644
        assert real(0o022) == 0o022
    finally:
        real(before)


# Directories that change meanwhile


def test_a_directory_that_vanishes_is_told_and_nothing_comes_back(target: Path) -> None:
    error = refused(lambda: publish(target, meanwhile=lambda: shutil.rmtree(target.parent)))
    assert error.code is Code.NOT_FOUND
    assert not target.parent.exists()


def test_a_directory_that_became_a_file_is_told_and_discard_does_not_mind(target: Path) -> None:
    def replace_directory() -> None:
        shutil.rmtree(target.parent)
        target.parent.write_bytes(b"a file now")

    file = make(target)
    replace_directory()
    assert refused(lambda: finish(file, target, "fail")).code is Code.NOT_FOUND
    file.discard()
    assert target.parent.read_bytes() == b"a file now"


def as_plain_user(case: Callable[[Path], None]) -> None:
    """Run a function of this module in a process of its own without root's powers, on a directory of its own."""
    place = Path(tempfile.mkdtemp(prefix="plain-user-"))
    lines = [
        "import os, pathlib, sys",
        f"from {case.__module__} import {case.__name__} as case",
        f"root = os.getuid() == 0; root and (os.setgroups([]), os.setgid({NOBODY}), os.setuid({NOBODY}))",
        "case(pathlib.Path(sys.argv[1]))",
    ]
    try:
        if os.getuid() == 0:
            os.chown(place, NOBODY, NOBODY)
        command = [sys.executable, "-c", "\n".join(lines), str(place)]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
    finally:
        place.chmod(0o700)
        shutil.rmtree(place)


def read_only_from_the_start(place: Path) -> None:
    place.chmod(0o555)
    error = refused(lambda: make(place / "a.txt"))
    assert error.code is Code.FORBIDDEN
    assert str(place) not in error.message
    assert os.listdir(place) == []


def read_only_meanwhile(place: Path) -> None:
    (place / "a.txt").write_bytes(b"old")
    file = make(place / "a.txt")
    file.write([b"new"])
    place.chmod(0o555)
    assert refused(lambda: finish(file, place / "a.txt", "overwrite")).code is Code.FORBIDDEN
    assert (place / "a.txt").read_bytes() == b"old"
    file.discard()  # cannot remove it, and must not fail for that: the client is still to be told


def writable_but_unreadable(place: Path) -> None:
    place.chmod(0o300)
    assert publish(place / "a.txt") == place / "a.txt"
    assert (place / "a.txt").read_bytes() == b"new"


@pytest.mark.parametrize("case", [read_only_from_the_start, read_only_meanwhile, writable_but_unreadable])
def test_a_plain_user_s_directory_permissions_are_respected(case: Callable[[Path], None]) -> None:
    as_plain_user(case)


# Reading, and errors
