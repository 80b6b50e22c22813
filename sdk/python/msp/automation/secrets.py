# Written by `cargo xtask declarations` out of wit/secrets.wit.
"""Opens secrets for use. Each function says how the secret will be used, the operator said where it may be (`remit secret set --for`);
nothing gives its bytes, and what comes back from where it was used is masked. A new way of use is a new function.

Class: L2, although it changes nothing: it is never granted without a person. Reads.
Scope: names of secrets: `secrets [halo-token]`.
Dry run: as in enforce; secrets are opened, and used by readers only.
"""

from dataclasses import dataclass, field

from msp.automation._host import host
from msp.automation.types import TimestampMs, Attributes, Secret


@dataclass(kw_only=True, slots=True)
class SecretInfo:
    """What may be known of a secret."""

    name: str
    """Its name."""
    set_ms: TimestampMs
    """When it was set."""
    expires_ms: TimestampMs | None = None
    """When it expires; none for never."""
    places: list[str] = field(default_factory=list)
    """Where it may be redeemed: `http:api.example.com` (over TLS only; `http:api.example.com:8443` for another port), `notify:on-call`,
    `account:backup`.
    """
    attributes: Attributes = field(default_factory=dict)
    """More by name."""


@host("secrets")
def describe_secret(name: str) -> SecretInfo:
    """What is known of a secret. `not-found` where it is in the scope, but was never set; the other functions answer so too, and
    `denied` (code `secret-expired`) where it has expired.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("secrets")
def open_bearer(name: str) -> Secret:
    """For a request: `Authorization: Bearer` and the secret.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("secrets")
def open_basic(name: str, user: str) -> Secret:
    """For a request: `Authorization: Basic` with this user (without colon) and the secret as password.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("secrets")
def open_header(name: str, header: str, prefix: str) -> Secret:
    """For a request: this header, with `prefix` and the secret as its value (`X-Api-Key`, empty; `Authorization`, `Token `).

    Raises `HostError`.
    """
    raise NotImplementedError


@host("secrets")
def open_password(name: str) -> Secret:
    """For interfaces that take a password or passphrase.

    Raises `HostError`.
    """
    raise NotImplementedError
