"""api.github.com: the user behind a token, and a repository's issues, page by page."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.standins.github_tokens import TokenStore

HOST = "api.github.com"
DOCUMENTATION = "https://docs.github.com/rest"
TITLES = (
    "Crash when the configuration file is empty",
    "Please support proxies that need a login",
    "Documentation: the second example does not run",
    "Upload of files over 2 GiB stops at 100 %",
    "Time zone of the report is always UTC",
    "Add a dark theme",
    "Search ignores umlauts",
)


class GitHub:
    """The service: every repository has the same issues, open to all; `/user` needs a token."""

    def __init__(self, tokens: TokenStore) -> None:
        self.tokens = tokens

    def app(self) -> Starlette:
        """The routes of the service."""
        return Starlette(
            routes=[
                Route("/user", self.user),
                Route("/repos/{owner}/{repository}/issues", self.issues),
                Route("/{rest:path}", self.nothing),
            ]
        )

    async def user(self, request: Request) -> Response:
        """The account of the token."""
        if refusal := self._refuse(request, needs_token=True):
            return refusal
        return JSONResponse({"login": "octocat", "id": 583231, "type": "User", "name": "The Octocat"})

    async def issues(self, request: Request) -> Response:
        """One page of issues, with a Link header as long as there are more."""
        if refusal := self._refuse(request, needs_token=False):
            return refusal
        owner, repository = request.path_params["owner"], request.path_params["repository"]
        size, page = _number(request, "per_page", 30, 100), _number(request, "page", 1, 1000)
        rows = [_issue(owner, repository, n, title) for n, title in enumerate(TITLES, start=1)]
        rows.reverse()
        response = JSONResponse(rows[(page - 1) * size : page * size])
        if link := _links(f"https://{HOST}/repos/{owner}/{repository}/issues", size, page, -(-len(rows) // size)):
            response.headers["Link"] = link
        return response

    async def nothing(self, request: Request) -> Response:
        """Anything else."""
        return self._refuse(request, needs_token=False) or _error(404, "Not Found")

    def _refuse(self, request: Request, *, needs_token: bool) -> Response | None:
        entry = request.scope["journal_entry"]
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not token:
            return _error(401, "Requires authentication") if needs_token else None
        known = self.tokens.access.get(token) if scheme.lower() in ("bearer", "token") else None
        entry.credential = known.label if known else "unknown token"
        return None if known and known.current() else _error(401, "Bad credentials")


def _number(request: Request, name: str, default: int, most: int) -> int:
    text = request.query_params.get(name, "")
    return min(max(int(text), 1), most) if text.isdecimal() else default


def _issue(owner: str, repository: str, number: int, title: str) -> dict[str, Any]:
    return {
        "id": 9_000_000 + number,
        "number": number,
        "title": title,
        "state": "open",
        "user": {"login": f"reporter-{number}"},
        "labels": [],
        "comments": 0,
        "body": f"{title}. Seen with the newest release.",
        "html_url": f"https://github.com/{owner}/{repository}/issues/{number}",
    }


def _links(url: str, size: int, page: int, pages: int) -> str:
    wanted = {"prev": page - 1, "next": page + 1, "last": pages, "first": 1}
    if page <= 1:
        del wanted["prev"], wanted["first"]
    if page >= pages:
        del wanted["next"], wanted["last"]
    return ", ".join(f'<{url}?per_page={size}&page={number}>; rel="{name}"' for name, number in wanted.items())


def _error(status: int, message: str) -> Response:
    return JSONResponse({"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}, status_code=status)
