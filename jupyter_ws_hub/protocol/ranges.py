"""Which part of a file an HTTP request wants, by its conditions and its range (RFC 9110, 13 and 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_SPEC: Final = re.compile(r"^bytes\s*=[\s,]*(\d*)\s*-\s*(\d*)[\s,]*$", re.ASCII | re.IGNORECASE)
_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


class Selection(NamedTuple):
    """The status to answer with, and the bytes from `begin` to `end` (exclusive) to send with 200 and 206."""

    status: int
    begin: int = 0
    end: int = 0


def select(headers: Mapping[str, str], etag: str, size: int, *, is_get: bool = True) -> Selection:
    """Choose by a request's headers; `etag` is a strong one, without its quotes.

    Only a GET has ranges. A list of ranges, one of another unit, and what is no range at all are answered by the whole.
    """
    if (wanted := headers.get("If-Match")) is not None and not _matches(wanted, etag, strong=True):
        return Selection(412)
    if (known := headers.get("If-None-Match")) is not None and _matches(known, etag, strong=False):
        return Selection(304)
    whole = Selection(200, 0, size)
    if not is_get or headers.get("If-Range", f'"{etag}"').strip() != f'"{etag}"':
        return whole
    found = _SPEC.match(headers.get("Range", ""))
    if found is None or found.groups() == ("", ""):
        return whole
    first, last = found.groups()
    if not first:
        begin, end = max(0, size - int(last)), size
    else:
        begin, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < begin:
            return whole
    return Selection(206, begin, end) if begin < end else Selection(416)


def _matches(tags: str, etag: str, *, strong: bool) -> bool:
    if tags.strip() == "*":
        return True
    return any(found[2] == etag and not (strong and found[1]) for found in _TAG.finditer(tags))


def headers_of(selection: Selection, etag: str, size: int) -> dict[str, str]:
    """What an answer says of itself."""
    headers = {"ETag": f'"{etag}"', "Accept-Ranges": "bytes", "Cache-Control": "no-cache"}
    status, begin, end = selection
    if status in (200, 206):
        headers["Content-Length"] = str(end - begin)
    if status == 206:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    elif status == 416:
        headers["Content-Range"] = f"bytes */{size}"
    return headers
