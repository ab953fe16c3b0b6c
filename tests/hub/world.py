"""Clients, publishers and a server that test_guarantees.py torments, and what must be true of them at every step.

The oracle is the list of what was published (Disk.history) and of what was run (Workshop.runs).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_ws_hub.hub.declare import Method, Topic
from jupyter_ws_hub.hub.hub import Hub
from jupyter_ws_hub.hub.settings import HubSettings
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import FINAL_RANGE, NORMAL_CLOSURE, Code
from jupyter_ws_hub.protocol.messages import Position

from ..support.fakes import FakeClock, counting_ids, fake_runtime, turns
from ..support.model import Ask, Envelope, ModelClient, Outcome, Place, Stretch
from ..support.simulation import KEEP_ALL, Machine, Mount, Wire
from .client import READ, Desk, Note, make_hub

TOPICS = ("notes/a", "notes/b")
CLIENTS = 2
IDEMPOTENT = {"find": True, "post": True, "say": False, "wait": False, "look": True, "break": False}
SESSION_TTL_S = 120.0
MAX_ROUNDS = 400
QUIET_ROUNDS, QUIET_S = 8, 3.0
"""Rest is when nothing has come for so long: longer than a server that is gone is thought to live."""


@dataclass
class Workshop(Desk):
    """The methods of the server; `runs` counts how often each call was begun, over all restarts."""

    runs: Counter[str] = field(default_factory=Counter)
    hub: Hub | None = None

    async def call(self, name: str, params: Note) -> Note:
        """Run a method; each call has a text of its own."""
        self.runs[params.text] += 1
        if name in ("wait", "look"):
            await self.gate.wait()
        if name in ("post", "say"):
            assert self.hub is not None
            await self.hub.topics.publish(TOPICS[0], "note", params, id=params.text if name == "post" else None)
        if name == "break":
            raise RuntimeError("a bug of the service")
        return params

    def methods(self) -> list[Method]:
        """The declarations."""

        def bound(name: str) -> Callable[[Any, Peer], Coroutine[Any, Any, Note]]:
            return lambda params, peer: self.call(name, params)

        return [
            Method(name, Note, Note, ("write", "desk"), bound(name), idempotent=idempotent)
            for name, idempotent in IDEMPOTENT.items()
        ]


@dataclass
class Device:
    """A client and its socket; `old` are the sockets that it has left, whose frames may still reach the server."""

    model: ModelClient
    wire: Wire | None = None
    old: list[Wire] = field(default_factory=list)
    welcomed_restarts: int = 0
    attached_s: float = 0
    forgotten: int = 0
    slow: bool = False


class World:
    """Two clients, publishers, and one server on its disk."""

    def __init__(self, outbox_bytes: int, room: int, delays: list[int], ack_at: int) -> None:
        """On the event loop."""
        self.shop = Workshop()
        self.limits = HubSettings(outbox_bytes=outbox_bytes, max_requests=6, session_ttl_s=SESSION_TTL_S)
        self._boots = itertools.count(1)
        self.machine = Machine(self._start, delays, room)
        self.devices = [Device(ModelClient(ack_at)) for _ in range(CLIENTS)]
        self.publishing: dict[tuple[str, str, str], asyncio.Future[int | None]] = {}
        self.names = 0

    def _start(self, mount: Mount, clock: FakeClock) -> Hub:
        """A hub on the stores that outlive it."""
        topics = [Topic("notes/*", {"note": Note}, READ, KEEP_ALL, snapshot=self._snapshot)]
        ids = counting_ids(f"boot{next(self._boots)}-")
        runtime = replace(fake_runtime(clock), new_id=ids, logger=logging.Logger("unheard", logging.CRITICAL))
        self.shop.hub = make_hub(
            self.shop, topics=topics, log=mount, values=mount, runtime=runtime, settings=self.limits
        )
        return self.shop.hub

    async def _snapshot(self, peer: Peer, topic: str, position: Position) -> Note:
        return Note(f"{topic} up to {position}")

    def name(self) -> str:
        """A name that was not used before."""
        self.names += 1
        return f"n{self.names}"

    # Clients and their sockets

    def connect(self, device: Device) -> None:
        """A new socket, beside the old one if that is still there."""
        self.leave(device)
        device.wire = self.machine.connect()
        device.wire.send(device.model.hello())

    def leave(self, device: Device, late: int = 99) -> None:
        """The client gives its socket up: nothing more is read from it, `late` of its frames arrive later."""
        if device.wire is not None:
            self.note_attached(device)
            device.model.lost()
            while len(device.wire.up) > late:
                device.wire.up.pop()
            device.old.append(device.wire)
            device.wire = None

    def read(self, device: Device, number: int) -> bool:
        """The client takes frames, and sees the end of its socket behind them; whether there was anything."""
        wire, moved = device.wire, False
        while wire is not None and number > 0 and (frame := wire.take_down()) is not None:
            welcomes = len(device.model.welcomes)
            wire.send(device.model.receive(frame))
            if len(device.model.welcomes) > welcomes:
                self.check_welcome(device)
            moved, number = True, number - 1
        if wire is not None and number > 0 and wire.code is not None:
            assert wire.code not in FINAL_RANGE or wire.code == Code.SUPERSEDED, wire.code
            assert wire.code != NORMAL_CLOSURE
            self.leave(device, 0)
            device.old.remove(wire)
            return True
        return moved

    async def exchange(self, device: Device) -> None:
        """The network works for a while, in both directions."""
        for _ in range(3):
            if device.wire is not None:
                device.wire.deliver_up(99)
            await turns(5)
            self.read(device, 99)

    def check_welcome(self, device: Device) -> None:
        """A session may be lost only for a reason."""
        welcome, first = device.model.welcomes[-1], len(device.model.welcomes) == 1
        if not first and not welcome["resumed"]:
            restarted = self.machine.restarts > device.welcomed_restarts
            away_s = self.machine.clock() - device.attached_s
            assert restarted or away_s > SESSION_TTL_S, "a session was lost without a reason"
        assert device.wire is not None
        device.welcomed_restarts = device.wire.restarts
        device.attached_s = self.machine.clock()

    def note_attached(self, device: Device) -> None:
        """Its session waits for nobody now."""
        if device.wire is not None and device.wire.code is None and device.model.open:
            device.attached_s = self.machine.clock()

    def pass_time(self, seconds: float) -> None:
        """Time passes for everybody."""
        for device in self.devices:
            self.note_attached(device)
        self.machine.pass_time(seconds)

    def request(self, device: Device, method: str) -> list[Envelope]:
        """A request with a text of its own."""
        params = {"text": self.name()}
        return device.model.request(method, params, idempotent=IDEMPOTENT[method], restarts=self.machine.restarts)

    async def ask_in_vain(self, device: Device, method: str, head_start: int) -> None:
        """A request that reaches the server, which has `head_start` turns to work on it; nothing is read."""
        request = self.request(device, method)
        if device.wire is not None:
            device.wire.send(request)
            device.wire.send(device.model.acknowledge())
            device.wire.deliver_up(99)
            await turns(head_start)

    # Publishers

    def publish(self, topic: str, text: str, id: str) -> None:
        """Somebody publishes on the server; repeated with the same id until it is done."""
        assert self.shop.hub is not None
        work = self.shop.hub.topics.publish(topic, "note", Note(text), id=id)
        self.publishing[topic, text, id] = asyncio.ensure_future(work)

    def publish_again(self) -> None:
        """What was under way when the server ended is tried again."""
        for key, task in list(self.publishing.items()):
            if task.done():
                del self.publishing[key]
                if task.cancelled():
                    self.publish(*key)
                else:
                    task.result()

    # The end

    async def settle(self) -> None:
        """The network becomes good: everything comes to rest."""
        self.shop.gate.set()
        quiet = 0
        for _ in range(MAX_ROUNDS):
            moved = False
            for device in self.devices:
                for wire in device.old:
                    moved |= wire.deliver_up(1)
                    if not wire.up:
                        wire.cut()
                device.old = [wire for wire in device.old if wire.up and wire.code is None]
                if device.wire is None:
                    self.connect(device)
                    moved = True
                assert device.wire is not None
                moved |= device.wire.deliver_up(99)
                await turns(6)
                moved |= self.read(device, 99)
            self.publish_again()
            quiet = 0 if moved or self.publishing else quiet + 1
            if quiet == QUIET_ROUNDS:
                return
            if quiet:
                await asyncio.sleep(QUIET_S)
        raise AssertionError("it does not come to rest")

    async def check_at_rest(self) -> None:
        """After one more event each, everybody has everything, and every request its outcome."""
        await self.settle()
        for device in self.devices:
            device.model.forget = 0
        for topic in TOPICS:
            self.publish(topic, "the last", self.name())
        await self.settle()
        for device in self.devices:
            assert not device.model.asks, "a request was not answered"
            for topic, view in device.model.views.items():
                head = self.machine.disk.state(topic)
                assert view.asking is None and view.live
                assert view.position == Place(head.epoch, head.offset, head.id), "something is missing"
                kept = self.machine.disk.published(topic)
                last = view.stretches[-1]
                assert last.events == kept[last.start.offset :], "not what was published"
                for stretch in view.stretches:
                    self.check_stretch(topic, stretch)
            assert device.model.repairs <= device.forgotten, "the server left a hole"
        self.check_said()
        self.shop.gate.clear()

    def check_said(self) -> None:
        """What may be said only once stands there once."""
        texts = Counter(text for _, _, text in self.machine.disk.published(TOPICS[0]))
        for device in self.devices:
            for ask in device.model.asked.values():
                assert ask.message["method"] != "say" or texts[ask.message["params"]["text"]] <= 1

    def check_stretch(self, topic: str, stretch: Stretch) -> None:
        """What came was published, before it came, and has no hole."""
        epoch, offset, _ = stretch.start
        for number, event in enumerate(stretch.events, offset + 1):
            assert event[0] == number
            assert (topic, epoch, *event) in self.machine.disk.ever, "an event that the log never had"

    def check_resets(self, device: Device) -> None:
        """Each reset has its reason; all of them stay true once they are, so that they can be asked now."""
        disk = self.machine.disk
        for topic, view in device.model.views.items():
            for stretch in view.stretches:
                before, head = stretch.before, disk.state(topic)
                if stretch.reason is None or before is None:
                    continue
                other = before.epoch != head.epoch
                match stretch.reason:
                    case "trimmed":
                        assert other or head.floor > before.offset
                    case "epoch":
                        assert other
                    case "ahead":
                        assert other or not disk.has(topic, before)
                    case "anchor":
                        # Trimmed between two looks at the log, a message looks like one that was replaced.
                        assert other or not disk.has(topic, before) or head.floor > before.offset
                    case _:
                        raise AssertionError(f"reset for {stretch.reason}")

    def check_requests(self, device: Device) -> None:
        """At most one outcome each, and a true one."""
        for ref, outcome in device.model.outcomes.items():
            ask = device.model.asked[ref]
            forgotten = self.machine.restarts > ask.restarts or any(not w["resumed"] for w in device.model.welcomes[1:])
            crowded = len(device.model.asked) > self.limits.max_requests
            self.check_outcome(ask, outcome, forgotten=forgotten, crowded=crowded)

    def check_outcome(self, ask: Ask, outcome: Outcome, *, forgotten: bool, crowded: bool) -> None:
        """What a client was told of a request is so.

        `forgotten`: the server may not know any more. `crowded`: it may have said `busy`, which it keeps no record of.
        """
        method, text = ask.message["method"], ask.message["params"]["text"]
        runs = self.shop.runs[text]
        assert ask.idempotent or runs <= 1, f"{method} ran {runs} times"
        match outcome:
            case ("result", value):
                assert value == {"text": text} and runs > 0 and method != "break"
            case ("error", "internal"):
                assert method == "break" and runs == 1
            case ("error", "busy"):
                assert runs == 0 or ask.idempotent, "busy, but it ran"
            case ("error", "cancelled" | "not_found"):
                assert ask.cancelled
            case ("error", "unknown_outcome"):
                assert forgotten or (crowded and runs == 0), "an outcome was forgotten"
            case _:
                raise AssertionError(f"{method}: {outcome}")
