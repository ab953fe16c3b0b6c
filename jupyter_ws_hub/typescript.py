"""Writes labextension/src/protocol/generated.ts from the Python structs: `python -m jupyter_ws_hub.typescript`.

`--service <module>:<class> --out <file>` writes the types of another package's service instead, which its browser half
adds to ours. With `--check` nothing is written; the exit code says whether the file is current. A type without a
counterpart in TypeScript is an error, never `any`.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec
from msgspec import inspect as mi

from . import protocol
from .hub.declare import Method, Topic
from .hub.topic_state import LatestValue
from .protocol import codec, terminal, transfer
from .protocol.codes import Code
from .protocol.messages import ClientMessage, ServerMessage
from .services import discover
from .services.base import Service
from .storage.base import LogRetention

TARGET = Path(__file__).parent.parent / "labextension" / "src" / "protocol" / "generated.ts"

COMMAND = "jupyter_ws_hub.typescript"

_HEADER = """\
// Written by `python -m {command}` from the Python structs. Do not edit.
/* eslint-disable */
"""

_CONSTANTS: dict[str, object] = {
    "HUB_SUBPROTOCOL": protocol.HUB_SUBPROTOCOL,
    "TERMINAL_SUBPROTOCOL": protocol.TERMINAL_SUBPROTOCOL,
    "FILE_STREAM_SUBPROTOCOL": protocol.FILE_STREAM_SUBPROTOCOL,
    "INBOUND_FRAME_BYTES": codec.INBOUND_FRAME_BYTES,
    "CHUNK_HEADER_BYTES": codec.CHUNK_HEADER.size,
    "CHUNK_DATA": codec.CHUNK_DATA,
    "MAX_CHUNK_FRAME_BYTES": codec.MAX_CHUNK_FRAME_BYTES,
    "INBOUND_CHUNK_FRAME_BYTES": codec.INBOUND_CHUNK_FRAME_BYTES,
    "MAX_CHUNK_PAYLOAD_BYTES": codec.MAX_CHUNK_PAYLOAD_BYTES,
    "BLOCK_BYTES": transfer.BLOCK_BYTES,
    "WINDOW_BYTES": transfer.WINDOW_BYTES,
    "MAX_WINDOW_BYTES": transfer.MAX_WINDOW_BYTES,
    "TREE_FILE_BYTES": transfer.TREE_FILE_BYTES,
    "ENTRIES_AHEAD": transfer.ENTRIES_AHEAD,
    "STREAM_PING_MS": int(transfer.PING_S * 1000),
    "TERMINAL_WINDOW_BYTES": terminal.WINDOW_BYTES,
    "TERMINAL_MAX_DATA_BYTES": terminal.MAX_DATA_BYTES,
    **{f"TERMINAL_{kind.name}": kind.value for kind in terminal.FrameType},
}

_EVENT_TYPES = """\
/** The pattern that a topic's name falls under. */
export type PatternOf<T extends string> = T extends keyof Topics
  ? T
  : T extends `${infer Head}/${string}`
    ? `${Head}/*` extends keyof Topics
      ? `${Head}/*`
      : never
    : never;

/** The events of a topic: kinds and payloads. */
export type EventsOf<T extends string> = Topics[PatternOf<T>]['events'];

/** What a topic's snapshot is. */
export type SnapshotOf<T extends string> = Topics[PatternOf<T>]['snapshot'];
"""


class Unmapped(Exception):
    """A type that TypeScript has no counterpart for here."""


class Writer:
    """Collects structs as they are referred to, and writes each once."""

    def __init__(self) -> None:
        """Nothing is collected yet."""
        self._structs: dict[str, tuple[type[msgspec.Struct], bool]] = {}

    def expression(self, info: mi.Type, *, sent: bool) -> str:
        """The TypeScript type for a msgspec type; `sent` is what a client sends, where defaults may be left out."""
        match info:
            case mi.AnyType() | mi.RawType():
                return "unknown"
            case mi.NoneType():
                return "null"
            case mi.BoolType():
                return "boolean"
            case mi.IntType() | mi.FloatType():
                return "number"
            case mi.StrType():
                return "string"
            case mi.LiteralType(values=values):
                return " | ".join(json.dumps(value).replace('"', "'") for value in values)
            case mi.ListType(item_type=item):
                return f"Array<{self.expression(item, sent=sent)}>"
            case mi.DictType(key_type=mi.StrType(), value_type=value):
                return f"{{ [key: string]: {self.expression(value, sent=sent)} }}"
            case mi.UnionType(types=types):
                return " | ".join(self.expression(one, sent=sent) for one in types)
            case mi.StructType(cls=cls):
                return self._refer(cls, sent=sent)
            case _:
                raise Unmapped(f"{info!r} has no counterpart in TypeScript")

    def of(self, python_type: object, *, sent: bool = False) -> str:
        """The TypeScript type for an annotation."""
        return self.expression(mi.type_info(python_type), sent=sent)

    def _refer(self, cls: type[msgspec.Struct], *, sent: bool) -> str:
        name = cls.__name__
        known = self._structs.get(name)
        if known is not None and known[0] is not cls:
            raise Unmapped(f"two structs are named {name}: {known[0].__module__} and {cls.__module__}")
        if known is None or (known[1] and not sent):
            # What is both sent and received is written as it is received: with all its fields.
            self._structs[name] = (cls, sent)
            info = mi.type_info(cls)
            assert isinstance(info, mi.StructType)
            for field in info.fields:
                self.expression(field.type, sent=sent)
        return name

    def structs(self) -> Iterator[str]:
        """All structs that were referred to, by name."""
        for name in sorted(self._structs):
            yield self._struct(*self._structs[name])

    def _struct(self, cls: type[msgspec.Struct], sent: bool) -> str:
        info = mi.type_info(cls)
        assert isinstance(info, mi.StructType)
        # Not by inspect.getdoc, which gives msgspec's own text for a struct that has none.
        lines = [*_comment(inspect.cleandoc(cls.__doc__ or "")), f"export type {cls.__name__} = {{"]
        if info.tag is not None:
            lines.append(f"  {info.tag_field}: '{info.tag}';")
        for field in info.fields:
            mark = "?" if not field.required and (sent or cls.__struct_config__.omit_defaults) else ""
            lines.append(f"  {_key(field.encode_name)}{mark}: {self.expression(field.type, sent=sent)};")
        return "\n".join([*lines, "};"])


def _comment(text: str, indent: str = "") -> Iterator[str]:
    lines = text.replace("*/", "* /").splitlines()
    if len(lines) == 1:
        yield f"{indent}/** {lines[0]} */"
    elif lines:
        yield from (f"{indent}/**", *(f"{indent} * {line}".rstrip() for line in lines), f"{indent} */")


def _key(name: str) -> str:
    return name if name.isidentifier() else f"'{name}'"


def _codes() -> Iterator[str]:
    yield "/** The code table: what can go wrong, its close code, and whether trying again can help. */"
    yield "export const CODES = {"
    for code in Code:
        meaning = json.dumps(code.meaning)
        retryable = json.dumps(code.retryable)
        yield f"  {code.wire_name}: {{ number: {int(code)}, retryable: {retryable}, meaning: {meaning} }},"
    yield "} as const;"
    yield "export type CodeName = keyof typeof CODES;"


def _interface(name: str, document: str, members: Iterable[str]) -> Iterator[str]:
    """An interface, so that other extensions can add their own members to it by module augmentation."""
    yield f"/** {document} */"
    yield f"export interface {name} {{"
    yield from members
    yield "}"


def _calls(gives: str, methods: Iterable[Method], writer: Writer) -> Iterator[str]:
    """Members for the methods that give a `result`, or for those that give each `item`."""
    for method in sorted(methods, key=lambda method: method.name):
        if method.streamed is (gives == "item"):
            yield from _comment(method.document, "  ")
            yield f"  '{method.name}': {{"
            yield f"    params: {writer.of(method.params, sent=True)};"
            yield f"    {gives}: {writer.of(method.result)};"
            yield "  };"


def _methods(methods: Iterable[Method], writer: Writer) -> Iterator[str]:
    methods = sorted(methods, key=lambda method: method.name)
    results, items = _calls("result", methods, writer), _calls("item", methods, writer)
    yield from _interface("Methods", "Every method: what it takes and what it gives.", results)
    yield "export type MethodName = keyof Methods;"
    yield from _interface("Streams", "Every method whose reply comes in items.", items)
    yield "export type StreamName = keyof Streams;"
    yield "/** Methods that may be sent again when it is not known whether they ran. */"
    yield "export const IDEMPOTENT: ReadonlySet<string> = new Set(["
    yield from (f"  '{method.name}'," for method in methods if method.idempotent)
    yield "]);"


def _topics(topics: Iterable[Topic], writer: Writer) -> Iterator[str]:
    for topic in sorted(topics, key=lambda topic: topic.pattern):
        yield f"  '{topic.pattern}': {{"
        yield "    events: {"
        for kind in sorted(topic.events):
            yield f"      {_key(kind)}: {writer.of(topic.events[kind])};"
        yield "    };"
        logged = isinstance(topic.retain, LogRetention)
        snapshot = writer.of(topic.snapshot_type) if topic.snapshot_type is not None else "null"
        yield f"    snapshot: {snapshot if logged else writer.of(list[LatestValue])};"
        yield "  };"


def _union(name: str, types: tuple[Any, ...], writer: Writer, *, sent: bool) -> str:
    return f"export type {name} =\n" + "\n".join(f"  | {writer.of(one, sent=sent)}" for one in types) + ";"


def generate() -> str:
    """The whole file.

    Raises:
        Unmapped: a type cannot be written.
    """
    services = discover(logging.getLogger(__name__), own_only=True)
    writer = Writer()
    constants = [f"export const {name} = {json.dumps(value)};".replace('"', "'") for name, value in _CONSTANTS.items()]
    topics = _topics((topic for service in services for topic in service.all_topics()), writer)
    about_topics = "Every topic, or pattern of topics: its events' kinds and payloads, and its snapshot."
    body = [
        _union("ClientMessage", get_args(ClientMessage), writer, sent=True),
        _union("ServerMessage", get_args(ServerMessage), writer, sent=False),
        _union("StreamClientMessage", get_args(transfer.StreamClientMessage), writer, sent=True),
        _union("StreamServerMessage", get_args(transfer.StreamServerMessage), writer, sent=False),
        "\n".join(_methods((method for service in services for method in service.methods()), writer)),
        "\n".join(_interface("Topics", about_topics, topics)),
        _EVENT_TYPES.rstrip(),
    ]
    header = _HEADER.format(command=COMMAND).rstrip()
    parts = [header, "\n".join(constants), "\n".join(_codes()), *writer.structs(), *body]
    return "\n\n".join(parts) + "\n"


def generate_for(names: Sequence[str]) -> str:
    """The file of another package: the types of its services, each named `<module>:<class>`, added to ours.

    Raises:
        Unmapped: a type cannot be written, or a name is no service's.
    """
    services = [_load(name) for name in names]
    methods = [method for service in services for method in service.methods()]
    writer = Writer()
    members = {
        "Methods": [*_calls("result", methods, writer)],
        "Streams": [*_calls("item", methods, writer)],
        "Topics": [*_topics((topic for service in services for topic in service.all_topics()), writer)],
    }
    lines = ["declare module 'jupyter-ws-hub' {"]
    for name, inner in members.items():
        if inner:
            block = "\n".join([f"interface {name} {{", *inner, "}"])
            lines += [f"  {line}".rstrip() for line in block.splitlines()]
    header = _HEADER.format(command=" ".join([COMMAND, *(f"--service {name}" for name in names)])).rstrip()
    # Without an export the file would not be a module, and would declare ours anew instead of adding to it.
    parts = [header, *writer.structs(), "\n".join([*lines, "}"]), "export {};"]
    return "\n\n".join(parts) + "\n"


def _load(name: str) -> Service:
    module, _, attribute = name.partition(":")
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise Unmapped(f"{name} cannot be loaded, it should be <module>:<class>: {error}") from error
    if not (inspect.isclass(kind) and issubclass(kind, Service)):
        raise Unmapped(f"{name} is no Service class")
    return kind()


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {command}")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not current")
    return parser


def _settle(command: str, target: Path, text: str, *, check: bool) -> int:
    if not check:
        target.write_text(text)
        return 0
    if target.exists() and target.read_text() == text:
        return 0
    print(f"{target} is not current: run `python -m {command}`.", file=sys.stderr)
    return 1


def write_or_check(command: str, target: Path, text: str, arguments: list[str] | None = None) -> int:
    """Write `text` to `target`, or with `--check` compare them; the exit code, 0 if the file is current now."""
    return _settle(command, target, text, check=_parser(command).parse_args(arguments).check)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the generated TypeScript: ours, or what another package's services add to it."""
    parser = _parser(COMMAND)
    parser.add_argument("--service", action="append", default=[], metavar="MODULE:CLASS", help="of another package")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the types of these services go")
    chosen = parser.parse_args(arguments)
    if not chosen.service and chosen.out is None:
        return _settle(COMMAND, TARGET, generate(), check=chosen.check)
    if not chosen.service or chosen.out is None:
        parser.error("--service and --out belong together")
    try:
        text = generate_for(chosen.service)
    except Unmapped as error:
        parser.error(str(error))
    services = " ".join(f"--service {name}" for name in chosen.service)
    return _settle(f"{COMMAND} {services} --out {chosen.out}", chosen.out, text, check=chosen.check)


if __name__ == "__main__":
    raise SystemExit(main())
