"""Write the claims of results/*.json into README.md, between its two marks.

usage: render_results.py [--check]        (--check only says whether README.md is up to date)
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARKS = ("<!-- results: written by tools/render_results.py -->", "<!-- end of results -->")


def cells(claim: dict) -> tuple[str, ...]:
    """Return what a table says of a claim: name, value with unit, what was promised, the paper."""
    value = f"{claim['value']:.4g} {claim['unit']}".strip()
    return claim["name"], value, claim["bound"], claim["paper"]


def table() -> str:
    """Return the claims of all result files as a Markdown table."""
    lines = ["| measured | value | promised | paper | file |", "|---|---|---|---|---|"]
    for path in sorted((ROOT / "results").glob("*.json")):
        for claim in json.loads(path.read_text())["claims"]:
            lines.append(f"| {' | '.join(cells(claim))} | `{path.name}` |")
    return "\n".join(lines)


def rendered(readme: str) -> str:
    """Return the README with the table between its marks."""
    before, rest = readme.split(MARKS[0])
    _, after = rest.split(MARKS[1])
    return f"{before}{MARKS[0]}\n{table()}\n{MARKS[1]}{after}"


def main(check: bool) -> int:
    """Write the README, or return 1 if it is not up to date."""
    readme = ROOT / "README.md"
    text = readme.read_text()
    if check:
        return int(rendered(text) != text)
    readme.write_text(rendered(text))
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
