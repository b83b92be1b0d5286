"""The one place that turns a cause into an answer; its last arm is the logged surprise."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ..errors import BadRequest, Invalid, NotFound, OpenMiosaError, Unavailable
from .answers import failure

log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(OpenMiosaError, answer)
    app.add_exception_handler(RequestValidationError, answer)
    app.add_exception_handler(HTTPException, answer)
    app.add_exception_handler(Exception, answer)


async def answer(request: Request, error: Any) -> Response:
    """The error as a response."""
    if isinstance(error, HTTPException) and error.status_code == 405:
        return _no_such_method(request)
    return failure(known(error), request.scope.get("request_id"))


def known(error: BaseException) -> OpenMiosaError:
    """Any cause as an error of ours; surprises are logged and say nothing of their insides."""
    if isinstance(error, OpenMiosaError):
        if error.status >= 500:
            log.error("request_failed", code=error.code, reason=error.message)
        return error
    if isinstance(error, RequestValidationError):
        problems = [{"field": ".".join(str(part) for part in problem["loc"]), "problem": problem["msg"]} for problem in error.errors()[:20]]
        said = "; ".join(f"{problem['field']}: {problem['problem']}" for problem in problems)
        return Invalid(said, code="VALIDATION_ERROR", details={"problems": problems})
    if isinstance(error, HTTPException):
        return _from_framework(error)
    log.error("surprise", exc_info=error)
    if isinstance(error, DBAPIError):
        return Unavailable(
            "the database did not take this; try again, and see the server's log under this request id", code="DATABASE_ERROR"
        )
    return OpenMiosaError("something went wrong inside the server; its log has the details under this request id")


def _no_such_method(request: Request) -> Response:
    """405 with what the path does take; the framework knows the methods of one route at a time."""
    path = request.scope["path"]
    here = [
        context
        for context in iter_route_contexts(request.app.routes)
        if (regex := getattr(context, "path_regex", None)) and regex.match(path)
    ]
    allowed = sorted({method for context in here for method in context.methods or ()})
    said = f"{request.method[:20]} is not offered here; this path takes {' and '.join(allowed)}"
    error = OpenMiosaError(said, code="METHOD_NOT_ALLOWED", status=405, details={"allowed": allowed})
    response = failure(error, request.scope.get("request_id"))
    response.headers["Allow"] = ", ".join(allowed)
    return response


def _from_framework(error: HTTPException) -> OpenMiosaError:
    if error.status_code == 404:
        return NotFound("there is no such route; the API lies below /api/v1", code="NO_ROUTE")
    phrase = HTTPStatus(error.status_code).phrase
    if error.status_code == 400:
        return BadRequest("the request could not be read; look at its headers and its encoding", code="BAD_REQUEST")
    return OpenMiosaError(phrase, code=phrase.upper().replace(" ", "_"), status=error.status_code)
