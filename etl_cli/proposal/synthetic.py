"""Made-up items of the same shape as those of a profile: by rules from types, never from values."""

from __future__ import annotations

from typing import Any

from etl.model.change_time import Format
from etl.model.keys import KeyAttributes
from etl_cli.proposal.kinds import EntityType
from etl_cli.proposal.profile import Profile, Values
from etl_cli.proposal.proposal import Proposal

_SECOND = 1_705_312_800
_TIMES: dict[Format, str | int] = {
    "iso": "2024-01-15T10:00:00Z",
    "iso_offset": "2024-01-15T10:00:00+01:00",
    "iso_local": "2024-01-15T10:00:00",
    "date": "2024-01-15",
    "epoch_s": _SECOND,
    "epoch_ms": _SECOND * 10**3,
    "epoch_us": _SECOND * 10**6,
    "epoch_ns": _SECOND * 10**9,
}
_VALUES: dict[str, Any] = {
    "S": "text",
    "N": 1,
    "B": b"binary",
    "BOOL": True,
    "NULL": None,
    "SS": {"text"},
    "NS": {1},
    "BS": {b"binary"},
}


def full_item(proposal: Proposal) -> dict[str, Any]:
    """An item that has all attributes, each with its commonest type."""
    return _item(proposal, every=True)


def least_item(proposal: Proposal) -> dict[str, Any]:
    """An item that has only the attributes that all items have, each with its rarest type."""
    return _item(proposal, every=False)


def _item(proposal: Proposal, *, every: bool) -> dict[str, Any]:
    profile, key = proposal.profile, proposal.found.table.key
    item: dict[str, Any] = {each.name: _VALUES[each.type] for each in key}
    item |= {name: each for name, each in _map(profile.root, every=every).items() if name not in item}
    item |= {each.name: _VALUES[each.type] for each, share in proposal.lacking_keys if share}
    _set_time(item, proposal, profile, key)
    _set_type(item, proposal.entity)
    return item


def _map(values: Values, *, every: bool) -> dict[str, Any]:
    parents = values.types["M"]
    names = values.names.items()
    return {name: _value(each, every=every) for name, each in names if every or each.count == parents}


def _value(values: Values, *, every: bool) -> Any:
    common = values.types.most_common()
    kind = common[0 if every else -1][0]
    if kind == "M":
        return {} if values.keyed_by_data else _map(values, every=every)
    if kind == "L":
        return [_value(values.elements, every=every)] if every and values.elements and values.elements.count else []
    return _VALUES[kind]


def _set_time(item: dict[str, Any], proposal: Proposal, profile: Profile, key: KeyAttributes) -> None:
    if proposal.cursor is None:
        return
    *maps, name = proposal.time.path
    for each in maps:
        if not isinstance(item.get(each), dict):
            item[each] = {}
        item = item[each]
    values = profile.at(proposal.time.path)
    types = {each.name: each.type for each in key} if not maps else {}
    is_text = types.get(name) == "S" or (name not in types and values is not None and bool(values.types["S"]))
    time = _TIMES[proposal.time.format]
    item[name] = str(time) if is_text else time


def _set_type(item: dict[str, Any], entity: EntityType | None) -> None:
    if entity:
        item[entity.attribute] = f"{entity.text}text" if entity.is_prefix else entity.text
