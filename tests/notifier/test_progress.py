"""How far something has come."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_ws_hub.notifier import progress as progress_module
from jupyter_ws_hub.notifier.progress import Progress, ScriptEnd, duration

WAIT_S = 5.0


class Told:
    """What was posted."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.posts: list[dict[str, Any]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, title: str, message: object = "", **fields: Any) -> bool:
        """Note it, when the gate is open."""
        self.gate.wait(WAIT_S)
        self.posts.append({"title": title, "message": message, **fields})
        return True

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for the thread."""
        end_s = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < end_s, self.posts
            time.sleep(0.002)


@pytest.fixture
def told() -> Told:
    return Told()


class Speechless(Exception):
    """What cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError


def test_it_begins_goes_on_and_ends_as_one_notification(told: Told) -> None:
    with Progress(told, "Training", 4, source="train.py") as progress:
        told.until(lambda: len(told.posts) == 1)
        progress.update()
        progress.update(2, "loss 0.1")
        told.until(lambda: len(told.posts) == 2)
    first, second, last = told.posts
    assert len({one["id"] for one in told.posts}) == 1
    assert {one["title"] for one in told.posts} == {"Training"}
    assert (first["progress"], first["message"], first["source"]) == (0.0, "0 of 4", "train.py")
    assert second["progress"] == 0.75
    assert second["message"].startswith("loss 0.1 · 3 of 4 · ")
    assert second["message"].endswith(" left")
    assert (last["level"], last["progress"], last["message"]) == ("success", 1.0, "3 of 4 in 0 s")


def test_the_work_does_not_wait_for_a_slow_server(told: Told) -> None:
    told.gate.clear()
    begun_s = time.monotonic()
    with Progress(told, "Training", 1000) as progress:
        for _ in range(1000):
            progress.update()
        assert time.monotonic() - begun_s < 1
        told.gate.set()
    assert told.posts[-1]["progress"] == 1.0
    assert len(told.posts) <= 3


@pytest.mark.parametrize(
    ("error", "level", "words"),
    [
        (ValueError("no luck"), "error", "At 1 of 3 after 0 s: ValueError: no luck"),
        (KeyboardInterrupt(), "warning", "Interrupted at 1 of 3 after 0 s"),
        (SystemExit(3), "error", "At 1 of 3 after 0 s: SystemExit: 3"),
        (ValueError("no luck\nTraceback: a secret"), "error", "At 1 of 3 after 0 s: ValueError: no luck"),
        (ValueError(), "error", "At 1 of 3 after 0 s: ValueError"),
        (Speechless(), "error", "At 1 of 3 after 0 s: Speechless"),
    ],
)
def test_how_it_ends_is_told(told: Told, error: BaseException, level: str, words: str) -> None:
    with pytest.raises(type(error)), Progress(told, "Training", 3) as progress:
        progress.update()
        raise error
    last = told.posts[-1]
    assert (last["level"], last["message"], last["progress"]) == (level, words, None)


def test_the_first_end_counts(told: Told) -> None:
    with Progress(told, "Training") as progress:
        progress.finish("all well")
        progress.fail("no")
        progress.update()
    assert [one["message"] for one in told.posts if one.get("level")] == ["all well"]


def test_a_long_reason_is_cut(told: Told) -> None:
    with Progress(told, "Training") as progress:
        progress.fail("x" * 10_000)
    assert len(told.posts[-1]["message"]) == progress_module.MAX_REASON_CHARACTERS


@pytest.mark.parametrize(
    ("done", "total", "fraction"),
    [(1, 4, 0.25), (5, 4, 1), (-1, 4, 0), (1, 0, 0), (1, None, 0), (float("nan"), 4, 0), (float("inf"), 4, 0)],
)
def test_a_fraction_is_always_one(told: Told, done: float, total: float | None, fraction: float) -> None:
    progress = Progress(told, "Training", total)
    progress.set(done)
    assert progress.fraction == fraction
    progress.finish()


def test_a_total_can_come_later(told: Told) -> None:
    with Progress(told, "Training") as progress:
        progress.set(5, "reading", total=10)
        assert progress.fraction == 0.5
    assert told.posts[-1]["message"].startswith("5 of 10 in ")


def test_threads_may_work_together(told: Told) -> None:
    with Progress(told, "Training", 4000) as progress:

        def work() -> None:
            for _ in range(1000):
                progress.update()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert progress.fraction == 1
    assert told.posts[-1]["message"].startswith("4000 of 4000")


def test_no_thread_is_left(told: Told) -> None:
    with Progress(told, "Training"):
        pass
    assert not [one for one in threading.enumerate() if one.name == "jupyter-ws-hub-progress"]


def test_a_child_that_was_forked_off_tells_nothing(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress(told, "Training", 3)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with progress._change:  # a lock whose holder is not there
        progress.update()
        progress.set(2)
        progress.finish()
    assert told.posts == []


class Cells:
    """IPython's events."""

    def __init__(self) -> None:
        """Nobody listens."""
        self.listeners: list[Callable[..., None]] = []
        self.events = self

    def register(self, event: str, listener: Callable[..., None]) -> None:
        """See IPython.core.events."""
        assert event == "post_run_cell"
        self.listeners.append(listener)

    def unregister(self, event: str, listener: Callable[..., None]) -> None:
        """See IPython.core.events."""
        self.listeners.remove(listener)

    def end(self, error: BaseException | None) -> None:
        """A cell has ended."""
        for listener in self.listeners[:]:
            listener(SimpleNamespace(error_in_exec=error))


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cells]:
    cells = Cells()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: cells))
    yield cells
    assert cells.listeners == []


@pytest.mark.parametrize(("error", "level"), [(ValueError("no luck"), "error"), (KeyboardInterrupt(), "warning")])
def test_a_cell_that_fails_has_failed_what_it_began(told: Told, cells: Cells, error: BaseException, level: str) -> None:
    Progress(told, "Training", 3).__enter__()
    cells.end(error)
    assert told.posts[-1]["level"] == level
    cells.end(ValueError("of another cell"))
    assert told.posts[-1]["level"] == level


def test_other_cells_have_nothing_to_do_with_it(told: Told, cells: Cells) -> None:
    progress = Progress(told, "Training", 3).__enter__()
    cells.end(None)
    cells.end(ValueError("of another cell"))
    assert not [one for one in told.posts if one.get("level")]
    progress.finish()


@pytest.mark.parametrize(("error", "level"), [(ValueError("no luck"), "error"), (None, "info")])
def test_a_loop_that_was_left_is_told_of_when_it_is_known_why(
    told: Told, cells: Cells, error: BaseException | None, level: str
) -> None:
    with pytest.raises(GeneratorExit), Progress(told, "Training", 3):
        raise GeneratorExit
    assert not [one for one in told.posts if one.get("level")]
    cells.end(error)
    (last,) = [one for one in told.posts if one.get("level")]
    assert (last["level"], last["message"].startswith("At " if error else "Stopped at ")) == (level, True)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """The errors that a script shows; without IPython."""
    shown: list[BaseException] = []
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, traceback: shown.append(error))
    return shown


def ends(told: Told) -> list[tuple[str, str]]:
    """How things ended, as it was told."""
    return [(one["level"], one["message"]) for one in told.posts if one.get("level")]


def leave(told: Told) -> Progress:
    """Leave a loop, by a break or an error: nobody knows."""
    progress = Progress(told, "Training", 3)
    with pytest.raises(GeneratorExit), progress:
        raise GeneratorExit
    return progress


def test_a_script_that_dies_in_its_loop_has_failed_and_its_error_is_shown(
    told: Told, script: list[BaseException]
) -> None:
    leave(told)
    assert ends(told) == []
    error = ValueError("no luck\nand more")
    sys.excepthook(ValueError, error, None)
    assert ends(told) == [("error", "At 0 of 3 after 0 s: ValueError: no luck")]
    assert script == [error]
    sys.excepthook(ValueError, ValueError("of another one"), None)
    assert len(ends(told)) == 1 and len(script) == 2


def test_a_script_that_goes_on_after_its_loop_has_left_it(
    told: Told, script: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress_module, "LEFT_S", 0.01)
    leave(told)
    told.until(lambda: bool(ends(told)))
    sys.excepthook(ValueError, ValueError("later"), None)
    assert ends(told) == [("info", "Stopped at 0 of 3 after 0 s")]


def test_in_a_thread_nobody_waits_for_an_error(told: Told, script: list[BaseException]) -> None:
    thread = threading.Thread(target=leave, args=(told,))
    thread.start()
    thread.join()
    assert ends(told) == [("info", "Stopped at 0 of 3 after 0 s")]


def test_of_many_loops_one_hook_is_left(told: Told, script: list[BaseException]) -> None:
    first = Progress(told, "First").__enter__()
    second = Progress(told, "Second").__enter__()
    first.finish()
    hook = sys.excepthook
    second.finish()
    for _ in range(3):
        with Progress(told, "Third"):
            pass
    assert sys.excepthook is hook and isinstance(hook, ScriptEnd) and not hook.watching


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (89.4, "89 s"), (90, "2 min"), (3500, "58 min"), (3600, "1 h 0 min"), (90000, "25 h 0 min")],
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
