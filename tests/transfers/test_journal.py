"""What survives a server: records that are whole or not there, and one owner at a time on whatever server."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers import journal as module
from jupyter_ws_hub.transfers.journal import Journal, Ownership, Record
from jupyter_ws_hub.transfers.operation import Putting, UploadPlan


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal in a directory that does not exist yet."""
    return Journal(tmp_path / "ws_hub" / "transfers", "/srv", logging.getLogger("test"))


def folder(journal: Journal) -> Path:
    return journal.blocks_path("x").parent


def record(id: str = "id1", path: str = "a.bin", root: str = "/srv") -> Record:
    return Record(id, "upload", "file", "alice", path, 10, root, UploadPlan("rename"), None, path, 1.0, 2.0, "running")


def is_owner(ownership: Ownership) -> bool:
    try:
        with ownership.hold():
            return True
    except HubError as error:
        assert error.code is Code.SUPERSEDED
        return False


def test_what_was_saved_is_loaded_and_private(journal: Journal) -> None:
    saved = record(path="ä\n'\".bin")
    journal.save(saved, sync=True)
    assert journal.load("id1") == saved
    assert [path.name for path in folder(journal).iterdir()] == ["id1.json"]
    assert (folder(journal) / "id1.json").stat().st_mode & 0o777 == 0o600
    assert folder(journal).stat().st_mode & 0o777 == 0o700


def test_a_disk_that_takes_a_part_and_then_nothing_leaves_the_record_before(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.save(record())
    write = os.write
    written: list[int] = []

    def nearly_full(descriptor: int, data: bytes) -> int:
        if written:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(write(descriptor, data[:20]))
        return written[0]

    monkeypatch.setattr(os, "write", nearly_full)
    with pytest.raises(OSError):
        journal.save(record(path="other.bin"))
    assert journal.load("id1") == record()
    assert [path.name for path in folder(journal).iterdir()] == ["id1.json"]


@pytest.mark.parametrize("id", ["../id1", "", ".", "a/b", "a\x00b", "a" * 300])
def test_an_id_of_a_client_names_nothing_else(journal: Journal, id: str) -> None:
    for call in (journal.load, journal.take, journal.remove, journal.blocks_path):
        with pytest.raises(HubError) as caught:
            call(id)
        assert caught.value.code is Code.NOT_FOUND


def test_records_of_other_roots_and_damaged_ones_are_none_and_are_read_once(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    journal.save(record("id1"))
    journal.save(record("id2"))
    journal.save(record("id3", root="/elsewhere"))
    (folder(journal) / "id4.json").write_bytes(b'{"id": "id4", "dir')
    for _ in range(3):
        assert [found.id for found in journal.several(journal.others(["id2"]))] == ["id1"]
    assert journal.others(["id2"]) == ["id1"]
    assert len(caplog.records) == 1
    assert journal.load("id3") is None
    assert journal.ids() == {"id1", "id2", "id3", "id4"}


def test_a_record_that_cannot_be_read_just_now_is_not_taken_for_gone(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.save(record())
    read = Path.read_bytes

    def fail(path: Path) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError):
        journal.load("id1")
    assert journal.several(journal.others([])) == []
    monkeypatch.setattr(Path, "read_bytes", read)
    assert [found.id for found in journal.several(journal.others([]))] == ["id1"]


def test_the_newest_owner_is_the_only_one(journal: Journal) -> None:
    first = journal.take("id1")
    assert is_owner(first)
    second = journal.take("id1")
    assert (is_owner(first), is_owner(second)) == (False, True)
    second.close()
    second.close()
    assert (is_owner(first), is_owner(second)) == (False, False)
    third = journal.take("id1")
    assert third.generation == 3
    first.close()
    third.close()


def test_taking_over_waits_for_what_is_being_written(journal: Journal) -> None:
    first = journal.take("id1")
    taken: list[Ownership] = []
    thread = threading.Thread(target=lambda: taken.append(journal.take("id1")))
    with first.hold():
        thread.start()
        thread.join(0.1)
        assert taken == []
    thread.join(5)
    assert not is_owner(first)
    first.close()
    taken[0].close()


def test_a_lock_is_held_until_the_last_thread_of_an_owner_is_done(journal: Journal) -> None:
    """A lock of the file system is the descriptor's: a second thread of the same owner must not open it early."""
    first = journal.take("id1")
    inside, leave, taken = threading.Event(), threading.Event(), threading.Event()

    def write_slowly() -> None:
        with first.hold():
            inside.set()
            leave.wait(5)
            assert not taken.is_set()

    def take() -> None:
        journal.take("id1").close()
        taken.set()

    slow, quick = threading.Thread(target=write_slowly), threading.Thread(target=lambda: is_owner(first))
    slow.start()
    inside.wait(5)
    quick.start()
    taker = threading.Thread(target=take)
    taker.start()
    taker.join(0.1)
    assert not taken.is_set()
    leave.set()
    for thread in (slow, quick, taker):
        thread.join(5)
    assert taken.is_set()
    first.close()


def test_who_waited_while_an_operation_was_removed_does_not_own_what_comes_after(journal: Journal) -> None:
    journal.save(record())
    canceller = journal.take("id1")
    late: list[Ownership] = []
    thread = threading.Thread(target=lambda: late.append(journal.take("id1")))
    with canceller.hold():
        thread.start()
        thread.join(0.05)
        for path in folder(journal).iterdir():
            path.unlink()
    thread.join(5)
    assert journal.load("id1") is None
    assert not is_owner(canceller), "what was removed is nobody's"
    newest = journal.take("id1")
    assert (is_owner(late[0]), is_owner(newest)) == (False, True)
    for ownership in (canceller, late[0], newest):
        ownership.close()


def test_only_the_owner_removes(journal: Journal) -> None:
    journal.save(record())
    journal.blocks_path("id1").write_bytes(b"digests")
    first, second = journal.take("id1"), journal.take("id1")
    with pytest.raises(HubError):
        journal.remove("id1", first)
    assert journal.load("id1") == record()
    journal.remove("id1", second)
    journal.remove("id1")
    assert list(folder(journal).iterdir()) == []
    first.close()
    second.close()


def test_a_descriptor_is_not_lost_where_the_number_cannot_be_written(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.take("id1").close()
    before = len(os.listdir("/proc/self/fd"))

    def full(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    for _ in range(3):
        with pytest.raises(OSError):
            journal.take("id1")
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_killed_servers_have_left_is_removed_when_it_is_old(journal: Journal) -> None:
    journal.save(record("id1"))
    for name in ("id1.blocks", "id1.owner", "id1.77.new", "id2.blocks", "id2.owner", "id3.77.new"):
        (folder(journal) / name).write_bytes(b"x")
    journal.tidy(time.time() - 60)
    assert len(list(folder(journal).iterdir())) == 7
    journal.tidy(time.time() + 60)
    assert sorted(path.name for path in folder(journal).iterdir()) == ["id1.blocks", "id1.json", "id1.owner"]


def test_the_digests_of_blocks_are_kept_whole_and_go_with_the_record(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert journal.blocks("id1") == b""
    journal.save(record())
    journal.save_blocks("id1", b"1" * 16)
    with monkeypatch.context() as patch:

        def full(*arguments: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(os, "write", full)
        with pytest.raises(OSError):
            journal.save_blocks("id1", b"2" * 32)
    assert (journal.blocks("id1"), journal.load("id1")) == (b"1" * 16, record())
    journal.remove("id1")
    assert list(folder(journal).iterdir()) == []


def test_a_journal_without_a_directory_is_empty(journal: Journal) -> None:
    assert (journal.ids(), journal.others([]), journal.load("id1")) == (set(), [], None)
    journal.tidy(0)


def test_where_the_system_does_not_tell_its_start_nothing_but_what_is_durable_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_BOOT_ID", tmp_path / "none")
    assert module.boot_id() == ""


def test_what_is_being_published_of_a_tree_is_kept(journal: Journal) -> None:
    its = (Putting(7, "sub/dir", 1, 2), Putting(8, ""))
    kept = Record(**{**{f: getattr(record(), f) for f in Record.__struct_fields__}, "putting": its})
    journal.save(kept)
    loaded = journal.load("id1")
    assert loaded is not None and loaded.putting == its
