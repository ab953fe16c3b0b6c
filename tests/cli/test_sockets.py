"""What the end or the failure of a connection means for a command; connections themselves are tested through others."""

from __future__ import annotations

import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus, InvalidURI
from websockets.frames import Close
from websockets.http11 import Response

from jupyter_ws_hub.cli.servers import FAILED, REFUSED, CommandError, Server
from jupyter_ws_hub.cli.sockets import ABNORMAL, check_attempt, check_code, close_code, drop, meaning
from jupyter_ws_hub.protocol.codes import Code

SERVER = Server("http://h:1/")


def status(number: int) -> InvalidStatus:
    return InvalidStatus(Response(number, "", Headers()))


def closed(code: int) -> ConnectionClosedError:
    return ConnectionClosedError(Close(code, ""), None)


@pytest.mark.parametrize("code", [1001, 1006, 1012, 1013, *[row.value for row in Code if row.retryable]])
def test_after_these_codes_a_client_comes_back(code: int) -> None:
    check_code(SERVER, code)
    check_attempt(SERVER, closed(code), known=True)


@pytest.mark.parametrize(
    ("code", "exit_status"), [(4501, REFUSED), (4502, REFUSED), (4506, FAILED), (1000, FAILED), (1009, FAILED)]
)
def test_after_these_codes_it_does_not(code: int, exit_status: int) -> None:
    with pytest.raises(CommandError, match="http://h:1/") as caught:
        check_code(SERVER, code)
    assert caught.value.status == exit_status


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("number", [401, 403, 302])
def test_a_login_that_is_refused_is_final(number: int, known: bool) -> None:
    with pytest.raises(CommandError, match="--token") as caught:
        check_attempt(SERVER, status(number), known=known)
    assert caught.value.status == REFUSED


@pytest.mark.parametrize(
    "error", [status(404), ssl.SSLCertVerificationError(), InvalidURI("x", "y"), ConnectionRefusedError()]
)
def test_these_failures_are_final_only_where_it_never_worked(error: Exception) -> None:
    check_attempt(SERVER, error, known=True)
    with pytest.raises(CommandError):
        check_attempt(SERVER, error, known=False)


@pytest.mark.parametrize("error", [status(502), status(503), EOFError()])
def test_these_failures_are_tried_again(error: Exception) -> None:
    check_attempt(SERVER, error, known=False)


def test_who_says_nothing_has_an_abnormal_end() -> None:
    assert close_code(ConnectionClosedError(None, None)) == ABNORMAL
    assert close_code(closed(4000)) == 4000
    assert close_code(ConnectionClosedError(None, Close(1009, ""))) == 1009, "it was this side that did not take it"
    assert "stopping" in meaning(4000) and "no reason" in meaning(4999)


def test_there_may_be_nothing_to_drop() -> None:
    drop(None)
