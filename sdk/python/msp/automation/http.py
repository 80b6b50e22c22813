# Written by `cargo xtask declarations` out of wit/http.wit.
"""Asks servers, without changing anything there. Whole request, whole response. Addresses are checked after resolving, and pinned:
loopback, link-local, metadata and private ranges only where the scope names them.

Class: L1; what is asked leaves the machine. Reads.
Scope: origins, with `*.` for subdomains, and address ranges: `http [https://api.example.com, https://*.example.net:8443, 10.0.0.0/8]`.
An origin with a path allows that path alone. A range lets names of the scope resolve into it, and allows `https` URLs that name
such an address.
Dry run: as in enforce.
"""

from dataclasses import dataclass, field

from msp.automation._host import U32, host
from msp.automation.types import TimestampMs, Attributes, HttpRequest, HttpResponse, Secret


@dataclass(kw_only=True, slots=True)
class ServerCertificate:
    """A certificate that a server showed (osquery `curl_certificate`)."""

    common_name: str
    """Subject's common name; may be empty."""
    issuer: str
    """Issuer's."""
    alternative_names: list[str] = field(default_factory=list)
    """DNS names and addresses that it is for."""
    valid_from_ms: TimestampMs
    """Valid from."""
    valid_to_ms: TimestampMs
    """Valid to."""
    sha256: str
    """SHA-256 of the DER form, lower-case hex."""
    attributes: Attributes = field(default_factory=dict)
    """More by name: `serial`, `key-algorithm`, `signature-algorithm`."""


@dataclass(kw_only=True, slots=True)
class ServerChain:
    """What a server showed."""

    certificates: list[ServerCertificate] = field(default_factory=list)
    """The server's own first, as sent, at most 10."""
    problem: str
    """Empty where this machine would trust it; else a word: `expired`, `self-signed`, `name-mismatch`, `unknown-issuer`, `not-yet-valid`,
    or `untrusted` for anything else.
    """
    attributes: Attributes = field(default_factory=dict)
    """More by name: `tls-version`, `cipher`, `remote-address`."""


@host("http")
def get(request: HttpRequest, authorization: Secret | None = None) -> HttpResponse:
    """GET. No connection, no TLS: `unavailable`; no answer in time: `timeout`; an address or a redirect outside the scope: `denied` (codes
    `address`, `redirect`). The secret goes over TLS only, to the places that it is for (`denied`, code `place`), and is left out
    once a redirect has left the origin. Where redirects may not be followed any further, the last answer is a 3xx.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("http")
def head(request: HttpRequest, authorization: Secret | None = None) -> HttpResponse:
    """HEAD.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("http")
def get_certificates(url: str, timeout_ms: U32) -> ServerChain:
    """The certificates of the server at an `https` URL, also where they are not trusted; nothing is asked of it. `timeout-ms` as
    in a request.

    Raises `HostError`.
    """
    raise NotImplementedError
