"""The helper guesses as the server's own mimetypes module does."""

from __future__ import annotations

import mimetypes

from hypothesis import given
from hypothesis import strategies as st

from jupyter_ws_hub.listing.mime import MimeTables

PARTS = [".", "a", ".txt", ".TXT", ".ipynb", ".tar", ".gz", ".tgz", ".svgz", ".py", ".b", "..", ".bz2", "ä", " ", ".Z"]


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=5))
def test_every_name_has_the_type_that_it_has_there(parts: list[str]) -> None:
    name = "".join(parts)
    mimetypes.init()
    tables = MimeTables(dict(mimetypes.types_map), dict(mimetypes.suffix_map), dict(mimetypes.encodings_map))
    assert tables.guess(name) == mimetypes.guess_type(f"/root/{name}")[0]


def test_it_knows_what_the_server_was_taught() -> None:
    assert MimeTables({".own": "text/own"}, {}, {}).guess("a.OWN") == "text/own"
    assert MimeTables().guess("a.txt") is None
