"""Which store a command uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheel_linker.errors import WheelLinkerError

if TYPE_CHECKING:
    import argparse

    from wheel_linker.store import WheelStore


def chosen_store(
    arguments: argparse.Namespace, jobs: int | None = None, *, protect: bool = False
) -> WheelStore | None:
    """Return the store that is asked for, else the default one; None if there is none."""
    from wheel_linker.store import WheelStore

    path = arguments.store or _default_directory()
    if path is None:
        return None
    return WheelStore(
        path,
        jobs=jobs,
        protect=protect,
        durable=not arguments.no_durable,
        trusted=arguments.trust_store,
        bases=arguments.base,
        timeout=arguments.timeout,
    )


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
        raise WheelLinkerError(
            "which store? Give --store DIR, or install wheel-linker[cli], which knows this user's cache directory"
        )
    if (why := anothers(store, arguments)) is not None:
        raise WheelLinkerError(why)
    return store


def _default_directory() -> str | None:
    from wheel_linker.integrations._filling.user_store import default_directory

    return default_directory()
