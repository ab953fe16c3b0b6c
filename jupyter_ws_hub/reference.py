"""Writes the tables of protocol/PROTOCOL.md from the code: `python -m jupyter_ws_hub.reference`, `--check` compares.

The code table, the methods, the topics and their payloads stand between markers; the text around them is by hand.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from .hub.declare import Latest, Method, Retention, Topic
from .hub.topic_state import LatestValue
from .protocol.codes import Code
from .services import discover
from .storage.base import LogRetention
from .typescript import Writer, write_or_check

TARGET = Path(__file__).parent / "protocol" / "PROTOCOL.md"
_SECTION = re.compile(r"(<!-- begin (\w+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)


def _codes() -> Iterator[str]:
    yield "| number | code | retry | meaning |"
    yield "|---|---|---|---|"
    for code in Code:
        yield f"| {int(code)} | `{code.wire_name}` | {'yes' if code.retryable else 'no'} | {code.meaning} |"


def _methods(methods: Sequence[Method], writer: Writer) -> Iterator[str]:
    yield "| method | params | result | permission | idempotent | |"
    yield "|---|---|---|---|---|---|"
    for method in sorted(methods, key=lambda method: method.name):
        first_line = method.document.partition("\n")[0]
        yield (
            f"| `{method.name}` | `{writer.of(method.params, sent=True)}` | `{writer.of(method.result)}` "
            f"| {' '.join(method.permission)} | {'yes' if method.idempotent else 'no'} | {first_line} |"
        )


def _retention(retain: Retention) -> str:
    match retain:
        case LogRetention(count=count, bytes=size, age_s=age_s):
            return f"log: {count} messages, {size // 1024**2} MiB, {age_s / 86400:g} days"
        case Latest(key=key):
            return f"latest by `{key}`"
        case None:
            return "none"


def _topics(topics: Sequence[Topic], writer: Writer) -> Iterator[str]:
    yield "| topic | events | snapshot | permission | retention |"
    yield "|---|---|---|---|---|"
    for topic in sorted(topics, key=lambda topic: topic.pattern):
        events = "<br>".join(f"`{kind}`: `{writer.of(payload)}`" for kind, payload in sorted(topic.events.items()))
        if topic.snapshot_type is not None:
            snapshot = f"`{writer.of(topic.snapshot_type)}`"
        else:
            snapshot = "" if isinstance(topic.retain, LogRetention) else f"`{writer.of(list[LatestValue])}`"
        permission = " ".join(topic.permission)
        yield f"| `{topic.pattern}` | {events} | {snapshot} | {permission} | {_retention(topic.retain)} |"


def generate(text: str) -> str:
    """PROTOCOL.md with its tables made anew."""
    services = discover(logging.getLogger(__name__), own_only=True)
    writer = Writer()
    sections = {
        "codes": "\n".join(_codes()),
        "methods": "\n".join(_methods([method for service in services for method in service.methods()], writer)),
        "topics": "\n".join(_topics([topic for service in services for topic in service.all_topics()], writer)),
    }
    sections["payloads"] = "```ts\n" + "\n\n".join(writer.structs()) + "\n```"
    return _SECTION.sub(lambda match: f"{match[1]}{sections[match[2]]}\n{match[3]}", text)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the tables."""
    return write_or_check("jupyter_ws_hub.reference", TARGET, generate(TARGET.read_text()), arguments)


if __name__ == "__main__":
    raise SystemExit(main())
