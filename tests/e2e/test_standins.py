"""The stand-ins behave like the services whose names they carry."""

import base64
import hashlib
import secrets
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from tools.walkthrough.control import StandIns
from tools.walkthrough.outside import bare_environment, run_with_names

ROOT = Path(__file__).resolve().parents[2]
CALLBACK = "http://127.0.0.1:1/callback"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class Services:
    """Stand-ins with a registered app and two keys, and a client that reaches them under their real names."""

    def __init__(self, folder: Path) -> None:
        self.standins = StandIns(folder / "standins", ROOT)
        self.before = 0
        self.standins.register_app("app", "app-secret", CALLBACK)
        self.http = httpx2.Client(verify=ssl.create_default_context(cafile=str(self.standins.ca_file)))

    def ask(self, method: str, url: str, **options: object) -> httpx2.Response:
        host = urlsplit(url).netloc
        address = url.replace(f"//{host}", f"//{self.standins.hosts[f'{host}:443']}")
        headers = {"Host": host, **options.pop("headers", {})}  # type: ignore[dict-item]
        return self.http.request(method, address, headers=headers, extensions={"sni_hostname": host}, **options)

    def token(self, **form: str) -> dict[str, object]:
        form = {"client_id": "app", "client_secret": "app-secret", **form}
        form = {name: value for name, value in form.items() if value}
        reply = self.ask("POST", "https://github.com/login/oauth/access_token", data=form, headers={"Accept": "application/json"})
        return dict(reply.json())

    def code(self, verifier: str) -> str:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {"client_id": "app", "redirect_uri": CALLBACK, "state": "s", "code_challenge": challenge, "code_challenge_method": "S256"}
        page = self.ask("GET", "https://github.com/login/oauth/authorize", params=query)
        consent = page.text.partition('name="consent" value="')[2].partition('"')[0]
        pressed = self.ask("POST", "https://github.com/login/oauth/authorize", data={"consent": consent, "answer": "authorize"})
        returned = parse_qs(urlsplit(pressed.headers["location"]).query)
        assert returned["state"] == ["s"]
        return returned["code"][0]

    def user(self, token: object) -> int:
        return self.ask("GET", "https://api.github.com/user", headers={"Authorization": f"Bearer {token}"}).status_code

    def journal(self) -> list[dict[str, object]]:
        return list(self.standins.journal()["entries"][self.before :])

    def begin(self) -> None:
        self.standins.accept_openai_keys(old="sk-old", new="sk-new")
        self.before = len(self.standins.journal()["entries"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    services = Services(tmp_path_factory.mktemp("services"))
    yield services
    services.http.close()
    services.standins.stop()


@pytest.fixture
def services(running: Services) -> Services:
    running.begin()
    return running


def test_the_agent_runs_unchanged_where_the_real_names_lead_to_the_standins(services: Services) -> None:
    ca = str(services.standins.ca_file)
    environment = bare_environment(
        OPENAI_API_KEY="sk-old", GITHUB_TOKEN=services.standins.personal_token(), SSL_CERT_FILE=ca, REQUESTS_CA_BUNDLE=ca
    )
    output = run_with_names([sys.executable, str(ROOT / "examples/agent.py")], services.standins.hosts, environment)
    assert output.count("Thank you for the report") == 3
    assert "streamed" in output
    seen = {entry["host"]: entry["credential"] for entry in services.journal()}
    assert seen == {"api.openai.com": "old", "api.github.com": "personal token"}


def test_another_openai_key_is_answered_401_in_openais_shape(services: Services) -> None:
    reply = services.ask("GET", "https://api.openai.com/v1/models", headers={"Authorization": "Bearer sk-other"})
    assert reply.status_code == 401
    assert reply.json()["error"]["code"] == "invalid_api_key"
    assert [entry["status"] for entry in services.journal()] == [401]


def test_a_key_stops_working_when_it_is_withdrawn_while_running(services: Services) -> None:
    services.standins.accept_openai_keys(new="sk-new")
    answers = [
        services.ask("GET", "https://api.openai.com/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code
        for key in ("sk-old", "sk-new")
    ]
    assert answers == [401, 200]


def test_a_code_needs_the_verifier_of_its_challenge(services: Services) -> None:
    verifier = secrets.token_urlsafe(48)
    refused = services.token(code=services.code(verifier), code_verifier="x" * 43)
    granted = services.token(code=services.code(verifier), code_verifier=verifier)
    assert refused["error"] == "bad_verification_code"
    assert services.user(granted["access_token"]) == 200


def test_a_consent_without_pkce_is_refused(services: Services) -> None:
    query = {"client_id": "app", "redirect_uri": CALLBACK, "state": "s"}
    reply = services.ask("GET", "https://github.com/login/oauth/authorize", params=query)
    assert parse_qs(urlsplit(reply.headers["location"]).query)["error"] == ["invalid_request"]


def test_a_refresh_rotates_and_its_reuse_revokes_the_family(services: Services) -> None:
    verifier = secrets.token_urlsafe(48)
    first = services.token(code=services.code(verifier), code_verifier=verifier)
    second = services.token(grant_type="refresh_token", refresh_token=str(first["refresh_token"]))
    assert services.user(second["access_token"]) == 200
    again = services.token(grant_type="refresh_token", refresh_token=str(first["refresh_token"]))
    assert again["error"] == "bad_refresh_token"
    assert services.user(second["access_token"]) == 401
    assert services.token(grant_type="refresh_token", refresh_token=str(second["refresh_token"]))["error"] == "bad_refresh_token"


def test_the_token_endpoint_answers_as_a_form_unless_json_is_asked_for(services: Services) -> None:
    verifier = secrets.token_urlsafe(48)
    form = {"client_id": "app", "client_secret": "app-secret", "code": services.code(verifier), "code_verifier": verifier}
    reply = services.ask("POST", "https://github.com/login/oauth/access_token", data=form)
    assert reply.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert parse_qs(reply.text)["token_type"] == ["bearer"]


def test_a_device_gets_its_token_after_the_person_entered_the_code(services: Services) -> None:
    begun = services.ask(
        "POST", "https://github.com/login/device/code", data={"client_id": "app"}, headers={"Accept": "application/json"}
    ).json()
    waiting = services.token(client_secret="", grant_type=DEVICE_GRANT, device_code=begun["device_code"])
    assert waiting["error"] == "authorization_pending"
    services.ask("POST", begun["verification_uri"], data={"user_code": begun["user_code"]})
    deadline = time.monotonic() + 10
    while True:
        granted = services.token(client_secret="", grant_type=DEVICE_GRANT, device_code=begun["device_code"])
        if granted.get("error") != "slow_down" or time.monotonic() > deadline:
            break
    assert services.user(granted["access_token"]) == 200
    assert "access_token" in services.token(client_secret="", grant_type="refresh_token", refresh_token=str(granted["refresh_token"]))


def test_issues_come_in_pages_that_name_the_next_one(services: Services) -> None:
    reply = services.ask("GET", "https://api.github.com/repos/o/r/issues", params={"per_page": 3, "page": 2})
    assert [issue["number"] for issue in reply.json()] == [4, 3, 2]
    assert 'page=3>; rel="next"' in reply.headers["link"]
    last = services.ask("GET", "https://api.github.com/repos/o/r/issues", params={"per_page": 3, "page": 3})
    assert 'rel="next"' not in last.headers["link"]


def test_a_public_repository_is_read_without_a_token_but_not_with_a_wrong_one(services: Services) -> None:
    url = "https://api.github.com/repos/o/r/issues"
    assert services.ask("GET", url).status_code == 200
    assert services.ask("GET", url, headers={"Authorization": "Bearer ghu_wrong"}).status_code == 401
