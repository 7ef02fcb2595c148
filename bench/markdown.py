"""Tables and numbers in Markdown."""

from decimal import Decimal


def table(header: list[str], rows: list[list[str]], left: int) -> str:
    """A table whose first ``left`` columns are text, and the others numbers."""
    marks = ["---" if column < left else "--:" for column in range(len(header))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (header, marks, *rows))


def short(value: float) -> str:
    """A number with three digits or so: 1,234, 12.3, 1.23."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def large(value: float) -> str:
    """A large number in words: 12 k, 1.3 M, 4.7 G."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{float(f'{value / size:.3g}'):g}{unit}"
    return f"{value:.0f}"


def duration(seconds: float) -> str:
    """A time in the unit that a reader would choose: 45 s, 12 min, 3.4 h, 15 days."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:,.0f} days"


def dollars(value: Decimal) -> str:
    """A sum of money, to the cent where cents matter."""
    if value >= 100:
        return f"${value:,.0f}"
    return f"${value:.2f}" if value >= Decimal("0.095") else f"${Decimal(f'{value:.1g}'):f}"


def size(size_bytes: float) -> str:
    """A size in DynamoDB's binary units: 256 MB, 12 GB, 1.4 TB."""
    for unit, name in ((1024**4, "TB"), (1024**3, "GB"), (1024**2, "MB")):
        if size_bytes >= unit:
            return f"{float(f'{size_bytes / unit:.3g}'):g} {name}"
    return f"{size_bytes:.0f} bytes"
