"""What a person sees."""

from __future__ import annotations

import io
import sys

import pytest

from jupyter_ws_hub.cli.progress import Clock, in_words, make_display, plain


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (1_234_567, "1.2 MB"),
        (5 * 10**9, "5.0 GB"),
        (10**13, "10.0 TB"),
    ],
)
def test_sizes_are_in_words(count: int, words: str) -> None:
    assert in_words(count) == words


def test_elsewhere_there_are_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with make_display(quiet=False) as display:
        display.total(10)
        bar = display.bar("a", 10)
        bar.notice("")
        bar.at(5)
        bar.notice("no connection")
        bar.notice("no connection")
        bar.notice("")
        bar.end()
        display.line("done\x1b[2J")
    assert out.getvalue() == "a: no connection\na: goes on\ndone?[2J\n" and err.getvalue() == ""


def test_on_a_terminal_there_are_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    err = Terminal()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    with make_display(quiet=False) as display:
        display.total(2_000_000)
        bar = display.bar("dir/[red]\x1b]0;evil\x07", 0)
        bar.size(2_000_000)
        bar.at(1_000_000)
        bar.notice("no [connection]")
        display.line("a [line]")
    text = err.getvalue()
    assert "in all" in text and "1.0/2.0 MB" in text and "dir/[red]" in text and "a [line]" in text
    assert "no [connection]" in text and "\x1b]0;evil" not in text


def test_quiet_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with make_display(quiet=True) as display:
        display.total(1)
        bar = display.bar("a", 1)
        bar.at(1)
        bar.notice("x")
        bar.end()
        display.line("y")
    assert out.getvalue() == ""


def test_names_do_nothing_to_a_terminal() -> None:
    assert plain("a\x1b[0m\x9b\udcff\n") == "a?[0m??\n"
    assert "1.0 MB in" in Clock().rate(1_000_000)
