# Written by `cargo xtask declarations` out of wit/http-write.wit.
"""Requests that may change something on a server. Cannot be undone from here.

Class: L3. Changes.
Scope: methods and origins: `http-write [POST https://api.example.com, 10.0.0.0/8]`; a range lets such addresses be reached, and allows no
request by itself.
Dry run: `planned` in `change`, status 0 and an empty body; what the answer would have been is unknown, so the plan is incomplete from there.
"""

from dataclasses import dataclass
from enum import StrEnum

from msp.automation._host import host
from msp.automation.types import HttpRequest, HttpResponse, Secret, Change


class Method(StrEnum):
    """What is asked. Closed: RFC 9110's and RFC 5789's methods with a body; others become functions."""

    POST = "post"
    PUT = "put"
    PATCH = "patch"
    DELETE = "delete"


@dataclass(kw_only=True, slots=True)
class Sent:
    """An answer. Closed: grows in `response` and `change`."""

    response: HttpResponse
    """The whole response; in a dry run an empty one."""
    change: Change
    """`changed` for 2xx and 3xx, else `unknown`: a server that failed may have acted. `after` is `sent`."""


@host("http-write")
def send(method: Method, request: HttpRequest, body: bytes | str, authorization: Secret | None = None) -> Sent:
    """Sends at most 1 MiB of body, once: never repeated by the host, and no redirect is followed (`max-redirects` is `invalid`).

    Raises `HostError`.
    """
    raise NotImplementedError
