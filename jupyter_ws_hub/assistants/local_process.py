"""The server's end of the local model's process: starts it, asks it, ends it when nobody asks, starts it when it dies.

One answer is computed at a time; others wait, a few of them.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from logging import Logger
from typing import Final, Literal, TypeAlias

import msgspec

from ..chat.assistant import Ask, AssistantError, Delta, Done, Piece, Queued, Turn, Usage
from ..protocol.codes import Code
from .local_messages import MAX_LINE_BYTES, Drop, Ended, Loaded, News, NotLoaded, Order, Question, Setup, Text, line

START: Final = "import sys; sys.path[:] = sys.argv[1:]; from jupyter_ws_hub.assistants.local_worker import main; main()"
"""Without `site`, as the helper of listings: the server's own search path is handed over."""
SETTLE_S: Final = 0.1
"""So long a process has to say that it computes nothing any more; then it is killed, and another one starts."""
END_S: Final = 1.0
STOP_S: Final = 1.0
MAX_PAUSE_S: Final = 60.0
RETRY_MS: Final = 5000
STDERR_BYTES: Final = 2000
NO_INSTRUCTION: Final = (
    "The runtime xllamacpp does not run on this processor: it lacks instructions that the runtime needs."
)
NO_PROCESSES: Final = "The server's event loop cannot start processes on this system, and the model needs one."

State: TypeAlias = Literal["ok", "starting", "down"]


class CannotLoad(Exception):
    """Why the model cannot be asked, for a person."""


class Process:
    """One life of the process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self.process = process
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self.news: asyncio.Queue[News | None] = asyncio.Queue()
        """What it says; None when it has ended. Bounded by the tokens of one answer."""
        self.stderr = b""
        self.was_killed = False
        """By us."""
        self._handle = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
        """Kills this process and no other one; `Process.kill` may take the exit status away from who waits for it."""
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._read_stderr())]
        self.ended = asyncio.create_task(self._wait())

    async def _read(self) -> None:
        decode = msgspec.json.Decoder(News).decode
        try:
            while data := await self._stdout.readline():
                self.news.put_nowait(decode(data))
        except (ConnectionError, ValueError, msgspec.DecodeError):  # a line that is too long, or is none: it is mad
            self._kill()

    async def _read_stderr(self) -> None:
        with suppress(ConnectionError):
            while data := await self._stderr.read(STDERR_BYTES):
                self.stderr = (self.stderr + data)[-STDERR_BYTES:]

    async def _wait(self) -> int:
        await asyncio.wait(self._tasks)
        self._stdin.close()
        try:
            async with asyncio.timeout(END_S):
                status = await self.process.wait()
        except TimeoutError:
            self._kill()
            status = await self.process.wait()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self.news.put_nowait(None)
        return status

    def send(self, order: Order) -> None:
        """Write to it."""
        self._stdin.write(line(order))

    def kill(self) -> None:
        """End it, at once: it has nothing to lose."""
        self.was_killed = True
        self._kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            if self._handle is not None and hasattr(signal, "pidfd_send_signal"):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            elif self.process.returncode is None:
                self.process.kill()

    async def load(self, setup: Setup) -> None:
        """Have the model loaded.

        Raises:
            CannotLoad: it is not.
        """
        self.send(setup)
        news = await self.news.get()
        if isinstance(news, Loaded):
            return
        self.kill()
        status = await self.ended
        if isinstance(news, NotLoaded):
            raise CannotLoad(news.reason.replace(setup.model, "the file"))
        if status == -signal.SIGILL:
            raise CannotLoad(NO_INSTRUCTION)
        raise CannotLoad(f"The model's process ended while it loaded the model ({_how(status)}).")


class LocalProcess:
    """The process of one model, over all its lives."""

    def __init__(self, logger: Logger, setup: Setup, *, keep_s: float, max_waiting: int) -> None:
        """Nothing runs before `start`, or the first question.

        `keep_s` seconds after the last answer it ends; `max_waiting` questions may wait.
        """
        self._logger, self._setup = logger, setup
        self._keep_s, self._max_waiting = keep_s, max_waiting
        self.state: tuple[State, str] = ("ok", "")
        self._newest: Process | None = None
        self._process: Process | None = None
        """The one that can be asked."""
        self._running: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._changed: asyncio.Future[None] | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._failures = 0
        self._stopped = False
        self._ids = itertools.count(1)
        self._settling: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The process id, None if it does not run."""
        return None if self._process is None or self._process.ended.done() else self._process.process.pid

    async def start(self) -> None:
        """Begin to start it, in the background."""
        self._wanted.set()
        if self._running is None and not self._stopped:
            self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End it."""
        self._stopped = True
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.wait([running])
        if self._newest is not None:  # it may just be ending
            self._newest.kill()
            await asyncio.wait([self._newest.ended])
        self._tell("down", "The server stops.")
        if self._settling:
            await asyncio.wait(self._settling, timeout=STOP_S)

    def _tell(self, state: State, reason: str = "") -> None:
        self.state = (state, reason)
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set_result(None)

    async def _run(self) -> None:
        """One life after the other."""
        while True:
            await self._wanted.wait()
            if self.state[0] == "ok":
                self._tell("starting", "Its model is being loaded.")
            try:
                await self._live()
            except CannotLoad as error:
                if self.state != ("down", str(error)):
                    self._logger.error("The local model cannot be asked. %s", error)
                self._tell("down", str(error))
                self._failures += 1
            if self._failures > 1:
                await asyncio.sleep(min(2.0 ** (self._failures - 2), MAX_PAUSE_S))

    async def _live(self) -> None:
        launch = asyncio.create_task(self._launch())
        try:
            await asyncio.shield(launch)
        except asyncio.CancelledError:  # asyncio may wait for ever for a process whose start is cancelled
            with suppress(CannotLoad):
                self._newest = Process(await launch)  # `stop` ends it
            raise
        process = self._newest = Process(launch.result())
        try:
            await process.load(self._setup)
            self._process = process
            self._tell("ok")
            await self._idle(process)
        finally:
            process.kill()
            await asyncio.wait([process.ended])

    async def _idle(self, process: Process) -> None:
        """Until it has ended, or nobody has asked for long."""
        while not process.ended.done():
            self._wanted.clear()
            await asyncio.wait([process.ended], timeout=self._keep_s)
            if not self._wanted.is_set() and not self._turn.locked() and not process.ended.done():
                self._process = None
                return
        self._wanted.set()
        self._tell("starting", "It starts again.")
        if not process.was_killed:
            self._failures += 1
            said = process.stderr.decode(errors="replace").strip()
            how = _how(process.ended.result())
            self._logger.warning("The local model's process has ended (%s); it is started again. %s", how, said)

    async def _launch(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        try:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", "-c", START, *filter(None, sys.path)),
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                limit=MAX_LINE_BYTES,
            )
        except NotImplementedError as error:
            raise CannotLoad(NO_PROCESSES) from error
        except OSError as error:
            raise CannotLoad(f"The model's process cannot be started: {error.strerror}.") from error

    async def _loaded(self) -> Process:
        """The process, with its model.

        Raises:
            AssistantError: there is none.
        """
        await self.start()
        while self.pid is None or self._process is None:
            state, reason = self.state
            if state == "down":
                raise AssistantError(f"The local model cannot be asked. {reason}", retry_after_ms=RETRY_MS)
            if self._changed is None:
                self._changed = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._changed)
        return self._process

    async def answer(self, turns: Sequence[Turn], ask: Ask, temperature: float) -> AsyncGenerator[Piece, None]:
        """Answer, as the port says, when those who asked before have been answered."""
        if self._waiting >= self._max_waiting:
            raise AssistantError(
                "Too many wait for the local model, which answers one at a time. Try again later.",
                code=Code.BUSY,
                retry_after_ms=RETRY_MS,
            )
        self._waiting += 1
        is_queued = self._turn.locked()
        try:
            if is_queued:
                yield Queued(self._waiting)
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        process: Process | None = None
        id, has_begun, is_over = next(self._ids), False, False
        try:
            if is_queued:
                yield Queued(0)
            process = await self._loaded()
            process.send(Question(id, list(turns), ask.max_output_tokens, temperature, ask.seed))
            while not is_over:
                news = await process.news.get()
                has_begun, is_over = True, not isinstance(news, Text)
                for piece in self._pieces(news):
                    yield piece
        finally:
            if process is None or is_over:
                self._turn.release()
            else:
                task = asyncio.create_task(self._settle(process, id, has_begun))
                self._settling.add(task)
                task.add_done_callback(self._settling.discard)
                await asyncio.shield(task)

    def _pieces(self, news: News | None) -> list[Piece]:
        if isinstance(news, Text):
            return [Delta(news.text)]
        if not isinstance(news, Ended):
            raise AssistantError("The local model's process has ended in the midst of the answer. Ask again.")
        if news.too_long:
            raise AssistantError("The question is too long for the local model.", code=Code.TOO_BIG)
        if news.error:
            raise AssistantError(f"The local model cannot answer: {news.error.replace(self._setup.model, 'the file')}")
        self._failures = 0
        return [Usage(news.input_tokens, news.output_tokens), Done(news.reason or "stop")]

    async def _settle(self, process: Process, id: int, has_begun: bool) -> None:
        """Have nothing computed any more for an answer that was dropped; the next one may begin then.

        While it reads the conversation it listens too seldom to end in time: then it is killed at once.
        """
        is_quiet = False
        if has_begun:
            process.send(Drop(id))
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLE_S):
                    while isinstance(await process.news.get(), Text):
                        pass
                    is_quiet = True
        if not is_quiet:
            process.kill()
            self._process = None  # nobody is to ask it while it ends
        self._turn.release()


def _how(status: int) -> str:
    """How a process has ended."""
    if status >= 0:
        return f"status {status}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else str(-status)
    return f"{name}, perhaps for want of memory" if -status == signal.SIGKILL else name
