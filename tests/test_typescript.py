"""The generated TypeScript is current, complete, and refuses what it cannot write."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from jupyter_ws_hub import typescript
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.messages import ClientMessage, ServerMessage


def test_the_generated_file_is_current() -> None:
    assert typescript.main(["--check"]) == 0


def test_check_fails_and_writes_nothing_where_the_file_is_old_or_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "generated.ts"
    assert typescript.write_or_check("the.module", target, "new", ["--check"]) == 1
    assert not target.exists()
    target.write_text("old")
    assert typescript.write_or_check("the.module", target, "new", ["--check"]) == 1
    assert target.read_text() == "old"
    assert "python -m the.module" in capsys.readouterr().err
    assert typescript.write_or_check("the.module", target, "new", []) == 0
    assert target.read_text() == "new"


def test_every_code_and_message_type_is_there() -> None:
    text = typescript.generate()
    for code in Code:
        assert f"{code.wire_name}: {{ number: {int(code)}," in text
    for message in (*get_args(ClientMessage), *get_args(ServerMessage)):
        assert f"type: '{message.__struct_config__.tag}';" in text
    assert "any" not in text.replace("company", "").split()


class Inner(msgspec.Struct, frozen=True):
    """Inside."""

    n: int = 0


class Outer(msgspec.Struct, frozen=True):
    """Outside."""

    inner: Inner | None
    names: list[str]
    rest: dict[str, float] = {}


def test_what_is_only_sent_may_leave_out_defaults_and_what_is_received_has_all_fields() -> None:
    writer = typescript.Writer()
    assert writer.of(Outer, sent=True) == "Outer"
    sent = "\n".join(writer.structs())
    assert "n?: number;" in sent
    assert "rest?: { [key: string]: number };" in sent
    assert "inner: Inner | null;" in sent or "inner: null | Inner;" in sent
    writer.of(Outer)
    received = "\n".join(writer.structs())
    assert "n: number;" in received
    assert "rest: {" in received
    writer.of(Outer, sent=True)
    assert "\n".join(writer.structs()) == received


@pytest.mark.parametrize("python_type", [bytes, set[int], dict[int, str], tuple[int, str], complex])
def test_a_type_without_a_counterpart_is_an_error(python_type: object) -> None:
    with pytest.raises(typescript.Unmapped):
        typescript.Writer().of(python_type)


def test_two_structs_of_one_name_are_an_error() -> None:
    other = msgspec.defstruct("Inner", [("m", int)])
    writer = typescript.Writer()
    writer.of(Inner)
    with pytest.raises(typescript.Unmapped, match="Inner"):
        writer.of(other)
