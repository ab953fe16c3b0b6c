"""What has become of the entries of a tree; the operation itself is tested with a real server."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jupyter_ws_hub.cli.progress import make_display
from jupyter_ws_hub.cli.transfer_command import Job, Report
from jupyter_ws_hub.cli.tree_source import Local
from jupyter_ws_hub.cli.upload_tree import TreeResults, fingerprint
from jupyter_ws_hub.protocol.errors import ErrorInfo
from jupyter_ws_hub.protocol.transfer import Done, EntryResult, Settled

from .test_transfer_create import SERVER, FakeHub

FOLDER = Local("d", Path("/l/d"), True, 0, 1)
FILES = [Local(f"d/{n}", Path(f"/l/d/{n}"), False, 5, n) for n in range(5)]
ENTRIES = [FOLDER, *FILES]


def results() -> tuple[TreeResults, asyncio.Event]:
    event = asyncio.Event()
    return TreeResults(ENTRIES, 1, event), event


def test_folders_are_no_files_wherever_they_are() -> None:
    """They go first where a large file needs them, and last for their times."""
    found = TreeResults([FOLDER, *FILES, FOLDER], 1, asyncio.Event())
    failed = ErrorInfo("exists", "It is a file.", False)
    found.settled(Settled(7, [EntryResult(n, "failed", error=failed) for n in (0, 1, 6)]))
    report = told(found, 3, {})
    assert (report.files, sorted(report.failures)) == (4, ["/l/d", "/l/d/0"])


def told(found: TreeResults, failed: int, unread: dict[int, str]) -> Report:
    report = Report()
    job = Job(SERVER, FakeHub(), make_display(quiet=True), "fail", "xxh3-128")
    found.tell(Done("p", 25, "", "", entries=6, failed=failed), unread, report, job)
    return report


def test_directories_are_there_as_soon_as_they_are_settled() -> None:
    found, event = results()
    found.settled(Settled(0, []))
    assert not event.is_set()
    found.settled(Settled(1, []))
    assert event.is_set()


def test_each_file_is_counted_once() -> None:
    found, _ = results()
    exists = ErrorInfo("exists", "It exists.", False)
    found.settled(Settled(3, [EntryResult(1, "failed", error=exists), EntryResult(2, "skipped")]))
    found.settled(Settled(6, [EntryResult(3, "renamed", "d/2 (1)"), EntryResult(4, "failed", error=exists)]))
    report = told(found, 2, {4: "it was written to meanwhile"})
    assert (report.files, report.skipped) == (2, 1) and report.has_conflicts
    assert report.failures == {"/l/d/0": "It exists.", "/l/d/3": "it was written to meanwhile"}


def test_what_was_told_on_a_lost_connection_is_not_forgotten() -> None:
    found, _ = results()
    report = told(found, 2, {})
    assert report.files == 3 and report.status == 1 and "2 files" in report.failures


def test_a_tree_is_told_from_another_by_names_sizes_and_times() -> None:
    changed = [
        ENTRIES[:-1],
        [*ENTRIES[:-1], Local("d/4", Path("/l/d/4"), False, 6, 4)],
        [*ENTRIES[:-1], Local("d/4", Path("/l/d/4"), False, 5, 5)],
        [*ENTRIES[:-1], Local("d/5", Path("/l/d/4"), False, 5, 4)],
    ]
    assert len({fingerprint(entries) for entries in [ENTRIES, *changed]}) == 5
    touched = [Local("d", Path("/l/d"), True, 0, 99), *ENTRIES[1:]]
    assert fingerprint(touched) == fingerprint(ENTRIES), "a folder's time changes with what is in it"
