"""The parts that are measured place by place, but for linking, in the order of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import bytecode, cold, command, installing, small, store, syncing, tools

if TYPE_CHECKING:
    from benchmarks.part import Part

PARTS: tuple[Part, ...] = (
    installing.PART,
    small.PART,
    command.PART,
    bytecode.PART,
    store.PART,
    cold.PART,
    syncing.PART,
    tools.PART,
)
