"""The code table is whole, without doubles, and its ranges say whether to reconnect."""

from __future__ import annotations

import pytest

from jupyter_ws_hub.protocol.codes import (
    FINAL_RANGE,
    GOING_AWAY,
    NORMAL_CLOSURE,
    RETRY_RANGE,
    SERVICE_RESTART,
    TRY_AGAIN_LATER,
    Code,
    may_reconnect,
)

EXPECTED = {
    "shutting_down": 4000,
    "slow_consumer": 4001,
    "heartbeat_timeout": 4002,
    "hello_timeout": 4003,
    "rate_limited": 4004,
    "bad_frame": 4500,
    "unauthenticated": 4501,
    "forbidden": 4502,
    "not_found": 4503,
    "superseded": 4504,
    "too_big": 4505,
}
"""Numbers that clients out there rely on; they never change."""


def test_ranges_divide_the_private_numbers_in_two() -> None:
    assert (RETRY_RANGE.start, RETRY_RANGE.stop) == (4000, 4500)
    assert (FINAL_RANGE.start, FINAL_RANGE.stop) == (4500, 5000)


@pytest.mark.parametrize("name", EXPECTED)
def test_known_codes_keep_their_numbers(name: str) -> None:
    assert Code[name.upper()].value == EXPECTED[name]


def test_no_number_and_no_name_stands_twice() -> None:
    members = list(Code.__members__.values())
    assert len({member.value for member in members}) == len(members)
    assert len({member.wire_name for member in members}) == len(members)
    assert list(Code) == members, "an alias hides a second meaning of a number"


@pytest.mark.parametrize("code", Code)
def test_every_code_lies_in_one_range_and_says_what_it_means(code: Code) -> None:
    assert (code.value in RETRY_RANGE) != (code.value in FINAL_RANGE)
    assert code.meaning and code.meaning == code.meaning.strip()
    assert code.wire_name == code.wire_name.lower() and code.wire_name.replace("_", "").isalpha()
    assert Code[code.wire_name.upper()] is code


@pytest.mark.parametrize("code", Code)
def test_retryable_and_reconnecting_are_the_same_verdict(code: Code) -> None:
    assert code.retryable == may_reconnect(code.value)


def test_rows_stand_in_the_order_of_their_numbers() -> None:
    numbers = [code.value for code in Code]
    assert numbers == sorted(numbers)


def test_only_a_real_end_and_the_final_range_forbid_reconnecting() -> None:
    final = [number for number in range(1000, 6000) if not may_reconnect(number)]
    assert final == [1000, *range(4500, 5000)]


def test_registered_numbers_mean_what_the_registry_says() -> None:
    assert (NORMAL_CLOSURE, GOING_AWAY, SERVICE_RESTART, TRY_AGAIN_LATER) == (1000, 1001, 1012, 1013)
    assert not may_reconnect(NORMAL_CLOSURE)
    for number in (GOING_AWAY, 1006, SERVICE_RESTART, TRY_AGAIN_LATER):
        assert may_reconnect(number)
