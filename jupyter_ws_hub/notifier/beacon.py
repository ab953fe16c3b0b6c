"""The file by which a server tells the programs of its own user where it is, with a secret that lets them notify.

It lies in Jupyter's runtime folder and nobody else can read it. Who can may post notifications as the server's owner,
from this machine, and do nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import stat
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

PREFIX: Final = "ws-hub-"
MAX_BYTES: Final = 64 * 1024
_CAREFUL: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""No link is followed, and no pipe is waited for."""


@dataclass(frozen=True)
class Beacon:
    """Where a server is, and what it wants to hear."""

    pid: int
    machine: str
    """Runtime folders may be shared by machines, as homes are."""
    birth: str
    """When the process began, as the system counts it; "" where that is not known. Numbers of processes come again."""
    began_s: float
    """The same in seconds since 1970-01-01 UTC, to choose the newest."""
    url: str
    """Its HTTP address on this machine, with base_url and a slash at the end."""
    public_url: str
    """What the server itself takes for its address: JUPYTER_SERVER_URL in its terminals."""
    base_url: str
    root: str
    secret: str
    socket: str = ""
    """The path of its Unix socket, where it listens on one."""
    fingerprint: str = ""
    """SHA-256 of its certificate, in hex, where it speaks TLS: it may be self-signed."""


def this_machine() -> str:
    """A name of this machine."""
    return socket.gethostname()


def birth_of(pid: int) -> str:
    """When a process began, in the system's own counting; "" if that cannot be told."""
    fields_of = stat_of(pid)
    return fields_of[19] if len(fields_of) > 19 else ""


def stat_of(pid: int) -> list[str]:
    """What Linux tells of a process after its name (proc_pid_stat(5), from field 3 on); nothing elsewhere."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return []


def is_alive(beacon: Beacon) -> bool:
    """Whether its server still runs; only for one of this machine."""
    if os.name == "posix":  # elsewhere this would end the process
        try:
            os.kill(beacon.pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):
            pass
    return not beacon.birth or beacon.birth == birth_of(beacon.pid)


def _path(folder: Path, beacon: Beacon) -> Path:
    machine = hashlib.sha256(beacon.machine.encode()).hexdigest()[:8]
    return folder / f"{PREFIX}{machine}-{beacon.pid}.json"


def write(folder: Path, beacon: Beacon) -> None:
    """Put the file there, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = _path(folder, beacon)
    new = path.with_suffix(f".{os.urandom(8).hex()}")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(beacon), file)
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def remove(folder: Path, beacon: Beacon) -> None:
    """Take the file away, unless it is another server's by now."""
    path = _path(folder, beacon)
    if _read(path) == beacon:
        with contextlib.suppress(OSError):  # somebody else has removed it
            path.unlink()


def read_all(folder: Path, *, clean: bool = False) -> list[Beacon]:
    """The servers of this user that run on this machine, newest first; `clean` removes the files of dead ones."""
    found = []
    for path in folder.glob(f"{PREFIX}*.json"):
        beacon = _read(path)
        if beacon is None or beacon.machine != this_machine():
            continue
        if is_alive(beacon):
            found.append(beacon)
        elif clean:
            with contextlib.suppress(OSError):  # another server was faster
                path.unlink()
    return sorted(found, key=lambda beacon: -beacon.began_s)


def _read(path: Path) -> Beacon | None:
    """What stands in a file that this user alone can have written and can read; None for any other."""
    try:
        with open(os.open(path, os.O_RDONLY | _CAREFUL), "rb") as file:
            status = os.fstat(file.fileno())
            if os.name == "posix" and (status.st_uid != os.geteuid() or status.st_mode & 0o077):
                return None
            if not stat.S_ISREG(status.st_mode):
                return None
            values = json.loads(file.read(MAX_BYTES))
        # What a newer version of this package has added is passed over.
        beacon = Beacon(**{field.name: values[field.name] for field in fields(Beacon) if field.name in values})
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    good = isinstance(beacon.pid, int) and beacon.pid > 0 and isinstance(beacon.began_s, int | float)
    texts = [getattr(beacon, field.name) for field in fields(Beacon) if field.name not in ("pid", "began_s")]
    return beacon if good and all(isinstance(text, str) for text in texts) else None
