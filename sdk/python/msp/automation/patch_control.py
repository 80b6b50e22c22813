# Written by `cargo xtask declarations` out of wit/patch-control.wit.
"""Changes around updates that can be undone: the index, and holds.

Class: L2. Changes.
Scope: names of sources: `patch-control [apt]`.
Dry run: `planned`; a planned refresh marks the plan incomplete from there, because what it would bring is unknown.
"""


from msp.automation._host import host
from msp.automation.types import Change


@host("patch-control")
def refresh_index(source: str) -> Change:
    """Fetches the source's index anew, and the changelogs of what is pending (security first, as far as time allows), which say what an
    update fixes. `before` and `after` are the time of the index, in milliseconds; a dry run cannot know `after`. `busy` where the
    package manager is locked. The one function here that nothing undoes: an index cannot be made older.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("patch-control")
def hold(source: str, product: str) -> Change:
    """Keeps an installed product at its version until released. `before` and `after` are `held` or `free`.

    Raises `HostError`.
    """
    raise NotImplementedError


@host("patch-control")
def release(source: str, product: str) -> Change:
    """Ends a hold; of a hold that policy set: `denied`.

    Raises `HostError`.
    """
    raise NotImplementedError
