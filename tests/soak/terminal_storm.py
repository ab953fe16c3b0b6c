"""Two terminals in a storm: one prints a lot, into the other a lot is typed, and their network is cut at random.

Both directions must arrive whole: what was printed is on the screen, what was typed is in the file, byte for byte.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from jupyter_ws_hub.cli.rest import request
from jupyter_ws_hub.cli.servers import Server

from ..support.address import until
from ..support.proxy import Fault, FaultProxy, Way
from ..support.server import TOKEN, RealServer
from ..support.terminal_user import TerminalUser, attached

BYTES_PER_S = 45_000
"""The line is slow, so that the output lasts for the whole storm."""
KEYS = 50
KEY_PAUSE_S = 0.02
CALM_S = 90.0
DEAD_EVERY = 50
"""One fault of so many is a connection that dies without a word."""


@dataclass
class Report:
    """What happened."""

    cuts: Counter[str] = field(default_factory=Counter)
    live_again_s: list[float] = field(default_factory=list)
    """After each cut that was told, until both clients had a connection."""
    connections: int = 0
    ended_early: int = 0
    """How many of the two programs were done before the last cut: none should be."""
    gaps: int = 0
    output_bytes: int = 0
    input_bytes: int = 0
    digests: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """For a person."""
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(self.cuts.items()))
        median_ms, most_ms = 1000 * statistics.median(self.live_again_s), 1000 * max(self.live_again_s)
        return (
            f"{kinds}; {self.connections} connections; {self.output_bytes} bytes printed, {self.input_bytes} typed;"
            f" live again after a told cut: median {median_ms:.0f} ms, longest {most_ms:.0f} ms"
        )


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class TerminalStorm:
    """One server, two terminals, one proxy."""

    def __init__(
        self, server: RealServer, proxy: FaultProxy, printer: TerminalUser, typist: TerminalUser, seed: int
    ) -> None:
        """`seed` decides what is cut when."""
        self.report = Report()
        self._server, self._proxy = server, proxy
        self._printer, self._typist = printer, typist
        self._chance = random.Random(seed)
        self._file = server.root / "typed"
        self._typed = bytearray()
        self._over = asyncio.Event()

    async def run(self, cuts: int, lines: int, *, pause_s: float) -> Report:
        """Cut so often while `seq 1 lines` is printed and something is typed; then let both end."""
        total = int(cuts * 10 * pause_s / KEY_PAUSE_S) * KEYS
        await self._command(self._printer, b"stty -echo -opost; PS1=; echo BE''GIN; seq 1 %d; exit 7\n" % lines)
        await self._command(self._typist, b"stty raw -echo; echo BE''GIN; head -c %d > typed; exit 8\n" % total)
        self._proxy.fault = Fault(down=Way(bytes_per_s=BYTES_PER_S, piece_bytes=4096))
        self._proxy.cut_all()
        typing = asyncio.create_task(self._type(total))
        for number in range(cuts):
            await asyncio.sleep(self._chance.uniform(0, 2 * pause_s))
            await self._fault(number)
        users = (self._printer, self._typist)
        self.report.ended_early = sum(user.client.exit is not None for user in users)
        self._proxy.fault = Fault()
        self._proxy.cut_all()
        self._over.set()
        await typing
        await until(lambda: all(user.client.exit is not None for user in users), "both exits", CALM_S)
        self._sum_up(lines)
        return self.report

    async def _command(self, user: TerminalUser, line: bytes) -> None:
        await user.type(line)
        await user.wait_for(b"BEGIN")

    async def _type(self, total: int) -> None:
        """Numbers, so that whoever compares sees where; at the end as fast as it goes."""
        while len(self._typed) < total:
            keys = b"%049d\n" % len(self._typed)
            self._typed += keys[: total - len(self._typed)]
            await self._typist.type(keys[: total - len(self._typed) + len(keys)])
            if not self._over.is_set():
                await asyncio.sleep(KEY_PAUSE_S)

    async def _fault(self, number: int) -> None:
        kind = self._chance.choice(["rst", "fin", "hole", "hole, then rst"])
        if number % DEAD_EVERY == DEAD_EVERY - 1:
            kind = "dead"
        self.report.cuts[kind] += 1
        links = [link for link in self._proxy.links if not link.ended.is_set()]
        if "hole" in kind:
            for link in links:
                link.stall()
            await asyncio.sleep(self._chance.uniform(0.02, 0.3))
        match kind:
            case "hole":
                for link in links:
                    link.flowing.set()
            case "dead":
                for link in links:
                    link.stall()
                await self._live_again("a second connection")
            case _:
                self._proxy.cut_all("fin" if kind == "fin" else "rst")
                began_s = time.monotonic()
                if number % 3 == 0:  # else it is cut again before, perhaps in the midst of its handshake
                    await self._live_again("a connection")
                    self.report.live_again_s.append(time.monotonic() - began_s)

    async def _live_again(self, what: str) -> None:
        users = [user for user in (self._printer, self._typist) if user.client.exit is None]
        before = [len(user.joins) for user in users]
        await until(lambda: all(len(u.joins) > n for u, n in zip(users, before, strict=True)), what, 30)

    def _sum_up(self, lines: int) -> None:
        report = self.report
        printed = bytes(self._printer.output).partition(b"BEGIN\n")[2]
        expected = "".join(f"{number}\n" for number in range(1, lines + 1)).encode()
        report.connections = self._printer.link.connections + self._typist.link.connections
        report.output_bytes, report.input_bytes = len(printed), self._file.stat().st_size
        report.gaps = self._printer.cleared + self._typist.cleared
        report.digests = {
            "printed": sha256(expected),
            "on the screen": sha256(printed),
            "typed": sha256(bytes(self._typed)),
            "in the file": sha256(self._file.read_bytes()),
        }


def new_terminal(server: Server, folder: str) -> str:
    return str(request(server, "api/terminals", {"cwd": folder})["name"])


@asynccontextmanager
async def terminal_storm(server: RealServer, seed: int) -> AsyncIterator[TerminalStorm]:
    """Both terminals, attached through a proxy."""
    direct = Server(server.url, TOKEN)
    names = [
        str((await asyncio.to_thread(request, direct, "api/terminals", {"cwd": str(server.root)}))["name"])
        for _ in range(2)
    ]
    async with FaultProxy(server.port) as proxy:
        through = Server(f"http://127.0.0.1:{proxy.port}{server.base_url}", TOKEN)
        async with (
            attached(through, names[0]) as (printer, _),
            attached(through, names[1], keys=False) as (typist, _),
        ):
            yield TerminalStorm(server, proxy, printer, typist, seed)
