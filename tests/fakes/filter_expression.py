"""Evaluates the part of DynamoDB's filter expressions that is used here.

Source of the rules: DynamoDB Developer Guide, "Condition and filter expressions, operators, and functions".
"""

import json
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from operator import eq, ge, gt, le, lt, ne
from typing import Any

Wire = Mapping[str, Any]
Test = Callable[[Mapping[str, Wire]], bool]
Operand = Callable[[Mapping[str, Wire]], Wire | None]

_TOKEN = re.compile(r"#?\w+(?:\.#?\w+)*|:\w+|<=|>=|<>|[()<>=,]|\S")
_FUNCTIONS = ("attribute_exists", "attribute_not_exists", "attribute_type", "contains", "begins_with")
_COMPARATORS: dict[str, Callable[[Any, Any], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "=": eq, "<>": ne}


def matches(request: Mapping[str, Any]) -> Test:
    """The filter of a Scan request, as a test of an item."""
    if "FilterExpression" not in request:
        return lambda _: True
    parts = ("FilterExpression", "ExpressionAttributeNames", "ExpressionAttributeValues")
    return _parsed(json.dumps({part: request.get(part, {}) for part in parts}))


@lru_cache
def _parsed(filter_of_request: str) -> Test:
    """The test that an expression with its names and values makes. All Scans of a run have the same."""
    request = json.loads(filter_of_request)
    parser = _Parser(request)
    test = parser.disjunction()
    if parser.tokens:
        raise ValueError(f"unexpected {parser.tokens[0]} in {request['FilterExpression']}")
    unused = {*request["ExpressionAttributeNames"], *request["ExpressionAttributeValues"]} - parser.used
    if unused:
        raise ValueError(f"unused in the expression: {unused}")
    return test


class _Parser:
    def __init__(self, request: Mapping[str, Any]) -> None:
        self.tokens: list[str] = _TOKEN.findall(request["FilterExpression"])
        self.used: set[str] = set()
        self._names = request["ExpressionAttributeNames"]
        self._values = request["ExpressionAttributeValues"]

    def disjunction(self) -> Test:
        tests = [self._conjunction()]
        while self._skip("OR"):
            tests.append(self._conjunction())
        return lambda item: any(test(item) for test in tests)

    def _conjunction(self) -> Test:
        tests = [self._negation()]
        while self._skip("AND"):
            tests.append(self._negation())
        return lambda item: all(test(item) for test in tests)

    def _negation(self) -> Test:
        if self._skip("NOT"):
            test = self._negation()
            return lambda item: not test(item)
        if self._skip("("):
            test = self.disjunction()
            self._expect(")")
            return test
        if self.tokens[0] in _FUNCTIONS:
            return self._function(self.tokens.pop(0))
        return self._comparison()

    def _function(self, name: str) -> Test:
        self._expect("(")
        operand = self._operand()
        if name in ("attribute_exists", "attribute_not_exists"):
            self._expect(")")
            return lambda item: (operand(item) is None) == (name == "attribute_not_exists")
        self._expect(",")
        argument = self._operand()({})
        self._expect(")")
        assert argument
        if name == "attribute_type":
            return lambda item: next(iter(operand(item) or {}), None) == argument["S"]
        if name == "begins_with":
            return lambda item: _begins(operand(item) or {}, argument)
        return lambda item: _contains(operand(item), argument)

    def _comparison(self) -> Test:
        left, operator = self._operand(), self.tokens.pop(0)
        if operator == "IN":
            return self._membership(left)
        right = self._operand()
        if operator == "BETWEEN":
            self._expect("AND")
            last = self._operand()
            return lambda item: _compared(ge, left(item), right(item)) and _compared(le, left(item), last(item))
        compare = _COMPARATORS[operator]
        return lambda item: _compared(compare, left(item), right(item))

    def _membership(self, left: Operand) -> Test:
        self._expect("(")
        members = [self._operand()]
        while self._skip(","):
            members.append(self._operand())
        self._expect(")")
        return lambda item: any(_compared(eq, left(item), member(item)) for member in members)

    def _operand(self) -> Operand:
        token = self.tokens.pop(0)
        if token == "size":
            self._expect("(")
            operand = self._operand()
            self._expect(")")
            return lambda item: _size(operand(item))
        self.used.update(each for each in token.split(".") if each[0] in "#:")
        if token[0] == ":":
            value = self._values[token]
            return lambda _: value
        path = [self._names[each] if each[0] == "#" else each for each in token.split(".")]
        return lambda item: _at(item, path)

    def _skip(self, token: str) -> bool:
        found = self.tokens[:1] == [token]
        if found:
            self.tokens.pop(0)
        return found

    def _expect(self, token: str) -> None:
        assert self._skip(token), (token, self.tokens)


def _at(item: Mapping[str, Wire], path: list[str]) -> Wire | None:
    value: Any = {"M": item}
    for name in path:
        value = value.get("M", {}).get(name)
        if value is None:
            return None
    found: Wire = value
    return found


def _compared(compare: Callable[[Any, Any], bool], one: Wire | None, other: Wire | None) -> bool:
    if one is None or other is None or one.keys() != other.keys():
        return False
    return compare(_ordered(one), _ordered(other))


def _ordered(value: Wire) -> Any:
    ((kind, content),) = value.items()
    if kind == "S":
        return content.encode()
    if kind == "B":
        return b64decode(content)
    return Decimal(content) if kind == "N" else content


def _size(value: Wire | None) -> Wire | None:
    ((kind, content),) = (value or {"": None}).items()
    if kind == "B":
        content = b64decode(content)
    return {"N": str(len(content))} if kind in ("S", "B", "SS", "NS", "BS", "L", "M") else None


def _begins(value: Wire, argument: Wire) -> bool:
    return "S" in value and bool(value["S"].startswith(argument["S"]))


def _contains(value: Wire | None, argument: Wire) -> bool:
    ((kind, content),) = (value or {"": None}).items()
    if kind == "L":
        return argument in content
    return kind in ("S", "SS") and argument["S"] in content
