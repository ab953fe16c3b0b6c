"""Which file systems several machines may mount: SQLite's write-ahead log does not work across machines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_SHARED: Final = frozenset(
    "nfs nfs3 nfs4 cifs smb smb2 smb3 smbfs afs ncpfs 9p ceph glusterfs lustre gpfs beegfs ocfs2 gfs2 "
    "fuse.sshfs fuse.glusterfs fuse.s3fs fuse.gcsfuse fuse.rclone fuse.juicefs".split()
)
_MOUNTS: Final = Path("/proc/self/mounts")
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


def is_shared(path: Path, mounts: Path = _MOUNTS) -> bool:
    """Whether `path` (or its nearest parent that exists) lies on a network file system.

    Where the system has no mount table in the format of proc(5), the answer is no.
    """
    try:
        table = mounts.read_text(errors="replace")
    except OSError:
        return False
    where = str(path.resolve())
    best, kind = "", ""
    for line in table.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), fields[1])
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind in _SHARED
