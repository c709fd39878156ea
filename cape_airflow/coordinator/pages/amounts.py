"""Amounts in words: sizes and times as people say them."""

from __future__ import annotations

_STEP = 1024.0
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def bytes_text(count: int) -> str:
    """Return so many bytes in the unit in which they have up to four digits, e.g. ``1.4 GB``; 1 KB is 1024 B."""
    size, unit = float(count), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:,.0f} {_UNITS[unit]}" if unit == 0 or size >= 100 else f"{size:.1f} {_UNITS[unit]}"


def duration_text(seconds: float) -> str:
    """Return so many seconds in the two largest units that they have, e.g. ``2 h 5 min``; tenths below a minute."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {left} s"
