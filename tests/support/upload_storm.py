"""Random walks of uploads to a real server over a bad network; what must hold is looked at after each step.

After any sequence of cuts at any byte, deaths and restarts of the server, pauses, second streams, wrong offsets, wrong
digests and bytes too many there is either the whole new file or what was there before, and an upload that has not ended
can be brought to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Set
from pathlib import Path
from typing import Any, Literal, TypeAlias

from jupyter_ws_hub.protocol import transfer
from jupyter_ws_hub.protocol.codec import encode_chunk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import BLOCK_BYTES, Done

from .address import NET_ERRORS, Address
from .client import HubClient
from .file_client import AlreadyDone, FileClient, root_of
from .proxy import Fault, FaultProxy, How, Way
from .server import RealServer

Policy: TypeAlias = Literal["fail", "overwrite", "rename"]
FileEnd: TypeAlias = Literal["finish", "kill", "cancel", "late cancel", "wrong", "rival"]
ATTEMPTS = 40
PASSING = {Code.SUPERSEDED, Code.SHUTTING_DOWN, Code.BUSY}
"""Errors after which a client goes on with a new stream; `wrong_offset` and `too_big` are those that it asks for."""
GONE = frozenset({Code.CANCELLED, Code.NOT_FOUND})
"""What the streams of a cancelled upload are told."""
LEFT_OPEN = 12
"""Descriptors that a server may have more than at its start: its database, its log, its loop."""


def sizes(chance: random.Random) -> int:
    """Nothing, little, exact blocks and one byte beside them, and more than one window."""
    return chance.choice([0, 1, 70_000, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES, 9_000_000])


class Storm:
    """One server, one proxy before it, and a source of chance."""

    def __init__(self, server: RealServer, proxy: FaultProxy, seed: int) -> None:
        """The server runs."""
        self.server, self.proxy, self.chance = server, proxy, random.Random(seed)
        self.done: Counter[str] = Counter()
        """How often what was done to uploads, and how they ended."""
        self.descriptors = server.descriptors

    async def ask(self, method: str, **params: Any) -> Any:
        """A request on /ws, not over the bad network."""
        async with HubClient(Address.of(self.server)) as hub:
            return await hub.request(f"transfers.{method}", params)

    @property
    def address(self) -> Address:
        """The server's, behind the proxy."""
        return Address.of(self.server, self.proxy.port)

    def bad_network(self, about_bytes: int) -> None:
        """The next connections end somewhere, in some way."""
        after, up = self.chance.randrange(1, about_bytes + 2000), self.chance.random() < 0.7
        way = Way(cut_after=after if up else self.chance.randrange(1, 3000))
        how: How = self.chance.choice(["rst", "fin"])
        self.proxy.fault = Fault(up=way if up else Way(), down=Way() if up else way, how=how)

    def good_network(self) -> None:
        """Nothing is cut any more."""
        self.proxy.fault = Fault()

    async def kill(self, during: Awaitable[Any] | None = None) -> None:
        """Kill the server at a random moment of something, and start it again."""
        task = asyncio.ensure_future(during) if during is not None else None
        await asyncio.sleep(self.chance.choice([0, 0.005, 0.02, 0.05, 0.1]))
        self.server.kill()
        if task is not None:
            await asyncio.wait([task])
            self.expect(task.exception())
        await asyncio.to_thread(self.server.start)
        self.done["kill"] += 1

    def expect(self, error: BaseException | None, more: Set[Code] = frozenset()) -> None:
        """Raise what neither a bad network nor a takeover explains."""
        if error is None or isinstance(error, NET_ERRORS):
            return
        if not isinstance(error, HubError) or error.code not in PASSING | more | {Code.PAUSED}:
            raise error

    async def insist(self, work: Callable[[], Awaitable[Done]]) -> Done:
        """Go on over every break."""
        for _ in range(ATTEMPTS):
            try:
                return await work()
            except NET_ERRORS:
                continue
            except HubError as error:
                self.expect(error)
                await asyncio.sleep((error.retry_after_ms or 20) / 1000)
        raise AssertionError("it never came to an end")

    def hidden(self) -> list[Path]:
        """Partial files."""
        return list(self.server.root.rglob(".~*"))

    def check_end(self) -> None:
        """Nothing is left of uploads that have ended."""
        assert self.hidden() == []
        journal = self.server.data / "ws_hub" / "transfers"
        half_written = [path.name for path in journal.iterdir() if path.suffix == ".new"]
        assert len(half_written) <= self.done["kill"], "a death leaves one record at most, which is removed after a day"
        assert "Traceback" not in self.server.log_text, self.server.log_text[-4000:]


class FileWalk:
    """One file's upload."""

    def __init__(self, storm: Storm, number: int) -> None:
        """Choose a size, a policy and what was there before."""
        self.storm, self.chance = storm, storm.chance
        self.name = f"file{number}.bin"
        self.data = self.chance.randbytes(sizes(self.chance))
        self.policy: Policy = self.chance.choice(["fail", "overwrite", "rename"])
        self.old = None if self.policy == "fail" else b"old"
        self.new_name = f"file{number}-1.bin" if self.policy == "rename" else self.name
        self.op = ""
        self.ended: str | None = None
        self.ends: dict[FileEnd, Callable[[], Awaitable[None]]] = {
            **{"finish": self.finish, "kill": self.kill, "wrong": self.wrong_root},
            **{"cancel": self.cancel, "late cancel": self.late_cancel, "rival": self.rival},
        }
        self.may_finish = False
        """Whether a step may be the last one; else each of its streams vanishes before it can say that all is sent."""

    @property
    def root(self) -> Path:
        """Where files go."""
        return self.storm.server.root

    def client(self) -> FileClient:
        """A client over the bad network."""
        return FileClient(self.storm.address, self.op)

    def look(self) -> bool:
        """Whether the new file is there, whole; the old one is whole until then."""
        found: dict[str, bytes] = {}
        for name in {self.name, self.new_name}:  # each is read once: it may be published just now
            with contextlib.suppress(FileNotFoundError):
                found[name] = (self.root / name).read_bytes()
        is_new = found.get(self.new_name) == self.data
        if self.old is not None and not (is_new and self.policy == "overwrite"):
            assert found[self.name] == self.old
        if not is_new:
            assert set(found) == ({self.name} if self.old is not None else set())
        return is_new

    async def run(self, actions: int, end: FileEnd) -> None:
        """Some steps, and the end, if it has not come before."""
        if self.old is not None:
            (self.root / self.name).write_bytes(self.old)
        made = await self.storm.ask(
            "create", direction="upload", path=self.name, size=len(self.data), if_exists=self.policy
        )
        self.op = made["op"]
        self.may_finish = end in ("finish", "kill")
        steps = [self.stop, self.wrong_offset, self.too_much, self.cut, self.cut, self.pause, self.two, self.die]
        for _ in range(actions):
            if self.ended is None:
                step = self.chance.choice(steps)
                self.storm.done[step.__name__] += 1
                await step()
                self.look()
        if self.ended is None:
            await self.ends[end]()
        self.storm.good_network()
        assert self.look() == (self.ended == "done")
        self.storm.done[str(self.ended)] += 1

    async def attempt(self, work: Awaitable[Done | None], more: Set[Code] = frozenset()) -> None:
        """One stream; it may come to the end."""
        try:
            if await work is not None:
                self.ended = "done"
        except (*NET_ERRORS, HubError) as error:
            self.storm.expect(error, more)

    def send(self) -> Awaitable[Done | None]:
        """A stream of this file, to its end if the walk may end there."""
        stop_at = None if self.may_finish else self.chance.randrange(len(self.data) + 1)
        return self.client().upload(self.data, stop_at=stop_at)

    async def die(self) -> None:
        """A death of the server in the midst of it."""
        await self.storm.kill(self.attempt(self.send()))

    async def cut(self) -> None:
        """A connection that ends at any byte."""
        self.storm.bad_network(len(self.data))
        await self.attempt(self.send())
        self.storm.good_network()

    async def stop(self) -> None:
        """A client that vanishes."""
        await self.attempt(self.client().upload(self.data, stop_at=self.chance.randrange(len(self.data) + 1)))

    async def two(self) -> None:
        """Two streams at once: one of them loses the upload to the other."""
        await asyncio.gather(self.attempt(self.send()), self.attempt(self.send()))
        assert self.ended == "done" or not self.may_finish

    async def rival(self) -> None:
        """Two streams at once that have other bytes: a file of both would be nobody's."""
        self.storm.done["rival"] += 1
        both = [self.data, self.chance.randbytes(len(self.data))]
        self.chance.shuffle(both)

        async def late(data: bytes, pause_s: float) -> Done | None:
            await asyncio.sleep(pause_s)
            return await self.client().upload(data)

        pauses_s = (0, self.chance.choice([0, 0.005, 0.02, 0.05]))
        results = await asyncio.gather(*map(late, both, pauses_s), return_exceptions=True)
        for result in results:
            if isinstance(result, Done):
                (self.data,) = {data for data in both if root_of(data) == result.root}
                self.ended = "done"
            elif isinstance(result, HubError) and result.code is Code.DIGEST_MISMATCH:
                self.ended = self.ended or "failed"
            elif result is not None:
                self.storm.expect(result)
        assert self.ended is not None, results

    async def pause(self) -> None:
        """A pause while it runs, and the refusal of a stream until it is resumed."""
        running = asyncio.create_task(self.attempt(self.send()))
        await asyncio.sleep(self.chance.choice([0, 0.005, 0.02]))
        status = await self.storm.ask("pause", op=self.op)
        await running
        if status["state"] == "paused":
            try:
                await self.client().upload(self.data)
                raise AssertionError("it was paused")
            except HubError as error:
                assert error.code is Code.PAUSED
            await self.storm.ask("resume", op=self.op)

    async def refused(self, frame: Callable[[int], bytes | None]) -> tuple[int, HubError] | None:
        """Send a frame made for where the upload is, which is refused: where that was, and the error.

        None where nothing was sent, or all was done already.
        """
        client = self.client()
        try:
            byte_offset = (await client.open()).byte_offset
            if (wrong := frame(byte_offset)) is None:
                return None
            await client.socket.send(wrong)
            while True:
                await client.receive()
        except AlreadyDone:
            self.ended = "done"
            return None
        except HubError as error:
            return byte_offset, error
        finally:
            await client.close()

    async def wrong_offset(self) -> None:
        """Data that does not go on where it must; the error names the right place."""
        if (refusal := await self.refused(lambda at: encode_chunk(at + 1, b"wrong"))) is not None:
            byte_offset, error = refusal
            assert error.code is Code.WRONG_OFFSET
            assert error.details == {"expected": byte_offset, "provided": byte_offset + 1}

    async def too_much(self) -> None:
        """More than was announced, at once."""

        def frame(byte_offset: int) -> bytes | None:
            rest = self.data[byte_offset:]
            return encode_chunk(byte_offset, rest + b"too much") if len(rest) < 60_000 else None

        if (refusal := await self.refused(frame)) is not None:
            assert refusal[1].code is Code.TOO_BIG

    async def kill(self) -> None:
        """A death of the server, and the rest."""
        await self.storm.kill(self.client().upload(self.data))
        await self.finish()

    async def finish(self) -> None:
        """The rest."""
        done = await self.storm.insist(self.whole)
        assert (done.path, done.size) == (self.new_name, len(self.data))
        self.ended = "done"
        assert await self.whole() == done

    async def whole(self) -> Done:
        """All that is missing."""
        done = await self.client().upload(self.data)
        assert done is not None
        return done

    async def cancel(self) -> None:
        """Before it can be done."""
        await self._cancel(stop_at=len(self.data))
        assert self.ended == "cancelled"

    async def late_cancel(self) -> None:
        """While it runs, or when it is done."""
        await self._cancel(stop_at=None)

    async def _cancel(self, stop_at: int | None) -> None:
        work = self.client().upload(self.data, stop_at=stop_at)
        running = asyncio.create_task(self.attempt(work, GONE))
        await asyncio.sleep(self.chance.choice([0, 0.005, 0.02]))
        try:
            state = (await self.storm.ask("cancel", op=self.op))["state"]
        except HubError as error:
            assert error.code is Code.CONFLICT
            state = "done"
        await running
        self.ended = state

    async def wrong_root(self) -> None:
        """Bytes that are not those that the digest is of: nothing is published, and nothing can go on."""
        client = self.client()
        other = bytes(len(self.data) - 1) + b"!" if self.data else b""
        try:
            welcome = await client.open()
            while welcome.byte_offset < len(self.data):
                await client.close()
                await client.upload(self.data, stop_at=len(self.data))
                welcome = await client.open()
            await client.socket.send(transfer.encode_stream(transfer.Finish(len(other), "0" * 32)))
            while True:
                await client.receive()
        except AlreadyDone:
            self.ended = "done"
        except HubError as error:
            assert error.code is Code.DIGEST_MISMATCH
            self.ended = "failed"
        finally:
            await client.close()
