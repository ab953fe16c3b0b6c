"""G1, G2 and G7 under attack: clients written from PROTOCOL.md, the real hub, and all that can go wrong between.

Connections break with frames on their way, frames arrive late, servers stop, crash and come back, logs are trimmed,
rolled back and lost. `GUARANTEE_EXAMPLES` sets the number of examples; `make soak` takes 10,000.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from jupyter_ws_hub.storage.base import Draft, LogRetention

from ..support.fakes import turns
from ..support.model import Envelope
from ..support.virtual import VirtualLoop
from .world import CLIENTS, IDEMPOTENT, TOPICS, Device, World

EXAMPLES = int(os.environ.get("GUARANTEE_EXAMPLES", "300"))
PHASES = [phase for phase in Phase if phase is not Phase.shrink or EXAMPLES > 1000]
"""Shrinking takes minutes, which only the long run has; it begins with what the short one has found."""

WHO = st.integers(0, CLIENTS - 1)
TOPIC = st.sampled_from(TOPICS)
FEW = st.sampled_from([1, 1, 2, 7])
MANY = st.sampled_from([1, 2, 5, 99])
NUMBER = st.sampled_from([1, 1, 1, 2, 2, 3, 120])
MAYBE = st.sampled_from([None, "say", "wait", "post", "look"])
BACK_S = st.sampled_from([None, None, 0.0, 0.0, 200.0])
PAUSE = st.sampled_from([0, 1, 2, 3, 5, 8, 20])
SOME_TIME_S = st.sampled_from([1.0, 3.0, 26.0, 200.0])
Step = Callable[[World], Awaitable[None] | None]


class Guarantees(RuleBasedStateMachine):
    """What may happen, in any order; after each step all that is known already is checked, at the end the rest."""

    def __init__(self) -> None:
        """Nothing is there yet."""
        super().__init__()
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(lambda loop, context: self.trouble.append(context))
        self.trouble: list[dict[str, Any]] = []
        self.world: World | None = None
        self.failed = False

    def do(self, step: Step, pause: int = 0) -> None:
        """Take a step, let the loop go round `pause` times, look at what has come of it."""
        self.failed = True
        self.loop.run_until_complete(self._do(step, pause))
        assert not self.trouble, self.trouble
        self.failed = False

    async def _do(self, step: Step, pause: int) -> None:
        assert self.world is not None
        work = step(self.world)
        if work is not None:
            await work
        await turns(pause)
        for device in self.world.devices:
            self.world.check_requests(device)
            self.world.check_resets(device)

    def teardown(self) -> None:
        """Let everything come to rest, and see that nothing is missing."""
        try:
            if self.world is not None and not self.failed:
                self.do(World.check_at_rest)
        finally:
            self.loop.run_until_complete(self._end())
            self.loop.close()

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    @initialize(
        outbox_bytes=st.sampled_from([3000, 1 << 20]),
        room=st.sampled_from([1, 2, 50]),
        delays=st.lists(st.integers(0, 4), min_size=1, max_size=5),
        ack_at=st.sampled_from([0, 2000, 16384]),
        welcomed=st.booleans(),
    )
    def begin(self, outbox_bytes: int, room: int, delays: list[int], ack_at: int, welcomed: bool) -> None:
        """Both clients follow the first topic from its start, or are about to."""

        async def begin() -> World:
            world = World(outbox_bytes, room, delays, ack_at)
            for device in world.devices:
                device.model.subscribe(TOPICS[0], "earliest")
                world.connect(device)
                if welcomed:
                    await world.exchange(device)
            return world

        self.world = self.loop.run_until_complete(begin())

    # What is published, and what becomes of it

    @rule(topic=TOPIC, number=NUMBER, characters=st.sampled_from([10, 400]), pause=PAUSE)
    def publish(self, topic: str, number: int, characters: int, pause: int) -> None:
        """Several publishers at once."""

        def publish(world: World) -> None:
            for _ in range(number):
                name = world.name()
                world.publish(topic, name.ljust(characters, "."), name)

        self.do(publish, pause)

    @rule(topic=TOPIC, keep=st.integers(0, 4))
    def trim(self, topic: str, keep: int) -> None:
        """The log lets its oldest messages go."""

        async def trim(world: World) -> None:
            await world.machine.disk.trim(topic, LogRetention(keep, 1 << 30, 1e9), 0)

        self.do(trim)

    # The network

    @rule(who=WHO, number=MANY, pause=PAUSE)
    def deliver_up(self, who: int, number: int, pause: int) -> None:
        """Frames of a client reach the server."""

        def deliver(world: World) -> None:
            if (wire := world.devices[who].wire) is not None:
                wire.deliver_up(number)

        self.do(deliver, pause)

    @rule(who=WHO, number=MANY, pause=PAUSE)
    def read(self, who: int, number: int, pause: int) -> None:
        """A client reads; one that does not is slow."""
        self.do(lambda world: void(world.read(world.devices[who], number)), pause)

    @rule(who=WHO, pause=PAUSE)
    def exchange(self, who: int, pause: int) -> None:
        """The network works for a while."""
        self.do(lambda world: world.exchange(world.devices[who]), pause)

    @rule(who=WHO, asks=MAYBE, late=st.integers(0, 3), told=st.booleans(), back=BACK_S, pause=PAUSE)
    def drop(self, who: int, asks: str | None, late: int, told: bool, back: float | None, pause: int) -> None:
        """A socket breaks, maybe before the answers to what the server has got; the server may hear of it later."""

        async def drop(world: World) -> None:
            device = world.devices[who]
            if asks is not None:
                await world.ask_in_vain(device, asks, 10)
            world.leave(device, late)
            if told and device.old:
                device.old.pop().cut()
            if back is not None:
                world.pass_time(back)
                world.connect(device)
                await world.exchange(device)

        self.do(drop, pause)

    @rule(who=WHO, pause=PAUSE)
    def connect(self, who: int, pause: int) -> None:
        """A client comes back, or opens a second socket because it hears nothing on the first."""
        self.do(lambda world: world.connect(world.devices[who]), pause)

    @rule(who=WHO, which=st.integers(0, 3), cut=st.booleans(), pause=PAUSE)
    def be_late(self, who: int, which: int, cut: bool, pause: int) -> None:
        """A frame on a socket that its client has left arrives, or the server learns that it is gone."""

        def be_late(world: World) -> None:
            old = world.devices[who].old
            if old:
                wire = old[which % len(old)]
                if cut or not wire.deliver_up(1):
                    wire.cut()
                    old.remove(wire)

        self.do(be_late, pause)

    @rule(who=WHO, back=st.integers(1, 3), pause=PAUSE)
    def repeat_hello(self, who: int, back: int, pause: int) -> None:
        """Somebody says hello with what an earlier welcome gave."""

        def repeat(world: World) -> None:
            device = world.devices[who]
            if len(device.model.welcomes) >= back:
                welcome = device.model.welcomes[-back]
                wire = world.machine.connect()
                hello: Envelope = {"type": "hello", "session": welcome["session"], "resume": welcome["resume"]}
                wire.send([hello])
                device.old.append(wire)

        self.do(repeat, pause)

    @rule(seconds=SOME_TIME_S, pause=PAUSE)
    def wait(self, seconds: float, pause: int) -> None:
        """Time passes: heartbeats, and sessions that nobody comes back to."""
        self.do(lambda world: world.pass_time(seconds), pause)

    # The server

    @rule(
        asks=MAYBE,
        head_start=PAUSE,
        crash=st.booleans(),
        topic=TOPIC,
        lost=st.sampled_from([0, 0, 1, 2, 4]),
        others=st.integers(0, 3),
        wiped=st.sampled_from([False, False, False, True]),
        pause=PAUSE,
    )
    def restart(
        self,
        asks: str | None,
        head_start: int,
        crash: bool,
        topic: str,
        lost: int,
        others: int,
        wiped: bool,
        pause: int,
    ) -> None:
        """It ends in the midst of work and starts again; its disk may have lost what was written last, or have more."""

        async def restart(world: World) -> None:
            machine = world.machine
            if asks is not None:
                for device in world.devices:
                    await world.ask_in_vain(device, asks, head_start)
            if crash:
                machine.crash()
            else:
                await machine.stop()
            machine.disk.roll_back(topic, lost)
            if wiped:
                machine.disk.wipe(topic)
            await turns(5)
            for name in [world.name() for _ in range(others)]:
                await machine.disk.append(topic, [Draft(name, "note", 0, b'{"text":"other"}')])
            machine.boot()
            world.publish_again()

        self.do(restart, pause)

    # The clients

    @rule(who=WHO, topic=TOPIC, since=st.sampled_from(["earliest", "latest"]))
    def subscribe(self, who: int, topic: str, since: str) -> None:
        """A client follows a topic, maybe for the second time."""
        self.do(lambda world: send(world, who, lambda device: device.model.subscribe(topic, since)))

    @rule(who=WHO, topic=TOPIC)
    def unsubscribe(self, who: int, topic: str) -> None:
        """A client follows a topic no longer."""

        def unsubscribe(device: Device) -> list[Envelope]:
            return device.model.unsubscribe(topic) if topic in device.model.views else []

        self.do(lambda world: send(world, who, unsubscribe))

    @rule(who=WHO, method=st.sampled_from(sorted(IDEMPOTENT)), number=FEW, arrives=st.booleans(), pause=PAUSE)
    def request(self, who: int, method: str, number: int, arrives: bool, pause: int) -> None:
        """A client asks, maybe for more than a session may have under way."""

        def request(world: World) -> None:
            for _ in range(number):
                send(world, who, lambda device: world.request(device, method))
            if (wire := world.devices[who].wire) is not None and arrives:
                wire.deliver_up(99)

        self.do(request, pause)

    @rule(who=WHO, which=st.integers(0, 5), arrives=st.booleans(), pause=PAUSE)
    def cancel(self, who: int, which: int, arrives: bool, pause: int) -> None:
        """A client wants a request no longer."""

        def cancel(device: Device) -> list[Envelope]:
            refs = [ref for ref, ask in device.model.asks.items() if not ask.cancelled]
            return device.model.cancel(refs[which % len(refs)]) if refs else []

        def act(world: World) -> None:
            send(world, who, cancel)
            if (wire := world.devices[who].wire) is not None and arrives:
                wire.deliver_up(99)

        self.do(act, pause)

    @rule(pause=PAUSE)
    def finish(self, pause: int) -> None:
        """What is slow on the server becomes ready."""

        async def finish(world: World) -> None:
            world.shop.gate.set()
            await turns(1)
            world.shop.gate.clear()

        self.do(finish, pause)

    @rule(who=WHO)
    def forget(self, who: int) -> None:
        """A client loses the next event, and has to notice."""

        def forget(world: World) -> None:
            world.devices[who].model.forget += 1
            world.devices[who].forgotten += 1

        self.do(forget)

    @rule(who=WHO, stale=st.integers(0, 3))
    def acknowledge(self, who: int, stale: int) -> None:
        """An acknowledgement that says less than one before."""
        self.do(lambda world: send(world, who, lambda device: device.model.acknowledge(stale)))

    @rule()
    def settle(self) -> None:
        """For a while all is well."""
        self.do(World.check_at_rest)


def void(_: object) -> None:
    """Nothing, of something."""


def send(world: World, who: int, what: Callable[[Device], list[Envelope]]) -> None:
    """A client says something, if its connection is open."""
    device = world.devices[who]
    messages = what(device)
    if device.wire is not None:
        device.wire.send(messages)


TestGuarantees = Guarantees.TestCase
TestGuarantees.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    phases=PHASES,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
