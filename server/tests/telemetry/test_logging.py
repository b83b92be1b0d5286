"""The log says what happened and holds no secret."""

import logging

import pytest
import structlog
from openmiosa_server.telemetry.logging import configure, redact

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


def test_a_path_that_somebody_asked_for_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    before, held = structlog.get_config(), (logging.root.handlers[:], logging.root.level)
    try:
        configure("info", "console")
        structlog.get_logger("test").info("request", path="/a\x1b]0;owned\x07\n2026-01-01 [info] forged")
    finally:
        structlog.configure(**before)
        logging.root.handlers[:], logging.root.level = held
    said = capsys.readouterr().err
    assert "forged" in said
    assert "owned\x07" not in said
    assert len(said.splitlines()) == 1
