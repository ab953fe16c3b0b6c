"""The generated TypeScript is current, complete, and refuses what it cannot write."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest

from jupyter_ws_hub import typescript
from jupyter_ws_hub.hub.declare import Latest, Topic
from jupyter_ws_hub.ports import Peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.messages import ClientMessage, ServerMessage
from jupyter_ws_hub.services.base import Nothing, Service, method

EXAMPLE = Path(__file__).parent / "example"


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


class Undocumented(msgspec.Struct, frozen=True, rename="kebab"):
    some_field: int = 0


class FirstService(Service):
    """Belongs to another package."""

    name = "first"
    topics = (Topic("first", {"a.b": Undocumented}, ("read", "first"), Latest(key="some_field")),)

    @method("first.get", permission=("read", "first"))
    async def get(self, params: Undocumented, peer: Peer) -> int:
        """Get."""
        return params.some_field


class SecondService(Service):
    """Belongs to the same other package."""

    name = "second"

    @method("second.get", permission=("read", "second"))
    async def get(self, params: Nothing, peer: Peer) -> None:
        return None


def test_the_file_of_another_package_adds_its_services_to_ours() -> None:
    text = typescript.generate_for([f"{__name__}:FirstService", f"{__name__}:SecondService"])
    assert f"typescript --service {__name__}:FirstService --service {__name__}:SecondService`" in text
    struct = "export type Undocumented = {\n  'some-field': number;\n};"
    assert f"\n\n{struct}\n" in text, "a struct without a docstring has none of msgspec's"
    # No interface where there is nothing to add: no streams here.
    assert text.endswith("""
declare module 'jupyter-ws-hub' {
  interface Methods {
    /** Get. */
    'first.get': {
      params: Undocumented;
      result: number;
    };
    'second.get': {
      params: Nothing;
      result: null;
    };
  }
  interface Topics {
    'first': {
      events: {
        'a.b': Undocumented;
      };
      snapshot: Array<LatestValue>;
    };
  }
}

export {};
""")
    assert "export type LatestValue = {" in text
    assert "chat" not in text


def test_the_file_of_the_example_is_current(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(EXAMPLE)
    service = "ws_hub_example.service:ExampleService"
    assert typescript.main(["--check", "--service", service, "--out", str(EXAMPLE / "src" / "generated.ts")]) == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--service", "a:B"], "belong together"),
        (["--out", "a.ts"], "belong together"),
        (["--service", "no.such.module:B"], "No module named 'no'"),
        (["--service", f"{__name__}:Missing"], "has no attribute 'Missing'"),
        (["--service", __name__], "it should be <module>:<class>"),
        (["--service", f"{__name__}:Outer"], "is no Service class"),
    ],
)
def test_what_is_no_service_of_another_package_is_refused_and_nothing_written(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "generated.ts"
    more = ["--out", str(target)] if "together" not in complaint else []
    with pytest.raises(SystemExit) as caught:
        typescript.main([*arguments, *more])
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err
    assert not target.exists()


def test_the_file_of_another_package_is_written_and_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "generated.ts"
    arguments = ["--service", f"{__name__}:FirstService", "--out", str(target)]
    assert typescript.main([*arguments, "--check"]) == 1
    assert f"python -m jupyter_ws_hub.typescript {' '.join(arguments)}`" in capsys.readouterr().err
    assert typescript.main(arguments) == 0
    assert typescript.main([*arguments, "--check"]) == 0
