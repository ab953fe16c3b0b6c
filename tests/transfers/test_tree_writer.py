"""Groups of entries on a real disk: whole or absent each, whatever the others do, and also after a kill in between."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import IfExists, TreeEntry
from jupyter_ws_hub.transfers import tree_writer as module
from jupyter_ws_hub.transfers.digest import file_root
from jupyter_ws_hub.transfers.operation import Putting
from jupyter_ws_hub.transfers.tree import Arrived
from jupyter_ws_hub.transfers.tree_writer import Group, Outcome, TreeWriter, discard

OP = "0123456789abcdef"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The directory into which the tree goes."""
    (tmp_path / "base").mkdir()
    return tmp_path / "base"


@pytest.fixture(autouse=True)
def no_descriptor_is_lost() -> Iterator[None]:
    """After each test."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) == before


def arrived(number: int, path: str, data: bytes = b"data", **more: Any) -> Arrived:
    more = {"root": file_root(data, "xxh3-128"), **more}
    return Arrived(number, TreeEntry(path, len(data), **more), 0, [memoryview(data)])


def made(number: int, path: str, **more: Any) -> Arrived:
    return Arrived(number, TreeEntry(path, 0, "directory", **more), 0)


class Writing:
    """A writer, and what it notes for whoever comes after a crash."""

    def __init__(self, base: Path, policy: IfExists = "fail", noted: Sequence[Putting] = ()) -> None:
        """Go on after what was noted."""
        self.writer = TreeWriter(base, OP, policy, "xxh3-128", lambda name: not name.startswith("."))
        self.noted = self.writer.recover(base, noted)

    def note(self, putting: tuple[Putting, ...]) -> None:
        """Keep it."""
        self.noted = putting

    def put(self, *entries: Arrived, between: Callable[[], object] = lambda: None) -> dict[int, Outcome]:
        """A whole group."""
        group = Group(entries)
        try:
            self.writer.write(group, self.note)
            group.sync(0, 1)
            between()
            self.writer.publish(group, self.note)
        finally:
            self.writer.clean(group)
        return group.outcomes

    def close(self) -> None:
        """Let go."""
        self.writer.finish()
        self.writer.close()


def put(base: Path, *entries: Arrived, policy: IfExists = "fail", **more: Any) -> list[Any]:
    """Settle one group; what became of each entry: its path, its error's code, or `skipped`."""
    writing = Writing(base, policy)
    try:
        outcomes = writing.put(*entries, **more)
    finally:
        writing.close()
    assert [path for path in base.rglob(".~*")] == []
    its = [outcomes[entry.number] for entry in entries]
    return ["skipped" if one.skipped else one.error.code if one.error else one.path for one in its]


def tree(base: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(base)): path.read_bytes() if path.is_file() else None for path in sorted(base.rglob("*"))
    }


def test_files_and_directories_appear_with_their_times(base: Path) -> None:
    results = put(
        base,
        made(0, "empty", mtime_ms=1_000_000),
        arrived(1, "a/b/c.txt", b"1", mtime_ms=2_000_000),
        arrived(2, "a/d.txt", b""),
        made(3, "a", mtime_ms=3_000_000),
    )
    assert results == ["empty", "a/b/c.txt", "a/d.txt", "a"]
    assert tree(base) == {"a": None, "a/b": None, "a/b/c.txt": b"1", "a/d.txt": b"", "empty": None}
    times = [(base / path).stat().st_mtime for path in ("empty", "a/b/c.txt", "a")]
    assert times == [1000, 2000, 3000]


def test_a_directory_has_its_time_as_soon_as_it_is_settled_and_after_later_files_of_the_stream(base: Path) -> None:
    """Whoever goes on in another stream knows nothing of it any more."""
    writing = Writing(base)
    writing.put(made(0, "a", mtime_ms=3_000_000), arrived(1, "a/b", b"1"))
    assert (base / "a").stat().st_mtime == 3000
    writing.put(arrived(2, "a/c", b"2"))
    assert (base / "a").stat().st_mtime > 3000
    writing.close()
    assert (base / "a").stat().st_mtime == 3000


@pytest.mark.parametrize(
    ("path", "code"),
    [
        *[("../x", Code.INVALID), ("a//b", Code.INVALID), ("/abs", Code.INVALID), ("a/../b", Code.INVALID)],
        *[(".hidden", Code.FORBIDDEN), ("a/.h/b", Code.FORBIDDEN), ("x" * 256, Code.INVALID), ("", Code.INVALID)],
        *[("file/under", Code.EXISTS), ("dir", Code.EXISTS), ("/".join("x" * 1600), Code.INVALID)],
    ],
)
def test_an_entry_that_cannot_be_leaves_the_others_alone(base: Path, path: str, code: Code) -> None:
    (base / "file").write_bytes(b"old")
    (base / "dir").mkdir()
    results = put(base, arrived(0, "first"), arrived(1, path), arrived(2, "sub/last"))
    assert results == ["first", code, "sub/last"]
    assert tree(base) == {"dir": None, "file": b"old", "first": b"data", "sub": None, "sub/last": b"data"}


def test_an_entry_that_fails_in_its_midst_does_not_move_the_others_elsewhere(base: Path) -> None:
    """The directories of a group stay open for all of its files: descriptors are numbers, and are used again."""
    results = put(
        base,
        arrived(0, "one/a"),
        arrived(1, "two/b", mtime_ms=10**30),
        arrived(2, "three/c"),
        arrived(3, "four/d"),
    )
    assert results == ["one/a", Code.INVALID, "three/c", "four/d"]
    assert {path for path, data in tree(base).items() if data is not None} == {"one/a", "three/c", "four/d"}


def test_a_directory_is_never_replaced_by_a_file_nor_the_reverse(base: Path) -> None:
    (base / "dir").mkdir()
    (base / "file").write_bytes(b"old")
    for policy in ("fail", "overwrite"):
        results = put(base, arrived(0, "dir"), made(1, "file"), arrived(2, "file/x"), made(3, "dir"), policy=policy)
        assert results[0] in (Code.EXISTS, Code.INVALID)
        assert results[1:] == [Code.EXISTS, Code.EXISTS, "dir"]
    assert tree(base) == {"dir": None, "file": b"old"}


def test_the_same_path_twice_is_as_the_policy_says(base: Path) -> None:
    assert put(base, arrived(0, "a", b"1"), arrived(1, "a", b"2")) == ["a", Code.EXISTS]
    assert put(base, arrived(0, "b", b"1"), arrived(1, "b", b"2"), policy="overwrite") == ["b", "b"]
    assert put(base, arrived(0, "c", b"1"), arrived(1, "c", b"2"), policy="rename") == ["c", "c-1"]
    assert put(base, arrived(0, "d", b"1"), arrived(1, "d", b"2"), policy="skip") == ["d", "skipped"]
    assert tree(base) == {"a": b"1", "b": b"2", "c": b"1", "c-1": b"2", "d": b"1"}


def test_an_entry_s_own_policy_and_what_it_expects_hold(base: Path) -> None:
    for name in "abcd":
        (base / name).write_bytes(b"old")
    results = put(
        base,
        arrived(0, "a", if_exists="skip"),
        arrived(1, "b", if_exists="rename"),
        arrived(2, "c", expect="another"),
        arrived(3, "d", expect="absent"),
        policy="overwrite",
    )
    assert results == ["skipped", "b-1", Code.CONFLICT, Code.EXISTS]
    assert [(base / name).read_bytes() for name in "abcd"] == [b"old"] * 4


def test_what_appears_meanwhile_is_as_the_policy_says(base: Path) -> None:
    policies: list[IfExists] = ["fail", "skip", "rename", "overwrite"]
    expected = [Code.EXISTS, "skipped", "rename-1", "overwrite"]
    for policy, result in zip(policies, expected, strict=True):
        target = base / policy
        appear = lambda target=target: target.write_bytes(b"theirs")  # noqa: E731
        assert put(base, arrived(0, policy), policy=policy, between=appear) == [result]
    assert [(base / policy).read_bytes() for policy in policies] == [b"theirs"] * 3 + [b"data"]


def test_what_arrived_wrongly_or_is_missing_is_told(base: Path) -> None:
    results = put(
        base,
        arrived(0, "a", root=file_root(b"other", "xxh3-128")),
        arrived(1, "b", root=None),
        Arrived(2, TreeEntry("c", missing=True), 0),
        arrived(3, "d"),
    )
    assert results == [Code.DIGEST_MISMATCH, Code.DIGEST_MISMATCH, Code.SOURCE_CHANGED, "d"]
    assert tree(base) == {"d": b"data"}


def test_a_full_disk_counts_nothing_of_the_group(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if bytes(data) == b"second":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(HubError) as caught:
        put(base, arrived(0, "a/first"), arrived(1, "a/second", b"second"))
    assert caught.value.code is Code.NO_SPACE
    assert tree(base) == {"a": None}


def test_links_inside_lead_where_jupyter_would_go(base: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (base / "link").symlink_to(tmp_path / "outside")
    (base / "dangling").symlink_to("nowhere")
    assert put(base, arrived(0, "link/a"), arrived(1, "dangling/b"), arrived(2, "dangling")) == [
        "link/a",
        Code.NOT_FOUND,
        "dangling",
    ]
    assert (tmp_path / "outside" / "a").read_bytes() == b"data"
    assert (base / "nowhere").read_bytes() == b"data"


class Killed(BaseException):
    """The process ends here: nothing after it happens."""


def dying(function: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    """Do it so often as is left, together with others, and then die."""

    def step(*arguments: Any, **more: Any) -> Any:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return function(*arguments, **more)

    return step


def put_over_a_kill(
    base: Path, monkeypatch: pytest.MonkeyPatch, policy: IfExists, steps: int, entries: Sequence[Arrived]
) -> dict[int, Outcome]:
    """Die after so many steps; the client sends the same entries again, cut into other groups. Nothing if none died."""
    left, writing = [steps], Writing(base, policy)
    with monkeypatch.context() as patch:
        for name in ("link", "unlink", "replace", "write"):
            patch.setattr(os, name, dying(getattr(os, name), left))
        patch.setattr(module, "_remove", lambda file: os.close(file.descriptor))
        died = False
        try:
            writing.put(*entries)
        except Killed:
            died = True
        writing.writer.close()
    outcomes: dict[int, Outcome] = {}
    again = Writing(base, policy, writing.noted if died else ())
    if died:
        outcomes = again.put(entries[0]) | again.put(*entries[1:])
        assert [one.error for one in outcomes.values()] == [None] * len(entries)
    again.close()
    return outcomes


@pytest.mark.parametrize("policy", ["fail", "overwrite", "rename", "skip"])
@pytest.mark.parametrize("steps", range(12))
def test_a_kill_after_any_step_makes_no_doubles_and_loses_nothing(
    base: Path, monkeypatch: pytest.MonkeyPatch, policy: IfExists, steps: int
) -> None:
    if policy in ("overwrite", "rename"):
        (base / "b").write_bytes(b"old")
    entries = [arrived(0, "a", b"1"), arrived(1, "b", b"2"), arrived(2, "sub/c", b"3")]
    outcomes = put_over_a_kill(base, monkeypatch, policy, steps, entries)
    renamed = {"b": b"old", "b-1": b"2"} if policy == "rename" else {"b": b"2"}
    assert tree(base) == {"a": b"1", **renamed, "sub": None, "sub/c": b"3"}
    if outcomes:
        assert outcomes[1].path == ("b-1" if policy == "rename" else "b")


def test_what_a_kill_has_left_can_be_removed(base: Path) -> None:
    writing = Writing(base)
    group = Group([arrived(0, "a"), arrived(1, "sub/b"), arrived(2, "c")])
    writing.writer.write(group, writing.note)
    assert len(list(base.rglob(".~*"))) == 3
    discard(base, OP, writing.noted)
    assert tree(base) == {"sub": None}
    writing.writer.clean(group)
    writing.close()


def test_a_late_owner_does_not_remove_what_the_newer_one_writes(base: Path) -> None:
    late, newer = Writing(base), Writing(base)
    old, new = Group([arrived(0, "a", b"same")]), Group([arrived(0, "a", b"same")])
    late.writer.write(old, late.note)
    newer.writer.write(new, newer.note)
    late.writer.clean(old)
    newer.writer.publish(new, newer.note)
    newer.writer.clean(new)
    assert tree(base) == {"a": b"same"}
    late.close()
    newer.close()


def test_whether_the_directory_is_still_there(base: Path) -> None:
    writing = Writing(base)
    assert writing.writer.is_at(base)
    base.rename(base.with_name("moved"))
    with pytest.raises(OSError):
        writing.writer.is_at(base)
    base.mkdir()
    assert not writing.writer.is_at(base)
    writing.close()
    writing.close()
