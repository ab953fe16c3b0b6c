"""How messages stand in the store: their place and version are the document's."""

from __future__ import annotations

import msgspec

from jupyter_ws_hub.chat.kept import data_of, message_of, messages_of, searched, topic_of
from jupyter_ws_hub.storage.base import Document

from .world import answer, said


def test_a_message_comes_back_as_it_was_with_the_documents_place_and_version() -> None:
    message = msgspec.structs.replace(answer(), seq=9, version=9, mentions=["a"], reply_to="m")
    document = Document("chat/general", "a1", 3, 5, 1, data_of(message))
    assert message_of(document) == msgspec.structs.replace(message, seq=3, version=5)
    assert b'"seq":9' not in document.data


def test_a_deleted_message_is_found_by_nothing() -> None:
    assert searched(said(text="word")) == "word"
    assert searched(msgspec.structs.replace(said(text="word"), deleted=True)) == ""


def test_the_topic_and_the_collection_have_one_name() -> None:
    assert topic_of("general") == "chat/general"


async def test_many_messages_keep_their_order() -> None:
    documents = [Document("c", f"m{n}", n, 1, 1, data_of(said(f"m{n}", "x" * 5000))) for n in range(1, 100)]
    assert [message.seq for message in await messages_of(documents)] == list(range(1, 100))
