# Written by `cargo xtask declarations` out of wit/service-control.wit.
"""Starts, stops and enables services. `before` and `after` are the state (`running`), or the start type; both are undone by `remit undo`.

Class: L2. Changes.
Scope: globs, as `service`; never the agent's own unit (`denied`, code `own-unit`): `service-control [nginx]`, `service-control [{services}]`.
Dry run: `planned`; later reads in the run see the planned state.

A wait is at most 120,000 ms. When it is over before the service is as asked, or with 0 at once, the answer is `changed` with
`start-pending` or `stop-pending` as `after`; what was asked for goes on.
"""


from msp.automation._host import U32, host
from msp.automation.types import Change, StartType


@host("service-control")
def start_service(name: str, wait_ms: U32) -> Change:
    """Starts it, and waits at most `wait-ms` until it runs. Failed: `failed`, code `service-failed`. Masked: `conflict`, code `masked`.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("service-control")
def stop_service(name: str, wait_ms: U32) -> Change:
    """Stops it, and with it the running services in the scope that need it (attribute `also-stopped`). `conflict`, code `needed`, where
    a service outside the scope needs it.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("service-control")
def restart_service(name: str, wait_ms: U32) -> Change:
    """Stops and starts it: always `changed`. Where services outside the scope need it, they are stopped and started too.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("service-control")
def reload_service(name: str) -> Change:
    """Has it read its configuration again; `unsupported`, code `reload`, where it cannot; `conflict`, code `not-running`, where it is stopped.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("service-control")
def set_start_type(name: str, start_type: StartType) -> Change:
    """Sets when it starts; `other` is `invalid`. On Linux `disabled` and `automatic-delayed` are `unsupported`: `manual` and `masked` are
    what there is. So is any but `masked` for a unit that says nothing of when it starts (`static`, `generated`).

    Raises `HostError`.
    """
    raise NotImplementedError
