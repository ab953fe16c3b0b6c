"""What waits is in the journal: a server's memory does not grow with the number of transfers that nobody moves."""

from __future__ import annotations

import gc
import pathlib
import tracemalloc
from pathlib import Path
from typing import Final

from jupyter_ws_hub.protocol.transfer import StreamHello, encode_stream
from jupyter_ws_hub.services.transfers import TransfersService
from jupyter_ws_hub.transfers.operation import DownloadPlan, Operation, UploadPlan
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.fakes import Stage, fake_peer

from .stream_user import StreamUser
from .uploader import DATA, Uploader

BYTES: Final = 500
"""What one that waits may take: that it is there, whose it is and since when nobody has touched it."""


async def _begin(store: TransferStore, number: int) -> None:
    """Begin an upload or a download, and leave it in one of the ways in which it may wait."""
    peer, way = fake_peer(), number % 5
    client: StreamUser
    if way < 3:
        op = await store.create_upload(peer, f"waiting{number}.bin", len(DATA), UploadPlan())
        client = await (await Uploader(store, op).hello()).send(DATA[:4])
    else:
        op = await store.create_download(peer, "waiting.bin", DownloadPlan())
        client = StreamUser(store, op)
        await client.take(encode_stream(StreamHello()))
    if way in (0, 3):
        await store.pause(op)
    if way != 2:
        await client.stream.closed()
    else:  # nobody has come with its bytes
        await client.stream.closed()
        await store.pause(op)
        await store.resume(op)


def _operations() -> list[str]:
    """The paths of this file's operations that anybody holds."""
    gc.collect()
    paths = [one.path for one in gc.get_objects() if isinstance(one, Operation)]
    return [path for path in paths if path.startswith("waiting")]


async def _staged(tmp_path: Path) -> Stage:
    """The service on a hub and a store, with a file to download."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "waiting.bin").write_bytes(b"x" * 1000)
    service = TransfersService()
    stage = Stage(service, root=root)
    await service.start()
    return stage


async def test_no_operation_that_waits_is_in_memory(tmp_path: Path) -> None:
    stage = await _staged(tmp_path)
    for number in range(50):
        await _begin(stage.transfers, number)
    assert _operations() == []
    await stage.transfers.stop()


async def test_what_waits_takes_a_few_hundred_bytes_each(tmp_path: Path) -> None:
    store = (await _staged(tmp_path)).transfers
    for number in range(50):
        await _begin(store, number)
    tracemalloc.start()
    try:
        for number in range(50, 250):
            await _begin(store, number)
        gc.collect()
        # It has the interpreter's table of interned strings grow, now or later, whoever does what.
        snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, pathlib.__file__)])
    finally:
        tracemalloc.stop()
    assert sum(statistic.size for statistic in snapshot.statistics("filename")) / 200 < BYTES
    await store.stop()
