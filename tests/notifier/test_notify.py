"""The call that programs make: it posts, and never breaks them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_ws_hub.notifier import notify as notify_module
from jupyter_ws_hub.notifier.beacon import Beacon, birth_of, remove, write
from jupyter_ws_hub.notifier.finding import NoServer
from jupyter_ws_hub.notifier.notify import Notifier, action_of, program
from jupyter_ws_hub.notifier.post import NotifyError, TooSlow

from .answering import Answering, answering
from .test_beacon import HERE


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Jupyter's runtime folder of this test."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    for name in ("JUPYTER_SERVER_URL", "JUPYTER_TOKEN", "JUPYTERHUB_API_TOKEN", "JPY_PARENT_PID", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def announce(runtime: Path, server: Answering, secret: str = "s") -> Beacon:
    """The file of a server; its process is the parent of this one."""
    pid = os.getppid()
    beacon = replace(HERE, pid=pid, birth=birth_of(pid), url=server.url, root="/", secret=secret)
    write(runtime, beacon)
    return beacon


@pytest.fixture
def server(runtime: Path) -> Iterator[Answering]:
    """A server that is found."""
    with answering() as told:
        announce(runtime, told)
        yield told


def test_all_that_can_be_said_arrives(server: Answering) -> None:
    said = Notifier()(
        "done",
        42,
        level="success",
        id="n1",
        to="all",
        source="me",
        actions=[("Plot", "out/plot.png"), ("Board", "http://localhost:6006/"), ("Help", "command:help:about")],
        progress=1,
        expires_s=60,
    )
    assert said is True
    assert server.got == [
        {
            "title": "done",
            "message": "42",
            "level": "success",
            "to": "all",
            "id": "n1",
            "source": "me",
            "actions": [
                {"label": "Plot", "kind": "path", "target": "out/plot.png"},
                {"label": "Board", "kind": "url", "target": "http://localhost:6006/"},
                {"label": "Help", "kind": "command", "target": "help:about"},
            ],
            "progress": 1.0,
            "expires_in_ms": 60000,
        }
    ]
    assert server.heads[0]["Authorization"] == "ws-hub-secret s"


def test_what_is_dangerous_to_open_is_no_address() -> None:
    assert action_of("x", "javascript:alert(1)")["kind"] == "path"  # and as such it is refused
    assert action_of("x", "HTTP://x")["kind"] == "url"


def test_text_that_is_none_is_sent_as_well_as_can_be(server: Answering) -> None:
    assert Notifier()("caf\udce9", "\udcff")
    assert (server.got[0]["title"], server.got[0]["message"]) == ("caf?", "?")


def test_it_says_which_program_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/work/train.ipynb")
    assert program() == "train.ipynb"
    monkeypatch.delenv("JPY_SESSION_NAME")
    monkeypatch.setattr(sys, "argv", ["/usr/bin/train.py", "x"])
    assert program() == "train.py"
    for arguments in ([], ["-c"], [""]):
        monkeypatch.setattr(sys, "argv", arguments)
        assert program() == ""


def test_without_a_server_it_says_so_once_and_goes_on(runtime: Path, caplog: pytest.LogCaptureFixture) -> None:
    notify = Notifier()
    for _ in range(5):
        assert notify("done") is False
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("jupyter_ws_hub", logging.WARNING)
    assert "No Jupyter server of yours" in record.getMessage()
    with pytest.raises(NoServer):
        notify("done", check=True)


@pytest.mark.parametrize("progress", ["far", object()])
def test_what_makes_no_sense_breaks_nothing_either(server: Answering, progress: Any) -> None:
    assert Notifier()("done", progress=progress) is False
    assert server.got == []


def test_what_the_server_refuses_is_told(server: Answering, caplog: pytest.LogCaptureFixture) -> None:
    server.status, server.body = 400, b'{"code": "invalid", "message": "No title."}'
    notify = Notifier()
    assert notify("") is False
    assert "Not notified: No title." in caplog.text
    assert len(server.got) == 1
    with pytest.raises(NotifyError, match=r"No title\."):
        notify("", check=True)


def test_a_server_that_is_too_slow_is_left_alone_for_a_while(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify_module, "TIMEOUT_S", 0.1)
    notify = Notifier()
    server.gate.clear()
    assert notify("done") is False
    assert notify("done") is False
    assert len(server.heads) == 1
    with pytest.raises(TooSlow):
        notify("done", check=True)
    assert len(server.heads) == 2


def test_after_a_restart_the_server_is_found_again_and_nothing_is_posted_twice(
    runtime: Path, server: Answering
) -> None:
    notify = Notifier()
    assert notify("before")
    with answering() as new:
        server.status, server.body = 403, b'{"code": "unauthenticated", "message": "This secret is not good here."}'
        announce(runtime, new, "other")
        assert notify("after")
        assert [one["title"] for one in new.got] == ["after"]
        assert new.got[0]["id"] == server.got[-1]["id"]
        assert new.heads[0]["Authorization"] == "ws-hub-secret other"


def test_a_server_that_is_gone_is_looked_for_once_more(runtime: Path, caplog: pytest.LogCaptureFixture) -> None:
    notify = Notifier()
    with answering() as told:
        beacon = announce(runtime, told)
        assert notify("before")
    assert notify("after") is False
    remove(runtime, beacon)
    assert notify("after") is False
    first, second = (record.getMessage() for record in caplog.records)
    assert "cannot be reached" in first
    assert "cannot be reached" in second or "No Jupyter server" in second


def test_threads_may_notify_at_the_same_time(server: Answering) -> None:
    notify = Notifier()
    threads = [threading.Thread(target=notify, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one["title"] for one in server.got) == [str(n) for n in range(8)]


def test_the_server_itself_would_wait_for_itself(runtime: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(runtime, HERE)
    assert Notifier()("done") is False
    assert "notify_from_server" in caplog.text


def test_a_loop_is_followed(server: Answering) -> None:
    notify = Notifier()
    assert list(notify.track("abc", "Letters")) == ["a", "b", "c"]
    assert (server.got[-1]["title"], server.got[-1]["level"], server.got[-1]["progress"]) == ("Letters", "success", 1.0)
    assert server.got[-1]["message"].startswith("3 of 3 in ")
    assert list(notify.track(iter("abc"), "Letters", total=4)) == ["a", "b", "c"]
    assert server.got[-1]["message"].startswith("3 of 4 in ")


@pytest.mark.parametrize(
    ("does", "level", "message"),
    [
        ("raise ValueError('no luck\\nand a secret')", "error", "At 1 of 3 after 0 s: ValueError: no luck"),
        ("raise KeyboardInterrupt", "warning", "Interrupted at 1 of 3 after 0 s"),
        ("break", "info", "Stopped at 1 of 3 after 0 s"),
        ("sys.exit()", "info", "Stopped at 1 of 3 after 0 s"),
    ],
)
def test_how_a_loop_of_a_plain_script_ended_is_told(server: Answering, does: str, level: str, message: str) -> None:
    code = (
        "import sys\nfrom jupyter_ws_hub import notify\n"
        f"for number in notify.track(range(3), 'Numbers'):\n    if number == 1:\n        {does}\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    (last,) = [one for one in server.got if one["level"] != "info" or one["progress"] is None]
    assert (last["level"], last["message"]) == (level, message)
    assert ("Traceback" in ran.stderr) == ("raise" in does)


def test_a_loop_without_a_server_goes_through_all_the_same(runtime: Path) -> None:
    assert list(Notifier().track(range(1000))) == list(range(1000))


def test_importing_it_brings_nothing_of_the_server_along() -> None:
    code = (
        "import sys; before = set(sys.modules); from jupyter_ws_hub import notify; notify.track;"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    loaded = subprocess.run(
        [sys.executable, "-S", "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert "jupyter_ws_hub" in loaded
    heavy = {"tornado", "jupyter_server", "asyncio", "msgspec", "ssl", "http", "zmq", "traitlets", "websockets"}
    assert not heavy & set(loaded)
