"""Names that a server gives never lead out of their folder, and a file takes its name only if it may."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.cli.local_paths import make_folders, publish, safe_parts
from jupyter_ws_hub.cli.transfer_link import LocalError


@given(st.lists(st.sampled_from(["a", "..", ".", "", "/", "\0", "b c"]), max_size=5).map("/".join))
def test_no_path_leads_out(path: str) -> None:
    try:
        parts = safe_parts(path)
    except LocalError:
        return
    root = Path("/root/folder")
    place = Path(os.path.normpath(root.joinpath(*parts)))
    assert place.is_relative_to(root) and place != root and "\0" not in path


def test_usual_paths_are_taken() -> None:
    assert safe_parts("a/b c/...") == ["a", "b c", "..."]


def test_folders_are_made_but_not_behind_links(tmp_path: Path) -> None:
    assert make_folders(tmp_path, ["a", "b"]).is_dir()
    assert make_folders(tmp_path, ["a", "b"]) == tmp_path / "a" / "b"
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(LocalError, match="in the way"):
            make_folders(tmp_path, [name, "c"])


@pytest.fixture(params=["links", "no links"])
def made(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "no links":

        def link(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", link)
    part = tmp_path / "a.part"
    part.write_text("new")
    return part


def test_a_free_name_is_taken(made: Path) -> None:
    target = made.with_name("a.txt")
    assert publish(made, target, "fail") == target
    assert target.read_text() == "new" and not made.exists()


def test_a_taken_name_is_treated_as_told(made: Path) -> None:
    target = made.with_name("a.txt")
    target.write_text("old")
    with pytest.raises(FileExistsError):
        publish(made, target, "fail")
    assert publish(made, target, "skip") is None
    assert (target.read_text(), made.read_text()) == ("old", "new")
    made.with_name("a (1).txt").touch()
    assert publish(made, target, "rename") == made.with_name("a (2).txt")
    made.write_text("newer")
    assert publish(made, target, "overwrite") == target
    assert target.read_text() == "newer" and not made.exists()


def test_a_folder_is_never_replaced_and_a_link_is_not_followed(made: Path) -> None:
    folder = made.with_name("folder")
    folder.mkdir()
    with pytest.raises(LocalError):
        publish(made, folder, "overwrite")
    link = made.with_name("link")
    link.symlink_to(folder / "elsewhere")
    publish(made, link, "overwrite")
    assert not link.is_symlink() and list(folder.iterdir()) == []
