"""Which store a command uses."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wheel_linker._cli.output import complain, misused
from wheel_linker.errors import WheelLinkerError
from wheel_linker.mode import LinkMode

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from wheel_linker.store import WheelStore


def chosen_store(
    arguments: argparse.Namespace, jobs: int | None = None, *, protect: bool = False
) -> WheelStore | None:
    """Return the store that is asked for, else the default one; None if there is none."""
    path = arguments.store or _default_directory()
    return None if path is None else _store_in(path, arguments, jobs, protect=protect)


def _store_in(
    path: str,
    arguments: argparse.Namespace,
    jobs: int | None = None,
    *,
    protect: bool = False,
    durable: bool = True,
) -> WheelStore:
    from wheel_linker.store import WheelStore

    return WheelStore(
        path,
        jobs=jobs,
        protect=protect,
        durable=durable and not arguments.no_durable,
        trusted=arguments.trust_store,
        bases=arguments.base,
        timeout=arguments.timeout,
    )


def usable_store(arguments: argparse.Namespace, *, quietly: bool = False) -> WheelStore | None:
    """Return the store that is asked for, or the default one, if the user has a place for that.

    :param quietly: whether not to say why the default one is not used.
    """
    store = chosen_store(arguments, getattr(arguments, "jobs", None))
    if store is None or arguments.store:
        return store
    if (why := anothers(store, arguments)) is not None:
        if not quietly:
            complain("note", f"{why}; a temporary one is used")
        return None
    from wheel_linker.integrations._filling.user_store import existing_part

    existing = existing_part(store.root)
    # The user may have no home, as in many containers. Nobody asked for a store there, so that this is no error.
    return store if os.path.isdir(existing) and os.access(existing, os.W_OK) else None


@contextmanager
def store_for_a_call(arguments: argparse.Namespace) -> Iterator[WheelStore]:
    """Have the store that is asked for, else the default one; one that goes with the call if that cannot be used.

    :raises WheelLinkerError: if it is not known where the default one would be.
    """
    if chosen_store(arguments) is None:
        raise _no_store()
    store = usable_store(arguments)
    if store is not None:
        with store:
            yield store
        return
    if getattr(arguments, "mode", None) == LinkMode.SYMLINK:
        misused(
            "symlinks would point to a temporary place: give --store DIR, or choose another mode"
        )
    from wheel_linker._fs.temporary import temporary_directory

    with (
        temporary_directory() as place,
        _store_in(os.path.join(place, "store"), arguments, durable=False) as temporary,
    ):
        yield temporary


def anothers(store: WheelStore, arguments: argparse.Namespace) -> str | None:
    """Return why the default store is not for this user, who did not ask for it; None if it is."""
    if arguments.store or arguments.trust_store:
        return None
    from wheel_linker.integrations._filling.user_store import another_owner

    owner = another_owner(store.root)
    if owner is None:
        return None
    return (
        f"the store {store.root!r} belongs to another user ({owner}); give --store DIR, "
        "or --trust-store to use it"
    )


def needed_store(arguments: argparse.Namespace) -> WheelStore:
    """Return the store that is asked for, else the default one.

    :raises WheelLinkerError: if there is none, or it is another user's.
    """
    store = chosen_store(arguments, protect=getattr(arguments, "protect", False))
    if store is None:
        raise _no_store()
    if (why := anothers(store, arguments)) is not None:
        raise WheelLinkerError(why)
    return store


def _no_store() -> WheelLinkerError:
    return WheelLinkerError(
        "which store? Give --store DIR, or install wheel-linker[cli], which knows this user's cache directory"
    )


def _default_directory() -> str | None:
    from wheel_linker.integrations._filling.user_store import default_directory

    return default_directory()
