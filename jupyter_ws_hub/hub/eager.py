"""Runs work at once, up to its first wait, instead of in the next turn of the event loop, and as a task from there on.

A turn and a task cost more than most handlers. Python 3.12 can begin tasks so; before, it is done with the functions
that asyncio documents for implementers of tasks
(https://docs.python.org/3/library/asyncio-extending.html#task-lifetime-support), and one task in reserve serves as the
current one of all work that never waits.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Coroutine, Generator
from contextvars import Context, copy_context
from types import coroutine
from typing import Any

_WARNS = "_log_destroy_pending"
"""Where a task keeps whether to complain when it is forgotten before its end; asyncio sets it so for its own."""

Work = Coroutine[Any, Any, None]


class Starter:
    """Starts the work of one owner."""

    def __init__(self) -> None:
        """Nothing is in reserve yet."""
        self._reserve: _Reserve | None = None

    def start(self, work: Work) -> asyncio.Task[None] | None:
        """Begin, and give the task that goes on; None if the work has ended already. Raises what its first step raises.

        To be called inside a task or a callback of the loop.
        """
        loop = asyncio.get_running_loop()
        if sys.version_info >= (3, 12):
            task = asyncio.Task(work, loop=loop, eager_start=True)
            return _unless_done(task)
        reserve, self._reserve = self._reserve or _Reserve(loop), None
        if not reserve.step(work):
            return reserve.task
        if reserve.is_clean() and self._reserve is None:
            self._reserve = reserve
        else:
            reserve.task.cancel()
        return None

    def close(self) -> None:
        """Let go of the reserve."""
        if self._reserve is not None:
            self._reserve.task.cancel()
            self._reserve = None


def _unless_done(task: asyncio.Task[None]) -> asyncio.Task[None] | None:
    if not task.done():
        return task
    task.result()
    return None


class _Reserve:
    """A task that waits for work whose first step was made in its name."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._context: Context = copy_context()
        self._clean = self._context.copy()
        self._given: asyncio.Future[None] = loop.create_future()
        self._work: Work | None = None
        self._waits_for: Any = None
        rest = self._go_on()
        rest.send(None)  # to where a cancel finds it
        self.task = asyncio.Task(rest, loop=loop, context=self._context)
        setattr(self.task, _WARNS, False)  # it may end with its loop: nothing is lost

    def is_clean(self) -> bool:
        """Whether the work has left no context variables to the next."""
        return self._context == self._clean

    def step(self, work: Work) -> bool:
        """Make the first step of `work`; True if that was all, else the task has it now."""
        loop, task = self._loop, self.task
        caller = asyncio.current_task(loop)
        if caller is not None:
            _leave_task(loop, caller)
        _enter_task(loop, task)
        try:
            self._waits_for = self._context.run(work.send, None)
        except StopIteration:
            return True
        finally:
            _leave_task(loop, task)
            if caller is not None:
                _enter_task(loop, caller)
        self._work = work
        if not self._given.done():
            self._given.set_result(None)
        return False

    @coroutine
    def _go_on(self) -> Generator[Any, Any, None]:
        """The task's own coroutine: the second and all further steps of the work it is given."""
        thrown: BaseException | None = None
        try:
            yield
            if self._work is None:
                yield from self._given
        except BaseException as error:
            if self._work is None:
                raise  # there is nobody else whom the cancel is for
            thrown = error
        work, waits_for, value = self._work, self._waits_for, None
        while work is not None:
            if thrown is None:
                try:
                    value = yield waits_for
                except GeneratorExit:
                    work.close()  # the loop has ended under it
                    raise
                except BaseException as error:  # noqa: BLE001  a cancel or a close is for the work
                    thrown = error
            try:
                if thrown is None:
                    waits_for = work.send(value)
                else:
                    cause, thrown = thrown, None
                    waits_for = work.throw(cause)
            except StopIteration:
                return
