"""Public docstrings are whole sentences, and no page has the private words that crept in before."""

import importlib
import inspect
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
for folder in (ROOT / "docs", ROOT / "tools"):
    sys.path.insert(0, str(folder))

docscrape = pytest.importorskip("numpydoc.docscrape")
pages = pytest.importorskip("pages")

PRIVATE = re.compile(
    r"\b(promised?|mend(s|ed)?|loud(ness|est)?|(not|did not) hear[d]?|turned to spikes"
    r"|leaves? out|leaving out|left out|(?<!here )is none|anew|turns? phases round"
    r"|(?<!here )(is|are) no (?!longer|more|less|better|worse|need)[a-z]+"
    r"|taken? off|comes? of (it|them|this)|to the bit|without a word|whoever|no matter of"
    r"|knows? older|in whole numbers)\b"
)
"""Words and turns that make readers stumble: "is no class" for "is not a class", for example."""

FRAGMENT = re.compile(r"(Of|Whose|Where|What|How|By how much|That of) ")
"""How descriptions began that were no sentences."""

SECTIONS = ("Parameters", "Attributes", "Returns", "Raises")


def documented():
    """Yield the place and the object of everything in the reference, methods included."""
    for name in (name for names in pages.API.values() for name in names):
        try:
            module = importlib.import_module(f"nengo_phasor.{name}")
        except ImportError:  # an optional package is missing
            continue
        yield module.__name__, module
        for public in pages.public_names(module):
            obj = getattr(module, public)
            yield f"{name}.{public}", obj
            for method, function in vars(obj).items() if inspect.isclass(obj) else ():
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{name}.{public}.{method}", function


def wrong(text):
    """Return the descriptions in a docstring that are not sentences, and its private words."""
    sections = docscrape.NumpyDocString(text)
    found = [match[0] for match in PRIVATE.finditer(text)]
    for section in SECTIONS:
        for entry in sections[section]:
            words = " ".join(line.strip() for line in entry.desc)
            is_sentence = re.match(r"[^a-z]|m_f\b", words) and re.search(r"[.:`]$", words)
            if words and (FRAGMENT.match(words) or not is_sentence):
                found.append(words)
    return found


@pytest.mark.parametrize("obj", [pytest.param(obj, id=place) for place, obj in documented()])
def test_docstrings_are_plain_sentences(obj):
    assert wrong(inspect.getdoc(obj) or "") == []


def pages_of_text():
    """Yield the place and the text of each page, and of the text and code in each notebook."""
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        yield path.name, path.read_text()
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        yield path.name, "\n".join(texts)


@pytest.mark.parametrize("text", [pytest.param(text, id=place) for place, text in pages_of_text()])
def test_pages_are_plain(text):
    assert [match[0] for match in PRIVATE.finditer(" ".join(text.split()))] == []


@pytest.mark.parametrize(
    "description",
    [
        "Of the rhythm, in Hz.",
        "the frequency.",
        "The frequency",
        "It is left out.",
        "It is no class of neurons.",
        "It drops spikes without a word.",
    ],
)
def test_habits_are_found(description):
    """By the check above, which would pass without them."""
    text = "Do it.\n\nParameters\n----------\nfrequency : float\n    {}\n"
    assert wrong(text.format(description))
    assert not wrong(text.format("The frequency of the rhythm, in Hz."))
