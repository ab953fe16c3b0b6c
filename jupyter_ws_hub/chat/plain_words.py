"""What went wrong, in words that may be shown: without keys, without the server's paths, and short.

An assistant is to care for this itself; some come from other packages, and quote what their provider or system said.
"""

from __future__ import annotations

import re
import traceback
from typing import Final

MAX_CHARACTERS: Final = 500

_SECRETS = re.compile(
    r"(?i)\b(?:sk|pk|rk|ghp|gho|hf|xox[a-z])[-_][\w-]{6,}"
    r"|\bBearer\s+[^\s'\",;]+"
    r"|\b(?:api[-_ ]?key|access[-_ ]?token|token|secret|password|authorization)(?:['\"]?\s*[:=]\s*['\"]?)[^\s'\",;]+"
)
_KEY_PROVIDED = re.compile(r"(?i)(key provided: )\S+")
_PATH = re.compile(r"(?<![\w:/.~-])(?:/|~/|[A-Za-z]:\\)(?:[^\s'\"<>|:/\\]+[/\\])+([^\s'\"<>|:/\\,;]*)")


def without_secrets(text: str) -> str:
    """A text with whatever looks like a key left out."""
    return _KEY_PROVIDED.sub(r"\1***", _SECRETS.sub("***", text))


def for_a_person(text: str) -> str:
    """The sentence to show: one line, with paths as their last part alone."""
    line = " ".join(_PATH.sub(r"\1", without_secrets(text[: 4 * MAX_CHARACTERS])).split())
    return line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 1] + "…"


def for_the_log(error: BaseException) -> str:
    """The traceback of an error, without keys."""
    return without_secrets("".join(traceback.format_exception(error)))
