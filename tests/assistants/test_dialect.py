"""A question is asked without what its model has refused."""

from __future__ import annotations

from jupyter_ws_hub.assistants.dialect import Dialect
from jupyter_ws_hub.chat.assistant import Ask

ASK = Ask("m", 9, temperature=0.0, seed=0)


def test_what_is_refused_is_left_out_for_that_model_only() -> None:
    dialect = Dialect(True)
    assert set(dialect.fields(ASK, "m")) == {"stream_options", "temperature", "seed", "max_tokens"}
    assert dialect.fields(Ask("m", 9), "m", ["stream_options"]) == {"max_tokens": 9}
    dialect.learn("m", ["seed", "max_tokens"])
    dialect.learn("m", ["stream_options"])
    assert dialect.fields(ASK, "m") == {"temperature": 0.0, "max_completion_tokens": 9}
    assert "seed" in dialect.fields(ASK, "other")


def test_only_what_was_sent_can_be_what_is_complained_of() -> None:
    dialect = Dialect(False)
    fields = dialect.fields(ASK, "m")
    assert dialect.unknown(fields, 400, "Unsupported parameter: 'max_tokens'") == "max_tokens"
    assert dialect.unknown(fields, 422, "temperature does not support 0") == "temperature"
    assert dialect.unknown(fields, 400, "stream_options") is None
    assert dialect.unknown(fields, 500, "seed") is None
    assert dialect.unknown(fields, 400, "no idea") is None
