"""Service `notifications`: short messages to one user or to everybody, kept until they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Final, Literal

import msgspec

from ..ports import Peer
from ..protocol.codes import Code
from ..protocol.errors import HubError
from ..storage.base import LogRetention, Record, VersionConflict, Versioned
from .base import Service, Topic, method

READ = ("read", "notifications")
WRITE = ("write", "notifications")
MAX_TITLE_CHARACTERS: Final = 200
MAX_MESSAGE_CHARACTERS: Final = 4000
MAX_ID_CHARACTERS: Final = 64
MAX_PAGE: Final = 200
ME: Final = "notifications/me"
ALL: Final = "notifications/all"
_RETENTION = LogRetention(count=1000, bytes=4 * 1024 * 1024, age_s=30 * 86400)

Level = Literal["info", "success", "warning", "error"]


class Action(msgspec.Struct, frozen=True):
    """A button of a notification: opens a path of the server, or an address (http, https) in a new tab, or runs a
    command of JupyterLab that its user has allowed for this."""

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    kind: Literal["path", "url", "command"]
    target: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class Notification(msgspec.Struct, frozen=True):
    """A notification as it is now. `sender` is the username of who posted it, `source` the program, kernel or event.

    One that is updated keeps its `id` and has a higher `version`; it takes the place of the older one.
    """

    id: str
    level: Level
    title: str
    message: str
    sender: str
    time: int
    """When it was posted first: milliseconds since 1970-01-01 UTC, by the server's clock."""
    version: int = 1
    source: str = ""
    actions: list[Action] = []
    progress: float | None = None
    """From 0 to 1; below 1 it is under way."""
    expires: int | None = None
    """When it is of no use any more, in milliseconds as `time`."""


class Dismissed(msgspec.Struct, frozen=True):
    """A user does not want to see a notification any more."""

    id: str


class ReadMarker(msgspec.Struct, frozen=True):
    """How far a user has read: an offset in their own log and one in everybody's."""

    me: int = 0
    all: int = 0


class NotifyParams(msgspec.Struct, frozen=True):
    """What to tell whom. `to` all needs the permission to execute on notifications.

    With the `id` of one that is there it updates that one; the same once more changes nothing.
    """

    title: str
    message: str = ""
    level: Level = "info"
    to: Literal["me", "all"] = "me"
    id: str | None = None
    source: Annotated[str, msgspec.Meta(max_length=100)] = ""
    actions: Annotated[list[Action], msgspec.Meta(max_length=4)] = []
    progress: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    expires_in_ms: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Posted(msgspec.Struct, frozen=True):
    """A notification that was posted, and where it stands."""

    topic: str
    offset: int
    id: str


class ListParams(msgspec.Struct, frozen=True):
    """How many of the newest notifications."""

    limit: int = 50


class Listed(msgspec.Struct, frozen=True):
    """A notification in a user's list."""

    topic: str
    offset: int
    read: bool
    notification: Notification


class Notifications(msgspec.Struct, frozen=True):
    """A user's notifications and everybody's, oldest first, and how many of all are unread."""

    items: list[Listed]
    unread: int


def _decode_marker(stored: Versioned | None) -> ReadMarker:
    return ReadMarker() if stored is None else msgspec.json.decode(stored.value, type=ReadMarker)


class NotificationsService(Service):
    """Post, list and read notifications."""

    name = "notifications"
    topics: ClassVar[Sequence[Topic]] = (
        Topic(ME, {"notification": Notification, "read": ReadMarker, "dismissed": Dismissed}, READ, _RETENTION),
        Topic(ALL, {"notification": Notification}, READ, _RETENTION),
    )

    @method("notifications.post", permission=WRITE)
    async def post(self, params: NotifyParams, peer: Peer) -> Posted:
        """Notify oneself, or everybody. The same `id` again counts once."""
        if not params.title or len(params.title) > MAX_TITLE_CHARACTERS:
            raise HubError(Code.INVALID, f"A notification needs a title of at most {MAX_TITLE_CHARACTERS} characters.")
        if len(params.message) > MAX_MESSAGE_CHARACTERS:
            raise HubError(Code.TOO_BIG, f"A notification has at most {MAX_MESSAGE_CHARACTERS} characters.")
        if params.id is not None and not 1 <= len(params.id) <= MAX_ID_CHARACTERS:
            raise HubError(Code.INVALID, f"A notification's id has 1 to {MAX_ID_CHARACTERS} characters.")
        if params.to == "all":
            await peer.require("execute", "notifications", "notifications to everybody")
        runtime = self.context.runtime
        notification = Notification(
            id=params.id or runtime.new_id(),
            level=params.level,
            title=params.title,
            message=params.message,
            sender=peer.username,
            time=runtime.now_ms(),
        )
        topic = ME if params.to == "me" else ALL
        offset = await self.context.publish(
            topic, "notification", notification, principal=peer.principal, id=notification.id
        )
        assert offset is not None
        return Posted(topic, offset, notification.id)

    @method("notifications.list", permission=READ, idempotent=True, activity=False)
    async def list(self, params: ListParams, peer: Peer) -> Notifications:
        """List the newest notifications of this user and of everybody."""
        if not 1 <= params.limit <= MAX_PAGE:
            raise HubError(Code.INVALID, f"limit goes from 1 to {MAX_PAGE}.")
        marker = await self._marker(peer)
        own = await self._items(ME, f"{ME}//{peer.principal}", marker.me)
        everybody = await self._items(ALL, ALL, marker.all)
        items = sorted([*own, *everybody], key=lambda item: (item.notification.time, item.topic, item.offset))
        return Notifications(items[-params.limit :], sum(not item.read for item in items))

    @method("notifications.read", permission=READ, idempotent=True, activity=False)
    async def read(self, params: ReadMarker, peer: Peer) -> ReadMarker:
        """Mark notifications up to these offsets as read; a marker never goes back."""
        values = self.context.storage.values
        while True:
            stored = await values.get(self._key(peer))
            before = _decode_marker(stored)
            marker = ReadMarker(max(before.me, params.me), max(before.all, params.all))
            if marker == before:
                return marker
            version = 0 if stored is None else stored.version
            try:
                await values.put(self._key(peer), msgspec.json.encode(marker), expect=version)
            except VersionConflict:
                continue  # another window of the same user was faster: take its marker into account
            await self.context.publish(ME, "read", marker, principal=peer.principal)
            return marker

    @method("notifications.dismiss", permission=READ, idempotent=True)
    async def dismiss(self, params: Dismissed, peer: Peer) -> Dismissed:
        """Show a notification to this user no more, in no window of theirs."""
        raise NotImplementedError

    async def _items(self, topic: str, key: str, read_up_to: int) -> Sequence[Listed]:
        records = await self.context.storage.log.read_back(key, None, _RETENTION.count)
        return [self._item(topic, record, read_up_to) for record in records if record.kind == "notification"]

    def _item(self, topic: str, record: Record, read_up_to: int) -> Listed:
        notification = msgspec.json.decode(record.data, type=Notification)
        return Listed(topic, record.offset, record.offset <= read_up_to, notification)

    async def _marker(self, peer: Peer) -> ReadMarker:
        return _decode_marker(await self.context.storage.values.get(self._key(peer)))

    def _key(self, peer: Peer) -> str:
        return f"notifications/read/{peer.principal}"
