"""Which server a program belongs to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_ws_hub.notifier import finding
from jupyter_ws_hub.notifier.beacon import Beacon, write
from jupyter_ws_hub.notifier.finding import NoServer, Target, ancestors, choose, find

from .test_beacon import HERE

HOME = Path("/home/me")
A = replace(HERE, pid=11, url="http://127.0.0.1:1/a/", public_url="http://box:1/a/", base_url="/a/", root="/home/me")
B = replace(A, pid=12, url="http://127.0.0.1:2/b/", public_url="http://box:2/b/", base_url="/b/", root="/home/me/b")
C = replace(A, pid=13, url="https://127.0.0.1:3/", public_url="https://box:3/", base_url="/", root="/srv")
RUNNING: Sequence[Beacon] = (C, B, A)


@pytest.mark.parametrize(
    ("environment", "cwd", "pids", "expected"),
    [
        ({"JPY_PARENT_PID": "11"}, "/srv", [99, 12], A),
        ({"JPY_PARENT_PID": "77"}, "/srv", [99, 12, 11], B),
        ({}, "/srv", [99, 11, 12], A),
        ({"JUPYTER_SERVER_URL": "http://box:2/b/"}, "/srv", [99], B),
        ({"JUPYTER_SERVER_URL": "http://localhost:2/b?token=x"}, "/srv", [99], B),
        ({"JUPYTERHUB_SERVICE_PREFIX": "/a/"}, "/srv", [99], A),
        ({}, "/home/me/b/deep", [99], B),
        ({}, "/home/me/beside", [99], A),
        ({}, "/srv", [99], C),
        ({}, "/tmp", [99], None),
        ({"JUPYTER_SERVER_URL": "http://elsewhere/"}, "/srv", [99], None),
    ],
)
def test_the_nearest_is_chosen(environment: dict[str, str], cwd: str, pids: list[int], expected: Beacon | None) -> None:
    assert choose(RUNNING, environment, Path(cwd), pids) == expected


def test_ancestors_begin_with_the_process_itself() -> None:
    found = ancestors(os.getpid())
    assert found[:2] == [os.getpid(), os.getppid()]
    assert ancestors(0) == []


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beacon:
    """One that runs, with nothing to do with this program."""
    monkeypatch.setattr(finding, "ancestors", lambda pid: [])
    beacon = replace(HERE, url="http://127.0.0.1:5/x/", base_url="/x/", root="/elsewhere", secret="secret")
    write(tmp_path, beacon)
    return beacon


def test_the_newest_is_taken_where_nothing_says_more(tmp_path: Path, server: Beacon) -> None:
    target = find(tmp_path, {}, HOME)
    assert target == Target(server.url, "ws-hub-secret secret", pid=os.getpid())
    assert "secret secret" not in repr(target)


def test_a_token_that_is_told_is_used_and_one_of_the_environment_only_elsewhere(tmp_path: Path, server: Beacon) -> None:
    environment = {"JUPYTER_TOKEN": "t"}
    assert find(tmp_path, environment, HOME).authorization == "ws-hub-secret secret"
    assert find(tmp_path, environment, HOME, url=server.url).authorization == "ws-hub-secret secret"
    assert find(tmp_path, environment, HOME, token="told").authorization == "token told"
    assert find(tmp_path, environment, HOME, url=server.url, token="told").authorization == "token told"
    assert find(tmp_path, environment, HOME, url=f"{server.url}?token=x").authorization == "token x"
    assert find(tmp_path, environment, HOME, url="http://far/") == Target("http://far/", "token t")
    assert find(tmp_path, {}, HOME, url="http://far") == Target("http://far/")


def test_a_server_that_the_environment_names_is_taken_though_it_is_far_away(tmp_path: Path) -> None:
    environment = {"JUPYTER_SERVER_URL": "https://hub/user/me/", "JUPYTERHUB_API_TOKEN": "t"}
    assert find(tmp_path, environment, HOME) == Target("https://hub/user/me/", "token t")


def test_without_any_server_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoServer, match="Start one, or set JUPYTER_SERVER_URL"):
        find(tmp_path, {}, HOME)
    with pytest.raises(NoServer, match="no address"):
        find(tmp_path, {}, HOME, url="ftp://x")
