"""github.com: the consent page, the token endpoint and the device flow."""

import html
import secrets
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from examples.standins.github_tokens import TokenStore

HOST = "github.com"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DEVICE_INTERVAL = 1
DEVICE_LIFETIME = 900

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 sans-serif;max-width:32rem;margin:4rem auto}}button{{font:inherit;padding:.5rem 1rem}}</style>
<h1>{title}</h1>{body}</html>"""
CONSENT = """<p><b>{app}</b> wants to act for <b>octocat</b> on this stand-in for GitHub.</p>
<p>Scope: {scope}. Afterwards you return to {target}.</p>
<form method="post" action="/login/oauth/authorize"><input type="hidden" name="consent" value="{consent}">
<button name="answer" value="authorize">Authorize {app}</button> <button name="answer" value="cancel">Cancel</button></form>"""
DEVICE = """<p>Enter the code that your device shows.</p><form method="post" action="/login/device">
<input name="user_code" value="{code}" autofocus> <button name="answer" value="authorize">Authorize</button></form>"""


@dataclass
class App:
    """A registered GitHub App."""

    client_id: str
    client_secret: str
    callback: str
    name: str = "OpenMIOSA"


@dataclass
class Consent:
    """An open consent page."""

    app: App
    redirect_uri: str
    state: str
    scope: str
    challenge: str


@dataclass
class Device:
    """A device that waits for its person."""

    app: App
    user_code: str
    scope: str
    expires_at: float
    approved: bool = False
    polled_at: float = 0.0


class GitHubOAuth:
    """The service: registered apps, open consents, waiting devices and issued tokens."""

    def __init__(self, tokens: TokenStore) -> None:
        self.tokens = tokens
        self.apps: dict[str, App] = {}
        self.consents: dict[str, Consent] = {}
        self.devices: dict[str, Device] = {}

    def app(self) -> Starlette:
        """The routes of the service."""
        return Starlette(
            routes=[
                Route("/login/oauth/authorize", self.consent_page),
                Route("/login/oauth/authorize", self.consent_answer, methods=["POST"]),
                Route("/login/oauth/access_token", self.token, methods=["POST"]),
                Route("/login/device/code", self.device_code, methods=["POST"]),
                Route("/login/device", self.device_page),
                Route("/login/device", self.device_answer, methods=["POST"]),
            ]
        )

    async def consent_page(self, request: Request) -> Response:
        """Show what is asked for, and a button."""
        request.scope["journal_entry"].credential = "a person"
        query = request.query_params
        app = self.apps.get(query.get("client_id", ""))
        if app is None:
            return _page("Unknown application", "<p>No application has this client id.</p>", 404)
        target = query.get("redirect_uri") or app.callback
        if target != app.callback:
            return _page("Wrong address", "<p>The redirect_uri is not the one registered for this application.</p>", 400)
        challenge, method = query.get("code_challenge", ""), query.get("code_challenge_method", "")
        if not challenge or method != "S256":
            return _back(target, error="invalid_request", error_description="PKCE with S256 is required", state=query.get("state", ""))
        consent = secrets.token_urlsafe(16)
        self.consents[consent] = Consent(app, target, query.get("state", ""), query.get("scope", ""), challenge)
        fields = {"app": app.name, "scope": query.get("scope") or "as registered", "target": target, "consent": consent}
        return _page(f"Authorize {app.name}", CONSENT.format(**{k: html.escape(v) for k, v in fields.items()}))

    async def consent_answer(self, request: Request) -> Response:
        """The person pressed a button."""
        request.scope["journal_entry"].credential = "a person"
        form = await request.form()
        consent = self.consents.pop(str(form.get("consent")), None)
        if consent is None:
            return _page("Expired", "<p>This page was answered before. Start again.</p>", 400)
        if form.get("answer") != "authorize":
            return _back(consent.redirect_uri, error="access_denied", state=consent.state)
        code = self.tokens.code(consent.app.client_id, consent.redirect_uri, consent.challenge, consent.scope)
        return _back(consent.redirect_uri, code=code, state=consent.state)

    async def token(self, request: Request) -> Response:
        """Exchange a code, a refresh token or a device code. GitHub answers errors with status 200."""
        form = {key: str(value) for key, value in (await request.form()).items()}
        entry = request.scope["journal_entry"]
        app = self.apps.get(form.get("client_id", ""))
        grant = form.get("grant_type", "authorization_code")
        entry.credential = grant
        if app is None:
            return self._answer(request, "incorrect_client_credentials")
        given = form.get("client_secret")
        if given is not None and given != app.client_secret:
            return self._answer(request, "incorrect_client_credentials")
        return self._answer(request, self._grant(app, grant, form, authenticated=given is not None))

    async def device_code(self, request: Request) -> Response:
        """Begin a device flow."""
        form = await request.form()
        app = self.apps.get(str(form.get("client_id")))
        if app is None:
            return self._answer(request, "incorrect_client_credentials")
        device, raw = secrets.token_hex(20), secrets.token_hex(4).upper()
        user_code = f"{raw[:4]}-{raw[4:]}"
        self.devices[device] = Device(app, user_code, str(form.get("scope") or ""), time.monotonic() + DEVICE_LIFETIME)
        reply = {
            "device_code": device,
            "user_code": user_code,
            "verification_uri": f"https://{HOST}/login/device",
            "expires_in": DEVICE_LIFETIME,
            "interval": DEVICE_INTERVAL,
        }
        return _in_asked_form(request, reply)

    async def device_page(self, request: Request) -> Response:
        """Ask for the user code."""
        return _page("Connect a device", DEVICE.format(code=html.escape(request.query_params.get("user_code", ""))))

    async def device_answer(self, request: Request) -> Response:
        """The person entered a code."""
        form = await request.form()
        wanted = str(form.get("user_code", "")).strip().upper()
        for device in self.devices.values():
            if device.user_code == wanted and time.monotonic() < device.expires_at:
                device.approved = True
                return _page("Connected", "<p>You can close this window.</p>")
        return _page("Unknown code", "<p>No device waits with this code.</p>", 404)

    def _grant(self, app: App, grant: str, form: dict[str, str], *, authenticated: bool) -> tuple[dict[str, Any], str] | str:
        if grant == "refresh_token":
            return self.tokens.renew(form.get("refresh_token", ""), app.client_id, authenticated=authenticated)
        if grant == DEVICE_GRANT:
            return self._poll(app, form.get("device_code", ""))
        if grant != "authorization_code":
            return "unsupported_grant_type"
        if not authenticated:
            return "incorrect_client_credentials"
        return self.tokens.redeem(form.get("code", ""), app.client_id, form.get("redirect_uri"), form.get("code_verifier", ""))

    def _poll(self, app: App, device_code: str) -> tuple[dict[str, Any], str] | str:
        device = self.devices.get(device_code)
        if device is None or device.app is not app:
            return "incorrect_device_code"
        if time.monotonic() > device.expires_at:
            return "expired_token"
        now = time.monotonic()
        if now - device.polled_at < DEVICE_INTERVAL * 0.9:
            return "slow_down"
        device.polled_at = now
        if not device.approved:
            return "authorization_pending"
        del self.devices[device_code]
        return self.tokens.issue(self.tokens.new_family(app.client_id, device.scope, device=True)), "device code"

    def _answer(self, request: Request, result: tuple[dict[str, Any], str] | str) -> Response:
        entry = request.scope["journal_entry"]
        if isinstance(result, str):
            entry.error = result
            return _in_asked_form(request, {"error": result, "error_description": result.replace("_", " ").capitalize() + "."})
        reply, entry.credential = result
        return _in_asked_form(request, reply)


def _in_asked_form(request: Request, reply: dict[str, Any]) -> Response:
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse(reply)
    return Response(urlencode(reply), media_type="application/x-www-form-urlencoded")


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(PAGE.format(title=html.escape(title), body=body), status_code=status)


def _back(target: str, **parameters: str) -> Response:
    joint = "&" if parse_qs(target.partition("?")[2]) else "?"
    return RedirectResponse(f"{target}{joint}{urlencode(parameters)}", status_code=302)
