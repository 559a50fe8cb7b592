#!/usr/bin/env python3
"""Draws docs/session.svg from the golden session that the tests hold the program to.

    scripts/session_svg.py           rewrite docs/session.svg
    scripts/session_svg.py --check   exit 1 if it is not what the session says
"""

import re
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SESSION = ROOT / "tests/golden/session-80.txt"
PICTURE = ROOT / "docs/session.svg"

COLUMN_PX, LINE_PX, MARGIN_PX, BAR_PX = 8.4, 19, 18, 34
COLOURS = {
    "text": "#d6deeb",
    "dim": "#7f8ea3",
    "prompt": "#7fdbca",
    "command": "#ffffff",
    "critical": "#ff5874",
    "major": "#f78c6c",
    "minor": "#ecc48d",
    "nit": "#82aaff",
    "added": "#addb67",
    "removed": "#ff5874",
}
FINDING = re.compile(r"^(\S+:\d+)(  )(critical|major|minor|nit)(  )(.*)$")


def spans(line):
    """The line as (colour, text) pieces."""
    if line.startswith("$ "):
        return [("prompt", "$ "), ("command", line[2:])]
    found = FINDING.match(line)
    if found:
        place, gap, severity, gap2, title = found.groups()
        return [("text", place + gap), (severity, severity), ("text", gap2 + title)]
    if re.match(r"^\s*\d* [│|]", line):
        head, bar, rest = re.match(r"^(\s*\d* )([│|])(.*)$", line).groups()
        return [("dim", head + bar), ("critical" if set(rest.strip()) == {"^"} else "text", rest)]
    if line.startswith("+"):
        return [("added", line)]
    if line.startswith("-"):
        return [("removed", line)]
    if line.startswith(("Fix:", "Silence:", "@@", "Applied")) or "files changed since" in line:
        return [("dim", line)]
    return [("text", line)]


def draw(session):
    lines = session.rstrip("\n").split("\n")
    width = MARGIN_PX * 2 + COLUMN_PX * max(80, max(len(line) for line in lines))
    height = BAR_PX + LINE_PX * len(lines) + MARGIN_PX
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="A review session in a terminal">',
        f'<rect width="100%" height="100%" rx="8" fill="#011627"/>',
    ]
    for index, colour in enumerate(["#ff5f56", "#ffbd2e", "#27c93f"]):
        out.append(f'<circle cx="{MARGIN_PX + index * 18}" cy="17" r="5.5" fill="{colour}"/>')
    out.append(
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" '
        'font-size="14" xml:space="preserve">'
    )
    for index, line in enumerate(lines):
        y = BAR_PX + LINE_PX * index + 13
        pieces = "".join(
            f'<tspan fill="{COLOURS[colour]}">{escape(text)}</tspan>' for colour, text in spans(line) if text
        )
        if pieces:
            length = COLUMN_PX * len(line)
            out.append(
                f'<text x="{MARGIN_PX}" y="{y}" textLength="{length:.1f}" lengthAdjust="spacing">{pieces}</text>'
            )
    out.append("</g></svg>\n")
    return "\n".join(out)


def main():
    picture = draw(SESSION.read_text(encoding="utf-8"))
    if "--check" in sys.argv[1:]:
        if PICTURE.read_text(encoding="utf-8") != picture:
            sys.exit("docs/session.svg is not what the session says: run scripts/session_svg.py")
        return
    PICTURE.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
