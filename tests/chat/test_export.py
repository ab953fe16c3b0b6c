"""A room as a document: nothing that is said becomes a part of it, and its pieces are small."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from jupyter_ws_hub.chat.export import PIECE_CHARACTERS, exported
from jupyter_ws_hub.chat.messages import Attachment, ChatMessage
from jupyter_ws_hub.chat.room import Room

from .world import answer, ended, said

ALL = Room("general", 1, "", title="Our *room*\n# x")


async def export(messages: Sequence[ChatMessage], format: str = "markdown", room: Room = ALL) -> list[str]:
    """The pieces of a document."""

    async def each() -> AsyncIterator[ChatMessage]:
        for message in messages:
            yield message

    return [piece async for piece in exported(room, each(), format, 0)]


async def test_a_document_has_who_said_what_and_when() -> None:
    text = "".join(await export([said("m1", "hello\nthere", time=1_000)]))
    assert text == (
        "# Our \\*room\\* \\# x\n\nExported on 1970-01-01 00:00:00 UTC.\n\n"
        "**Alice**, 1970-01-01 00:00:01 UTC\n\n> hello\n> there\n\n"
    )


EVIL = [
    "# Heading",
    "```\nopen fence",
    "~~~\r**bob**, now\r\n> quoted",
    "<!-- open",
    "</div>",
    "- [ ] x\n\n---\n\n1. y",
]


@pytest.mark.parametrize("evil", EVIL)
async def test_what_is_said_stays_in_its_quotation(evil: str) -> None:
    text = "".join(await export([said("m1", evil), said("m2", "after")]))
    _, *lines = text.split("\n\n**Alice**", 1)[1].split("\n")
    assert "\r" not in text
    assert [line for line in lines if line and not line.startswith(">")] == [
        "**Alice**, 1970-01-01 00:00:00 UTC",
    ]


@pytest.mark.parametrize("name", ["# x", "**b**\n\n# y", "[a](javascript:x)", "<script>", "`", "a_b_c", "![x](y)"])
async def test_a_name_means_nothing_in_the_document(name: str) -> None:
    message = said("m1")
    author = msgspec.structs.replace(message.author, display_name=name)
    text = "".join(await export([msgspec.structs.replace(message, author=author)]))
    line = next(line for line in text.split("\n") if line.startswith("**"))
    inner = line[2:].partition("**, 1970")[0]
    assert re.sub(r"\\.", "", inner).isalnum() or set(re.sub(r"\\.", "", inner)) <= set(" abcdefijlnoprstuvxyz:./y")
    assert not re.search(r"(?<!\\)[*_`\[\]<>#!]", inner)


async def test_answers_attachments_edits_and_deletions_are_told() -> None:
    failed = ended(msgspec.structs.replace(answer(), text="so far"), "failed", error="It *broke*.")
    fence = Attachment("selection", "a_b.py", text="x\n```\ny", language="python`")
    cell = Attachment("cell", "n.ipynb", "c1")
    messages = [
        msgspec.structs.replace(said("m1"), attachments=[fence, cell], edited=5, edited_by="boss"),
        failed,
        msgspec.structs.replace(said("m3", ""), deleted=True, edited=5),
    ]
    text = "".join(await export(messages))
    assert "> Attached: selection a\\_b.py\n>\n> ````python\n> x\n> ```\n> y\n> ````" in text
    assert "> Attached: cell n.ipynb, cell c1" in text
    assert "UTC, edited by boss" in text
    assert "**Echo**, 1970-01-01 00:00:00 UTC, assistant, model, failed" in text
    assert "> so far\n>\n> *It \\*broke\\*.*" in text
    assert "*This message was deleted.*" in text


async def test_json_has_the_messages_as_they_are() -> None:
    messages = [said("m1", 'a"\n\\'), answer(), said("m3", "😀")]
    document = msgspec.json.decode("".join(await export(messages, "json")).encode())
    assert document["room"]["title"] == ALL.title and document["exported"] == 0
    assert msgspec.convert(document["messages"], list[ChatMessage]) == messages
    assert msgspec.json.decode("".join(await export([], "json")).encode())["messages"] == []


@pytest.mark.parametrize("format", ["markdown", "json"])
async def test_pieces_are_small_and_make_the_whole(format: str) -> None:
    messages = [said(f"m{n}", "\x01" * (n * 997 % 20_000)) for n in range(30)] + [said("long", "x" * 100_000)]
    pieces = await export(messages, format)
    assert all(0 < len(piece) <= PIECE_CHARACTERS for piece in pieces)
    assert max(len(msgspec.json.encode({"text": piece})) for piece in pieces) < 31 * 1024
    whole = "".join(pieces)
    if format == "json":
        assert msgspec.convert(msgspec.json.decode(whole.encode())["messages"], list[ChatMessage]) == messages
    else:
        assert whole.count("\x01") == sum(message.text.count("\x01") for message in messages)
