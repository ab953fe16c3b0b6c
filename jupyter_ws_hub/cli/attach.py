"""A session: the user's standard input and output on one end, a terminal of a server on the other."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import sys
from collections import deque
from dataclasses import dataclass
from typing import Final

from ..protocol.terminal import Exit
from ..protocol.terminal_client import Cleared, Joined, Output, TerminalClient
from ..protocol.terminal_input import SIGNALS
from ..protocol.terminal_opening import MAX_BYTE_OFFSET
from .detach_keys import DetachKeys
from .servers import FAILED, REFUSED, Server
from .streams import Keyboard, Screen
from .terminal_link import Away, Back, LinkEvent, TerminalLink
from .terminal_socket import Ending, Why
from .tty import CLEAR, RESET, RESTORE_TITLE, SAVE_TITLE, RawMode, ends_inside, extent, title

NOTICE_S: Final = 1.0
"""A shorter interruption is nobody's business."""
PROMPT_S: Final = 1.0
"""A file is sent when the program has said something, or after this: a shell that starts may misread what is early."""
FLUSH_S: Final = 1.0
END_S: Final = 1.0
ENDS: Final = 60
"""The end of a file is told again after each second of silence, as it is lost on a shell that just runs a command."""
SIGNALLED: Final = 128
TAIL_BYTES: Final = 512
CTRL_D: Final = b"\x04"
SIGNAL_KEYS: Final = re.compile(b"([" + bytes(SIGNALS) + b"])")
STDIN, STDOUT = 0, 1


@dataclass(frozen=True)
class Options:
    """How to attach."""

    detach_keys: str
    read_only: bool = False
    history: int = MAX_BYTE_OFFSET


@dataclass(frozen=True)
class Outcome:
    """The exit status of the command, and a sentence, if there is something to say."""

    status: int
    message: str = ""


class Session:
    """One attachment, from the first connection to its end. `run` once."""

    def __init__(self, server: Server, name: str, options: Options, raw: RawMode | None) -> None:
        """`raw` is the mode of standard input where that is a terminal; it is set by the caller."""
        self._server = server
        self._options = options
        self._raw = raw
        self._client = TerminalClient(secrets.token_urlsafe(16), history=options.history, keys=raw is not None)
        self._link = TerminalLink(server, name, self._client, self._on_event, self._push)
        self._keys = DetachKeys(options.detach_keys if raw is not None else "")
        self._has_screen = os.isatty(STDOUT)
        self._screen = Screen(STDOUT, self._link.consumed, self._on_broken_pipe)
        self._keyboard = Keyboard(STDIN, self._on_data)
        self._tail = b""
        self._waiting: deque[bytes] = deque()
        self._last = b"\n"
        self._signal = 0
        self._broken_pipe = False
        self._signalled = asyncio.Event()
        self._notice: asyncio.TimerHandle | None = None
        self._noticed = False
        self._silent_s = 0.0

    async def run(self) -> Outcome:
        """Until the shell ends, the user leaves, or it cannot go on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, self._on_signal, number)
        loop.add_signal_handler(signal.SIGWINCH, self._resize)
        loop.add_signal_handler(signal.SIGCONT, self._continue)
        self._resize()
        if self._raw is not None:
            self._keyboard.resume()
        elif not self._options.read_only:
            loop.call_later(PROMPT_S, self._keyboard.resume)
        try:
            ending = await self._link.run()
        finally:
            self._keyboard.pause()
            self._calm()
            await self._finish()
        return self._outcome(ending)

    async def _finish(self) -> None:
        """All output goes out, where somebody takes it; the user's terminal is left as it was."""
        if self._has_screen:
            self._screen.write(RESET)
        flushed = asyncio.ensure_future(self._screen.flush())
        signalled = asyncio.ensure_future(self._signalled.wait())
        patience_s = None if self._client.exit is not None and not self._signal else FLUSH_S
        await asyncio.wait([flushed, signalled], timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        flushed.cancel()
        signalled.cancel()

    def _outcome(self, ending: Ending) -> Outcome:
        if self._signal:
            return Outcome(SIGNALLED + self._signal)
        if self._broken_pipe:
            return Outcome(FAILED)
        match ending.why:
            case Why.EXITED:
                return self._exited()
            case Why.DETACHED:
                return Outcome(0, "[detached]" if self._raw is not None else "")
            case Why.REFUSED:
                return Outcome(REFUSED, f"{ending.message} {self._server.login_advice}")
        return Outcome(FAILED, ending.message)

    def _exited(self) -> Outcome:
        ended = self._client.exit
        assert ended is not None
        if ended.code < 0:
            return Outcome(FAILED, "The shell has ended; its exit status is not known.")
        how = f"was ended by signal {ended.signal}" if ended.signal else f"exited with status {ended.code}"
        return Outcome(ended.code & 0xFF, f"[the shell {how}]" if self._raw is not None else "")

    # What comes

    def _on_event(self, event: LinkEvent) -> None:
        match event:
            case Output(data, until):
                self._silent_s = 0.0
                self._tail = (self._tail + data)[-TAIL_BYTES:]
                self._screen.write(data, until)
                if self._raw is None and not self._options.read_only:
                    self._keyboard_may_go_on()
            case Joined():
                self._calm()
                if event.lost_input:
                    self._say(f"{event.lost_input} bytes that were typed may be lost")
                if event.welcome.read_only and event.first:
                    self._say("you may watch, but not type")
            case Cleared(missing):
                self._tail = b""
                if self._has_screen:
                    self._screen.write(CLEAR)
                elif missing:
                    self._say(f"{missing} bytes of output are missing here")
            case Away():
                if self._notice is None:
                    self._notice = asyncio.get_running_loop().call_later(NOTICE_S, self._show_notice)
            case Back() | Exit():
                self._calm()
            case _:
                pass

    def _say(self, text: str) -> None:
        if self._has_screen:
            self._screen.write(f"\r\n[{text}]\r\n".encode())
        else:
            print(f"[{text}]", file=sys.stderr, flush=True)

    def _show_notice(self) -> None:
        """Quietly: in the window's title, where there is one."""
        if not self._has_screen:
            self._noticed = True
            self._say("no connection; trying again")
        elif not ends_inside(self._tail):
            self._noticed = True
            self._screen.write(SAVE_TITLE + title("no connection; trying again; keys will arrive"))

    def _calm(self) -> None:
        if self._notice is not None:
            self._notice.cancel()
            self._notice = None
        if self._noticed:
            self._noticed = False
            if self._has_screen:
                self._screen.write(RESTORE_TITLE)
            else:
                self._say("connected again" if self._client.connected else "no connection")

    def _on_broken_pipe(self, error: OSError) -> None:
        """Nobody reads the output any more."""
        self._broken_pipe = True
        self._link.detach()

    # What goes

    def _on_data(self, data: bytes) -> None:
        if not data:
            self._on_end()
            return
        out, left = self._keys.feed(data)
        if out and not self._options.read_only:
            self._last = out
            self._waiting.extend(part for part in (SIGNAL_KEYS.split(out) if self._raw else [out]) if part)
            self._push()
        if left:
            self._link.detach()

    def _push(self) -> None:
        while self._waiting:
            data = self._waiting.popleft()
            taken = self._link.send(data)
            if taken < len(data):
                self._waiting.appendleft(data[taken:])
                self._keyboard.pause()
                return
        if self._raw is not None:
            self._keyboard.resume()
        else:
            self._keyboard_may_go_on()

    def _keyboard_may_go_on(self) -> None:
        if not self._waiting and not self._options.read_only:
            self._keyboard.resume()

    def _on_end(self) -> None:
        """The end of a file ends the shell, as it does everywhere; a terminal that has gone takes nobody along."""
        if self._raw is not None:
            self._on_signal(signal.SIGHUP)
            return
        self._waiting.append(CTRL_D if self._last.endswith((b"\n", b"\r")) else 2 * CTRL_D)
        self._push()
        self._silent_s = 0.0
        asyncio.get_running_loop().call_later(END_S, self._repeat_end, ENDS)

    def _repeat_end(self, left: int) -> None:
        self._silent_s += END_S
        if self._silent_s > END_S and not self._waiting and self._client.connected and not self._client.input.unread:
            self._link.send(CTRL_D)
        if left:
            asyncio.get_running_loop().call_later(END_S, self._repeat_end, left - 1)

    # Signals

    def _on_signal(self, number: int) -> None:
        self._signal = number
        self._signalled.set()
        self._link.detach()

    def _resize(self) -> None:
        if self._has_screen or self._raw is not None:
            self._link.resize(*extent(STDOUT if self._has_screen else STDIN))

    def _continue(self) -> None:
        if self._raw is not None:
            self._raw.set()
            self._resize()
