"""The file that says where a server is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_ws_hub.notifier import beacon as beacons
from jupyter_ws_hub.notifier.beacon import Beacon, read_all, remove, write

HERE = Beacon(
    pid=os.getpid(),
    machine=beacons.this_machine(),
    birth=beacons.birth_of(os.getpid()),
    began_s=1000.0,
    url="http://127.0.0.1:8888/",
    public_url="http://localhost:8888/",
    base_url="/",
    root="/",
    secret="s",
)


def dead_pid() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def only(folder: Path) -> Path:
    """The one file in a folder."""
    (path,) = folder.iterdir()
    return path


def test_nobody_else_can_read_it_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "runtime"
    before = os.umask(0)
    try:
        write(folder, HERE)
        write(folder, HERE)
    finally:
        os.umask(before)
    assert only(folder).stat().st_mode & 0o777 == 0o600
    assert read_all(folder) == [HERE]
    remove(folder, HERE)
    remove(folder, HERE)
    assert list(folder.iterdir()) == []


def test_a_file_that_others_can_read_is_not_trusted(tmp_path: Path) -> None:
    write(tmp_path, HERE)
    only(tmp_path).chmod(0o644)
    assert read_all(tmp_path) == []


def test_a_file_of_another_user_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, HERE)
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    assert read_all(tmp_path) == []


def test_a_link_is_not_followed_and_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", HERE)
    (tmp_path / "ws-hub-a-1.json").symlink_to(only(tmp_path / "elsewhere"))
    os.mkfifo(tmp_path / "ws-hub-a-2.json", 0o600)
    (tmp_path / "ws-hub-a-3.json").mkdir(0o700)
    assert read_all(tmp_path, clean=True) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"pid": 1}', '{"pid": "x", "machine": 1}', "\xff"])
def test_what_is_no_such_file_is_passed_over(tmp_path: Path, text: str) -> None:
    write(tmp_path, HERE)
    other = tmp_path / "ws-hub-a-1.json"
    other.write_bytes(text.encode("latin-1"))
    other.chmod(0o600)
    assert read_all(tmp_path) == [HERE]


def test_a_field_of_a_wrong_type_makes_no_server_of_it(tmp_path: Path) -> None:
    write(tmp_path, HERE)
    fields = json.loads(only(tmp_path).read_text())
    for wrong in ({"url": 1}, {"pid": "1"}, {"pid": -1}, {"pid": 1 << 70}, {"began_s": "now"}, {"secret": None}):
        only(tmp_path).write_text(json.dumps(fields | wrong | {"birth": "never"}))
        assert read_all(tmp_path) == [], wrong


def test_what_a_newer_version_has_added_does_not_matter(tmp_path: Path) -> None:
    write(tmp_path, HERE)
    only(tmp_path).write_text(only(tmp_path).read_text().replace("{", '{"new": 1, ', 1))
    assert read_all(tmp_path) == [HERE]


def test_dead_servers_are_passed_over_and_cleaned_away_but_not_those_of_other_machines(tmp_path: Path) -> None:
    dead = replace(HERE, pid=dead_pid(), birth="")
    again = replace(HERE, pid=os.getppid(), birth="1")
    far = replace(HERE, pid=dead.pid, machine="another machine")
    for one in (HERE, dead, again, far):
        write(tmp_path, one)
    assert read_all(tmp_path) == [HERE]
    assert len(list(tmp_path.iterdir())) == 4
    assert read_all(tmp_path, clean=True) == [HERE]
    assert len(list(tmp_path.iterdir())) == 2


def test_the_newest_comes_first(tmp_path: Path) -> None:
    older = replace(HERE, pid=os.getppid(), birth=beacons.birth_of(os.getppid()), began_s=999.0)
    for one in (older, HERE):
        write(tmp_path, one)
    assert read_all(tmp_path) == [HERE, older]


def test_the_file_of_a_server_with_the_same_number_is_left_alone(tmp_path: Path) -> None:
    write(tmp_path, replace(HERE, secret="of another one"))
    remove(tmp_path, HERE)
    assert len(read_all(tmp_path)) == 1


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*arguments: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", no)
    with pytest.raises(OSError, match="no space"):
        write(tmp_path, HERE)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_has_no_servers(tmp_path: Path) -> None:
    assert read_all(tmp_path / "nowhere") == []


def test_the_beginning_of_a_process_is_told_where_the_system_tells_it() -> None:
    assert beacons.birth_of(os.getpid()) == beacons.birth_of(os.getpid())
    assert beacons.birth_of(dead_pid()) == ""
