"""Requests: what they carry, when they are sent again, and how failures are called."""

import socket

import pytest
from openmiosa import (
    AuthenticationError,
    ConfigurationError,
    ConnectionLostError,
    Miosa,
    NotFoundError,
    RequestTimeoutError,
    ServerError,
    UnexpectedReplyError,
    UnreachableError,
)

SANDBOX = {"data": {"id": "sbx_1", "name": "agent", "state": "running"}}
RULE = {"data": {"id": "rul_1", "host": "api.openai.com"}}
BUSY = {"error": {"code": "UNAVAILABLE", "message": "later"}}


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("http://h:1", "http://h:1/api/v1"),
        ("http://h:1/", "http://h:1/api/v1"),
        ("https://h/prefix", "https://h/prefix/api/v1"),
        ("http://h/api/v1", "http://h/api/v1"),
        ("http://h/api/v2/", "http://h/api/v2"),
    ],
)
def test_the_base_url_gets_its_version(given, used):
    assert Miosa("msk_x", given).base_url == used


@pytest.mark.parametrize("given", ["", "h:7878", "ftp://h", "http://", "http://h?x=1"])
def test_a_base_url_that_is_none_is_refused(given, monkeypatch):
    with pytest.raises(ConfigurationError, match="base URL"):
        Miosa("msk_x", given)


def test_key_and_base_url_come_from_the_environment(monkeypatch, server):
    monkeypatch.setenv("MIOSA_API_KEY", "msk_env")
    monkeypatch.setenv("MIOSA_BASE_URL", server.url)
    server.answers("GET", "/whoami", {"data": {"tenant_id": "ten_1", "scopes": ["audit:read"]}})
    with Miosa() as client:
        assert client.whoami().scopes == ("audit:read",)
    assert server.seen[0].headers["authorization"] == "Bearer msk_env"


def test_a_missing_key_says_where_it_comes_from(monkeypatch):
    monkeypatch.delenv("MIOSA_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="MIOSA_API_KEY"):
        Miosa()


def test_no_repr_holds_the_key(client):
    assert "msk_" not in repr(client) + repr(vars(client))


def test_a_failed_mutation_is_repeated_under_one_idempotency_key(server, client):
    server.on("POST", "/egress/allowlist", server.reply(503, BUSY), server.reply(drop=True), server.reply(201, RULE))
    assert client.network.allow("api.openai.com").id == "rul_1"
    keys = [one.headers["idempotency-key"] for one in server.seen]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_two_mutations_have_two_idempotency_keys(server, client):
    server.answers("POST", "/egress/allowlist", RULE, 201)
    client.network.allow("a.example")
    client.network.allow("a.example")
    assert len({one.headers["idempotency-key"] for one in server.seen}) == 2


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_every_change_carries_an_idempotency_key(server, client, method):
    server.answers(method, "/anything", {})
    client.request(method, "anything")
    assert server.seen[0].headers["idempotency-key"]


def test_reads_carry_no_idempotency_key(server, client):
    server.answers("GET", "/sandboxes/agent", SANDBOX)
    client.sandboxes.get("agent")
    assert "idempotency-key" not in server.seen[0].headers


def test_retries_end(server, client):
    server.answers("GET", "/sandboxes/agent", BUSY, 503)
    with pytest.raises(ServerError):
        client.sandboxes.get("agent")
    assert len(server.seen) == 4


def test_an_error_that_says_no_is_not_repeated(server, client):
    server.answers("GET", "/sandboxes/agent", {"error": {"code": "INTERNAL", "message": "broken", "retry": False}}, 500)
    with pytest.raises(ServerError):
        client.sandboxes.get("agent")
    assert len(server.seen) == 1


def test_an_error_that_says_later_is_repeated_whatever_its_status(server, client):
    starting = {"error": {"code": "SANDBOX_STARTING", "message": "soon", "retry": True, "retry_after": 0.01}}
    server.on("GET", "/sandboxes/agent", server.reply(409, starting), server.reply(200, SANDBOX))
    assert client.sandboxes.get("agent").state == "running"


def test_refusals_are_not_repeated(server, client):
    server.answers("GET", "/sandboxes/agent", {"error": {"code": "UNAUTHENTICATED", "message": "no"}}, 401)
    with pytest.raises(AuthenticationError):
        client.sandboxes.get("agent")
    assert len(server.seen) == 1


def test_a_command_that_may_have_started_is_never_repeated(server, sandbox):
    server.on("POST", "/sandboxes/sbx_1/exec", server.reply(drop=True), server.reply(200, {"data": {"exit_code": 0}}))
    with pytest.raises(ConnectionLostError):
        sandbox.exec("make-payment")
    assert len(server.requests("POST", "/sandboxes/sbx_1/exec")) == 1


def test_a_process_that_the_server_may_have_started_is_not_started_again(server, sandbox):
    server.on("POST", "/sandboxes/sbx_1/processes", server.reply(503, BUSY), server.reply(201, {"pid": "5"}))
    with pytest.raises(ServerError):
        sandbox.processes.start("pay")
    assert len(server.requests("POST", "/sandboxes/sbx_1/processes")) == 1


def test_a_process_whose_answer_was_lost_is_asked_for_under_the_same_key(server, sandbox):
    server.on("POST", "/sandboxes/sbx_1/processes", server.reply(drop=True), server.reply(201, {"pid": "5"}))
    assert sandbox.processes.start("pay").pid == 5
    assert len({one.headers["idempotency-key"] for one in server.requests("POST", "/sandboxes/sbx_1/processes")}) == 1


def test_a_command_refused_before_it_started_is_repeated(server, sandbox):
    starting = {"error": {"code": "SANDBOX_STARTING", "message": "soon", "retry": True}}
    server.on("POST", "/sandboxes/sbx_1/exec", server.reply(409, starting), server.reply(200, {"data": {"exit_code": 0}}))
    assert sandbox.exec("true").ok


def test_a_delete_whose_answer_was_lost_is_done(server, client):
    gone = server.reply(404, {"error": {"code": "NOT_FOUND", "message": "gone"}})
    server.on("DELETE", "/egress/secrets/key", server.reply(drop=True), gone)
    client.secrets.delete("key")


def test_a_delete_of_nothing_is_not_found(server, client):
    with pytest.raises(NotFoundError):
        client.secrets.delete("key")


def test_a_server_that_is_not_there_is_unreachable():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Miosa("msk_x", f"http://127.0.0.1:{port}", max_retries=0) as client, pytest.raises(UnreachableError, match="openmiosa up"):
        client.whoami()


def test_an_answer_that_does_not_come_is_a_timeout():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Miosa("msk_x", url, timeout=0.05, max_retries=0) as client, pytest.raises(RequestTimeoutError):
            client.whoami()


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>hello</html>"), (302, b"")])
def test_another_service_at_the_base_url_is_said(server, client, status, body):
    server.on("GET", "/whoami", server.reply(status, body, {"Content-Type": "text/html", "Location": "/login"}))
    with pytest.raises(UnexpectedReplyError, match="base URL"):
        client.whoami()


def test_names_are_percent_encoded(server, client):
    server.answers("GET", "/sandboxes/by-name/n%C3%A9%20w%2Fx", SANDBOX)
    assert client.sandboxes.get_by_name("né w/x").id == "sbx_1"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_change_the_path_is_refused(client, name):
    with pytest.raises(ValueError, match="no id and no name"):
        client.sandboxes.get(name)
