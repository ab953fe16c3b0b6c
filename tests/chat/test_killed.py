"""Servers that die between any two steps: in the end the store has what one who follows was told, and no more."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.chat.begun import PULSE_TTL_S, YOUNG_MS
from jupyter_ws_hub.chat.messages import ChatMessage
from jupyter_ws_hub.chat.talk import Talk
from jupyter_ws_hub.protocol.errors import HubError

from ..hub.client import run
from .world import ROOM, TOPIC, Server, World, answer, ended, said

Operation = tuple[str, int]
NAMES = ("post", "again", "edit", "delete", "begin", "piece", "keep", "finish")
OPERATIONS = st.tuples(st.sampled_from(NAMES), st.integers(0, 2))
LIVES = st.lists(
    st.tuples(st.lists(OPERATIONS, max_size=8), st.one_of(st.none(), st.integers(0, 60))), min_size=1, max_size=4
)


@dataclass
class People:
    """What people and an assistant do, on one server after another."""

    number: int = 0
    answers: dict[str, ChatMessage] = field(default_factory=dict)

    def text(self) -> str:
        """A text that is nowhere else."""
        self.number += 1
        return f"<text {self.number}>"

    async def do(self, talk: Talk, name: str, which: int) -> None:
        """Do one thing; what cannot be done now is not."""
        does: dict[str, Callable[[Talk, int], Coroutine[Any, Any, None]]] = {
            "post": self._post,
            "again": self._post,
            "edit": self._edit,
            "delete": self._delete,
            "begin": self._begin,
            "piece": self._piece,
            "keep": self._keep,
            "finish": self._finish,
        }
        try:
            await does[name](talk, which)
        except HubError as error:
            assert error.code.wire_name in ("not_found", "conflict"), error

    async def _post(self, talk: Talk, which: int) -> None:
        await talk.post(said(f"m{which}", self.text()))

    async def _change(self, talk: Talk, message: ChatMessage, **change: Any) -> None:
        if message.deleted:
            return
        changed = msgspec.structs.replace(message, edited=1, **change)
        kept = await talk.change(changed)
        assert await talk.change(changed) == kept, "the same again"

    async def _edit(self, talk: Talk, which: int) -> None:
        await self._change(talk, await talk.get(ROOM, f"m{which}"), text=self.text())

    async def _delete(self, talk: Talk, which: int) -> None:
        for id in (f"m{which}", f"a{which}"):
            message = await talk.find(ROOM, id)
            if message is not None:
                await self._change(talk, message, text="", deleted=True)

    async def _begin(self, talk: Talk, which: int) -> None:
        self.answers[f"a{which}"] = await talk.begin_answer(answer(f"a{which}"))

    async def _piece(self, talk: Talk, which: int) -> None:
        known = self.answers.get(f"a{which}")
        if known is not None:
            self.answers[known.id] = await talk.add_to_answer(known, self.text() + "😀")

    async def _keep(self, talk: Talk, which: int) -> None:
        await talk._answers.keep()

    async def _finish(self, talk: Talk, which: int) -> None:
        known = self.answers.pop(f"a{which}", None)
        if known is not None:
            await talk.finish_answer(ended(known))


async def live(world: World, people: People, server: Server, operations: Sequence[Operation]) -> None:
    """One life of a server, to its end or its death."""
    await server.does(server.talk.start([ROOM]))
    for name, which in operations:
        if server.died.is_set():
            break
        await server.does(people.do(server.talk, name, which))
    server.steps = 0
    people.answers.clear()
    world.clock.advance(PULSE_TTL_S + 1)


async def agrees(world: World, people: People) -> None:
    """The store, who was told of everything at once, and who comes now, know the same."""
    kept = await world.storage.documents.page(TOPIC, 0, 100)
    talk = world.server().talk
    messages = {message.id: message for message in await talk.history(ROOM, None, 100)}
    assert len(kept) == len(messages)
    told, replayed = world.reader(), await world.replayed()
    assert told.messages == messages == replayed.messages
    assert told.missed == 0
    assert told.order == list(messages), "told in the order of their places"
    assert all(message.answer is None or message.answer.state != "writing" for message in messages.values())
    log = (await world.everything()).decode()
    texts = "".join(message.text for message in messages.values())
    stale = [text for text in (f"<text {n}>" for n in range(1, people.number + 1)) if text in log and text not in texts]
    assert stale == [], "what was said before is replayed"
    assert "message.delta" not in {record.kind for record in await world.log.read(TOPIC, 0, 10_000)}
    assert await world.storage.values.scan("chat/begun/") == {}


@settings(max_examples=300, deadline=None)
@given(LIVES)
@example([([("begin", 0), ("piece", 0), ("finish", 0)], steps) for steps in (20, 24, 28)])
@example([([("post", 0), ("edit", 0), ("delete", 0)], 30)])
def test_whatever_happens_the_store_and_who_was_told_agree(lives: list[tuple[list[Operation], int | None]]) -> None:
    async def scenario() -> None:
        world, people = World(), People()
        for operations, steps in lives:
            await live(world, people, world.server(steps), operations)
        world.clock.advance(YOUNG_MS / 1000 + 1)
        last = world.server()
        await last.talk.start([ROOM])
        await last.talk.sweep()
        await agrees(world, people)

    run(scenario())


def test_wherever_one_change_is_cut_off() -> None:
    """Every single step of what is most often done, one after the other."""
    stories: list[list[Operation]] = [
        [("post", 0), ("edit", 0), ("edit", 0), ("delete", 0)],
        [("begin", 0), ("piece", 0), ("keep", 0), ("piece", 0), ("finish", 0), ("edit", 0), ("delete", 0)],
        [("post", 0), ("post", 1), ("again", 0), ("delete", 1)],
    ]

    async def scenario(story: list[Operation], steps: int) -> bool:
        world, people = World(), People()
        server = world.server(steps)
        await live(world, people, server, story)
        world.clock.advance(YOUNG_MS / 1000 + 1)
        await world.server().talk.start([ROOM])
        await agrees(world, people)
        return server.died.is_set()

    for story in stories:
        steps = 0
        while run(scenario(story, steps)):
            steps += 1
        assert steps > 20
