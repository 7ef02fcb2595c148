"""Schedule expressions of EventBridge, checked before a deployment fails on them.

Source: EventBridge user guide, "Schedule types".
"""

import re

_RATE = r"rate\((1 (minute|hour|day)|(?!1 )[1-9][0-9]* (minutes|hours|days))\)"
_STEP = "(/[1-9][0-9]*)?"
_DAY_NUMBER = "(0?[1-9]|[12][0-9]|3[01])"


def is_schedule(expression: str) -> bool:
    """Whether EventBridge takes an expression as the schedule of a rule."""
    return re.fullmatch(f"{_RATE}|{_cron()}", expression) is not None


def _cron() -> str:
    minute, hour = _field("[0-5]?[0-9]"), _field("([01]?[0-9]|2[0-3])")
    day = _field(_DAY_NUMBER, "L", "LW", f"{_DAY_NUMBER}W")
    month = _field("(0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)")
    weekday = _field("(0?[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)", "L", "[1-7]L", "[1-7]#[1-5]")
    year = _field("(19[7-9][0-9]|2[01][0-9][0-9])")
    # Either the day or the weekday is "?".
    return rf"cron\({minute} {hour} ({day} {month} \?|\? {month} {weekday}) {year}\)"


def _field(value: str, *alone: str) -> str:
    """The pattern of a list of values, ranges and steps, or of a text that stands alone."""
    item = rf"(\*|{value}(-{value})?){_STEP}"
    return f"({'|'.join([f'{item}(,{item})*', *alone])})"
