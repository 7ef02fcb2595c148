"""Schedule expressions of EventBridge rules, checked before a deployment would fail on them."""

import re

SCHEDULE_ALLOWED = (
    "a schedule of EventBridge, in UTC: rate(1 hour), rate(6 hours) or cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR) "
    "such as cron(30 4 * * ? *), with ? as either the day or the weekday"
)

_RATE = re.compile(r"rate\((?:1 (?:minute|hour|day)|(?!1 )[1-9]\d* (?:minutes|hours|days))\)")
_CRON = re.compile(r"cron\((\S+(?: \S+){5})\)")

# The fields of a cron expression (EventBridge user guide): least and greatest number, words that stand for
# numbers, and what else may stand there alone.
_FIELDS = (
    (0, 59, "", ""),
    (0, 23, "", ""),
    (1, 31, "", r"\?|L|LW|\d+W"),
    (1, 12, "JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC", ""),
    (1, 7, "SUN|MON|TUE|WED|THU|FRI|SAT", r"\?|L|[1-7]L|[1-7]#[1-5]"),
    (1970, 2199, "", ""),
)
_DAY, _WEEKDAY = 2, 4


def is_schedule(expression: str) -> bool:
    """Tell whether EventBridge takes ``expression`` as the schedule of a rule."""
    if _RATE.fullmatch(expression):
        return True
    cron = _CRON.fullmatch(expression)
    if cron is None:
        return False
    texts = cron[1].split(" ")
    if (texts[_DAY] == "?") == (texts[_WEEKDAY] == "?"):
        return False
    return all(_is_field(text, *limits) for text, limits in zip(texts, _FIELDS, strict=True))


def _is_field(text: str, least: int, greatest: int, words: str, alone: str) -> bool:
    """Tell whether ``text`` is a list of values, ranges and steps within the limits of its field."""
    value = rf"(?:\d+|{words})" if words else r"\d+"
    item = rf"(?:\*|{value}(?:-{value})?)(?:/[1-9]\d*)?"
    if not re.fullmatch(rf"{item}(?:,{item})*" + (f"|{alone}" if alone else ""), text):
        return False
    without_steps = re.sub(r"[/#]\d+", "", text)
    return all(least <= int(number) <= greatest for number in re.findall(r"\d+", without_steps))
