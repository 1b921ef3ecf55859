"""Line charts as SVG, which stand in a report without any other file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

_COLOURS = ("#0b6fb8", "#c4421a", "#2f8f4e", "#7a4fb5", "#a87b00", "#5b6770", "#c2307f", "#008b92")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 520, 240, 58, 10, 26, 40

Line = Sequence[tuple[float, float]]


def line_chart(
    title: str, x_label: str, lines: Mapping[str, Line], levels: Mapping[str, float] | None = None
) -> str:
    """An SVG of some lines of (x, y), a single point as a dot, and of dashed horizontal levels; names in a legend."""
    levels = levels or {}
    points = [point for line in lines.values() for point in line]
    xs, ys = np.array([x for x, _ in points]), np.array([y for _, y in points] + list(levels.values()))
    x_low, x_high = _range(xs)
    y_low, y_high = _range(ys, 0.06)
    across = (_WIDTH - _LEFT - _RIGHT) / (x_high - x_low)
    up = (_HEIGHT - _TOP - _BOTTOM) / (y_high - y_low)

    def place(x: float, y: float) -> tuple[float, float]:
        return round(_LEFT + (x - x_low) * across, 1), round(_HEIGHT - _BOTTOM - (y - y_low) * up, 1)

    parts = [f'<text x="{_LEFT}" y="16" font-weight="600">{escape(title)}</text>']
    for y in _ticks(y_low, y_high):
        left, height = place(x_low, y)
        parts += [
            f'<path d="M{left} {height}H{_WIDTH - _RIGHT}" stroke="#e3e3e6"/>',
            f'<text x="{left - 6}" y="{height + 4}" text-anchor="end">{y:g}</text>',
        ]
    for x in sorted(set(xs.tolist())):
        parts.append(
            f'<text x="{place(x, y_low)[0]}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{x:g}</text>'
        )
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
    )
    for level in levels.values():
        left, height = place(x_low, level)
        parts.append(f'<path d="M{left} {height}H{_WIDTH - _RIGHT}" stroke="#111" stroke-dasharray="5 4"/>')
    for colour, line in zip(_colours(len(lines)), lines.values(), strict=True):
        if not line:
            continue
        places = [place(*point) for point in sorted(line)]
        path = "L".join(f"{x} {y}" for x, y in places)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in places]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{_WIDTH}" height="{_HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="12">{"".join(parts)}</svg>'
    )


def legend(names: Sequence[str], levels: Sequence[str]) -> str:
    """HTML that names the lines of charts with these lines and levels, in the same order and colours."""
    marks = [
        f'<span style="color:{colour}">●</span> {escape(name)}'
        for colour, name in zip(_colours(len(names)), names, strict=True)
    ]
    return f'<p class="note">{" &nbsp; ".join([*marks, *(f"┄ {escape(level)}" for level in levels)])}</p>'


def _colours(count: int) -> list[str]:
    return [_COLOURS[k % len(_COLOURS)] for k in range(count)]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two, three to seven of them."""
    power = 10.0 ** np.floor(np.log10((high - low) / 2))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if (high - low) / step <= 6)
    return [
        round(k * step, 12) for k in range(int(np.ceil(low / step)), int(high / step) + 1) if k * step <= high
    ]


def _range(values: Sequence[float] | np.ndarray, margin: float = 0.0) -> tuple[float, float]:
    low, high = float(np.min(values)), float(np.max(values))
    room = margin * (high - low) if high > low else abs(low) * 0.1 + 0.5
    return low - room, high + room
