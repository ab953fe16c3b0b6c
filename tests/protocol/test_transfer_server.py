"""The file stream's machines: contiguous bytes within credit only, offsets that never contradict each other."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from jupyter_ws_hub.protocol.codec import Chunk
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError, LocalProtocolError, RemoteProtocolError
from jupyter_ws_hub.protocol.transfer import Credit, Finish, StreamAck
from jupyter_ws_hub.protocol.transfer_server import DownloadSender, UploadReceiver, UploadState

UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def chunk(byte_offset: int, size: int, file_index: int = 0) -> Chunk:
    return Chunk(byte_offset, memoryview(bytes(size)), file_index)


def offsets(machine: UploadReceiver) -> tuple[int, int, int, int, UploadState]:
    return machine.received, machine.written, machine.durable, machine.limit, machine.state


class Upload(RuleBasedStateMachine):
    """Whatever chunks, writes, syncs and ends come in whatever order, the receiver's promises hold."""

    @initialize(size=st.integers(0, 200), window=st.integers(4, 64), data=st.data())
    def open(self, size: int, window: int, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, size))
        self.machine = UploadReceiver(size, start, data.draw(st.integers(0, start)), window_bytes=window)
        self.window, self.now_s, self.told = window, 0.0, self.machine.limit
        self.acked = StreamAck(start, start, self.machine.durable)

    @rule(near=st.sampled_from([*[0] * 8, -1, 1, 7, 2**63]), data=st.data(), index=st.sampled_from([*[0] * 7, 1]))
    def chunk_arrives(self, near: int, data: st.DataObject, index: int) -> None:
        machine, before = self.machine, offsets(self.machine)
        place = max(0, machine.received + near)
        border = data.draw(st.sampled_from([machine.limit, machine.size, place + 5]))
        size = max(0, min(border - place + data.draw(st.sampled_from([0, 0, 0, -1, 1])), 300))
        fits = place == machine.received and index == 0
        try:
            machine.receive(chunk(place, size, index))
        except HubError as error:
            assert offsets(machine) == before, "a refused chunk has changed something"
            if machine.state is not UploadState.RECEIVING:
                assert isinstance(error, RemoteProtocolError) and error.code is Code.BAD_FRAME
            elif not fits:
                assert error.code is Code.WRONG_OFFSET and not isinstance(error, RemoteProtocolError)
                assert error.details == {"expected": machine.received, "provided": place}
            elif place + size > machine.size:
                assert error.code is Code.TOO_BIG
            else:
                assert isinstance(error, RemoteProtocolError) and place + size > machine.limit
        else:
            assert fits and before[4] is UploadState.RECEIVING
            assert machine.received == place + size <= min(machine.size, before[3])
            assert offsets(machine)[1:] == before[1:]

    @rule(data=st.data())
    def bytes_are_written(self, data: st.DataObject) -> None:
        machine = self.machine
        all_of_it = data.draw(st.booleans())
        to = machine.received if all_of_it else data.draw(st.integers(machine.written, machine.received))
        credit = machine.wrote(to)
        assert machine.written == to
        if credit is not None:
            assert credit.limit == machine.limit == min(machine.size, to + self.window) > self.told
            self.told = credit.limit
        stuck = machine.written == machine.received == machine.limit
        assert not stuck or machine.limit == machine.size, "the sender may not go on and will hear nothing more"

    @rule(data=st.data())
    def bytes_are_synced(self, data: st.DataObject) -> None:
        to = data.draw(st.integers(self.machine.durable, self.machine.written))
        self.machine.synced(to)
        assert self.machine.durable == to

    @rule(beyond=st.integers(1, 9))
    def nonsense_of_ours_is_refused(self, beyond: int) -> None:
        machine, before = self.machine, offsets(self.machine)
        for call, byte_offset in (
            (machine.wrote, machine.received + beyond),
            (machine.wrote, machine.written - beyond),
            (machine.synced, machine.written + beyond),
            (machine.synced, machine.durable - beyond),
        ):
            with pytest.raises(LocalProtocolError):
                call(byte_offset)
        assert offsets(machine) == before

    @rule(after_s=st.sampled_from([0.0, 0.03125, 0.125]), idle=st.booleans())
    def an_ack_is_asked_for(self, after_s: float, idle: bool) -> None:
        self.now_s += after_s
        machine = self.machine
        truth = StreamAck(machine.received, machine.written, machine.durable)
        ack = machine.ack_due(self.now_s, idle=idle)
        if ack is None:
            assert truth == self.acked or not idle
        else:
            assert ack == truth != self.acked
            assert ack.received >= self.acked.received and ack.durable >= self.acked.durable
            self.acked = ack

    @rule(wrong=st.sampled_from([0, 0, 1, -1]))
    def the_sender_finishes(self, wrong: int) -> None:
        machine, before = self.machine, offsets(self.machine)
        try:
            machine.finish(Finish(machine.size + wrong, "root"))
        except HubError as error:
            assert offsets(machine) == before
            assert error.code is (Code.CONFLICT if wrong else Code.WRONG_OFFSET)
            assert wrong or error.details == {"expected": machine.received, "provided": machine.size}
        else:
            assert not wrong and machine.received == machine.size
            assert machine.state is not UploadState.RECEIVING

    @rule()
    def the_file_is_published(self) -> None:
        machine = self.machine
        if machine.state is UploadState.FINISHING and machine.written == machine.size:
            machine.finished()
            assert offsets(machine)[4] is UploadState.DONE
        else:
            with pytest.raises(LocalProtocolError):
                machine.finished()

    @invariant()
    def the_offsets_are_in_order(self) -> None:
        machine = self.machine
        assert 0 <= machine.durable <= machine.written <= machine.received <= machine.limit <= machine.size
        assert machine.limit == self.told, "the credit changed and the sender was not told"


TestUpload = Upload.TestCase
TestUpload.settings = settings(UNHURRIED, max_examples=100, stateful_step_count=40)


@pytest.mark.parametrize(("byte_offset", "durable"), [(-1, 0), (11, 0), (5, 6), (5, -1)])
def test_an_upload_does_not_begin_with_offsets_that_contradict_each_other(byte_offset: int, durable: int) -> None:
    with pytest.raises(LocalProtocolError):
        UploadReceiver(10, byte_offset, durable)


@pytest.mark.parametrize(("place", "index"), [(0, 0), (2, 0), (4, 0), (2**64 - 1, 0), (3, 1), (3, 2**32 - 1)])
def test_a_chunk_that_belongs_elsewhere_names_the_place_that_was_right(place: int, index: int) -> None:
    machine = UploadReceiver(10, 3, 0)
    with pytest.raises(HubError) as caught:
        machine.receive(chunk(place, 2, index))
    assert caught.value.code is Code.WRONG_OFFSET
    assert caught.value.details == {"expected": 3, "provided": place}
    machine.receive(chunk(3, 2))
    assert machine.received == 5


def test_an_ack_is_due_after_each_mebibyte_or_tenth_of_a_second() -> None:
    machine = UploadReceiver(2**23, 0, 0)
    machine.receive(chunk(0, 3 * 2**20))
    assert machine.ack_due(0.0) == StreamAck(3 * 2**20, 0, 0)
    machine.wrote(2**20 - 1)
    assert machine.ack_due(0.09) is None
    assert machine.ack_due(0.1) == StreamAck(3 * 2**20, 2**20 - 1, 0)
    machine.wrote(2**21 - 1)
    assert machine.ack_due(0.11) == StreamAck(3 * 2**20, 2**21 - 1, 0)
    assert machine.ack_due(9.0) is None, "there is nothing new"
    machine.synced(1)
    assert machine.ack_due(9.0, idle=True) == StreamAck(3 * 2**20, 2**21 - 1, 1)


def test_credit_is_given_in_steps_and_at_the_end_to_the_byte() -> None:
    machine = UploadReceiver(950, 0, 0, window_bytes=400)
    machine.receive(chunk(0, 400))
    assert machine.wrote(99) is None
    assert machine.wrote(100) == Credit(500)
    machine.receive(chunk(400, 100))
    assert machine.wrote(500) == Credit(900)
    machine.receive(chunk(500, 400))
    assert machine.wrote(549) is None
    assert machine.wrote(550) == Credit(950)
    assert machine.wrote(900) is None, "the sender has all the credit there can be"


def test_nothing_is_published_before_it_is_written() -> None:
    machine = UploadReceiver(3, 0, 0)
    machine.receive(chunk(0, 3))
    machine.finish(Finish(3, "r"))
    machine.wrote(2)
    with pytest.raises(LocalProtocolError):
        machine.finished()


def test_finishing_twice_changes_nothing() -> None:
    machine = UploadReceiver(3, 0, 0)
    machine.receive(chunk(0, 3))
    machine.wrote(3)
    for state in (UploadState.FINISHING, UploadState.FINISHING):
        machine.finish(Finish(3, "r"))
        assert machine.state is state
    machine.finished()
    machine.finish(Finish(3, "r"))
    assert machine.state is UploadState.DONE


def test_an_empty_file_needs_no_data() -> None:
    machine = UploadReceiver(0, 0, 0)
    machine.finish(Finish(0, "r"))
    machine.finished()
    assert DownloadSender(0, 0).complete


@UNHURRIED
@given(st.integers(0, 500), st.integers(1, 100), st.data())
def test_a_download_never_passes_its_limit_and_never_stands_still_below_it(
    size: int, window: int, data: st.DataObject
) -> None:
    sender = DownloadSender(size, data.draw(st.integers(0, size)), window_bytes=window)
    for _ in range(data.draw(st.integers(0, 30))):
        sent, limit = sender.sent, sender.limit
        if data.draw(st.booleans()):
            granted = data.draw(st.integers(0, 2 * size + 9))
            sender.credit(Credit(granted))
            assert sender.limit == max(limit, min(granted, size))
        else:
            most = data.draw(st.integers(-3, 90))
            assert sender.take(most) == max(0, min(most, limit - sent)) == sender.sent - sent
        assert sender.sent <= sender.limit <= sender.size
        assert sender.complete == (sender.sent == size)


def test_credit_for_a_download_can_be_lost_late_or_doubled() -> None:
    sender = DownloadSender(1000, 0, window_bytes=10)
    for limit in (300, 200, 300, 2**70, 5):
        sender.credit(Credit(limit))
    assert sender.limit == 1000
    with pytest.raises(RemoteProtocolError):
        sender.credit(Credit(-1))
    assert sender.limit == 1000


@pytest.mark.parametrize("have", [-1, 11, 2**70])
def test_nobody_has_more_of_a_file_than_there_is(have: int) -> None:
    with pytest.raises(HubError) as caught:
        DownloadSender(10, have)
    assert caught.value.code is Code.WRONG_OFFSET
    assert caught.value.details == {"expected": 10, "provided": have}


def test_a_window_grows_where_it_is_written_fast_and_the_disk_keeps_up() -> None:
    machine = UploadReceiver(10_000, 0, 0, window_bytes=100)

    def step(size: int, written: int, now_s: float) -> bool:
        machine.receive(chunk(machine.received, size))
        machine.wrote(written)
        return machine.has_outgrown(now_s)

    assert not step(50, 50, 0.0), "when it has begun is not known yet"
    assert not step(50, 100, 0.1)
    assert step(50, 150, 0.2)
    machine.widen(100)
    assert machine.wrote(150) == Credit(350)
    assert not step(100, 250, 0.3)
    assert not step(100, 350, 0.5), "it took a quarter of a second and more"
    assert not step(100, 450, 0.6)
    assert not step(200, 550, 0.7), "more than half a window waits for the disk"
    assert not step(100, 650, 0.75)
    assert step(0, 750, 0.8)
