"""A client's copy of a room, made from its events by the rules for them."""

from __future__ import annotations

from typing import Any

from .client import WAIT_S, HubClient, Message


class Follower:
    """Takes a client's events of one room, each once, in their order."""

    def __init__(self, client: HubClient, room: str) -> None:
        """Nothing has come."""
        self.client, self.topic = client, f"chat/{room}"
        self.texts: dict[str, str] = {}
        """What deltas alone have made of each answer."""
        self.ended: dict[str, dict[str, Any]] = {}
        self.deltas = 0
        self._taken = 0

    def take(self) -> None:
        """Look at what has come since the last time."""
        for event in self.client.events[self._taken :]:
            if event.topic == self.topic:
                self._take(event)
        self._taken = len(self.client.events)

    def _take(self, event: Message) -> None:
        match event.kind:
            case "message.started":
                self.texts[event.data["message"]["id"]] = ""
            case "message.delta":
                self.deltas += 1
                id, at = event.data["message"], event.data["at"]
                length = len(self.texts[id].encode("utf-16-le")) // 2
                assert at <= length, "a gap"
                if at == length:
                    self.texts[id] += event.data["text"]
            case "message.finished":
                message = event.data["message"]
                self.ended[message["id"]] = message

    def begun(self) -> list[str]:
        """The ids of all answers that have begun."""
        self.take()
        return list(self.texts)

    def text(self, id: str) -> str:
        """What there is of an answer."""
        self.take()
        return self.texts.get(id, "")

    async def until_begun(self, id: str) -> None:
        """Wait until an answer has begun."""
        await self.client.wait_for(lambda: id in self.begun(), "its beginning")

    async def until_text(self, id: str, characters: int) -> None:
        """Wait until so much of an answer has come."""
        await self.client.wait_for(lambda: len(self.text(id)) >= characters, f"{characters} characters")

    async def until_ended(self, id: str, timeout_s: float = WAIT_S) -> dict[str, Any]:
        """Wait for the end of an answer; what it has become."""

        def ended() -> dict[str, Any] | None:
            self.take()
            return self.ended.get(id)

        found: dict[str, Any] = await self.client.wait_for(ended, "the end of the answer", timeout_s)
        return found

    async def until_all_ended(self, number: int, timeout_s: float) -> None:
        """Wait until so many answers have ended."""

        def ended() -> bool:
            self.take()
            return len(self.ended) >= number

        await self.client.wait_for(ended, f"the end of {number} answers", timeout_s)
