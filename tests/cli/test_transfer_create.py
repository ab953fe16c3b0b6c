"""Operations are made when there is room for them, and ended if that is possible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_ws_hub.cli import transfer_create
from jupyter_ws_hub.cli.hub_client import HubClient
from jupyter_ws_hub.cli.progress import make_display
from jupyter_ws_hub.cli.servers import Server
from jupyter_ws_hub.cli.transfer_command import Job
from jupyter_ws_hub.cli.transfer_create import Created, cancel, create, key_of
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError

SERVER = Server("http://h/")


class FakeHub(HubClient):
    """Answers with what it was given, one after the other."""

    def __init__(self, *answers: Exception | Created) -> None:
        super().__init__(SERVER)
        self.answers = [*answers]

    async def request(self, method: str, params: Any, kind: type[Any], *, idempotent: bool = True) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def job(*answers: Exception | Created) -> Job:
    return Job(SERVER, FakeHub(*answers), make_display(quiet=True), "fail", "xxh3-128")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(transfer_create, "BUSY_S", 0.01)
    yield


async def test_it_waits_for_room_and_makes_a_new_one_where_the_reply_was_lost() -> None:
    notices: list[str] = []
    busy, lost = HubError(Code.BUSY, "Full.", retry_after_ms=5), HubError(Code.UNKNOWN_OUTCOME, "Lost.")
    made = await create(job(busy, busy, lost, Created("op", 5)), {}, notices.append)
    assert made.op == "op" and notices == ["Full.", "Full.", "Lost.", ""]


async def test_a_refusal_is_final() -> None:
    with pytest.raises(HubError, match="No"):
        await create(job(HubError(Code.FORBIDDEN, "No.")), {}, lambda _: None)


async def test_what_cannot_be_ended_expires() -> None:
    await cancel(job(HubError(Code.NOT_FOUND, "No.")), "op")


def test_uploads_are_kept_apart_by_all_that_matters() -> None:
    other = Job(SERVER, FakeHub(), make_display(quiet=True), "rename", "xxh3-128")
    assert len({key_of(job(), "a"), key_of(job(), "b"), key_of(other, "a")}) == 3
