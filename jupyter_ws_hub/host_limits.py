"""What the server may use of its machine: the limits of its container (cgroup v2 and v1), and those of a JupyterHub.

Everything here only reads a few small files; what is not there, or is no number, limits nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple, TypeVar

CGROUPS: Final = Path("/sys/fs/cgroup")
OWN: Final = Path("/proc/self/cgroup")
MICROSECONDS: Final = 1e-6
NANOSECONDS: Final = 1e-9

T = TypeVar("T")


class MemoryLimit(NamedTuple):
    """How many bytes the processes of a cgroup may have together, and how many they have."""

    limit: int
    used: int
    """Without what the kernel has of files only because there was room."""


class CpuLimit(NamedTuple):
    """How many cores the processes of a cgroup may use together, and the seconds that they have worked."""

    cores: float
    busy_s: float


class Limits(NamedTuple):
    """The tightest limits; None where there is none."""

    memory: MemoryLimit | None = None
    cpu: CpuLimit | None = None


class Allowed(NamedTuple):
    """What a JupyterHub says that its single-user server may use; None where it says nothing."""

    memory: int | None = None
    cores: float | None = None


def allowed(environment: Mapping[str, str]) -> Allowed:
    """What the variables say that JupyterHub sets: MEM_LIMIT in bytes, CPU_LIMIT in cores."""
    memory, cores = _number(environment.get("MEM_LIMIT", "")), _number(environment.get("CPU_LIMIT", ""))
    return Allowed(None if memory is None else int(memory), cores)


def own_limits() -> Limits:
    """Those of this process."""
    return read_limits(CGROUPS, _text(OWN))


def read_limits(root: Path, own: str) -> Limits:
    """The limits of the cgroups that `own` names, in the words of /proc/self/cgroup, and of those above them.

    `root` is where they are mounted. In a container that may be its own cgroup, whatever `own` says.
    """
    paths = _paths(own)
    v2 = paths.get("", "/")
    memory = [*_each(root, v2, _memory_v2), *_each(root / "memory", paths.get("memory", "/"), _memory_v1)]
    cpu = [*_each(root, v2, _cpu_v2), *_each(root / "cpu", paths.get("cpu", "/"), partial(_cpu_v1, root))]
    return Limits(
        min(memory, key=lambda one: one.limit, default=None), min(cpu, key=lambda one: one.cores, default=None)
    )


def _paths(own: str) -> dict[str, str]:
    """The path of the cgroup by controller; that of version 2 has no controller."""
    found: dict[str, str] = {}
    for line in own.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _each(root: Path, path: str, read: Callable[[Path], T | None]) -> Iterator[T]:
    """What `read` finds in the folder of a cgroup and in those above it, as far as they are there."""
    below = PurePosixPath(path.lstrip("/"))
    if ".." in below.parts:  # it stands above what the container sees
        below = PurePosixPath()
    for part in (below, *below.parents):
        if (found := read(root / part)) is not None:
            yield found


def _memory_v2(folder: Path) -> MemoryLimit | None:
    limit, used = _number(_text(folder / "memory.max")), _number(_text(folder / "memory.current"))
    if limit is None or used is None:
        return None
    return MemoryLimit(int(limit), max(0, int(used) - _field(folder / "memory.stat", "inactive_file")))


def _memory_v1(folder: Path) -> MemoryLimit | None:
    limit = _number(_text(folder / "memory.limit_in_bytes"))
    used = _number(_text(folder / "memory.usage_in_bytes"))
    if limit is None or used is None:
        return None
    return MemoryLimit(int(limit), max(0, int(used) - _field(folder / "memory.stat", "total_inactive_file")))


def _cpu_v2(folder: Path) -> CpuLimit | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    cores, worked = _cores(quota, period), _field(folder / "cpu.stat", "usage_usec")
    return CpuLimit(cores, worked * MICROSECONDS) if cores and worked else None


def _cpu_v1(root: Path, folder: Path) -> CpuLimit | None:
    """What was used stands with another controller."""
    cores = _cores(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))
    worked = _number(_text(root / "cpuacct" / folder.relative_to(root / "cpu") / "cpuacct.usage"))
    return CpuLimit(cores, worked * NANOSECONDS) if cores and worked else None


def _cores(quota: str, period: str) -> float | None:
    parts, whole = _number(quota), _number(period)
    return None if parts is None or whole is None else parts / whole


def _field(file: Path, name: str) -> int:
    """A value of a file with a name and a number in each line; 0 if it is not there."""
    for line in _text(file).splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(_number(value) or 0)
    return 0


def _number(text: str) -> float | None:
    """A number above 0; None for what is none, such as `max`, and for -1, which stands for no limit."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeError):
        return ""
