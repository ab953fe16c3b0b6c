"""A server that dies at any step of an upload's end, and the next one on the same home.

A death is simulated: from some call on nothing is done any more by the first store, and a second store reads the same
journal. tests/integration/test_upload_storm.py kills real servers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import Done, IfExists
from jupyter_ws_hub.transfers.journal import Journal
from jupyter_ws_hub.transfers.operation import Operation, UploadPlan
from jupyter_ws_hub.transfers.store import TransferStore
from tests.support.client import root_of, until
from tests.support.fakes import FakeClock, fake_peer

from .test_store import FakeFiles, Make, clock, files, listed, make_store, store
from .uploader import DATA, Uploader, begun, upload

__all__ = ["clock", "files", "make_store", "store"]  # the fixtures


class Dead(BaseException):
    """Nothing happens after this."""


class Death:
    """Kills by the n-th call of what touches the disk, before or after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
        """Die at the call number `step`, counted from 0; its parity says whether before or after it is done."""
        self.calls: list[str] = []
        self._step = step
        self.happened = False
        for place, name in [(os, "link"), (os, "unlink"), (os, "replace"), (os, "fsync"), (Journal, "save")]:
            monkeypatch.setattr(place, name, self._dying(name, getattr(place, name)))

    def _dying(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            if self.happened:
                raise OSError("dead")
            number = len(self.calls)
            self.calls.append(name)
            if 2 * number == self._step:
                self.happened = True
                raise OSError("dead")
            result = function(*arguments, **more)
            if 2 * number + 1 == self._step:
                self.happened = True
                raise OSError("dead")
            return result

        return call


async def die_at(step: int, store: TransferStore, files: FakeFiles, policy: IfExists) -> tuple[str, bool]:
    """Upload until death; give the operation's id, and whether it came to death at all."""
    client = await begun(store, DATA, UploadPlan(policy))
    with pytest.MonkeyPatch.context() as patch:
        death = Death(patch, step)
        await client.finish(DATA)
        its = death.happened
        if its:
            await client.stream.closed()
    return client.op.id, its


def old_is_whole(files: FakeFiles, policy: IfExists) -> None:
    content = {name: files.read(name) for name in files.names() if not name.startswith(".")}
    allowed = {
        "fail": [{}, {"a.bin": DATA}],
        "overwrite": [{"a.bin": b"old"}, {"a.bin": DATA}],
        "rename": [{"a.bin": b"old"}, {"a.bin": b"old", "a-1.bin": DATA}],
    }
    assert content in allowed[policy]


@pytest.mark.parametrize("policy", ["fail", "overwrite", "rename"])
@pytest.mark.parametrize("step", range(30))
async def test_after_a_death_at_any_step_the_client_gets_done_and_there_is_one_file(
    make_store: Make, files: FakeFiles, policy: IfExists, step: int
) -> None:
    if policy != "fail":
        files.write("a.bin", b"old")
    id, died = await die_at(step, make_store(), files, policy)
    old_is_whole(files, policy)
    after = make_store()
    op = await after.find(id, "alice")
    again = Uploader(after, op)
    done = await again.whole(DATA)
    name = "a-1.bin" if policy == "rename" else "a.bin"
    assert isinstance(done, Done), (died, done)
    assert (done.path, done.size, done.root) == (name, len(DATA), root_of(DATA))
    assert files.names() == (["a-1.bin", "a.bin"] if policy == "rename" else ["a.bin"])
    assert files.read(name) == DATA
    await again.stream.closed()
    once_more = await Uploader(make_store(), await make_store().find(id, "alice")).hello()
    assert once_more.last == done


async def test_the_steps_of_a_death_are_all_there_are(make_store: Make, files: FakeFiles) -> None:
    assert not (await die_at(10_000, make_store(), files, "fail"))[1]
    client = await begun(make_store(), DATA, UploadPlan("rename"))
    with pytest.MonkeyPatch.context() as patch:
        death = Death(patch, 10_000)
        await client.finish(DATA)
    assert 2 * len(death.calls) <= 30, death.calls
    assert {"link", "unlink", "fsync", "save"} <= set(death.calls)


async def test_a_pause_and_a_resume_after_a_death_do_not_forget_what_was_published(
    make_store: Make, files: FakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await published_but_not_saved(make_store, files)
    store = make_store()
    op = await store.find(id, "alice")
    await store.pause(op)
    assert (await Uploader(store, op).hello()).error.code == "paused"
    store = make_store()
    op = await store.find(id, "alice")
    await store.resume(op)
    done = (await Uploader(store, op).hello()).last
    assert isinstance(done, Done) and done.path == "a.bin"
    assert files.names() == ["a.bin"]


async def published_but_not_saved(make_store: Make, files: FakeFiles) -> str:
    store = make_store()
    client = await begun(store, DATA)
    with pytest.MonkeyPatch.context() as patch:
        save = Journal.save

        def die(journal: Journal, record: Any, *, sync: bool = False) -> None:
            if files.names() == ["a.bin"]:
                raise OSError("dead")
            save(journal, record, sync=sync)

        patch.setattr(Journal, "save", die)
        await client.finish(DATA)
        await client.stream.closed()
    return str(client.op.id)


async def test_what_is_published_is_done_though_that_cannot_be_written_down(make_store: Make, files: FakeFiles) -> None:
    store = make_store()
    client = await begun(store, DATA)
    with pytest.MonkeyPatch.context() as patch:
        save = Journal.save

        def full(journal: Journal, record: Any, *, sync: bool = False) -> None:
            if record.state == "done":
                raise OSError(28, "No space left on device")
            save(journal, record, sync=sync)

        patch.setattr(Journal, "save", full)
        await client.finish(DATA)
    assert isinstance(client.last, Done)
    assert files.events == ["a.bin"]


async def test_a_reboot_leaves_what_was_durable_also_where_the_record_was_touched_since(
    make_store: Make, files: FakeFiles
) -> None:
    before = make_store()
    client = await begun(before, DATA[:6])
    await client.stream.closed()
    for boot in ("another", "a third"):
        store = make_store()
        store.journal.boot = boot
        op = await store.find(client.op.id, "alice")
        if boot == "another":
            await store.pause(op)
            await store.resume(op)
    again = await Uploader(store, op).hello()
    assert (again.welcome.byte_offset, again.welcome.durable) == (0, 0), "none of it was brought to the disk"
    assert isinstance(await Uploader(store, op).whole(DATA), Done)
    assert files.read("a.bin") == DATA


async def test_a_death_between_making_the_partial_file_and_writing_it_down(make_store: Make, files: FakeFiles) -> None:
    store = make_store()
    client = await upload(store)
    with pytest.MonkeyPatch.context() as patch:

        def die(*arguments: object, **more: object) -> None:
            raise OSError("dead")

        patch.setattr(Journal, "save", die)
        await client.hello()
        await client.stream.closed()
    assert len(files.names()) == 1
    after = make_store()
    assert isinstance(await Uploader(after, await after.find(client.op.id, "alice")).whole(DATA), Done)
    assert files.names() == ["a.bin"]


# Two servers on one home


async def news(store: TransferStore) -> list[Operation]:
    """What other servers have done since it was asked last."""
    return [operation async for operation in store.news()]


async def test_another_server_takes_over_and_the_first_writes_nothing_more(make_store: Make, files: FakeFiles) -> None:
    one, two = make_store(), make_store()
    old = await begun(one, DATA[:4])
    await old.stream._written()
    new = Uploader(two, await two.find(old.op.id, "alice"))
    await new.hello()
    assert new.welcome.byte_offset == 4
    await old.send(b"XXXXXX", 4)
    await until(lambda: old.wire.closed, "the first server's client to be told")
    await old.stream.closed()
    assert old.error.code == "superseded"
    await new.send(DATA[4:], 4)
    await new.finish(DATA)
    assert isinstance(new.last, Done)
    assert files.read("a.bin") == DATA
    assert (await one.find(old.op.id, "alice")).state == "done"
    assert files.events == ["a.bin"]


async def test_the_first_server_cannot_publish_what_another_has_taken_over(make_store: Make, files: FakeFiles) -> None:
    one, two = make_store(), make_store()
    old = await begun(one, DATA)
    await old.stream._written()
    new = Uploader(two, await two.find(old.op.id, "alice"))
    await new.hello()
    await old.finish(DATA)
    assert old.error.code == "superseded"
    await old.stream.closed()
    assert "a.bin" not in files.names()
    await new.finish(DATA)
    assert isinstance(new.last, Done)
    assert (files.names(), files.events) == (["a.bin"], ["a.bin"])


async def test_a_cancel_on_one_server_ends_what_runs_on_another(make_store: Make, files: FakeFiles) -> None:
    one, two = make_store(), make_store()
    client = await begun(one, DATA[:4])
    await client.stream._written()
    await two.cancel(await two.find(client.op.id, "alice"))
    assert files.names() == []
    await client.send(DATA[4:], 4)
    await until(lambda: client.wire.closed, "the client to be told")
    await client.stream.closed()
    assert client.error.code == "superseded"
    assert files.names() == []
    assert two.journal.ids() == set(), "what was cancelled does not come back"
    for server in (one, make_store()):
        with pytest.raises(HubError) as caught:
            await server.find(client.op.id, "alice")
        assert caught.value.code is Code.NOT_FOUND


async def test_the_list_shows_what_other_servers_have(make_store: Make) -> None:
    one, two = make_store(), make_store()
    mine, theirs = await upload(one), await upload(one, peer=fake_peer("bob"))
    assert {op.id async for op in two.news()} == {mine.op.id, theirs.op.id}
    assert [op.id for op in await listed(two, "alice")] == [mine.op.id]
    assert await news(two) == []


async def test_the_list_shows_how_far_others_have_come_with_what_nobody_moves_here(
    make_store: Make, clock: FakeClock
) -> None:
    one, two = make_store(), make_store()
    client = await begun(one, DATA[:2])
    await client.stream._written()
    await client.stream.closed()
    (seen,) = await news(two)
    clock.advance(1)
    theirs = await Uploader(two, seen).hello()
    assert await news(one) == [client.op], "it is being moved elsewhere"
    clock.advance(1)
    await theirs.send(DATA[2:], 2)
    await theirs.finish(DATA)
    assert isinstance(theirs.last, Done)
    assert await news(one) == [client.op]
    assert (client.op.state, client.op.byte_offset, client.op.done) == ("done", len(DATA), theirs.last)
    assert (await news(one), await news(two)) == ([], [])


async def test_the_list_does_not_show_what_another_server_has_cancelled(make_store: Make) -> None:
    one, two = make_store(), make_store()
    client = await begun(one, DATA[:2])
    await client.stream._written()
    await client.stream.closed()
    gone = []

    async def forgotten(op: Operation) -> None:
        gone.append(op.id)

    one.on_forget = forgotten
    (seen,) = await news(two)
    await two.cancel(seen)
    assert await news(one) == []
    assert (await listed(one, "alice"), gone) == ([], [client.op.id])
    assert [op.state for op in await listed(two, "alice")] == ["cancelled"]


async def test_a_server_does_not_expire_what_another_keeps_alive(
    make_store: Make, clock: FakeClock, files: FakeFiles
) -> None:
    one, two = make_store(keep_idle_s=1000, touch_interval_s=100), make_store(keep_idle_s=1000)
    client = await begun(one, DATA[:2])
    await client.stream._written()
    await news(two)
    for at in range(2, 6):
        clock.advance(800)
        await client.send(DATA[at : at + 1], at)
        await client.stream._written()
        await one.sweep()
        await two.sweep()
    await client.send(DATA[6:], 6)
    await client.finish(DATA)
    assert isinstance(client.last, Done)


async def test_two_servers_that_sweep_remove_all_of_what_was_left_alone(
    make_store: Make, clock: FakeClock, files: FakeFiles
) -> None:
    one, two = make_store(keep_idle_s=1000, keep_ended_s=10), make_store(keep_idle_s=1000, keep_ended_s=10)
    client = await begun(one, DATA[:2])
    await client.stream._written()
    await client.stream.closed()
    await news(two)
    assert len(files.names()) == 1
    clock.advance(1001)
    await one.sweep()
    await two.sweep()
    assert files.names() == []
    clock.advance(11)
    await one.sweep()
    await two.sweep()
    assert (await listed(one, "alice"), await listed(two, "alice"), one.journal.ids()) == ([], [], set())
