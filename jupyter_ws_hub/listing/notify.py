"""Watches directories in the helper process: gathers what changes in them, and looks at what has. Blocks briefly."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .entry import DirectoryChanged, Entry
from .messages import WatchBody
from .mime import MimeTables
from .scan import Looker, Rules

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

POLL_S: Final = 0.05
"""How often the system's news are fetched; they wait, in order, until then."""

GATHER_S: Final = 0.1
CHECK_S: Final = 1.0
"""How often it is looked whether a directory is still the same one: no event tells of all ways to lose it."""

MAX_CHANGES: Final = 500
EVENT_ENTRIES: Final = 100
SHARED_POLL_MS: Final = 2000
"""How often a network file system is looked through, where no event tells of what other machines do."""

RETIRE_S: Final = 0.2
"""How long a watcher that was replaced is still asked: what happened before it was may be on its way."""

MAX_RETIRED: Final = 8

Tell = Callable[[int, DirectoryChanged], None]


class Watched:
    """One directory, and the names in it that something has happened to."""

    def __init__(self, id: int, body: WatchBody, mime: MimeTables) -> None:
        """Open the directory.

        Raises:
            OSError: it is not there.
        """
        self.id = id
        self.body = body
        self.names: set[str] = set()
        self.since_s = 0.0
        self._mime = mime
        self._looker: Looker | None = None
        self._open()

    @property
    def path(self) -> str:
        """Where it lies."""
        return self.body.directory.os_path

    @property
    def is_gone(self) -> bool:
        """Whether it was lost, and nothing has come in its place."""
        return self._looker is None

    def _open(self) -> None:
        directory = self.body.directory
        self._looker = Looker(directory, Rules(directory, hidden=False), self._mime)

    def close(self) -> None:
        """Look no more."""
        if self._looker is not None:
            self._looker.close()
            self._looker = None

    def check(self) -> DirectoryChanged | None:
        """See whether the path still is the directory that was opened; what to tell if not."""
        try:
            now = os.stat(self.path)
        except OSError:
            if self._looker is None:
                return None
            self.close()
            return DirectoryChanged(self.body.directory.path, gone=True)
        if self._looker is not None:
            known = self._looker.status()
            if (known.st_dev, known.st_ino) == (now.st_dev, now.st_ino):
                return None
            self.close()
        try:
            self._open()
        except OSError:
            return DirectoryChanged(self.body.directory.path, gone=True)
        return DirectoryChanged(self.body.directory.path, reset=True)

    def changes(self) -> list[DirectoryChanged]:
        """What has become of what was gathered; nothing is gathered then."""
        names, self.names = sorted(self.names), set()
        path = self.body.directory.path
        if self._looker is None:
            return []
        if len(names) > MAX_CHANGES:
            return [DirectoryChanged(path, reset=True)]
        rules = Rules(self.body.directory, hidden=False)
        entries: list[Entry] = []
        removed: list[str] = []
        for name in rules.select(names):
            entry = self._looker.entry(name)
            if entry is not None:
                entries.append(entry)
            else:
                removed.append(name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))
        told = [
            DirectoryChanged(path, entries[at : at + EVENT_ENTRIES]) for at in range(0, len(entries), EVENT_ENTRIES)
        ]
        return [DirectoryChanged(path, removed=removed), *told] if removed else told


class Notifier:
    """All directories that are watched, by two watchers of the system's: one is told of changes, one looks for them."""

    def __init__(self, tell: Tell) -> None:
        """`tell` is handed what has changed."""
        self._tell = tell
        self._watched: dict[int, Watched] = {}
        self._watchers: dict[bool, RustNotify] = {}
        self._retired: deque[tuple[float, bool, RustNotify]] = deque()
        """When each is let go of, and which kind it is."""
        self._stale: set[bool] = set()
        self._checked_s = 0.0

    def __len__(self) -> int:
        """How many are watched, or still asked."""
        return len(self._watched) + len(self._retired)

    def add(self, id: int, body: WatchBody, mime: MimeTables) -> None:
        """Watch a directory, from now on.

        Raises:
            OSError: it is not there, or the system watches no more.
        """
        watched = Watched(id, body, mime)
        self._watched[id] = watched
        try:
            self._renew(body.polling)
        except OSError:
            self.remove(id)
            raise

    def remove(self, id: int) -> None:
        """Watch it no more."""
        watched = self._watched.pop(id, None)
        if watched is not None:
            watched.close()
            self._stale.add(watched.body.polling)

    def _renew(self, polling: bool) -> None:
        """Let the system watch what is to be watched now; the old watcher ends after the new one has begun."""
        from watchfiles._rust_notify import RustNotify  # takes its time, and few need it

        self._fetch_all()
        paths = {w.path for w in self._watched.values() if w.body.polling is polling and not w.is_gone}
        watcher = None
        if paths:
            watcher = RustNotify(sorted(paths), False, polling, SHARED_POLL_MS, False, True)
        old = self._watchers.pop(polling, None)
        if old is not None:
            until_s = time.monotonic() + RETIRE_S + (2 * SHARED_POLL_MS / 1000 if polling else 0)
            self._retired.append((until_s, polling, old))
        if watcher is not None:
            self._watchers[polling] = watcher
        self._stale.discard(polling)

    def _fetch(self, polling: bool, watcher: RustNotify) -> None:
        """Take what the system has told, without waiting for more."""
        news = watcher.watch(1, 1, 1, None)
        if isinstance(news, str):
            return
        now_s = time.monotonic()
        by_path: dict[str, set[str]] = {}
        for _, path in news:
            folder, _, name = path.rpartition("/")
            by_path.setdefault(folder or "/", set()).add(name)
        for watched in self._watched.values():
            if watched.body.polling is polling and (names := by_path.get(watched.path)):
                watched.since_s = watched.since_s if watched.names else now_s
                watched.names |= names

    def _fetch_all(self) -> None:
        for polling, watcher in self._watchers.items():
            self._fetch(polling, watcher)
        for _ in range(len(self._retired)):
            until_s, polling, watcher = self._retired.popleft()
            self._fetch(polling, watcher)
            if time.monotonic() < until_s and len(self._retired) < MAX_RETIRED:
                self._retired.append((until_s, polling, watcher))
            else:
                watcher.close()

    def poll(self) -> None:
        """Fetch news, and tell what was gathered long enough."""
        self._fetch_all()
        now_s = time.monotonic()
        for watched in self._watched.values():
            if watched.names and now_s - watched.since_s >= GATHER_S:
                for change in watched.changes():
                    self._tell(watched.id, change)
        if now_s - self._checked_s >= CHECK_S:
            self._checked_s = now_s
            self._check()
        for polling in (*self._stale,):
            self._try_to_renew(polling)

    def _check(self) -> None:
        for watched in self._watched.values():
            change = watched.check()
            if change is not None:
                self._tell(watched.id, change)
                self._stale.add(watched.body.polling)

    def _try_to_renew(self, polling: bool) -> None:
        try:
            self._renew(polling)
        except OSError:
            self._check()  # one has gone in this moment; the next poll tries again
