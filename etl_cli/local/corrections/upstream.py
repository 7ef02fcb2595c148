"""The one version of ministack that is corrected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MINISTACK_VERSION = "1.5.33"

Properties = dict[str, Any]
"""The properties of a resource in a template."""


class CorrectionError(Exception):
    """The installed ministack is not the one that the corrections were written for."""


def replaced(text: str, old: str, new: str) -> str:
    """The text with `old`, which must occur exactly once, replaced by `new`."""
    if text.count(old) != 1:
        raise CorrectionError(f"ministack {MINISTACK_VERSION} does not contain once: {old}")
    return text.replace(old, new)


def after_deployment(kind: str, then: Callable[[str, Properties, Properties, str], None]) -> None:
    """Whenever CloudFormation has made or changed a resource, call `then(name, old, new, stack)`."""
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS[kind]
    create, update = handlers["create"], handlers["update"]

    def create_and_then(logical_id: str, properties: Properties, stack: str) -> Any:
        created = create(logical_id, properties, stack)
        then(created[0], {}, properties, stack)
        return created

    def update_and_then(name: str, old: Properties, new: Properties, stack: str, *rest: Any, **more: Any) -> Any:
        updated = update(name, old, new, stack, *rest, **more)
        then(updated[0], old, new, stack)
        return updated

    handlers["create"], handlers["update"] = create_and_then, update_and_then
