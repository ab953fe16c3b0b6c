"""Which server is meant."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jupyter_ws_hub.cli.servers import CommandError, Server, find_server, parse_url, running_servers


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runtime"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    return folder


def add(runtime: Path, port: int, root: Path, token: str = "t", pid: int = 0) -> str:
    url = f"http://localhost:{port}/"
    fields = {"url": url, "token": token, "root_dir": str(root), "pid": pid or os.getpid()}
    (runtime / f"jpserver-{port}.json").write_text(json.dumps(fields))
    return url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h:1/", Server("http://h:1/")),
        ("http://h:1", Server("http://h:1/")),
        ("h:1", Server("http://h:1/")),
        ("https://h/user/me", Server("https://h/user/me/")),
        ("https://h/user/me/lab/tree/a.ipynb?token=abc", Server("https://h/user/me/", "abc")),
        ("http://h:1/tree?token=abc", Server("http://h:1/", "abc")),
    ],
)
def test_addresses_are_read_as_people_copy_them(url: str, expected: Server) -> None:
    assert parse_url(url) == expected


@pytest.mark.parametrize("url", ["ftp://h/", "http://", "http+unix://socket"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(CommandError, match="no address"):
        parse_url(url)


def test_websockets_have_an_address_of_their_own() -> None:
    assert Server("http://h/a/").ws_url == "ws://h/a/"
    assert Server("https://h/").ws_url == "wss://h/"


def test_this_machine_is_known_by_its_names() -> None:
    assert all(Server(f"http://{host}:8888/a/").is_local for host in ("localhost", "127.0.0.1", "[::1]"))
    assert not any(
        Server(url).is_local for url in ("http://h/", "https://localhost.example.org/", "http://h/localhost")
    )


def test_the_only_running_server_is_meant(runtime: Path, tmp_path: Path) -> None:
    url = add(runtime, 1, tmp_path, "secret")
    assert find_server(None, None, {"JUPYTER_TOKEN": "other"}, Path("/")) == Server(url, "secret", tmp_path)
    assert find_server(None, "given", {}, Path("/")).token == "given"


def test_none_is_running(runtime: Path) -> None:
    with pytest.raises(CommandError, match="--url"):
        find_server(None, None, {}, Path("/"))


def test_of_several_the_one_with_the_innermost_root_around_here_is_meant(runtime: Path, tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    (inner / "c").mkdir(parents=True)
    outer_url, inner_url = add(runtime, 1, tmp_path / "a"), add(runtime, 2, inner)
    assert find_server(None, None, {}, inner / "c").url == inner_url
    assert find_server(None, None, {}, tmp_path / "a").url == outer_url


def test_where_several_could_be_meant_they_are_listed(runtime: Path, tmp_path: Path) -> None:
    urls = [add(runtime, 1, tmp_path), add(runtime, 2, tmp_path)]
    for folder in (tmp_path, Path("/")):
        with pytest.raises(CommandError) as caught:
            find_server(None, None, {}, folder)
        assert all(url in str(caught.value) for url in urls)


def test_files_of_servers_that_have_ended_or_are_no_json_do_not_count(runtime: Path, tmp_path: Path) -> None:
    add(runtime, 1, tmp_path, pid=2**22 + 1)
    (runtime / "jpserver-2.json").write_text("{half")
    (runtime / "jpserver-3.json").write_text('{"url": "http+unix://socket", "pid": 1, "token": "", "root_dir": "/"}')
    (runtime / "jpserver-4.json").write_text("[]")
    assert running_servers(runtime) == []


def test_the_environment_names_a_server_and_tokens(runtime: Path) -> None:
    environment = {"JUPYTER_SERVER_URL": "http://h:1/user/a", "JUPYTERHUB_API_TOKEN": "hub"}
    assert find_server(None, None, environment, Path("/")) == Server("http://h:1/user/a/", "hub")
    assert find_server(None, None, {**environment, "JUPYTER_TOKEN": "own"}, Path("/")).token == "own"
    assert find_server("http://x/?token=copied", None, environment, Path("/")) == Server("http://x/", "copied")


def test_a_named_server_that_runs_here_needs_no_token(runtime: Path, tmp_path: Path) -> None:
    url = add(runtime, 1, tmp_path, "secret")
    assert find_server(url, None, {}, Path("/")).token == "secret"
    assert find_server("http://elsewhere/", None, {}, Path("/")).token == ""


def test_a_local_server_without_a_token_takes_that_of_the_environment(runtime: Path, tmp_path: Path) -> None:
    add(runtime, 1, tmp_path, token="")
    assert find_server(None, None, {"JUPYTERHUB_API_TOKEN": "hub"}, Path("/")).token == "hub"


def test_who_is_refused_is_told_whether_the_token_is_wrong_or_wanting() -> None:
    assert "still good" in Server("http://localhost:1/", "abc").login_advice
    assert "wants a token" in Server("http://localhost:1/").login_advice
