"""What `from jupyter_ws_hub import notify` gives: one call, from a kernel or script, that never breaks the program."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence, Sized
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from .finding import NoServer, Target, find
from .post import NotifyError, TooSlow, post
from .progress import Progress

Level = Literal["info", "success", "warning", "error"]
T = TypeVar("T")
TIMEOUT_S: Final = 3.0
REST_S: Final = 30.0
"""A server that was too slow is not asked again for so long, unless the program wants to know."""
SECOND_TRY: Final = frozenset({"", "unauthenticated", "forbidden"})
"""It may be another server by now, with another file."""


def action_of(label: str, target: str) -> dict[str, str]:
    """A button: for an address, a `command:…` of JupyterLab, or else a path under the server's root."""
    scheme, _, rest = target.partition(":")
    if scheme.lower() in ("http", "https"):
        return {"label": label, "kind": "url", "target": target}
    if scheme == "command":
        return {"label": label, "kind": "command", "target": rest}
    return {"label": label, "kind": "path", "target": target}


def plain(text: object) -> str:
    """Text that can be sent: a file's name may hold what is none."""
    return str(text).encode("utf-8", "replace").decode()


def program() -> str:
    """How this program is called: the notebook of a kernel, or the script."""
    name = os.environ.get("JPY_SESSION_NAME") or (getattr(sys, "argv", None) or [""])[0]
    return "" if name.startswith("-") else plain(Path(name).name)[:100]


class Notifier:
    """Posts notifications to the server of this program; usable from all threads."""

    def __init__(self) -> None:
        """Nothing is looked for before the first notification."""
        self._lock = threading.Lock()
        self._target: Target | None = None
        self._rest_until_s = 0.0
        self._told = ""

    def __call__(
        self,
        title: str,
        message: object = "",
        *,
        level: Level = "info",
        id: str | None = None,
        to: Literal["me", "all"] = "me",
        source: str | None = None,
        actions: Sequence[tuple[str, str]] = (),
        progress: float | None = None,
        expires_s: float | None = None,
        check: bool = False,
    ) -> bool:
        """Show a notification in JupyterLab; whether that was posted.

        The same `id` again updates it while it is under way, and later is a new one in its place. `actions` are
        buttons: pairs of a label and a path under the server's root, an address, or `command:<id>` of JupyterLab.
        `progress` goes from 0 to 1, below 1 it is under way; `expires_s` is after how many seconds it is of no use any
        more. What fails is logged, once, and does not break the program; with `check` it raises.

        Raises:
            NotifyError, NoServer: with `check`, it was not posted.
        """
        try:
            notification: dict[str, Any] = {
                "title": plain(title),
                "message": plain(message),
                "level": level,
                "to": to,
                "id": id,
                "source": program() if source is None else source,
                "actions": [action_of(plain(label), plain(target)) for label, target in actions],
                "progress": None if progress is None else float(progress),
                "expires_in_ms": None if expires_s is None else max(1, round(expires_s * 1000)),
            }
            self.send(notification, patient=check)
        except Exception as error:  # whatever it is, the program has better things to do
            if check:
                raise
            self._tell(error)
            return False
        self._told = ""
        return True

    def send(
        self,
        notification: dict[str, Any],
        *,
        patient: bool = True,
        url: str | None = None,
        token: str | None = None,
    ) -> str:
        """Post what `notifications.post` takes; give its id. What is tried twice counts once.

        `patient`: also ask a server that was too slow just now.

        Raises:
            NotifyError, NoServer: it was not posted.
        """
        if not patient and time.monotonic() < self._rest_until_s:
            raise TooSlow("The server was too slow just now; it is left alone for a while.")
        notification = {**notification, "id": notification.get("id") or os.urandom(16).hex()}
        known = self._target if url is None and token is None else None
        target = known or self._find(url, token)
        try:
            return post(target, notification, TIMEOUT_S)
        except TooSlow:
            self._rest_until_s = time.monotonic() + REST_S
            raise
        except NotifyError as error:
            if known is None or error.code not in SECOND_TRY:
                raise
        return post(self._find(url, token), notification, TIMEOUT_S)

    def _find(self, url: str | None, token: str | None) -> Target:
        from jupyter_core.paths import jupyter_runtime_dir

        with self._lock:
            target = find(Path(jupyter_runtime_dir()), os.environ, Path.cwd(), url=url, token=token)
            if target.pid == os.getpid():
                raise NoServer("This is the server itself; here jupyter_ws_hub.notify_from_server notifies.")
            if url is None and token is None:
                self._target = target
            return target

    def _tell(self, error: Exception) -> None:
        """Say once why nothing is posted; not again while it stays so."""
        reason = str(error)
        if reason != self._told:
            self._told = reason
            logging.getLogger("jupyter_ws_hub").warning("Not notified: %s", reason)

    def progress(
        self, title: str, total: float | None = None, *, id: str | None = None, source: str | None = None
    ) -> Progress:
        """A notification that shows how far something has come; see Progress."""
        return Progress(self, title, total, id=id, source=source)

    def track(
        self, iterable: Iterable[T], title: str = "Working", *, total: float | None = None, source: str | None = None
    ) -> Iterator[T]:
        """The items of `iterable`, with a notification that shows how far they have come: `for x in notify.track(xs)`.

        `total` is how many there are, where `iterable` has no length.
        """
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        with self.progress(title, total, source=source) as progress:
            for item in iterable:
                yield item
                progress.update()


notify = Notifier()
"""Of this process: where its server is, is found once."""
