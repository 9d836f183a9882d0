"""Write the claims of results/*.json into README.md and docs/results.md, between their marks.

usage: render_results.py [--check]        (--check only reports whether both are up to date)
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from nengo_phasor.results import Claim

ROOT = Path(__file__).resolve().parents[1]
MARKS = ("<!-- results: written by tools/render_results.py -->", "<!-- end of results -->")
HEADER = ("measured", "value", "target", "paper", "holds")

HEADLINES = (
    (
        "accuracy on FashionMNIST in the phase domain",
        "local_rhythms",
        "phase-domain accuracy, long recipe",
    ),
    (
        "accuracy lost with 60 % of all spikes dropped by arc",
        "local_rhythms",
        "accuracy lost with 60 % of all spikes removed, arc, long recipe",
    ),
    (
        "fraction of hidden spikes that a network trained for it can drop for 1 point of accuracy",
        "phase_sparsity",
        "phase sparsity: fraction of hidden spikes removed for at most 1 point of accuracy, arc, "
        "worst seed",
    ),
    (
        "accuracy on MNIST of adaptive neurons at a low firing rate",
        "adaptive_mnist",
        "mnist, paper network: accuracy at a low firing rate",
    ),
    (
        "accuracy that the small network loses on FashionMNIST at a low firing rate",
        "adaptive_fashion",
        "fashion, small network: accuracy lost at a low firing rate",
    ),
    (
        "fraction of spikes that training saves on CIFAR-10 for less than 1 point, linear schedule",
        "sparse_lenet",
        "cifar10: fraction of spikes saved on the test set for less than 1 point of validation "
        "accuracy, mean of seeds, linear schedule for all seeds",
    ),
    (
        "error of the output of a network made deep by factorisation",
        "factorized_if",
        "factorised depth, PLU: mean error of the output, reset by subtraction, 20 seeds",
    ),
    (
        "accuracy lost to fixed point on the nengo-loihi emulator, 60 % of the hidden spikes "
        "dropped",
        "on_chip",
        "local rhythms, 60 % of the hidden spikes removed: accuracy lost to fixed point",
    ),
)
"""The rows of the front page: a description, a result file, and the name of the claim in it."""


def result_files() -> dict[str, dict]:
    """Return the content of every committed result file, by its name."""
    paths = sorted((ROOT / "results").glob("*.json"))
    return {path.stem: json.loads(path.read_text()) for path in paths}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def cells(claim: Claim, words: str = "") -> tuple[str, ...]:
    """Return the row of a table for a claim; ``words``, if given, replace its name."""
    value = f"{claim.value:.4g} {claim.unit}".strip()
    holds = "yes" if claim.holds else "**no**"
    return words or claim.name, value, claim.bound, claim.paper, holds


def headlines() -> str:
    """Return the table of the front page."""
    claims = {
        (file, claim["name"]): Claim(**claim)
        for file, content in result_files().items()
        for claim in content["claims"]
    }
    return markdown_table(
        HEADER, (cells(claims[file, name], words) for words, file, name in HEADLINES)
    )


def everything() -> str:
    """Return the claims of every result file with its command, after a list of missed targets."""
    sections, missed, n_claims = [], [], 0
    for name, content in result_files().items():
        claims = [Claim(**claim) for claim in content["claims"]]
        n_claims += len(claims)
        missed += [f"- {claim.name} (`{name}.json`)\n" for claim in claims if not claim.holds]
        table = markdown_table(HEADER, map(cells, claims))
        sections.append(
            f"## {name}\n\n`{content['command']}`, {content['date']}\n\n"
            + (table if claims else "This file has no target; it only records measurements.\n")
        )
    summary = f"{n_claims - len(missed)} of {n_claims} targets are met."
    if missed:
        summary += f" These are missed:\n\n{''.join(missed)}"
    return "\n".join([summary, *sections])


PAGES = {ROOT / "README.md": headlines, ROOT / "docs" / "results.md": everything}


def rendered(path: Path) -> str:
    """Return the text of a page, with up-to-date content between its marks."""
    before, rest = path.read_text().split(MARKS[0])
    _, after = rest.split(MARKS[1])
    return f"{before}{MARKS[0]}\n\n{PAGES[path]()}\n{MARKS[1]}{after}"


def main(check: bool) -> int:
    """Write the pages, or return 1 if one is not up to date."""
    stale = {path: text for path in PAGES if (text := rendered(path)) != path.read_text()}
    if not check:
        for path, text in stale.items():
            path.write_text(text)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
