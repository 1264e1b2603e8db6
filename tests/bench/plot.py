"""Two small pictures as SVG, on a card of their own, so that they can be read on any page: dots and lines."""

import math
from html import escape

COLORS = ("#1f6f8b", "#c8553d", "#588157", "#8a5a9e", "#b07d12")
INK, FAINT, CARD = "#24292f", "#d8dee4", "#ffffff"
FONT = "font-family='system-ui, sans-serif' font-size='13'"


def card(width, height, title, parts):
    body = "\n".join(parts)
    return (f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' height='{height}' "
            f"role='img' {FONT} fill='{INK}'>\n<title>{escape(title)}</title>\n"
            f"<rect x='.5' y='.5' width='{width - 1}' height='{height - 1}' rx='8' fill='{CARD}' stroke='{FAINT}'/>\n"
            f"{text(20, 28, title, weight=600)}\n{body}\n</svg>\n")


def text(x, y, what, anchor="start", color=INK, weight=400):
    return (f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{color}' "
            f"font-weight='{weight}'>{escape(what.replace('`', ''))}</text>")


def line(x1, y1, x2, y2, color=FAINT, more=""):
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{color}' {more}/>"


def legend(names, y, x=20):
    """A dot and a name each, in the order of the colors."""
    parts = []
    for name, color in zip(names, COLORS):
        parts += [f"<circle cx='{x + 5}' cy='{y - 4}' r='5' fill='{color}'/>", text(x + 16, y, name)]
        x += 40 + 7.5 * len(name)
    return parts


def dots(title, rows):
    """`rows`: for each row a part of 1 for each name. 1 is the line at the right, zero the one at the left."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    most = max([1.0, *(part for row in rows.values() for part in row.values())])
    most = math.ceil(most * 5) / 5
    left, right, top, step, width = 220, 30, 78, 26, 760

    def at(part):
        return left + part / most * (width - left - right)

    bottom = top + step * len(rows)
    parts = legend(names, 52)
    for tenth in range(0, round(most * 10) + 1, 2):
        x = at(tenth / 10)
        parts += [line(x, top - 8, x, bottom - 8, INK if tenth == 10 else FAINT),
                  text(x, bottom + 10, f"{tenth / 10:.1f}", "middle")]
    for n, (what, row) in enumerate(rows.items()):
        y = top + step * n + 8
        parts += [text(left - 14, y + 4, what, "end"), line(left, y, at(most), y)]
        parts += [f"<circle cx='{at(row[name]):.1f}' cy='{y}' r='6' fill='{color}' fill-opacity='.9'>"
                  f"<title>{escape(name)}: {row[name]:.2f}</title></circle>"
                  for name, color in reversed(list(zip(names, COLORS))) if name in row]
    return card(width, bottom + 28, title, parts)


def lines(title, below, series, dashed, band):
    """`series`: points (x, y) by name, x drawn by its logarithm; `dashed`: more of the same names, drawn in dashes.

    `band`: so far above and below 1 is shaded.
    """
    points = [point for group in (series, dashed) for line in group.values() for point in line]
    xs = sorted({x for x, _ in points})
    most = max(1.4, math.ceil(max(y for _, y in points) * 5) / 5)
    left, right, top, bottom, width, height = 50, 130, 50, 290, 760, 345

    def at(x, y):
        across = (math.log(x) - math.log(xs[0])) / max(math.log(xs[-1]) - math.log(xs[0]), 1e-9)
        return left + across * (width - left - right), bottom - y / most * (bottom - top)

    (_, above), (_, under) = at(xs[0], 1 + band), at(xs[0], 1 - band)
    parts = [f"<rect x='{left}' y='{above:.1f}' width='{width - left - right}' height='{under - above:.1f}' "
             "fill='#e6eef2'/>"]
    for fifth in range(0, round(most * 5) + 1, 1 if most < 2.1 else 5):
        _, y = at(xs[0], fifth / 5)
        parts += [line(left, y, width - right, y), text(left - 8, y + 4, f"{fifth / 5:.1f}", "end")]
    for x in xs:
        across, _ = at(x, 0)
        parts += [line(across, bottom, across, bottom + 5, INK), text(across, bottom + 20, f"{x:,}", "middle")]
    parts.append(text((left + width - right) / 2, bottom + 40, below, "middle"))
    for group, style in ((dashed, "stroke-dasharray='3 4' stroke-opacity='.8'"), (series, "")):
        for color, name in zip(COLORS, series):
            if name in group:
                path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in group[name]))
                parts.append(f"<polyline points='{path}' fill='none' stroke='{color}' stroke-width='2.5' {style}/>")
    parts += ends([(at(*points[-1]), f"{name} {points[-1][1]:.2f}", color)
                   for color, (name, points) in zip(COLORS, series.items())])
    parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{color}'/>"
              for color, points in zip(COLORS, series.values()) for x, y in (at(*point) for point in points)]
    return card(width, height, title, parts)


def ends(labels):
    """What stands at the end of each line, moved apart where two would lie upon each other."""
    parts, last = [], -math.inf
    for (x, y), what, color in sorted(labels, key=lambda label: label[0][1]):
        last = max(y + 4, last + 15)
        parts.append(text(x + 10, last, what, color=color))
    return parts
