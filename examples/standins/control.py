"""The runner's own door, on a Unix socket that only its owner can open: keys, the registered app, the journal."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.standins.github_oauth import App, GitHubOAuth
from examples.standins.journal import Journal
from examples.standins.openai_api import OpenAI


class Control:
    """Reads what the stand-ins saw, and sets what they accept."""

    def __init__(self, journal: Journal, openai: OpenAI, oauth: GitHubOAuth) -> None:
        self.journal, self.openai, self.oauth = journal, openai, oauth

    def app(self) -> Starlette:
        """The routes of the control endpoint."""
        return Starlette(
            routes=[
                Route("/journal", self.read_journal),
                Route("/values", self.values),
                Route("/openai-keys", self.set_openai_keys, methods=["PUT"]),
                Route("/github-app", self.set_github_app, methods=["PUT"]),
                Route("/personal-token", self.personal_token, methods=["POST"]),
            ]
        )

    async def read_journal(self, request: Request) -> Response:
        """All requests so far, and how many tokens were refreshed."""
        return JSONResponse({**self.journal.as_json(), "refreshes": self.oauth.tokens.refreshes})

    async def values(self, request: Request) -> Response:
        """Every real value, for a search that has to find none of them."""
        clients = [app.client_secret for app in self.oauth.apps.values()]
        return JSONResponse({"values": [*self.openai.keys, *self.oauth.tokens.values(), *clients]})

    async def set_openai_keys(self, request: Request) -> Response:
        """Replace the valid keys: `{"label": "sk-…"}`."""
        self.openai.keys = {key: label for label, key in (await request.json()).items()}
        return Response(status_code=204)

    async def set_github_app(self, request: Request) -> Response:
        """Register an app: `{"client_id", "client_secret", "callback"}`."""
        app = App(**(await request.json()))
        self.oauth.apps[app.client_id] = app
        return Response(status_code=204)

    async def personal_token(self, request: Request) -> Response:
        """Issue a token of the kind that a person makes in the settings."""
        return JSONResponse({"token": self.oauth.tokens.personal("personal token")}, status_code=201)
