"""What all connections of a server share, so that it is handed down as one thing."""

from __future__ import annotations

from dataclasses import dataclass

from ..ports import Runtime
from ..storage.base import TopicLog
from .router import Router
from .sessions import Sessions
from .settings import HubSettings
from .topics import Topics


@dataclass(frozen=True)
class Commons:
    """The parts of a hub."""

    settings: HubSettings
    runtime: Runtime
    router: Router
    topics: Topics
    log: TopicLog
    sessions: Sessions
