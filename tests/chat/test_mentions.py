"""Who is mentioned: names after an @, but not in code, quotations and addresses."""

from __future__ import annotations

import time

import pytest

from jupyter_ws_hub.chat.mentions import MAX_MENTIONS, mentions_in

ASSISTANTS = ["local", "clever-1"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@local", ["local"]),
        ("Hi @LOCAL, and @Clever-1!", ["local", "clever-1"]),
        ("(@alice) @bob. @carol's", ["alice", "bob", "carol"]),
        ("@alice and again @alice", ["alice"]),
        ("@local-model is another", ["local-model"]),
        ("@ada@example.com", ["ada@example.com"]),
        ("mail ada@example.com", []),
        ("https://example.com/@local", []),
        ("`@local` and ``x ` @local``", []),
        ("```python\n@local\ndef f(): ...\n```\n@alice", ["alice"]),
        ("~~~\n@local\n```\n@local\n~~~\n@alice", ["alice"]),
        ("````\n```\n@local\n````\n@alice", ["alice"]),
        ("```\n@local never ends", []),
        ("> @local said\n@alice", ["alice"]),
        ("  > @local", []),
        ("`one tick @local", ["local"]),
        ("@", []),
        ("@@local", []),
        ("no names", []),
        ("@\u0430nna", ["\u0430nna"]),
    ],
)
def test_a_name_is_mentioned_where_it_is_prose(text: str, names: list[str]) -> None:
    assert mentions_in(text, ASSISTANTS) == names


def test_mentions_are_bounded() -> None:
    assert len(mentions_in(" ".join(f"@u{n}" for n in range(1000)), [])) == MAX_MENTIONS
    assert mentions_in("@" + "x" * 100, []) == ["x" * 64]


@pytest.mark.parametrize("piece", ["@a", "`", "`a", "``a`", "@a@", "@a.", "```\n", "> @a\n", "@-"])
def test_no_text_takes_long(piece: str) -> None:
    text = (piece * 20_000)[:20_000]
    begun = time.perf_counter()
    mentions_in(f"@{text}", ASSISTANTS)
    assert time.perf_counter() - begun < 0.5
