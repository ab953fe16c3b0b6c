"""The parts of conversations, as services are handed them."""

from __future__ import annotations

from dataclasses import dataclass

from .generations import Generations
from .presences import Presences
from .room_store import RoomStore
from .talk import Talk


@dataclass(frozen=True)
class Chat:
    """Put together by app.py."""

    rooms: RoomStore
    talk: Talk
    presences: Presences
    generations: Generations
