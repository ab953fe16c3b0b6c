"""The parts of conversations, as services are handed them."""

from __future__ import annotations

from dataclasses import dataclass, field

from .generations import Generations
from .presences import Presences
from .room_store import RoomStore
from .settings import ChatSettings
from .talk import Talk


@dataclass(frozen=True)
class Chat:
    """Put together by app.py."""

    rooms: RoomStore
    talk: Talk
    presences: Presences
    generations: Generations
    settings: ChatSettings = field(default_factory=ChatSettings)
