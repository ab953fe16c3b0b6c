"""The command line as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_ws_hub import __version__
from jupyter_ws_hub.cli import terminal
from jupyter_ws_hub.cli.main import main


def test_a_failure_is_a_sentence_and_a_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("JUPYTER_SERVER_URL", raising=False)
    assert main(["terminal"]) == 1
    assert capsys.readouterr().err.startswith("jupyter ws-hub: No Jupyter server of yours runs")


def test_ctrl_c_before_a_terminal_is_there_leaves_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(terminal, "request", interrupted)
    assert main(["terminal", "--url", "http://localhost:1/"]) == 130
    assert capsys.readouterr().err == ""


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["terminal", "--history", "much"]])
def test_wrong_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: jupyter ws-hub" in capsys.readouterr().err


def test_help_names_the_exit_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["terminal", "--help"])
    assert "exit status" in capsys.readouterr().out
