"""Transfers by request: who may make which, whose they are, and what is told of their progress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.hub.topic_state import LatestValue
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Event
from jupyter_ws_hub.services.base import Nothing
from jupyter_ws_hub.services.transfers import (
    CheckParams,
    CreateTransfer,
    TransferParams,
    TransfersService,
    TransferStatus,
)
from jupyter_ws_hub.system import STREAMS_LACK
from jupyter_ws_hub.transfers import store
from jupyter_ws_hub.transfers.settings import TransferSettings

from ..hub.client import HubClient, code_of, content, only, opened
from ..support.fakes import Stage, fake_peer

ALICE, BOB = fake_peer("alice"), fake_peer("bob")
ME = "transfers/me"


async def begin(root: Path) -> tuple[TransfersService, Stage]:
    """The service, started, on a store of files under `root`."""
    service = TransfersService()
    stage = Stage(service, root=root)
    (root / "here.bin").write_bytes(b"x" * 1000)
    await service.start()
    return service, stage


def upload(path: str = "new.bin", size: int | None = 10, **fields: Any) -> CreateTransfer:
    """The parameters of an upload."""
    return CreateTransfer("upload", path, size=size, **fields)


def names(root: Path) -> list[str]:
    """The files of a directory, hidden ones too."""
    return sorted(file.name for file in root.iterdir())


async def refused(service: TransfersService, params: CreateTransfer) -> Code:
    """The code with which a transfer is refused."""
    with pytest.raises(HubError) as caught:
        await service.create(params, ALICE)
    return caught.value.code


def states(client: HubClient) -> list[tuple[str, str, bool]]:
    """What a client was told of its transfers."""
    told = [msgspec.json.decode(event.data, type=TransferStatus) for event in only(Event, client.messages)]
    return [(status.op, status.state, status.gone) for status in told]


async def test_an_upload_is_prepared_and_nothing_is_written_yet(tmp_path: Path) -> None:
    service, _ = await begin(tmp_path)
    made = await service.create(upload(), ALICE)
    assert (made.path, made.size) == ("new.bin", 10)
    assert (made.limits.frame_bytes, made.limits.block_bytes) == (1024 * 1024, 4 * 1024 * 1024)
    assert names(tmp_path) == ["here.bin"]


@pytest.mark.parametrize(
    "params",
    [upload(), upload(kind="tree"), CreateTransfer("download", "here.bin")],
)
async def test_where_the_system_cannot_it_is_down_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: CreateTransfer
) -> None:
    monkeypatch.setattr(store, "has_descriptors", lambda: False)
    service, _ = await begin(tmp_path)
    assert (service.health().state, service.health().reason) == ("down", STREAMS_LACK)
    assert await refused(service, params) is Code.UNSUPPORTED
    with pytest.raises(HubError) as caught:  # the rules of names are those of other systems
        await service.check(CheckParams("", ["here.bin"]), ALICE)
    assert caught.value.code is Code.UNSUPPORTED
    assert (await service.list(Nothing(), ALICE)).transfers == []
    await service.context.transfers.sweep()
    assert names(tmp_path) == ["here.bin"]


async def test_a_download_has_the_size_of_its_file(tmp_path: Path) -> None:
    service, _ = await begin(tmp_path)
    made = await service.create(CreateTransfer("download", "here.bin", size=5), ALICE)
    assert (made.path, made.size) == ("here.bin", 1000)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (upload(size=None), Code.INVALID),
        (upload(size=-1), Code.INVALID),
        (upload("here.bin"), Code.EXISTS),
        (upload("nowhere/new.bin"), Code.NOT_FOUND),
        (CreateTransfer("download", "nowhere.bin"), Code.NOT_FOUND),
    ],
)
async def test_a_transfer_that_cannot_be_is_refused(tmp_path: Path, params: CreateTransfer, code: Code) -> None:
    service, _ = await begin(tmp_path)
    assert await refused(service, params) is code
    assert (await service.list(Nothing(), ALICE)).transfers == []


@pytest.mark.parametrize("fields", [{"if_exists": "overwrite"}, {"if_exists": "rename"}, {"expect": "some-etag"}])
async def test_an_upload_over_what_exists_has_to_say_so(tmp_path: Path, fields: dict[str, Any]) -> None:
    service, stage = await begin(tmp_path)
    made = await service.create(upload("here.bin", mtime_ms=1500, **fields), ALICE)
    plan = (await stage.transfers.find(made.op, "alice")).plan
    assert (plan.if_exists, plan.expect_etag) == (fields.get("if_exists", "fail"), fields.get("expect"))
    assert plan.mtime_s == 1.5


@pytest.mark.parametrize("field", [{"direction": "sideways"}, {"if_exists": "ask"}, {"digest": "md5"}, {"size": "10"}])
async def test_params_of_another_form_are_invalid(tmp_path: Path, field: dict[str, str]) -> None:
    _, stage = await begin(tmp_path)
    client = await opened(stage.hub)
    params = {"direction": "upload", "path": "new.bin", "size": 10, **field}
    assert code_of(await client.ask(1, "transfers.create", params)) == "invalid"


async def test_a_download_needs_the_permission_to_read_and_an_upload_the_one_to_write_too(tmp_path: Path) -> None:
    service, stage = await begin(tmp_path)
    reader = fake_peer("reader", denied=[("write", "contents")])
    assert (await service.create(CreateTransfer("download", "here.bin"), reader)).op
    with pytest.raises(HubError) as caught:
        await service.create(upload(), reader)
    assert caught.value.code is Code.FORBIDDEN
    assert len((await service.list(Nothing(), reader)).transfers) == 1
    stranger = await opened(stage.hub, fake_peer("stranger", denied=[("read", "contents")]))
    asked = [("create", {"direction": "download", "path": "here.bin"}), ("list", {}), ("cancel", {"op": "x"})]
    for ref, (name, params) in enumerate(asked, start=1):
        assert code_of(await stranger.ask(ref, f"transfers.{name}", params)) == "forbidden"


async def test_my_transfers_are_not_yours(tmp_path: Path) -> None:
    service, _ = await begin(tmp_path)
    made = await service.create(upload(), ALICE)
    assert [status.op for status in (await service.list(Nothing(), ALICE)).transfers] == [made.op]
    assert (await service.list(Nothing(), BOB)).transfers == []
    with pytest.raises(HubError) as caught:
        await service.cancel(TransferParams(made.op), BOB)
    assert caught.value.code is Code.NOT_FOUND
    assert (await service.list(Nothing(), ALICE)).transfers[0].state == "waiting"


async def test_a_cancelled_transfer_stays_cancelled_and_is_told_once(tmp_path: Path) -> None:
    service, stage = await begin(tmp_path)
    client = await opened(stage.hub, ALICE)
    await client.subscribe(1, ME)
    made = await service.create(upload(), ALICE)
    for _ in range(2):
        assert (await service.cancel(TransferParams(made.op), ALICE)).state == "cancelled"
    await client.read()
    assert states(client) == [(made.op, "waiting", False), (made.op, "cancelled", False)]


async def test_a_transfer_that_is_not_there_cannot_be_cancelled(tmp_path: Path) -> None:
    service, _ = await begin(tmp_path)
    with pytest.raises(HubError) as caught:
        await service.cancel(TransferParams("nothing"), ALICE)
    assert caught.value.code is Code.NOT_FOUND


async def test_progress_is_told_to_its_owner_and_to_nobody_else(tmp_path: Path) -> None:
    service, stage = await begin(tmp_path)
    alice, bob = await opened(stage.hub, ALICE), await opened(stage.hub, BOB)
    for client in (alice, bob):
        await client.subscribe(1, ME)
    made = await service.create(upload(), ALICE)
    operation = await stage.transfers.find(made.op, "alice")
    operation.state, operation.byte_offset = "running", 7
    await stage.transfers.changed(operation, force=True)
    await alice.read()
    await bob.read()
    assert states(alice) == [(made.op, "waiting", False), (made.op, "running", False)]
    assert msgspec.json.decode(only(Event, alice.messages)[-1].data, type=TransferStatus).byte_offset == 7
    assert states(bob) == []


async def test_progress_is_told_at_most_five_times_a_second(tmp_path: Path) -> None:
    service, stage = await begin(tmp_path)
    client = await opened(stage.hub, ALICE)
    await client.subscribe(1, ME)
    operation = await stage.transfers.find((await service.create(upload(size=1000), ALICE)).op, "alice")
    operation.state = "running"
    for byte_offset in range(1000):
        stage.clock.advance(0.001)
        operation.byte_offset = byte_offset
        await stage.transfers.changed(operation)
    await client.read()
    assert 4 <= len(states(client)) <= 6


async def test_a_failure_is_told_with_its_reason(tmp_path: Path) -> None:
    service, stage = await begin(tmp_path)
    made = await service.create(upload(), ALICE)
    await stage.transfers.fail(await stage.transfers.find(made.op, "alice"), HubError(Code.NO_SPACE, "Full."))
    (status,) = (await service.list(Nothing(), ALICE)).transfers
    assert status.state == "failed" and status.error is not None
    assert (status.error.code, status.error.retryable) == ("no_space", True)


async def test_a_transfer_that_is_forgotten_is_told_as_gone_and_is_in_no_snapshot(tmp_path: Path) -> None:
    service, stage = await begin(tmp_path)
    client = await opened(stage.hub, ALICE)
    await client.subscribe(1, ME)
    kept, ended = await service.create(upload("kept.bin"), ALICE), await service.create(upload("ended.bin"), ALICE)
    await service.cancel(TransferParams(ended.op), ALICE)
    stage.clock.advance(601)
    await stage.transfers.sweep()
    await client.read()
    assert states(client)[-1] == (ended.op, "cancelled", True)
    late = await opened(stage.hub, ALICE)
    snapshot = msgspec.json.decode(content((await late.subscribe(1, ME)).snapshot), type=list[LatestValue])
    assert [msgspec.json.decode(value.data, type=TransferStatus).op for value in snapshot] == [kept.op]


async def test_too_many_transfers_of_one_user_are_refused_for_now(tmp_path: Path) -> None:
    service, stage = await begin(tmp_path)
    limit = 16
    stage.transfers.settings = TransferSettings(max_operations=limit)
    made = [await service.create(upload(f"{number}.bin"), ALICE) for number in range(limit)]
    assert await refused(service, upload("more.bin")) is Code.BUSY
    assert (await service.create(upload("bob.bin"), BOB)).op
    await service.cancel(TransferParams(made[0].op), ALICE)
    assert (await service.create(upload("more.bin"), ALICE)).op


async def test_ids_are_all_different(tmp_path: Path) -> None:
    service, _ = await begin(tmp_path)
    ops = {(await service.create(upload(f"{number}.bin"), ALICE)).op for number in range(5)}
    assert len(ops) == 5
