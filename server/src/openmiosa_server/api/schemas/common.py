"""Envelopes, times and the error: what all answers share."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Field

Item = TypeVar("Item")

# Old Pythons read 0, 3 or 6 digits of a second and nothing else.
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"}, pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}(\d{3})?)?Z$")]
Text = str | None
Number = int | None


class Shape(BaseModel):
    """The base of everything that is answered. Clients ignore fields that they do not know."""


class One(Shape, Generic[Item]):
    """One thing in the envelope that all clients unwrap."""

    data: Item


class Many(Shape, Generic[Item]):
    """Several in the envelope."""

    data: list[Item]


class Page(Shape, Generic[Item]):
    """Some of several; `next_cursor` asks for the following ones, and is null with the last."""

    data: list[Item]
    next_cursor: Text


class ErrorInside(Shape):
    """What went wrong."""

    code: Annotated[str, Field(description="Stable; meant for programs.", pattern="^[A-Z][A-Z0-9_]+$")]
    message: Annotated[str, Field(description="Says what to do; meant for people.", min_length=1)]
    details: Annotated[dict[str, Any], Field(description="What the message is about, such as `field`, `required` or `ids`.")]
    retry: Annotated[bool, Field(description="Whether the same request may succeed later.")]
    retryable: Annotated[bool, Field(description="The same as `retry`.")]
    request_id: Annotated[Text, Field(description="Names the request in the server's log.")]
    retry_after: Annotated[float, Field(description="Seconds to wait before asking again.")] = 0


class Error(Shape):
    """Every refusal and failure. The published clients read the copies beside `error`."""

    error: ErrorInside
    message: str
    code: str
    request_id: Text


class StreamError(Shape):
    """The last frame of a stream that broke."""

    type: str
    code: str
    message: str
    retry: bool = False
