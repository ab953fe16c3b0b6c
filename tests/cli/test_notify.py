"""`jupyter ws-hub notify`: its arguments, what it reads, and how it ends."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_ws_hub.cli.main import main
from jupyter_ws_hub.cli.notify import MAX_LINE_BYTES, action, fraction, how_far, seconds
from jupyter_ws_hub.notifier.beacon import birth_of, write

from ..notifier.answering import Answering, answering
from ..notifier.test_beacon import HERE


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    for name in ("JUPYTER_SERVER_URL", "JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def server(runtime: Path) -> Iterator[Answering]:
    """A server that is found."""
    with answering() as told:
        pid = os.getppid()
        write(runtime, replace(HERE, pid=pid, birth=birth_of(pid), url=told.url, root="/"))
        yield told


Type = Callable[[bytes], None]


@pytest.fixture
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Type]:
    """Puts bytes before standard input."""
    own = os.dup(0)

    def put(data: bytes) -> None:
        path = tmp_path_factory.mktemp("typed") / "input"
        path.write_bytes(data)
        file = os.open(path, os.O_RDONLY)
        os.dup2(file, 0)
        os.close(file)

    yield put
    os.dup2(own, 0)
    os.close(own)


def test_a_title_is_enough(server: Answering, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notify", "make has ended"]) == 0
    (got,) = server.got
    assert (got["title"], got["level"], got["to"], got["message"]) == ("make has ended", "info", "me", "")
    assert capsys.readouterr() == ("", "")


def test_all_that_can_be_said_arrives(server: Answering) -> None:
    arguments = "notify t -m text --level error --progress 40% --id n1 --to all --expires 2h --source me".split()
    assert main([*arguments, "--action", "Open=a/b=c.txt", "--action", "Board=http://x/?a=b"]) == 0
    assert server.got == [
        {
            "title": "t",
            "message": "text",
            "level": "error",
            "progress": 0.4,
            "id": "n1",
            "to": "all",
            "expires_in_ms": 7_200_000,
            "source": "me",
            "actions": [
                {"label": "Open", "kind": "path", "target": "a/b=c.txt"},
                {"label": "Board", "kind": "url", "target": "http://x/?a=b"},
            ],
        }
    ]


def test_a_message_can_be_read(server: Answering, typed: Type) -> None:
    typed("größe\nx\n".encode())
    assert main(["notify", "t", "--message", "-"]) == 0
    assert server.got[0]["message"] == "größe\nx"


def test_a_server_and_its_token_can_be_named(runtime: Path, server: Answering) -> None:
    with answering() as other:
        assert main(["notify", "t", "--url", other.url, "--token", "geheim"]) == 0
        assert other.heads[0]["Authorization"] == "token geheim"
    assert server.got == []


def test_what_goes_wrong_is_a_sentence_and_a_status(
    runtime: Path, server: Answering, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status, server.body = 400, b'{"code": "invalid", "message": "No title."}'
    assert main(["notify", ""]) == 1
    assert capsys.readouterr().err == "jupyter ws-hub: No title.\n"
    server.status, server.body = 403, b'{"code": "forbidden", "message": "You may not."}'
    assert main(["notify", "t", "--to", "all"]) == 2
    for file in runtime.iterdir():
        file.unlink()
    assert main(["notify", "t"]) == 1
    assert "No Jupyter server of yours runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    [["--level", "fatal"], ["--progress", "2"], ["--expires", "soon"], ["--action", "x"], ["--to", "bob"], []],
)
def test_a_wrong_usage_is_told(runtime: Path, wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["notify", *(["t", *wrong] if wrong else [])])
    assert caught.value.code == 2


def test_a_pipe_is_followed_and_printed(
    server: Answering, typed: Type, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    typed(b"reading 10%\rreading 50%\r\nwriting \xff 3/4\n\nall done")
    assert main(["notify", "Backup", "--follow", "--id", "b", "--source", "cron"]) == 0
    assert capfdbinary.readouterr().out == b"reading 10%\rreading 50%\r\nwriting \xff 3/4\n\nall done"
    last = server.got[-1]
    assert (last["level"], last["progress"], last["message"], last["id"]) == ("info", 1.0, "all done", "b")
    assert all(0 <= one["progress"] <= 1 and one["source"] == "cron" for one in server.got)


def test_a_quiet_pipe_with_a_level_of_its_own(
    server: Answering, typed: Type, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    typed(b"x" * 100_000 + b"\nno luck\n")
    assert main(["notify", "Backup", "--follow", "-q", "--level", "error"]) == 0
    assert capfdbinary.readouterr().out == b""
    assert (server.got[-1]["level"], server.got[-1]["message"]) == ("error", "no luck")
    assert server.got[-1]["progress"] is None


def test_a_pipe_without_a_server_fails_at_its_end(
    runtime: Path, typed: Type, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    typed(b"10%\n")
    assert main(["notify", "Backup", "--follow"]) == 1
    assert capfdbinary.readouterr().out == b"10%\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("10%", 0.1),
        ("  1,234,567  42%   10.5MB/s", 0.42),
        ("5% of 80 %", 0.8),
        ("[3/4] compiling", 0.75),
        ("step 5 of 20", 0.25),
        ("0.3", 0.3),
        ("1", 1),
        (" 42 ", 0.42),
        ("200%", None),
        ("5/0", None),
        ("7/3", None),
        ("500", None),
        ("epoch 7", None),
        ("", None),
    ],
)
def test_lines_say_how_far(line: str, expected: float | None) -> None:
    assert how_far(line) == expected


def test_texts_are_times_shares_and_buttons() -> None:
    assert [seconds(text) for text in ("90", "90s", "1.5m", "2h", "1d")] == [90, 90, 90, 7200, 86400]
    assert [fraction(text) for text in ("0", "0.4", "1", "40%", "100%")] == [0, 0.4, 1, 0.4, 1]
    assert action("a=command:help:about") == {"label": "a", "kind": "command", "target": "help:about"}
    for parse, wrong in [(seconds, "0"), (seconds, "-1"), (fraction, "101%"), (fraction, "nan"), (action, "=x")]:
        with pytest.raises(argparse.ArgumentTypeError):
            parse(wrong)
    assert MAX_LINE_BYTES < 64 * 1024
