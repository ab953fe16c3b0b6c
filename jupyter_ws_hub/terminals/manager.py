"""The server's terminal manager, with PTYs of ours. It takes the stock one's place while extensions are linked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from logging import Logger
from typing import Any, Final

from jupyter_server.prometheus.metrics import TERMINAL_CURRENTLY_RUNNING_TOTAL
from jupyter_server_terminals.terminalmanager import TerminalManager
from terminado.management import PtyWithClients
from traitlets import Float, Integer

from ..turns import Turns
from .process import HubPtyProcess, end_of
from .pty import HubPty

MAX_ENDED: Final = 16
"""Terminals that have ended and are kept for clients that are away."""

REMOVED_S: Final = 1.0


class _AtOnce(Executor):
    """Runs what it is given where it stands: input is queued and waits for nobody, so no thread is needed.

    The stock endpoint reads its next message when the future is done: later, where a program leaves much unread.
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See Executor."""
        future: Future[Any] = Future()
        try:
            result = function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # it is the caller's, as any executor's
            future.set_exception(error)
            return future
        process = _process_of(function, args)
        if process is None:
            future.set_result(result)
        else:
            process.input.when_short(lambda: future.set_result(result))
        return future


def _process_of(function: Callable[..., Any], args: tuple[Any, ...]) -> HubPtyProcess | None:
    """The process that something was written to: by its own method, or by that of a terminado socket."""
    owner = getattr(function, "__self__", args[0] if args else None)
    process = owner if isinstance(owner, HubPtyProcess) else getattr(getattr(owner, "terminal", None), "ptyproc", None)
    return process if isinstance(process, HubPtyProcess) else None


def _ours(pty: PtyWithClients) -> HubPty:
    assert isinstance(pty, HubPty)  # `new_terminal` makes no others
    return pty


class HubTerminalManager(TerminalManager):
    """See jupyter_server_terminals' TerminalManager."""

    ring_bytes = Integer(
        4 * 1024 * 1024,
        min=64 * 1024,
        help="Bytes of a terminal's last output that are kept for clients that come back.",
    ).tag(config=True)
    after_life_s = Float(
        60.0,
        min=0,
        help="Seconds that the output and exit status of a terminal are kept after its end, for clients that are away.",
    ).tag(config=True)

    log: Logger

    def __init__(self, **kwargs: Any) -> None:
        """As the stock one's; it has no thread for input."""
        super().__init__(blocking_io_executor=_AtOnce(), **kwargs)
        self._ended: dict[str, HubPty] = {}
        self._turns = Turns()

    def new_terminal(self, **kwargs: Any) -> HubPty:
        """See TermManagerBase; on the event loop."""
        options = {**self.term_settings, "shell_command": self.shell_command, **kwargs}
        env = self.make_term_env(**options)
        return HubPty(options["shell_command"], env, options.get("cwd"), self.ring_bytes, self._turns, self.log)

    def start_reading(self, ptywclients: PtyWithClients) -> None:
        """See TermManagerBase."""
        pty = _ours(ptywclients)
        self.ptys_by_fd[pty.ptyproc.fd] = pty
        self.pre_pty_read_hook(pty)  # a terminal that was not made by `create` has its activity, too
        pty.start_reading(lambda: self.pre_pty_read_hook(pty), lambda: self.on_eof(pty))

    def on_eof(self, ptywclients: PtyWithClients) -> None:
        """A terminal has ended: its name is free, its output stays for a while."""
        pty, name = _ours(ptywclients), ptywclients.term_name or ""
        self.log.info("Terminal %s closed", name)
        self.ptys_by_fd.pop(pty.ptyproc.fd, None)
        if self.terminals.get(name) is pty:
            del self.terminals[name]
        TERMINAL_CURRENTLY_RUNNING_TOTAL.set(len(self.terminals))
        self._ended[pty.epoch] = pty
        while len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        self._forget_later(pty)

    def _forget_later(self, pty: HubPty) -> None:
        """Forget what has ended some time after the last client has left it."""

        def forget() -> None:
            if pty.viewers:
                self._forget_later(pty)
            else:
                self._ended.pop(pty.epoch, None)

        asyncio.get_running_loop().call_later(self.after_life_s, forget)

    async def terminate(self, name: str, force: bool = False) -> None:
        """See TerminalManager; the terminal is not listed any more when this returns, unless it lives on."""
        pty = self.terminals.get(name)
        await super().terminate(name, force=force)
        if pty is not None and await end_of(_ours(pty).ptyproc, REMOVED_S):
            await _ours(pty).wait_for_end(REMOVED_S)
        TERMINAL_CURRENTLY_RUNNING_TOTAL.set(len(self.terminals))

    def find(self, name: str, epoch: str | None) -> HubPty | None:
        """The terminal of this name, also one that has ended where it is asked for by its epoch; None if it is gone."""
        pty = self.terminals.get(name)
        if pty is not None and epoch in (None, _ours(pty).epoch):
            return _ours(pty)
        ended = self._ended.get(epoch) if epoch is not None else None
        return ended if ended is not None and ended.term_name == name else None
