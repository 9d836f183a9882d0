import configparser
import doctest
import importlib.util
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import nengo_phasor
from nengo_phasor.neurons import NEURON_TYPES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

for folder in (DOCS, ROOT / "tools"):
    sys.path.insert(0, str(folder))

import catalogue  # noqa: E402
import pages  # noqa: E402

WITH_EXAMPLES = [page for page in sorted(DOCS.glob("*.md")) if pages.examples(page)]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.stem)
def test_examples(page, tmp_path):
    """They print what the page says, and the page shows the pictures that they save."""
    source = pages.source(page)
    for module, sign in {
        "nengo_dl": "nengo_dl",
        "nengo_loihi": "nengo_loihi",
        "numba": "layerwise",
        "tensorflow": ".compile(",
    }.items():
        if sign in source:
            pytest.importorskip(module)
    printed = pages.run_examples(page, tmp_path)
    for example, output in zip(pages.examples(page), printed, strict=True):
        assert doctest.OutputChecker().check_output(example.output, output, FLAGS), (
            f"{example.source}\nshould print:\n{example.output}\nbut prints:\n{output}"
        )
    for picture in re.findall(r'savefig\("([^"]+)"\)', source):
        assert (tmp_path / picture).stat().st_size
        assert f"(generated/{picture})" in page.read_text(), "the page doesn't show what it draws"


def test_every_example_is_found():
    """None is written in a way that the tests would pass over."""
    for page in DOCS.glob("*.md"):
        text = page.read_text()
        found = pages.examples(page)
        assert len(re.findall(r"\{testcode\}", text)) == len(found), page
        assert len(re.findall(r"\{testoutput\}", text)) == sum(bool(e.output) for e in found), page
        assert ">>>" not in text, page


def test_own_types_are_shown_on_every_substrate():
    """For a neuron and for a synapse, compared with nengo.Simulator by `test_examples`."""
    text = pages.source(DOCS / "howto_neuron.md")
    parts = text.split("class EveryNth(SpikeSynapse)")
    assert len(parts) == 2
    for part in parts:
        for simulator in ("nengo", "nph.layerwise", "nengo_dl", "nengo_loihi"):
            assert f"with {simulator}.Simulator(net" in part
    for call in ("nph.layerwise.register(", "nph.dl.register(", "nph.loihi.register("):
        assert call in text


def test_the_start_page_shows_a_picture():
    assert DOCS / "index.md" in WITH_EXAMPLES
    assert "savefig" in pages.source(DOCS / "index.md")


def test_every_type_has_a_page():
    catalogue.check_complete()
    linked = (DOCS / "neurons.md").read_text() + (DOCS / "synapses.md").read_text()
    for page in catalogue.PAGES:
        name = rf"generated/{page.type.__name__}\b"
        assert len(re.findall(name, linked)) == 2, "in the table and in the toctree"


def test_a_type_without_a_page_is_refused(monkeypatch):
    monkeypatch.setattr(catalogue, "NEURON_TYPES", (*NEURON_TYPES, type("Sine", (), {})))
    with pytest.raises(LookupError, match="Sine: add a line to PAGES"):
        catalogue.check_complete()


def test_results_page_has_every_claim_of_every_file():
    """Row by row, from the files themselves."""
    text = (DOCS / "results.md").read_text()
    summary, *_ = text.split("\n## ")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    files = {path.stem: json.loads(path.read_text()) for path in (ROOT / "results").glob("*.json")}
    assert set(sections) == set(files)
    for name, content in files.items():
        rows = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in sections[name].splitlines()
            if line.startswith("|")
        ][2:]
        assert len(rows) == len(content["claims"])
        assert content["command"] in sections[name]
        for (measured, value, target, paper, holds), claim in zip(
            rows, content["claims"], strict=True
        ):
            assert (measured, target, paper) == (claim["name"], claim["bound"], claim["paper"])
            number, _, unit = value.partition(" ")
            assert float(number) == pytest.approx(claim["value"], rel=1e-3)
            assert unit == claim["unit"]
            sign, bound = claim["bound"].split()
            kept = (
                claim["value"] >= float(bound) if sign == ">=" else claim["value"] <= float(bound)
            )
            assert holds == ("yes" if kept else "**no**")
            assert (f"- {measured} (`{name}.json`)" in summary) is not kept


def test_versions_page_has_every_version_that_results_were_made_with():
    text = pages.versions_text()
    for path in (ROOT / "results").glob("*.json"):
        assert path.stem in text
        for package, version in json.loads(path.read_text())["versions"].items():
            assert f"| {package} | {version} |" in text


def test_build_has_no_warnings(tmp_path):
    for needed in (
        "sphinx",
        "sphinx_click",
        "furo",
        "myst_nb",
        "numpydoc",
        "nengo_dl",
        "nengo_loihi",
    ):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"needs {needed}")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q"]
    built = subprocess.run(
        [*command, "-d", tmp_path / "doctrees", DOCS, tmp_path / "html"],
        capture_output=True,
        text=True,
        env={**os.environ, "NENGO_PHASOR_REPOSITORY": "https://example.org/nengo_phasor.git"},
    )
    assert built.returncode == 0, built.stderr
    html = tmp_path / "html"
    assert "first_neuron.png" in (html / "index.html").read_text()
    commands = (html / "command_line.html").read_text()
    for command in ("list", "run", "info", "convert-adaptive", "convert-phasor"):
        assert f'id="nengo-phasor-{command}"' in commands
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        page = html / "generated" / "notebooks" / f"{notebook.stem}.html"
        assert page.read_text().count("<img alt") >= 1
    check_gallery(html / "generated" / "gallery.html")
    check_api_index((html / "generated" / "api.html").read_text())
    assert "https://www.nengo.ai/nengo/backend-api.html#nengo.Simulator" in "".join(
        page.read_text() for page in (html / "generated" / "api").glob("*.html")
    )
    assert "/edit/main/docs/faq.md" in (html / "faq.html").read_text()
    assert "/edit/main/" not in (html / "generated" / "api.html").read_text()


def check_gallery(page):
    """Every notebook, model of Nengo GUI and type is there, with a picture that exists."""
    cards = re.findall(r'<div class="card[^"]*">(.*?)</div>', page.read_text(), re.DOTALL)
    models = [path for path in (ROOT / "networks").glob("*.cfg") if path.name != "on_chip.py.cfg"]
    notebooks = list((ROOT / "notebooks").glob("*.ipynb"))
    assert len(cards) == len(notebooks) + len(models) + len(catalogue.PAGES)
    for card in cards:
        assert re.search("<strong>[^<]+</strong>", card), card
        (picture,) = re.findall(r'<img[^>]* src="([^"]+)"', card)
        assert (page.parent / picture).stat().st_size
        for target in re.findall(r'href="([^"#]+)', card):
            assert (page.parent / target).exists()


def check_api_index(page):
    """Every public name has a line that is a link and says something."""
    rows = re.findall(r"<tr[^>]*>\s*<td>(.*?)</td>\s*<td>(.*?)</td>", page, re.DOTALL)
    listed = {}
    for name, text in rows:
        (target,) = re.findall(r'href="[^"]*#([\w.]+)"', name)
        assert len(re.sub("<[^>]+>", "", text).strip()) > 10, target
        listed[target] = text
    assert "nengo_phasor.loihi.resources.resources" in listed
    for name in nengo_phasor.__all__:
        if not inspect.ismodule(getattr(nengo_phasor, name)):
            assert f"nengo_phasor.{name}" in listed
    for module in ("convert", "layerwise", "plots", "phases", "metrics"):
        for name in pages.public_names(getattr(nengo_phasor, module)):
            assert f"nengo_phasor.{module}.{name}" in listed


def test_changes_keep_a_changelog():
    text = (ROOT / "CHANGES.md").read_text()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    for heading in headings[1:]:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading)
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_decisions_are_dated_records():
    text = (DOCS / "decisions.md").read_text()
    records = re.split(r"^### .*\n", text, flags=re.MULTILINE)[1:]
    assert len(records) > 20
    for record in records:
        parts = re.findall(r"^\*(\w+):\*", record, flags=re.MULTILINE)
        assert parts == ["Date", "Context", "Decision", "Consequence"], record
        assert re.match(r"\*Date:\* \d{4}-\d\d-\d\d\b", record)


def test_citation_has_what_its_format_asks_for():
    """The required fields of the Citation File Format 1.2.0, and what must be as elsewhere."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert str(citation["version"]) == nengo_phasor.__version__
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert citation["license"] == setup["metadata"]["license"]
    for work in (citation, *citation["references"]):
        assert work["title"]
        assert all("name" in person or "family-names" in person for person in work["authors"])
    assert all(work["type"] in ("article", "conference-paper") for work in citation["references"])


def test_hooks_run_what_lint_runs():
    """All are local: a commit fetches nothing."""
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    entries = [hook["entry"] for hook in repository["hooks"]]
    assert all(hook["language"] == "system" for hook in repository["hooks"])
    lint = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    for tool, command in re.findall(r"\$\(BIN\)/([\w-]+)( \w+)?", lint):
        assert any(entry.startswith(f"{tool}{command}".strip()) for entry in entries), tool
