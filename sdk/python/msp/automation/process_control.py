# Written by `cargo xtask declarations` out of wit/process-control.wit.
"""Ends processes. Cannot be undone.

Class: L3. Changes.
Scope: globs, as `process`; never pid 1, the agent and its parents, or a kernel thread (`denied`, code `protected`): `process-control [chrome]`.
Dry run: `planned`; later reads in the run leave the process out.
"""


from msp.automation._host import U32, host
from msp.automation.types import TimestampMs, Change


@host("process-control")
def terminate_process(pid: U32, started_ms: TimestampMs, grace_ms: U32) -> Change:
    """Asks it to end (SIGTERM, WM_CLOSE), and after `grace-ms` (at most 60,000) ends it. `unchanged` where it is gone; `conflict`, code
    `started`, where the pid now belongs to a process that started at another time. `before` and `after` are `running` and `ended`;
    the attribute `signal` says which did it.

    Raises `HostError`.
    """
    raise NotImplementedError
