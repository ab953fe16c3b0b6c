"""What both commands tell, and how much they do at a time."""

from __future__ import annotations

import argparse
import asyncio
import functools

import pytest

from jupyter_ws_hub.cli.servers import CommandError
from jupyter_ws_hub.cli.transfer_command import AT_A_TIME, LISTED, Report, add_common, leaf, some_at_a_time, tell
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError


def test_failures_are_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    assert report.status == 0
    tell(report)
    report.fail("a\x1b", HubError(Code.EXISTS, "It exists."))
    report.fail("b", "it is no plain file")
    tell(report)
    err = capsys.readouterr().err
    assert report.status == 1
    assert "a?: It exists." in err and "b: it is no plain file" in err and "--if-exists" in err


def test_thousands_of_failures_are_not_told_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    for number in range(LISTED + 100):
        report.fail(str(number), "no")
    tell(report)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == LISTED + 1 and "100 more" in lines[-1]


async def test_so_many_are_done_at_a_time_and_an_error_ends_it() -> None:
    running, most, done = 0, 0, 0

    async def work(fails: bool) -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done += 1
        if fails:
            raise CommandError("enough")

    await some_at_a_time([functools.partial(work, False)] * 10)
    await some_at_a_time([])
    assert (most, done) == (AT_A_TIME, 10)
    with pytest.raises(ExceptionGroup) as caught:
        await some_at_a_time([functools.partial(work, True)] * 10)
    assert isinstance(leaf(ExceptionGroup("", [caught.value])), CommandError) and done < 20
    assert str(leaf(ExceptionGroup("", [HubError(Code.INTERNAL, "Oh.")]))) == "Oh."


def test_options_have_their_defaults() -> None:
    parser = argparse.ArgumentParser()
    add_common(parser)
    plain = parser.parse_args([])
    assert (plain.url, plain.token, plain.if_exists, plain.sha256, plain.quiet) == (None, None, "fail", False, False)
    given = parser.parse_args(["-r", "--server", "u", "--if-exists", "skip", "-q"])
    assert (given.url, given.if_exists, given.quiet) == ("u", "skip", True)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--if-exists", "perhaps"])
    assert caught.value.code == 2
