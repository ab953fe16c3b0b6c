"""What a download has brought so far belongs to it alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_ws_hub.cli.part import Origin, Part
from jupyter_ws_hub.cli.transfer_link import LocalError

ORIGIN = Origin("http://h/", "a.bin", "e1", "xxh3-128")


def test_it_says_of_what_it_is_to_the_next_command(tmp_path: Path) -> None:
    part = Part(tmp_path / "a.bin")
    part.lock()
    assert part.known is None
    part.begin(Origin("http://a-much-longer-address/", "x", "y", "sha256"), "op0")
    part.begin(ORIGIN, "op1")
    part.path.write_bytes(b"some")
    part.unlock()
    again = Part(tmp_path / "a.bin")
    again.lock()
    assert again.known is not None and (again.known.origin, again.known.op) == (ORIGIN, "op1")
    again.drop()
    assert again.known is None and not again.path.exists()
    again.unlock()
    assert list(tmp_path.iterdir()) == []


def test_two_commands_do_not_write_into_one(tmp_path: Path) -> None:
    first, second = Part(tmp_path / "a.bin"), Part(tmp_path / "a.bin")
    first.lock()
    first.begin(ORIGIN, "op")
    with pytest.raises(LocalError, match="under way"):
        second.lock()
    second.unlock()
    first.unlock()
    second.lock()
    second.end()
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_text("mine")
    part = Part(tmp_path / "a.bin")
    with pytest.raises(LocalError, match="in the way"):
        part.lock()
    part.unlock()
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin.part"]


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    part = Part(tmp_path / "a.bin")
    part.lock()
    part.begin(ORIGIN, "op")
    part.unlock()
    part.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalError, match="link"):
        Part(tmp_path / "a.bin").lock()


def test_the_longest_names_have_room_for_theirs(tmp_path: Path) -> None:
    part = Part(tmp_path / ("ü" * 127))
    part.lock()
    part.begin(ORIGIN, "op")
    part.path.touch()
    part.end()
    assert list(tmp_path.iterdir()) == []
