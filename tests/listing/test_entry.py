"""Pages are valid, hold what fits, and lose nothing between them."""

from __future__ import annotations

import msgspec

from jupyter_ws_hub.listing.entry import PAGE_BYTES, Entry, Packer, Page
from jupyter_ws_hub.services.files import FilesService


def entry(name: str) -> Entry:
    return Entry(name, f"d/{name}", "file", True, "t", "t", 1, None, "e", 1)


def test_a_page_is_what_the_service_declares() -> None:
    packer = Packer(0)
    assert packer.add(entry("ä")) and packer.add(entry('"\\'))
    page = msgspec.json.decode(packer.page("d", 7, 9, "tag"), type=Page, strict=True)
    assert page == Page("d", 7, 9, [entry("ä"), entry('"\\')], "tag")
    declared = {method.name: method for method in FilesService().methods()}
    assert declared["files.list"].result is Page and declared["files.list"].streamed


def test_an_empty_page_is_a_page() -> None:
    assert msgspec.json.decode(Packer(0).page("", 0, 0, "x"), type=Page) == Page("", 0, 0, [], "x")


def test_a_page_ends_where_its_limit_is() -> None:
    packer = Packer(2)
    assert [packer.add(entry(str(n))) for n in range(3)] == [True, True, False]


def test_a_page_fits_into_a_frame_even_with_the_longest_names() -> None:
    packer = Packer(0)
    added = 0
    while packer.add(entry("\x01" * 255)):
        added += 1
    assert added > 1
    assert len(packer.page("d", 0, 10**9, "x" * 60)) <= 32 * 1024
    assert len(packer.page("d", 0, 10**9, "x" * 60)) > PAGE_BYTES * 0.8


def test_one_entry_goes_out_however_large_it_is() -> None:
    packer = Packer(0)
    assert packer.add(entry("x" * 100_000))
    assert not packer.add(entry("y"))
