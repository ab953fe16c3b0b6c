"""What time and the others do to a client: silence, progress, and the terminal's size."""

from __future__ import annotations

from jupyter_ws_hub.protocol import terminal as wire
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.terminals.binary_client import DEATH_S, SILENCE_S
from jupyter_ws_hub.terminals.sizes import Extent

from .test_binary_client import KIB, FakeTerminal, Link


async def test_silence_is_asked_about_and_then_taken_for_death() -> None:
    link = Link(FakeTerminal())
    for second in range(1, int(SILENCE_S) + 3):
        link.client.tick(float(second))
    assert link.of(wire.Ping) == [wire.Ping()]
    link.send(wire.Pong())
    for second in range(int(SILENCE_S) + 3, int(SILENCE_S + DEATH_S)):
        link.client.tick(float(second))
    assert link.ends == [] and len(link.of(wire.Ping)) == 2
    for second in range(int(SILENCE_S + DEATH_S), int(SILENCE_S + DEATH_S) + 5):
        link.client.tick(float(second))
    assert Code.HEARTBEAT_TIMEOUT in link.ends


async def test_a_server_that_slept_does_not_take_its_own_sleep_for_the_clients() -> None:
    link = Link(FakeTerminal())
    link.client.tick(1.0)
    link.client.tick(1000.0)
    link.client.tick(1001.0)
    assert link.ends == [] and not link.of(wire.Ping)


async def test_who_makes_no_progress_does_not_hold_up_the_others() -> None:
    terminal = FakeTerminal()
    link = Link(terminal)
    link.say(bytes(1000 * KIB))
    assert link.client.is_behind and link.client.holds_up
    for second in range(1, 4):
        link.client.tick(float(second))
    assert not link.client.holds_up
    link.send(wire.Ack(128 * KIB))
    link.client.tick(4.0)
    assert link.client.holds_up and terminal.checks >= 2


async def test_a_size_is_kept_and_told() -> None:
    terminal = FakeTerminal()
    link = Link(terminal)
    link.send(wire.Resize(30, 100, 800, 600, visible=False))
    assert link.client.vote().extent == Extent(30, 100, 800, 600) and not link.client.vote().visible
    link.send(wire.Resize(0, 0))
    assert link.client.vote().extent == Extent(30, 100, 800, 600) and link.client.vote().visible
    assert terminal.resizes == 2
    link.client.size_changed(Extent(20, 70))
    assert link.frames[-1] == wire.Size(20, 70)
