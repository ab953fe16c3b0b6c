"""A client of `/ws` as PROTOCOL.md describes it, without I/O: frames in, messages out. Written from that text alone.

It is strict where real clients are lenient: what the server may not do is an AssertionError at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from jupyter_ws_hub.protocol.codes import Code

Envelope = dict[str, Any]
Outcome = tuple[str, Any]
"""`("result", value)` or `("error", code)`."""

UNKNOWN: Outcome = ("error", "unknown_outcome")


class Place(NamedTuple):
    """A position."""

    epoch: str
    offset: int
    id: str

    @classmethod
    def of(cls, wire: Envelope) -> Place:
        """As it stands on the wire."""
        return cls(wire["epoch"], wire["offset"], wire["id"])


@dataclass
class Stretch:
    """Events without a hole: from where, why the one before ended there, and what came."""

    start: Place
    reason: str | None = None
    before: Place | None = None
    """What a reset skipped begins after this."""
    events: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass
class View:
    """A topic that is followed."""

    since: str
    asking: int | None = None
    """The `ref` of the subscription that is under way; until its answer the topic's messages do not count."""
    greeted: bool = False
    """Went into this connection's hello, whose answer has not come."""
    position: Place | None = None
    live: bool = False
    stretches: list[Stretch] = field(default_factory=list)


@dataclass
class Ask:
    """A request that is not answered yet."""

    message: Envelope
    idempotent: bool
    sent: bool = False
    cancelled: bool = False
    restarts: int = 0
    """How often the server had been restarted when it was made."""


class ModelClient:
    """One logical client. What its methods return is to be sent in one frame; nothing while no connection is open."""

    def __init__(self, ack_at: int) -> None:
        """`ack_at` characters that have come make it acknowledge: 0, at each frame."""
        self.welcomes: list[Envelope] = []
        self.views: dict[str, View] = {}
        self.asks: dict[int, Ask] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.asked: dict[int, Ask] = {}
        """All requests that ever were."""
        self.open = False
        self.bye: Envelope | None = None
        self.forget = 0
        """So many events are lost in here, as by a bug."""
        self.repairs = 0
        self.frames = 0
        self._ack_at = ack_at
        self._characters = 0
        self._last_ref = 0
        self._attempt = 0
        self._unsubscribed: set[int] = set()
        self._replaced: set[int] = set()
        self._out: list[Envelope] = []

    # What a person does

    def hello(self) -> list[Envelope]:
        """A socket has opened."""
        self.open, self.bye, self.frames, self._characters = False, None, 0, 0
        positions = {}
        for topic, view in self.views.items():
            view.asking, view.live, view.greeted = None, False, view.position is not None
            if view.position is not None:
                positions[topic] = view.position._asdict()
        self._attempt += 1
        hello: Envelope = {"type": "hello", "attempt": self._attempt, "positions": positions}
        if self.welcomes:
            hello |= {key: self.welcomes[-1][key] for key in ("session", "resume")}
        return [hello]

    def lost(self) -> None:
        """The connection is gone."""
        self.open = False
        self._out, self._unsubscribed = [], set()
        for view in self.views.values():
            view.live = False

    def request(self, method: str, params: Any, *, idempotent: bool, restarts: int) -> list[Envelope]:
        """Call a method, now or when the connection is there."""
        ref = self._next_ref()
        message = {"type": "request", "ref": ref, "method": method, "params": params}
        ask = self.asks[ref] = self.asked[ref] = Ask(message, idempotent, sent=self.open, restarts=restarts)
        return self._send(ask.message)

    def cancel(self, ref: int) -> list[Envelope]:
        """Stop a request that is not answered; one that was never sent is over at once."""
        ask = self.asks[ref]
        ask.cancelled = True
        if not ask.sent:
            self._settle(ref, ("error", "cancelled"))
            return []
        return self._send({"type": "cancel", "ref": ref})

    def subscribe(self, topic: str, since: str) -> list[Envelope]:
        """Follow a topic from the start of what is kept, or from now on."""
        if topic in self.views and self.views[topic].asking is not None:
            self._replaced.add(self.views[topic].asking or 0)
        view = self.views[topic] = View(since)
        return self._ask_topic(topic, view) if self.open else []

    def unsubscribe(self, topic: str) -> list[Envelope]:
        """Follow a topic no longer."""
        view = self.views.pop(topic)
        if not self.open:
            return []
        if view.asking is not None:
            self._replaced.add(view.asking)
        ref = self._next_ref()
        self._unsubscribed.add(ref)
        return self._send({"type": "unsubscribe", "ref": ref, "topic": topic})

    def acknowledge(self, stale: int = 0) -> list[Envelope]:
        """Say what has come; `stale` by so much, as when acknowledgements cross."""
        self._characters = 0
        return self._send({"type": "ack", "frames": max(0, self.frames - stale), "done": max(0, self.done - stale)})

    @property
    def done(self) -> int:
        """Every `ref` up to it is settled."""
        return min(self.asks, default=self._last_ref + 1) - 1

    # What the server says

    def receive(self, frame: bytes) -> list[Envelope]:
        """Take a frame, give what is to be sent in answer."""
        self.frames += 1
        self._characters += len(frame.decode())
        for message in msgspec.json.decode(frame):
            take = getattr(self, f"_on_{message['type']}", None)
            if take is not None:  # a type that it does not know is ignored
                take(message)
        answer, self._out = self._out, []
        if self.open and self._characters >= self._ack_at:
            answer += self.acknowledge()
        return answer

    def _on_welcome(self, message: Envelope) -> None:
        assert not self.open, "a second welcome"
        asked = self.welcomes[-1]["session"] if self.welcomes else None
        if message["resumed"]:
            assert message["session"] == asked, "resumed, but another session"
        self.welcomes.append(message)
        self.open = True
        for ref, ask in list(self.asks.items()):
            if ask.sent and not ask.idempotent and not message["resumed"]:
                self._settle(ref, UNKNOWN)
                continue
            ask.sent = True
            self._out.append(ask.message)
            if ask.cancelled:
                self._out.append({"type": "cancel", "ref": ref})
        for topic, view in self.views.items():
            if view.position is None:
                self._out += self._ask_topic(topic, view)

    def _on_subscribed(self, message: Envelope) -> None:
        view = self.views.get(message["topic"])
        if view is None or message["ref"] != view.asking:
            return
        place = Place.of(message["position"])
        if message["status"] == "ok":
            assert message["ref"] is not None or view.greeted, "an answer without a question"
            if view.position is not None:
                assert place == view.position, f"asked from {view.position}, answered from {place}"
            else:
                assert view.since == "earliest" or place.offset == message["head"]
                view.stretches.append(Stretch(place))
        else:
            assert message["reason"], "a reset without a reason"
            view.stretches.append(Stretch(place, message["reason"], view.position))
        view.asking, view.greeted, view.live, view.position = None, False, False, place

    def _on_event(self, message: Envelope) -> None:
        view = self.views.get(message["topic"])
        if view is None or view.asking is not None:
            return
        assert view.position is not None and not view.greeted, "an event before its position"
        offset, before = message["offset"], view.position.offset
        assert offset > before, f"{message['topic']}: {offset} came again after {before}"
        if self.forget:
            self.forget -= 1
        elif message.get("prev", offset - 1) > before:
            self.repairs += 1
            self._out += self._ask_topic(message["topic"], view)
        else:
            view.position = Place(view.position.epoch, offset, message["id"])
            view.stretches[-1].events.append((offset, message["id"], message["data"]["text"]))

    def _on_position(self, message: Envelope) -> None:
        raise AssertionError(f"here every message is for everybody, nothing is passed over: {message}")

    def _on_live(self, message: Envelope) -> None:
        view = self.views.get(message["topic"])
        if view is not None and view.asking is None:
            view.live = True

    def _on_lagging(self, message: Envelope) -> None:
        view = self.views.get(message["topic"])
        if view is not None and view.asking is None:
            view.live = False

    def _on_reply(self, message: Envelope) -> None:
        ref, error = message["ref"], message.get("error")
        outcome: Outcome = ("error", error["code"]) if error else ("result", message.get("result"))
        if ref in self._unsubscribed:
            assert outcome == ("result", None)
            self._unsubscribed.discard(ref)
        elif ref in self._replaced:
            assert outcome == ("error", "superseded")
        elif ref in self.asks:
            self._settle(ref, outcome)
        else:
            known = self.outcomes.get(ref)
            assert known is not None, f"a reply to nothing: {message}"
            # What is not stored, and what a cancel is told, may cross; the first of them counts.
            crossed = self.asked[ref].cancelled and ("error", "not_found") in (outcome, known)
            assert outcome == known or known == UNKNOWN or crossed, f"{ref}: first {known}, then {outcome}"

    def _on_ping(self, message: Envelope) -> None:
        self._out.append({"type": "pong", "t": message["t"]})

    def _on_bye(self, message: Envelope) -> None:
        # Only the newest socket is read; what arrives late on older ones must not end it.
        assert message["code"] != Code.SUPERSEDED, "a socket was superseded by an older one"
        self.bye = message

    def _settle(self, ref: int, outcome: Outcome) -> None:
        del self.asks[ref]
        assert ref not in self.outcomes
        self.outcomes[ref] = outcome

    def _ask_topic(self, topic: str, view: View) -> list[Envelope]:
        view.asking, view.greeted = self._next_ref(), False
        since = view.since if view.position is None else view.position._asdict()
        return [{"type": "subscribe", "ref": view.asking, "topic": topic, "since": since}]

    def _next_ref(self) -> int:
        self._last_ref += 1
        return self._last_ref

    def _send(self, *messages: Envelope) -> list[Envelope]:
        return list(messages) if self.open else []


def frame_of(envelopes: Iterable[Envelope]) -> str:
    """A frame as it is sent."""
    return msgspec.json.encode(list(envelopes)).decode()
