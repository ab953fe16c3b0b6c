"""Errors carry a row of the code table to the wire, and nothing that is not set."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import ErrorInfo, HubError, LocalProtocolError, RemoteProtocolError

UNHURRIED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

CODES = st.sampled_from(list(Code))
DETAILS = st.none() | st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers(-9, 9) | st.text())


def on_the_wire(error: HubError) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(msgspec.json.encode(error.info))
    return decoded


@pytest.mark.parametrize("code", Code)
def test_an_error_names_its_row_and_its_verdict(code: Code) -> None:
    assert on_the_wire(HubError(code, "What happened.")) == {
        "code": code.wire_name,
        "message": "What happened.",
        "retryable": code.value < 4500,
    }


def test_what_helps_goes_along() -> None:
    error = HubError(Code.RATE_LIMITED, "Wait.", retry_after_ms=500, details={"method": "chat.post"})
    assert on_the_wire(error) == {
        "code": "rate_limited",
        "message": "Wait.",
        "retryable": True,
        "retry_after_ms": 500,
        "details": {"method": "chat.post"},
    }


def test_a_wait_of_zero_and_empty_details_are_not_left_out() -> None:
    wire = on_the_wire(HubError(Code.BUSY, "Now.", retry_after_ms=0, details={}))
    assert wire["retry_after_ms"] == 0
    assert wire["details"] == {}


def test_the_text_for_a_log_has_name_and_sentence() -> None:
    assert str(HubError(Code.NOT_FOUND, "There is no 'a'.")) == "not_found: There is no 'a'."


@pytest.mark.parametrize("kind", [RemoteProtocolError, LocalProtocolError])
def test_who_was_at_fault_is_a_kind_of_the_same_error(kind: type[HubError]) -> None:
    error = kind(Code.BAD_FRAME, "No.", details={"a": 1})
    assert isinstance(error, HubError)
    assert (error.code, error.message, error.retry_after_ms, error.details) == (Code.BAD_FRAME, "No.", None, {"a": 1})


def test_blaming_the_peer_and_blaming_oneself_are_different() -> None:
    assert not issubclass(RemoteProtocolError, LocalProtocolError)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)


@UNHURRIED
@given(CODES, st.text(), st.none() | st.integers(0, 10**9), DETAILS)
def test_an_error_survives_the_wire(
    code: Code, message: str, retry_after_ms: int | None, details: dict[str, Any] | None
) -> None:
    info = HubError(code, message, retry_after_ms=retry_after_ms, details=details).info
    assert msgspec.json.decode(msgspec.json.encode(info), type=ErrorInfo) == info


def test_an_error_of_a_newer_peer_is_understood() -> None:
    wire = b'{"code":"not_yet_invented","message":"m","retryable":true,"extra":[1]}'
    assert msgspec.json.decode(wire, type=ErrorInfo) == ErrorInfo("not_yet_invented", "m", True)


@pytest.mark.parametrize("missing", ["code", "message", "retryable"])
def test_an_error_without_a_required_field_is_none(missing: str) -> None:
    wire = {"code": "busy", "message": "m", "retryable": True}
    del wire[missing]
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wire, ErrorInfo)
