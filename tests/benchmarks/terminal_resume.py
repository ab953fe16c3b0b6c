"""A terminal whose network breaks: how long until its output goes on, once the network is there again.

The client is that of the command line. The program in the terminal writes a numbered line with its time every 5 ms, so
nothing can be missing unseen.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from jupyter_ws_hub.cli.servers import Server
from jupyter_ws_hub.cli.terminal_link import LinkEvent, TerminalLink
from jupyter_ws_hub.protocol.terminal_client import Cleared, Joined, Output, TerminalClient
from tests.support.proxy import Fault, FaultProxy, Way
from tests.support.server import TOKEN

from .harness import Bar, Bench, Figure
from .terminal_systems import System, new_terminal, ours

TITLE = "a terminal that writes all the time: cut by RST, without a network for 1 s, in a black hole for 10 s"
CLOCK: Final = """import time
number = 0
while True:
    print(number, time.monotonic_ns(), flush=True)
    number += 1
    time.sleep(0.005)
"""
CUTS: Final = 10
AWAY_S: Final = 1.0
HOLE_S: Final = 10.0
STEADY_S: Final = 0.5
"""Between two faults the output flows for so long, and up to as much longer."""
TYPE_EVERY_S: Final = 0.5
WAIT_S: Final = 30.0
DEAF: Final = Fault(up=Way(swallow_after=0), down=Way(swallow_after=0))


class Screen:
    """What a client shows: the numbers, and when which time was seen."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self.link: TerminalLink | None = None
        self.numbers: list[int] = []
        self.stamp_ns = 0
        """The newest time that the program has told."""
        self.joined_ns = self.resumed_ns = 0
        """When the newest connection was made, and when it brought its first output."""
        self.cleared = 0
        self._line = b""
        self._changed = asyncio.Event()

    def on_event(self, event: LinkEvent) -> None:
        """Show output; note when connections are made."""
        if isinstance(event, Joined):
            self.joined_ns = time.monotonic_ns()
        elif isinstance(event, Cleared) and self.numbers:
            self.cleared += 1
        elif isinstance(event, Output):
            self._show(event)
        self._changed.set()

    def _show(self, output: Output) -> None:
        assert self.link is not None
        if self.resumed_ns < self.joined_ns:
            self.resumed_ns = time.monotonic_ns()
        *lines, self._line = (self._line + output.data).split(b"\n")
        for line in lines:
            words = line.split()
            if len(words) == 2 and words[0].isdigit():
                self.numbers.append(int(words[0]))
                self.stamp_ns = int(words[1])
        self.link.consumed(output.until)

    async def resumed_after(self, then_ns: int) -> float:
        """Milliseconds from then to the first output on a connection that was made after it."""
        return await self._until(then_ns, lambda: self.resumed_ns if self.joined_ns > then_ns else 0)

    async def live_after(self, then_ns: int) -> float:
        """Milliseconds from then until output was seen that the program has written after it."""
        return await self._until(then_ns, lambda: self.stamp_ns)

    async def _until(self, then_ns: int, newest: Callable[[], int]) -> float:
        async with asyncio.timeout(WAIT_S):
            while newest() <= then_ns:
                self._changed.clear()
                await self._changed.wait()
        return (time.monotonic_ns() - then_ns) / 1e6

    def check(self) -> None:
        """Nothing is missing, nothing came twice.

        Raises:
            RuntimeError: otherwise.
        """
        first = self.numbers[0]
        if self.cleared or self.numbers != list(range(first, first + len(self.numbers))):
            raise RuntimeError(f"lines are missing or doubled; the screen was cleared {self.cleared} times")


async def steady() -> None:
    """Let the output flow; faults come at no special moment."""
    await asyncio.sleep(STEADY_S * (1 + secrets.randbelow(1000) / 1000))


async def cut(proxy: FaultProxy, screen: Screen) -> float:
    """The network is there again at once."""
    then_ns = time.monotonic_ns()
    proxy.cut_all()
    return await screen.resumed_after(then_ns)


async def go_away(proxy: FaultProxy, screen: Screen, dead_port: int) -> float:
    """Connections are refused for a while."""
    port, proxy.target_port = proxy.target_port, dead_port
    proxy.cut_all()
    await asyncio.sleep(AWAY_S)
    proxy.target_port = port
    return await screen.resumed_after(time.monotonic_ns())


async def fall_into_a_hole(proxy: FaultProxy, screen: Screen) -> float:
    """Nothing passes and nobody is told; what was opened before or in the hole never speaks again."""
    proxy.fault = DEAF
    for link in proxy.links:
        link.stall()
    await asyncio.sleep(HOLE_S)
    proxy.fault = Fault()
    return await screen.live_after(time.monotonic_ns())


@contextlib.asynccontextmanager
async def watching(system: System, proxy: FaultProxy, program: str) -> AsyncIterator[Screen]:
    """A client through the proxy that types now and then."""
    screen = Screen()
    server = Server(f"http://127.0.0.1:{proxy.port}/", TOKEN)
    link = TerminalLink(server, new_terminal(system.port), TerminalClient(secrets.token_hex(8)), screen.on_event)
    screen.link = link

    async def type_on() -> None:
        link.send(program.encode())
        while True:
            await asyncio.sleep(TYPE_EVERY_S)
            link.send(b"x")

    tasks = [asyncio.create_task(link.run()), asyncio.create_task(type_on())]
    try:
        await screen.live_after(time.monotonic_ns())
        yield screen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def measure(system: System, program: str) -> tuple[list[float], float, float]:
    """Milliseconds after each cut, after a while without a network, and after a hole."""
    async with FaultProxy(system.port) as proxy, watching(system, proxy, program) as screen:
        cuts = []
        for _ in range(CUTS):
            await steady()
            cuts.append(await cut(proxy, screen))
        await steady()
        away = await go_away(proxy, screen, dead_port=1)
        await steady()
        hole = await fall_into_a_hole(proxy, screen)
        await steady()
        screen.check()
    return cuts, away, hole


def run(bench: Bench) -> list[Figure]:
    """Measure; stock clients do not come back by themselves after a hole, so there is no peer."""
    system = ours(bench.lab)
    longest, medians, aways, holes = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="resume-") as folder:
        clock = Path(folder) / "clock.py"
        clock.write_text(CLOCK)
        program = f"stty -echo; exec {sys.executable} {clock}\n"
        for number in range(bench.rounds):
            cuts, away, hole = asyncio.run(measure(system, program))
            longest.append(max(cuts))
            medians.append(sorted(cuts)[len(cuts) // 2])
            aways.append(away)
            holes.append(hole / 1000)
            bench.say(f"round {number + 1}: {max(cuts):.0f} ms after a cut, {hole / 1000:.2f} s after a hole")
    return [
        Figure("first missed byte after a cut, the longest of ten", "ms", longest, bar=Bar("≤", 250)),
        Figure("first missed byte after a cut, p50", "ms", medians),
        Figure("first missed byte after 1 s without a network", "ms", aways, note="until the next attempt is due"),
        Figure("live again after a black hole of 10 s", "s", holes, bar=Bar("≤", 3)),
    ]
