"""A directory with everything in it is listed as jupyter_server's own manager lists it."""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyter_server.services.contents.largefilemanager import LargeFileManager

from jupyter_ws_hub.listing.entry import Directory, Entry
from jupyter_ws_hub.listing.mime import MimeTables
from jupyter_ws_hub.listing.scan import EPOCH, Looker, Rules, etag_of, matcher, timestamp
from jupyter_ws_hub.services.files import _entry
from jupyter_ws_hub.transfers.disk import Validator
from tests.support.every_kind import make_every_kind

MIME = MimeTables(dict(mimetypes.types_map), dict(mimetypes.suffix_map), dict(mimetypes.encodings_map))


def look(directory: Directory, *, hidden: bool = False, filter: str | None = None) -> dict[str, Entry]:
    """All entries by name."""
    looker = Looker(directory, Rules(directory, hidden=hidden, filter=filter), MIME)
    try:
        directories, files = looker.names()
        entries = [looker.entry(name) for name in directories + files]
        return {entry.name: entry for entry in entries if entry is not None}
    finally:
        looker.close()


def of_manager(manager: Any, path: str) -> dict[str, Entry]:
    """What the manager lists."""
    return {child["name"]: _entry(child) for child in manager.get(path)["content"]}


def told_by_models(entry: Entry) -> dict[str, Any]:
    """All but what the manager does not tell."""
    return {name: getattr(entry, name) for name in entry.__struct_fields__ if name not in ("etag", "mtime_ms")}


@pytest.mark.parametrize("allow_hidden", [False, True])
@pytest.mark.parametrize("kind", [FileContentsManager, LargeFileManager])
@pytest.mark.parametrize("path", ["", "sub"])
def test_everything_is_listed_as_the_manager_does_it(tmp_path: Path, path: str, kind: Any, allow_hidden: bool) -> None:
    (tmp_path / path).mkdir(exist_ok=True)
    make_every_kind(tmp_path / path)
    manager = kind(root_dir=str(tmp_path), allow_hidden=allow_hidden, hide_globs=["*.pyc", "__pycache__", "*~", "q?o*"])
    directory = Directory(str(tmp_path / path), path, allow_hidden, tuple(manager.hide_globs))
    ours, theirs = look(directory, hidden=allow_hidden), of_manager(manager, path)
    assert set(ours) == set(theirs)
    assert len(ours) > 25
    for name, entry in ours.items():
        assert told_by_models(entry) == told_by_models(theirs[name]), name


def test_hidden_files_are_shown_only_if_both_sides_want_them(tmp_path: Path) -> None:
    (tmp_path / ".x").touch()
    (tmp_path / ".~a.txt.0123.part").touch()
    for allowed in (False, True):
        for wanted in (False, True):
            names = set(look(Directory(str(tmp_path), "", allowed), hidden=wanted))
            assert names == ({".x", ".~a.txt.0123.part"} if allowed and wanted else set())


def test_a_name_that_is_no_text_is_shown_and_cannot_be_asked_for(tmp_path: Path) -> None:
    os.close(os.open(os.fsencode(tmp_path) + b"/bad\xff.txt", os.O_CREAT))
    (entry,) = look(Directory(str(tmp_path), "d")).values()
    assert (entry.name, entry.path, entry.writable) == ("bad\\xff.txt", "d/bad\\xff.txt", False)


def test_an_etag_is_the_one_that_transfers_use(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "d").mkdir()
    etag = Validator.of((tmp_path / "a").stat()).etag
    assert etag == etag_of((tmp_path / "a").stat())
    found = look(Directory(str(tmp_path), ""))
    assert {name: entry.etag for name, entry in found.items()} == {"a": etag, "link": etag, "d": None}


def test_what_has_vanished_is_no_entry_and_a_directory_stays_the_one_that_was_opened(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").touch()
    directory = Directory(str(tmp_path / "d"), "d")
    looker = Looker(directory, Rules(directory, hidden=False), MIME)
    (tmp_path / "d").rename(tmp_path / "e")
    assert looker.entry("a") is not None
    (tmp_path / "e" / "a").unlink()
    assert looker.entry("a") is None
    looker.close()
    with pytest.raises(FileNotFoundError):
        Looker(directory, Rules(directory, hidden=False), MIME)


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("TXT", {"a.txt", "b.TXT"}),
        ("a.", {"a.txt", "a.py"}),
        ("*.txt", {"a.txt", "b.TXT"}),
        ("?.py", {"a.py"}),
        ("[ab].*", {"a.txt", "b.TXT", "a.py"}),
        (".", {"a.txt", "b.TXT", "a.py"}),
        ("", {"a.txt", "b.TXT", "a.py"}),
        ("nothing", set()),
    ],
)
def test_a_filter_is_a_part_of_the_name_or_a_glob(tmp_path: Path, filter: str, found: set[str]) -> None:
    for name in ("a.txt", "b.TXT", "a.py", ".a.txt"):
        (tmp_path / name).touch()
    assert set(look(Directory(str(tmp_path), ""), filter=filter)) == found


def test_no_filter_is_no_matcher_and_impossible_times_are_the_epoch() -> None:
    assert matcher(None) is None and matcher("") is None
    assert timestamp(1e30) == EPOCH
