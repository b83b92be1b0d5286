"""The log says what happened and holds no secret."""

import pytest
from openmiosa_server.telemetry.logging import redact

SECRETS = [
    "msk_live_OcAKFuzrfz7Q7D6mp8YKUuDEjOZ0cbfhQabc",
    "miosa-tok-98a465302aa3cd4e953676523ad8b2b4",
    "Authorization: Bearer abcdefghijklmnop",
    "sk-proj-0123456789abcdefghijklmnop",
    "ghp_0123456789abcdefghijklmnop",
    "https://idp.example/cb?state=abc&code=SplxlOBeZQQYbYS6WxSbIA",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_hidden_wherever_it_stands(text: str) -> None:
    said = str(redact(None, "info", {"event": f"failed: {text}", "detail": {"deep": [text]}, "error": ValueError(text)}))
    assert text not in said
    assert "SplxlOBeZQQYbYS6WxSbIA" not in said


@pytest.mark.parametrize("key", ["authorization", "client_secret", "refresh_token", "password", "Set-Cookie"])
def test_a_telling_key_hides_its_value(key: str) -> None:
    assert redact(None, "info", {key: "plain words"}) == {key: "(hidden)"}


def test_ordinary_words_stay() -> None:
    event = {"event": "ready", "bind": "127.0.0.1:7878", "status": 200, "code": "NOT_FOUND", "path": "/api/v1/sandboxes"}
    assert redact(None, "info", dict(event)) == event
