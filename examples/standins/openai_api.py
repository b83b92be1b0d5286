"""api.openai.com: models, chat completions and responses, plain and streamed, for the keys it was told of."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

HOST = "api.openai.com"
MODELS = ("gpt-5", "gpt-5-mini")
PAUSE_BETWEEN_PIECES = 0.01


class OpenAI:
    """The service: `keys` maps each valid key to the label that the journal shows for it."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}

    def app(self) -> Starlette:
        """The routes of the service."""
        return Starlette(
            routes=[
                Route("/v1/models", self.models),
                Route("/v1/chat/completions", self.chat_completions, methods=["POST"]),
                Route("/v1/responses", self.responses, methods=["POST"]),
            ]
        )

    async def models(self, request: Request) -> Response:
        """List the models."""
        if refusal := self._refuse(request):
            return refusal
        data = [{"id": name, "object": "model", "created": 1_750_000_000, "owned_by": "openai"} for name in MODELS]
        return JSONResponse({"object": "list", "data": data})

    async def chat_completions(self, request: Request) -> Response:
        """Answer a conversation, whole or as server-sent chunks."""
        if refusal := self._refuse(request):
            return refusal
        body = await _body(request, "messages")
        if isinstance(body, Response):
            return body
        text = _draft(_last_text(body["messages"]))
        if body.get("stream"):
            return _stream(_chat_chunks(body, text))
        return JSONResponse(_chat_completion(body, text))

    async def responses(self, request: Request) -> Response:
        """Answer through the responses interface, whole or as server-sent events."""
        if refusal := self._refuse(request):
            return refusal
        body = await _body(request, "input")
        if isinstance(body, Response):
            return body
        prompt = body["input"] if isinstance(body["input"], str) else _last_text(body["input"])
        text = _draft(prompt)
        if body.get("stream"):
            return _stream(_response_events(body, text))
        return JSONResponse(_response(body, text, _identifier("resp"), _identifier("msg"), "completed"))

    def _refuse(self, request: Request) -> Response | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        entry = request.scope["journal_entry"]
        if scheme.lower() != "bearer" or not key:
            return _error(401, "You didn't provide an API key.", "invalid_request_error", None)
        label = self.keys.get(key)
        entry.credential = label or "unknown key"
        if label is None:
            return _error(401, f"Incorrect API key provided: {key[:3]}***{key[-4:]}.", "invalid_request_error", "invalid_api_key")
        return None


def _error(status: int, message: str, kind: str, code: str | None) -> Response:
    return JSONResponse({"error": {"message": message, "type": kind, "param": None, "code": code}}, status_code=status)


async def _body(request: Request, needed: str) -> dict[str, Any] | Response:
    try:
        body = await request.json()
    except json.JSONDecodeError:
        return _error(400, "We could not parse the JSON body of your request.", "invalid_request_error", None)
    for name in ("model", needed):
        if not isinstance(body, dict) or not body.get(name):
            return _error(400, f"Missing required parameter: '{name}'.", "invalid_request_error", "missing_required_parameter")
    return dict(body)


def _last_text(messages: list[dict[str, Any]]) -> str:
    content = messages[-1].get("content", "")
    if isinstance(content, str):
        return content
    return " ".join(part.get("text", "") for part in content)


def _draft(prompt: str) -> str:
    """A reply that depends on what was asked, so that a mixed-up answer would show."""
    title = prompt.strip().splitlines()[0][:80] if prompt.strip() else "your message"
    return f"Thank you for the report about {title!r}. We can see what happens, and will look into it this week."


def _identifier(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(12)}" if prefix == "chatcmpl" else f"{prefix}_{secrets.token_hex(12)}"


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [word if n == 0 else f" {word}" for n, word in enumerate(words)]


def _chat_usage(body: dict[str, Any], text: str) -> dict[str, int]:
    asked, answered = len(json.dumps(body["messages"])) // 4, len(text) // 4
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def _chat_completion(body: dict[str, Any], text: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    return {
        "id": _identifier("chatcmpl"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _chat_usage(body, text),
        "service_tier": "default",
    }


async def _chat_chunks(body: dict[str, Any], text: str) -> AsyncIterator[str]:
    common = {"id": _identifier("chatcmpl"), "object": "chat.completion.chunk", "created": int(time.time()), "model": body["model"]}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return f"data: {json.dumps({**common, 'choices': [choice]})}\n\n"

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for piece in _pieces(text):
        await asyncio.sleep(PAUSE_BETWEEN_PIECES)
        yield chunk({"content": piece})
    yield chunk({}, "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield f"data: {json.dumps({**common, 'choices': [], 'usage': _chat_usage(body, text)})}\n\n"
    yield "data: [DONE]\n\n"


def _response(body: dict[str, Any], text: str, response_id: str, message_id: str, status: str) -> dict[str, Any]:
    done = status == "completed"
    asked, answered = len(str(body["input"])) // 4, len(text) // 4
    usage = {
        "input_tokens": asked,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked + answered,
    }
    return {
        "id": response_id,
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": body["model"],
        "output": [_message(text, message_id)] if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": body.get("store", True),
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if done else None,
        "metadata": body.get("metadata") or {},
    }


def _message(text: str, message_id: str, status: str = "completed") -> dict[str, Any]:
    content = [_output_text(text)] if status == "completed" else []
    return {"id": message_id, "type": "message", "role": "assistant", "status": status, "content": content}


def _output_text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


async def _response_events(body: dict[str, Any], text: str) -> AsyncIterator[str]:
    response_id, message_id = _identifier("resp"), _identifier("msg")
    place = {"item_id": message_id, "output_index": 0, "content_index": 0}
    number = 0

    def event(kind: str, **fields: Any) -> str:
        nonlocal number
        data = json.dumps({"type": kind, "sequence_number": number, **fields})
        number += 1
        return f"event: {kind}\ndata: {data}\n\n"

    unfinished = _response(body, text, response_id, message_id, "in_progress")
    yield event("response.created", response=unfinished)
    yield event("response.in_progress", response=unfinished)
    yield event("response.output_item.added", output_index=0, item=_message("", message_id, "in_progress"))
    yield event("response.content_part.added", **place, part=_output_text(""))
    for piece in _pieces(text):
        await asyncio.sleep(PAUSE_BETWEEN_PIECES)
        yield event("response.output_text.delta", **place, delta=piece, logprobs=[])
    yield event("response.output_text.done", **place, text=text, logprobs=[])
    yield event("response.content_part.done", **place, part=_output_text(text))
    yield event("response.output_item.done", output_index=0, item=_message(text, message_id))
    yield event("response.completed", response=_response(body, text, response_id, message_id, "completed"))


def _stream(events: AsyncIterator[str]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
