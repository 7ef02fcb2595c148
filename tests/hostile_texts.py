"""Texts that an attacker may put into an item to harm its readers, by name."""

from __future__ import annotations

from etl_cli.terminal.printable import printable

HOSTILE = {
    # Markup of rich, which prints.
    "closing tag": "[/red]",
    "closing nothing": "[/]",
    "unclosed tag": "[bold",
    "bold": "[bold]loud[/bold]",
    "link": "[link=https://evil.example]click[/link]",
    "event": "[@click=app.quit]quit[/]",
    "colour": "[red on white]x",
    "backslash at the end": "path\\",
    "escaped tag": r"\[bold]",
    "backslash and closing tag": "\\[/red]\\",
    "emoji code": ":smile: :skull:",
    "brackets": "[[[[]]]]",
    "number in brackets": "[1]",
    # Control sequences of terminals. Source: ECMA-48.
    "colour sequence": "\x1b[31mred",
    "clear screen": "\x1b[2J\x1b[H",
    "move up": "\x1b[1A\x1b[2Kgone",
    "title": "\x1b]0;owned\x07",
    "hyperlink": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "device control": "\x1bP$q\x1b\\",
    "report position": "\x1b[6n",
    "alternate screen": "\x1b[?1049h",
    "reset": "\x1bc",
    "C1 control sequence": "\x9b31mred",
    "C1 title": "\x9d0;owned\x9c",
    "C1 device control": "\x90q\x9c",
    "unfinished sequence": "\x1b[",
    "escape alone": "\x1b",
    # Single control characters.
    "NUL": "a\0b",
    "bell": "a\x07b",
    "backspace": "good\b\b\b\bevil",
    "delete": "a\x7fb",
    "shift out": "a\x0eb",
    "shift in": "a\x0fb",
    "substitute": "a\x1ab",
    "tab": "a\tb",
    # Line breaks.
    "line feed": "a\nerror: forged",
    "indented line": "a\n  forged",
    "carriage return": "honest\revil",
    "both": "a\r\nforged",
    "vertical tab": "a\x0bb",
    "form feed": "a\x0cb",
    "file separator": "a\x1cb",
    "next line": "a\x85b",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    # What can't be seen, or makes something else be seen.
    "right to left override": "user\u202egpj.exe",
    "left to right override": "\u202dabc",
    "embedding": "\u202aabc\u202c",
    "isolate": "a\u2066b\u2069c",
    "first strong isolate": "a\u2068b",
    "left to right mark": "a\u200eb\u200fc",
    "arabic letter mark": "a\u061cb",
    "zero width space": "a\u200bb",
    "joiners": "a\u200cb\u200dc\u2060d",
    "byte order mark": "\ufeffabc",
    "soft hyphen": "a\u00adb",
    "tags": "a" + "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all"),
    "variation selectors": "a\ufe0f\ufe00\U000e0100b",
    "hangul filler": "a\u3164b\u115fc",
    "grapheme joiner": "a\u034fb",
    "blank braille": "a\u2800b",
    "invisible operators": "a\u2061b\u2062c",
    "interlinear": "a\ufff9b\ufffac\ufffb",
    "noncharacters": "a\ufffe\uffff\U0010ffffb",
    "private use": "a\ue000b\U000f0000c",
    "combining flood": "Z" + "\u0301\u0300\u0302" * 100,
    "mark at the start": "\u0338abc",
    # Text that is read in other ways.
    "right to left": "שלום עולם",
    "script": "<script>alert(1)</script>",
    "image": '"><img src=x onerror=alert(1)>',
    "entity": "&#27;[31m &lt;",
    "template": "{{ 7 * 7 }}{% raw %}",
    "format": "{0} {} %s %(x)s %n {run}",
    "object": '{"message": "finished", "time": 7, "counts": []}',
    "path": "../../etc/passwd",
    "shell": "$(id) `id` ; id | id && id 'q' \"q\"",
    "option": "--help",
    "quotes": "'\"'\"'",
    "very long": "x" * 30_000,
    "long and hidden": "\x1b[31m" * 5_000,
    "long line breaks": "\n" * 5_000,
    "wide": "漢字" * 400,
}
# Texts that do harm by their place, their length or their effect on others.
_ALONE = (
    "closing tag",
    "unclosed tag",
    "backslash at the end",
    "backslash and closing tag",
    "title",
    "unfinished sequence",
    "combining flood",
    "mark at the start",
    "option",
    "very long",
    "long and hidden",
    "long line breaks",
    "wide",
)


def _together(most: int) -> dict[str, str]:
    """All other texts, several in one. Each is short enough to be shown whole: at most so many characters."""
    packs: list[list[str]] = [[]]
    for name in (each for each in HOSTILE if each not in _ALONE):
        if packs[-1] and len(printable(" ".join(HOSTILE[each] for each in (*packs[-1], name)))) >= most:
            packs.append([])
        packs[-1].append(name)
    return {f"{pack[0]} to {pack[-1]}": " ".join(HOSTILE[name] for name in pack) for pack in packs}


# Commands are tried with these. tests/cli/test_printable.py tries every text by itself with all that prints.
KINDS = {name: HOSTILE[name] for name in _ALONE} | _together(160)
# What no client can send or store as UTF-8; lines of JSON can hold it, written as an escape.
SURROGATES = {"half a character": "a\ud800b", "the other half": "\udc80"}
ORDINARY = [
    "Müller",
    "naïve café",
    "漢字かな",
    "Ünïcödé €",
    "😀 👍🏽",
    "Tiếng Việt",
    "हिन्दी",
    "ไทย",
    "12\u00a0€",
    "全角\u3000空白",
]
