"""What a notification is, on the wire and in the log, and what may not be in one."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from ..protocol.codes import Code
from ..protocol.errors import HubError

MAX_TITLE_CHARACTERS: Final = 200
MAX_MESSAGE_CHARACTERS: Final = 4000
MAX_ID_CHARACTERS: Final = 64
MAX_EXPIRES_MS: Final = 366 * 86_400_000
COMMAND: Final = re.compile(r"[\w@./-]{1,100}:[\w@./:-]{1,100}")
"""A command of JupyterLab: `docmanager:open`, `@scope/extension:do-it`."""

Level = Literal["info", "success", "warning", "error"]


class Action(msgspec.Struct, frozen=True):
    """A button of a notification: opens a path of the server, or an address (http, https) in a new tab, or runs a
    command of JupyterLab that its user has allowed for this."""

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
    kind: Literal["path", "url", "command"]
    target: Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


class Notification(msgspec.Struct, frozen=True):
    """A notification as it is now. `sender` is the username of who posted it, `source` the program, kernel or event.

    One that is posted again keeps its `id` and has a higher `version`; it takes the place of the older one.
    """

    id: str
    level: Level
    title: str
    message: str
    sender: str
    time: int
    """When it was posted as a new one: milliseconds since 1970-01-01 UTC, by the server's clock."""
    version: int = 1
    source: str = ""
    actions: list[Action] = []
    progress: float | None = None
    """From 0 to 1; below 1 it is under way."""
    expires: int | None = None
    """When it is of no use any more, in milliseconds as `time`."""
    since: int = 0
    """Who has read up to this offset of the topic has read it; 0: up to its own. An update of what is under way does
    not make a read one unread, unless it makes an error of it; the same goes for one that was dismissed."""
    updated: int = 0
    """When there was last news of it: when it was posted as a new one, or else has ended; in milliseconds as `time`.
    0 of what was stored before there was this field."""


class Dismissed(msgspec.Struct, frozen=True):
    """A user has seen enough of a notification: of what was posted up to `offset` in `topic`.

    Without a topic it is that of both, with the offset 0 all that has come so far.
    """

    id: str
    topic: Literal["notifications/me", "notifications/all"] | None = None
    offset: int = 0


class ReadMarker(msgspec.Struct, frozen=True):
    """How far a user has read: an offset in their own log and one in everybody's."""

    me: int = 0
    all: int = 0


class NotifyParams(msgspec.Struct, frozen=True):
    """What to tell whom. `to` all needs the permission to execute on notifications.

    With the `id` of one that is under way it updates that one, and of another it is a new one in its place; the same
    once more, at once, changes nothing.
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


def check(params: NotifyParams) -> None:
    """Return if this may be posted.

    Raises:
        HubError: `invalid` or `too_big`, in words for whoever wrote it.
    """
    if not params.title.strip() or len(params.title) > MAX_TITLE_CHARACTERS:
        raise HubError(Code.INVALID, f"A notification needs a title of at most {MAX_TITLE_CHARACTERS} characters.")
    if len(params.message) > MAX_MESSAGE_CHARACTERS:
        raise HubError(Code.TOO_BIG, f"A notification has at most {MAX_MESSAGE_CHARACTERS} characters.")
    if params.id is not None and not 1 <= len(params.id) <= MAX_ID_CHARACTERS:
        raise HubError(Code.INVALID, f"A notification's id has 1 to {MAX_ID_CHARACTERS} characters.")
    if params.expires_in_ms is not None and params.expires_in_ms > MAX_EXPIRES_MS:
        raise HubError(Code.INVALID, "A notification expires within a year; without expires_in_ms it never does.")
    for action in params.actions:
        _check_action(action)


def _check_action(action: Action) -> None:
    target = action.target
    # Browsers leave tabs and line ends out of addresses, and some characters turn the direction of what is shown.
    if any(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") for character in target + action.label):
        raise HubError(Code.INVALID, "An action has no control characters.")
    if action.kind == "url" and not _is_web_address(target):
        raise HubError(Code.INVALID, f"{target[:200]!r} is no http or https address that an action may open.")
    if action.kind == "path" and not _is_inside(target):
        raise HubError(Code.INVALID, f"{target[:200]!r} is no path under the server's root, such as 'data/plot.png'.")
    if action.kind == "command" and not COMMAND.fullmatch(target):
        raise HubError(Code.INVALID, f"{target[:200]!r} is no command of JupyterLab, such as 'docmanager:open'.")


def _is_web_address(target: str) -> bool:
    """A name or password in an address makes it look like another one."""
    try:
        parts = urlsplit(target)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def _is_inside(target: str) -> bool:
    return "\\" not in target and ":" not in target.split("/")[0] and not {"", ".", ".."} & {*target.split("/")}
