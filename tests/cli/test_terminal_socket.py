"""What the end or the failure of a connection means; connections themselves are tested through the link."""

from __future__ import annotations

import ssl

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus, InvalidURI
from websockets.frames import Close
from websockets.http11 import Response

from jupyter_ws_hub.cli.terminal_socket import Over, Why, check_close, check_failure
from jupyter_ws_hub.protocol.codes import Code


def status(number: int) -> InvalidStatus:
    return InvalidStatus(Response(number, "", Headers()))


def closed(code: int) -> ConnectionClosedError:
    return ConnectionClosedError(Close(code, ""), None)


@pytest.mark.parametrize("code", [1001, 1006, 1012, 1013, *[row.value for row in Code if row.retryable]])
def test_after_these_codes_a_client_comes_back(code: int) -> None:
    check_close(code)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (4501, Why.REFUSED),
        (4502, Why.REFUSED),
        (4503, Why.GONE),
        (4506, Why.BROKEN),
        (4999, Why.BROKEN),
        (1000, Why.BROKEN),
    ],
)
def test_after_these_codes_it_does_not(code: int, why: Why) -> None:
    with pytest.raises(Over) as caught:
        check_close(code)
    assert caught.value.ending.why is why and caught.value.ending.message


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "error", [OSError(), TimeoutError(), EOFError(), status(502), status(503), status(424), status(429), closed(4504)]
)
def test_these_failures_are_tried_again(error: Exception, known: bool) -> None:
    check_failure(error, known=known)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    ("error", "why"),
    [(status(401), Why.REFUSED), (status(403), Why.REFUSED), (status(302), Why.REFUSED), (closed(4503), Why.GONE)],
)
def test_these_failures_are_final(error: Exception, why: Why, known: bool) -> None:
    with pytest.raises(Over) as caught:
        check_failure(error, known=known)
    assert caught.value.ending.why is why


@pytest.mark.parametrize("error", [status(404), ssl.SSLCertVerificationError(), InvalidURI("x", "y")])
def test_these_failures_are_final_only_where_it_never_worked(error: Exception) -> None:
    check_failure(error, known=True)
    with pytest.raises(Over):
        check_failure(error, known=False)
