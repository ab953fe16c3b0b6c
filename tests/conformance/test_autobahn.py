"""All Autobahn cases against HubSocket in a real server. Slow (10 s), so only `make conformance` runs it."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.support.server import TOKEN, RealServer

from . import echo

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:unclosed file .*kosoku.*:ResourceWarning"),  # its cases leave their data open
]

FINE: Final = {"OK", "NON-STRICT", "INFORMATIONAL"}
NUMBER_OF_CASES: Final = 517

TORNADO_ECHOES_CLOSE_CODES: Final = {f"7.9.{number}" for number in range(1, 10)}
"""The peer closes with a code that may not stand in a close frame (0, 999, 1005 …). Tornado answers with the same code
instead of 1002 (tornado/websocket.py, `_handle_message`, opcode 8: `self.close(self.close_code)`). The connection ends
all the same, and at once; only the code that is told to a peer in the wrong is another."""

CLOSE_IN_A_MESSAGE: Final = {"7.1.5"}
"""The peer closes between two fragments. The websockets library, which parses what is read directly, takes that for an
error (1002); RFC 6455 leaves it open."""

WITH_REASON: Final = {"conformance/echo": TORNADO_ECHOES_CLOSE_CODES, "conformance/direct": CLOSE_IN_A_MESSAGE}

NO_COMPRESSION: Final = ("12.", "13.")
"""permessage-deflate: HubSocket does not offer it, see `get_compression_options`."""


class Outcome(NamedTuple):
    """How a case went: its messages, its closing handshake, and why."""

    messages: str
    closing: str
    why: str

    @property
    def fine(self) -> bool:
        """Whether nothing that RFC 6455 demands was missing."""
        return self.messages in FINE and self.closing in FINE


async def run_cases(url: str) -> dict[str, Outcome]:
    import kosoku

    try:
        results: list[Any] = await kosoku.run_fuzzingclient(url, concurrency=2)
    except kosoku.FailureError as failure:
        results = failure.results
    return {
        case.case_id: Outcome(case.behavior.value, case.behavior_close.value, f"{case.result} {case.result_close}")
        for case in results
    }


@pytest.fixture(scope="module", params=echo.PATHS)
def path(request: pytest.FixtureRequest) -> str:
    """The endpoint."""
    return str(request.param)


@pytest.fixture(scope="module")
def outcomes(path: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """The outcome of each case, by its id."""
    folder: Path = tmp_path_factory.mktemp("conformance")
    server = RealServer(folder, config=f"c.ServerApp.jpserver_extensions[{echo.__name__!r}] = True")
    server.start()
    try:
        return asyncio.run(run_cases(f"ws://127.0.0.1:{server.port}/{path}?token={TOKEN}"))
    finally:
        server.stop()


def test_all_cases_were_run(outcomes: dict[str, Outcome]) -> None:
    for (section, messages, closing), number in sorted(
        Counter((case.split(".")[0].zfill(2), o.messages, o.closing) for case, o in outcomes.items()).items()
    ):
        print(f"section {section}: {number:4d} cases {messages}, closing {closing}")
    assert len(outcomes) == NUMBER_OF_CASES


def test_no_case_fails_beyond_those_with_a_reason(path: str, outcomes: dict[str, Outcome]) -> None:
    expected = WITH_REASON[path]
    spoken = {case: outcome for case, outcome in outcomes.items() if not case.startswith(NO_COMPRESSION)}
    failed = {case: outcome for case, outcome in spoken.items() if not outcome.fine}
    assert {case: failed[case] for case in failed.keys() - expected} == {}
    assert set(failed) == expected, "these pass now: take them off the list"
    assert {failed[case].closing for case in failed} == {"WRONG CODE"}


def test_compression_is_declined_and_nothing_else(outcomes: dict[str, Outcome]) -> None:
    compressed = {case: o for case, o in outcomes.items() if case.startswith(NO_COMPRESSION)}
    assert {(o.messages, o.closing) for o in compressed.values()} == {("UNIMPLEMENTED", "OK")}
