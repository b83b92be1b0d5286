"""The error tree: what the server says, as exceptions."""

import inspect
import re

import pytest
from openmiosa import errors

TABLE = [
    (400, "BAD_REQUEST", errors.BadRequestError),
    (401, "UNAUTHENTICATED", errors.AuthenticationError),
    (403, "FORBIDDEN", errors.PermissionDeniedError),
    (403, "INSUFFICIENT_SCOPE", errors.InsufficientScopeError),
    (404, "NOT_FOUND", errors.NotFoundError),
    (409, "CONFLICT", errors.ConflictError),
    (409, "NO_RULES", errors.NoRulesError),
    (409, "NAME_TAKEN", errors.NameTakenError),
    (409, "RESOURCE_STATE", errors.SandboxStateError),
    (413, "TOO_LARGE", errors.PayloadTooLargeError),
    (418, "TEAPOT", errors.APIError),
    (422, "INVALID", errors.ValidationError),
    (429, "RATE_LIMITED", errors.RateLimitError),
    (500, "INTERNAL", errors.ServerError),
    (501, "NOT_SUPPORTED", errors.NotSupportedError),
    (502, "BAD_GATEWAY", errors.ServerError),
    (503, "UNAVAILABLE", errors.UnavailableError),
]


@pytest.mark.parametrize(("status", "code", "kind"), TABLE)
def test_each_status_and_code_has_its_class(server, client, status, code, kind):
    body = {"error": {"code": code, "message": "said", "details": {"field": "host"}, "retry": False}, "request_id": "req_1"}
    server.answers("GET", "/whoami", body, status)
    with pytest.raises(errors.APIError) as caught:
        client.whoami()
    error = caught.value
    assert type(error) is kind
    assert (error.code, error.message, error.status, error.request_id, error.retry) == (code, "said", status, "req_1", False)
    assert error.details == {"field": "host"}
    assert "req_1" in str(error)


BODIES = [
    ({"error": {"code": "X", "message": "nested"}}, "nested", "X"),
    ({"error": "UPPER_CASE", "detail": "flat"}, "flat", "UPPER_CASE"),
    ({"message": "top", "code": "TOP"}, "top", "TOP"),
    ({"detail": "only detail"}, "only detail", ""),
    ({"errors": ["first", "second"]}, "first", ""),
    ({}, "the server answered 422 and did not say why", ""),
    (["no object"], "the server answered 422 and did not say why", ""),
]


@pytest.mark.parametrize(("body", "message", "code"), BODIES)
def test_every_known_form_of_an_error_body_is_read(server, client, body, message, code):
    server.answers("GET", "/whoami", body, 422)
    with pytest.raises(errors.ValidationError) as caught:
        client.whoami()
    assert (caught.value.message, caught.value.code) == (message, code)


def test_the_request_id_comes_from_the_header_when_the_body_has_none(server, client):
    server.on("GET", "/whoami", server.reply(404, b"not json", {"X-Request-Id": "req_9"}))
    with pytest.raises(errors.NotFoundError) as caught:
        client.whoami()
    assert caught.value.request_id == "req_9"


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        ({"error": {"message": "x", "retry": False, "retry_after": 7}}, {}, 7.0),
        ({"error": {"message": "x", "retry": False}, "retry_after_ms": 1500}, {}, 1.5),
        ({"error": {"message": "x", "retry": False}}, {"Retry-After": "3"}, 3.0),
        ({"error": {"message": "x", "retry": False}}, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
    ],
)
def test_when_to_try_again_is_read_from_body_or_header(server, client, body, headers, seconds):
    server.on("GET", "/whoami", server.reply(429, body, headers))
    with pytest.raises(errors.RateLimitError) as caught:
        client.whoami()
    assert caught.value.retry_after == seconds


def test_a_lockdown_without_rules_lists_the_hosts_observed(server, client):
    observed = [{"host": "api.openai.com", "count": 12}, {"host": "api.github.com", "count": 1}]
    refusal = {"code": "NO_RULES", "message": "no rules", "details": {"observed": observed}}
    server.answers("POST", "/egress/lockdown", {"error": refusal}, 409)
    with pytest.raises(errors.ConflictError) as caught:
        client.network.lockdown()
    text = str(caught.value)
    assert "api.openai.com  12 calls" in text
    assert "api.github.com  1 call" in text
    assert "lockdown(hosts=['api.openai.com', 'api.github.com'])" in text


def test_the_drawn_tree_is_the_real_one():
    drawn = re.findall(r"([ │├└─]*)(\w+Error)", inspect.getdoc(errors) or "")
    parents: list[str] = []
    for branch, name in drawn:
        depth = len(branch) // 3
        del parents[depth:]
        if parents:
            assert getattr(errors, name).__base__.__name__ == parents[-1], name
        parents.append(name)
    real = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
    assert {name for _, name in drawn} == real
