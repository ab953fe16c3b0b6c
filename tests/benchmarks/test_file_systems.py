"""Which systems there are: what is not installed is left out, and the table says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from .file_systems import TUS, TUS_PACKAGES, FileSystem, tus, twin, without_tus
from .lab import Lab


def test_without_its_packages_tus_is_left_out_and_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TUS_PACKAGES, raising=False)
    assert tus(Lab(tmp_path)) is None
    assert TUS_PACKAGES in without_tus({})
    assert without_tus({TUS: None}) == ""


def test_a_server_at_another_port_or_of_another_dialect_is_the_same() -> None:
    system = FileSystem(1, 2, "hub", "/root")
    assert (system.at(5).port, system.at(5).pid, system.at(5).folder) == (5, 2, Path("/root"))
    assert (twin(system).dialect, twin(system).port) == ("twin", 1)
