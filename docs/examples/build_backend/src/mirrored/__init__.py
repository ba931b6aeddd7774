"""A package one of whose modules is generated."""

from mirrored import generated

ANSWER = generated.ANSWER
