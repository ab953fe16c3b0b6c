"""Bytes to base64 and back, in pieces."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.transfers import body as module
from jupyter_ws_hub.transfers.body import Body, decoded
from jupyter_ws_hub.transfers.ports import Loaded
from tests.support.file_client import root_of

SIZES = [0, 1, 2, 3, 768 * 1024 - 1, 768 * 1024, 768 * 1024 + 1, 3_000_001]


@pytest.mark.parametrize("size", SIZES)
def test_what_was_encoded_in_pieces_is_the_base64_of_the_whole(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    for content in (data, tmp_path / "a"):
        body = Body(content, size, root_of(data), "xxh3-128", "a")
        assert body.encoded(0, size) == base64.b64encode(data).decode()
        assert body.encoded(size // 3, size // 2) == base64.b64encode(data[size // 3 : size // 2]).decode()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [5, 1024 * 1024])
def test_base64_with_and_without_lines_comes_back(size: int, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE_CHARACTERS", piece)
    data = os.urandom(min(size, 1000) if piece == 5 else size)
    body = Body(data, len(data), root_of(data), "xxh3-128", "a")
    for text in (base64.b64encode(data), base64.encodebytes(data), base64.encodebytes(data).replace(b"\n", b"\r\n")):
        loaded = Loaded(text.decode(), is_base64=True)
        assert b"".join(decoded(loaded)) == data
        assert body.is_same(loaded)


def test_text_comes_as_utf8() -> None:
    assert b"".join(decoded(Loaded("zwölf\n", is_base64=False))) == "zwölf\n".encode()


def test_other_bytes_are_not_the_same() -> None:
    body = Body(b"12345", 5, root_of(b"12345"), "xxh3-128", "a")
    for other in (b"12346", b"1234", b"123456", b""):
        assert not body.is_same(Loaded(base64.b64encode(other).decode(), is_base64=True))
    assert not body.is_same(Loaded("MTIz!", is_base64=True))


@pytest.mark.parametrize("text", ["MTIzN", "é123", "M"])
def test_what_is_no_base64_is_an_error(text: str) -> None:
    with pytest.raises(HubError) as caught:
        list(decoded(Loaded(text, is_base64=True)))
    assert caught.value.code is Code.INTERNAL


def test_a_body_that_is_gone_is_told(tmp_path: Path) -> None:
    body = Body(tmp_path / "gone", 5, "", "xxh3-128", "sub/a")
    with pytest.raises(HubError) as caught:
        body.encoded(0, 5)
    assert (caught.value.code, str(tmp_path) in caught.value.message) == (Code.NOT_FOUND, False)
    (tmp_path / "gone").write_bytes(b"123")
    with pytest.raises(HubError) as caught:
        body.encoded(0, 5)
    assert caught.value.code is Code.NOT_FOUND
