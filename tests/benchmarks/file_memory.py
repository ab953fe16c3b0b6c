"""Memory of the server: it may not grow with a file's size, nor much with the number of uploads that wait."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from jupyter_ws_hub.protocol import transfer

from .file_stream import Control, FileStream
from .file_systems import FileSystem, ours
from .file_upload import arrived
from .file_uploads import FRAMES, Sequence
from .file_wire import PERIOD_BYTES
from .file_worker import Action, Order, Receipt
from .harness import Bar, Bench, Figure, take_turns
from .lab import Lab, worker
from .processes import family_rss_bytes, forget_peak, peak_bytes

TITLE = "memory of the server: peaks with a small and a large file, and what a paused upload takes"
SMALL: Final = 6 * PERIOD_BYTES
MIDDLE: Final = 64 * PERIOD_BYTES
"""An upload window grows to its bound, which is reached within half a gigabyte; from there on nothing may grow."""
LARGE: Final = 256 * PERIOD_BYTES
NAME: Final = "memory.bin"
FIRST: Final = 200
"""So many are paused before it is measured what one takes: with them the server's caches, threads and heap come to
their size, about 10 MB once, however many follow."""
PAUSED: Final = 1000
SENT_BYTES: Final = 1 << 20
"""What each paused upload has sent."""
GROWTH_MB: Final = 8.0
"""How much more the large file may take than the middle one, which is a quarter of it."""
PAUSED_KB: Final = 2.0
SETTLE_S: Final = 1.0


def peak_mb(lab: Lab, action: Action, size: int) -> float:
    """The most memory that a fresh server has had while a file went up or down, over what it had before."""
    system = ours(lab)
    if action == "download":
        with (system.folder / NAME).open("wb") as file:
            file.truncate(size)
    warm_up(system)
    with worker("file_worker", Order(action, system, NAME, size, zeros=action == "download")) as client:
        before = family_rss_bytes(system.pid)
        forget_peak(system.pid)
        client.go()
        client.answer(Receipt)
    if action == "upload":
        arrived(system.folder, size)
    (system.folder / NAME).unlink()
    return (peak_bytes(system.pid) - before) / 1e6


def warm_up(system: FileSystem) -> None:
    """Upload a little, so that code that comes in at first use is not counted."""
    with worker("file_worker", Order("upload", system, "warm.bin", PERIOD_BYTES)) as client:
        client.go()
        client.answer(Receipt)
    (system.folder / "warm.bin").unlink()


def paused(control: Control, port: int, number: int) -> None:
    """Begin an upload, send a part of it and pause it."""
    op = control.create("upload", f"paused{number}.bin", size=PERIOD_BYTES).op
    frames = Sequence(PERIOD_BYTES, FRAMES)
    with FileStream(port, op) as stream:
        stream.send(frames.take(SENT_BYTES)[0])
        while not any(isinstance(m, transfer.StreamAck) and m.written == frames.at for m in stream.wait()):
            pass
        control.call("transfers.pause", op=op)


def paused_kb(lab: Lab) -> float:
    """Kilobytes of the server's memory for each of many paused uploads."""
    system = ours(lab, max_active_transfers=2 * (FIRST + PAUSED))
    warm_up(system)
    with Control(system.port) as control:
        for number in range(FIRST):
            paused(control, system.port, number)
        time.sleep(SETTLE_S)
        before = family_rss_bytes(system.pid)
        for number in range(PAUSED):
            paused(control, system.port, FIRST + number)
        time.sleep(SETTLE_S)
        return (family_rss_bytes(system.pid) - before) / PAUSED / 1000


def peak_row(action: Action, size: int, found: Mapping[str, list[float]]) -> Figure:
    """The peak with the large file beside that with a smaller one."""
    return Figure(
        f"peak over what it was before, {action} of {LARGE / 1e9:.1f} GB",
        "MB",
        found[f"{action} {LARGE}"],
        f"of {size / 1e9:.1f} GB",
        found[f"{action} {size}"],
        Bar("≤", GROWTH_MB, "difference") if size == MIDDLE else None,
    )


def run(bench: Bench) -> list[Figure]:
    """Each measurement has a fresh server, for memory that was once taken is seldom given back."""
    number = 0

    def fresh(measure: Callable[[Lab], float]) -> float:
        nonlocal number
        number += 1
        lab = Lab(bench.lab.folder / str(number))
        try:
            return measure(lab)
        finally:
            lab.close()
            shutil.rmtree(lab.folder)

    actions: tuple[Action, ...] = ("upload", "download")
    turns = {
        f"{action} {size}": partial(fresh, partial(peak_mb, action=action, size=size))
        for action in actions
        for size in (SMALL, MIDDLE, LARGE)
    }
    found = take_turns(bench, {**turns, "paused": partial(fresh, paused_kb)})
    rows = [peak_row(action, size, found) for action in actions for size in (SMALL, MIDDLE)]
    return [
        *rows,
        Figure(
            f"each of {PAUSED:,} paused uploads, after the first {FIRST}",
            "kB",
            found["paused"],
            bar=Bar("≤", PAUSED_KB),
        ),
    ]
