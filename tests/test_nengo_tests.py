"""The tool that runs Nengo's tests on the adaptive neurons; the run itself takes minutes."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import nengo
import numpy as np
import pytest

import nengo_phasor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import nengo_tests  # noqa: E402

RESULTS = ROOT / "results" / "nengo_tests.json"


@pytest.mark.parametrize(
    ("test", "nameless"),
    [
        ("test_scalar[LIF]", "test_scalar"),
        ("test_gain_bias[LIF-True]", "test_gain_bias[True]"),
        ("test_tuning_curves[LIF-1]", "test_tuning_curves[1]"),
        ("test_lif", "test_lif"),
    ],
)
def test_names_are_the_same_for_all_neuron_types(test, nameless):
    assert nengo_tests.nameless(test, "LIF") == nameless
    assert nengo_tests.nameless(test.replace("LIF", "Other"), "Other") == nameless


def test_only_tests_with_a_neuron_type_are_selected():
    dropped = []
    hook = SimpleNamespace(pytest_deselected=lambda items: dropped.extend(items))
    names = {"a": ["plt", "AnyNeuronType"], "b": ["rng"], "c": ["PositiveNeuronType"]}
    items = [SimpleNamespace(name=k, fixturenames=v) for k, v in names.items()]
    items.append(SimpleNamespace(name="doctest"))
    nengo_tests.pytest_collection_modifyitems(SimpleNamespace(hook=hook), items)
    assert [item.name for item in items] == ["a", "c"]
    assert [item.name for item in dropped] == ["b", "doctest"]


def test_a_failure_without_a_reason_breaks_the_claim():
    explanations = nengo_tests.EXPLAINED["AdaptiveSpikingRate"]
    again = {"again": [{"tests": ["test_voja_encoders"], "failed": []}]}
    failures = {"test_voja_encoders": "assert False"}
    known = {"failures": nengo_tests.explain(failures, explanations), **again}
    new = nengo_tests.explain({**failures, "test_new": "assert 1 < 0"}, explanations)
    assert new["test_new"] == {"message": "assert 1 < 0", "reasons": []}
    assert new["test_voja_encoders"]["reasons"] == ["amplitude"]
    still = {"failures": {}, "again": [{"tests": ["a", "b"], "failed": ["a"]}]}
    holds = [
        claim.holds
        for figures in (known, {"failures": new, **again}, still)
        for claim in nengo_tests.claims(dict.fromkeys(nengo_tests.EXPLAINED, figures))[:2]
    ]
    assert holds == [True, True, False, True, True, False]


def test_every_reason_is_used_and_known():
    explanations = [e for found in nengo_tests.EXPLAINED.values() for e in found]
    assert {r for e in explanations for r in e.reasons} == set(nengo_tests.REASONS)
    for found in nengo_tests.EXPLAINED.values():
        tests = [test for explanation in found for test in explanation.tests]
        assert len(tests) == len(set(tests))


@pytest.mark.parametrize("name", nengo_tests.EXPLAINED)
def test_other_neurons_are_of_the_type_and_build(name):
    for explanation in nengo_tests.EXPLAINED[name]:
        if explanation.passes_with is not None:
            neuron = explanation.passes_with()
            assert isinstance(neuron, getattr(nengo_phasor, name))
            with nengo.Network(seed=0) as net:
                nengo.Probe(nengo.Ensemble(5, 1, neuron_type=neuron).neurons)
            with nengo.Simulator(net, progress_bar=False) as sim:
                sim.run_steps(5)


def test_results_and_documentation_agree():
    """Every test that fails has a reason and a row in the table, and there is no other row."""
    figures = json.loads(RESULTS.read_text())["figures"]
    text = (ROOT / "docs" / "nengo_tests.md").read_text()
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `")]
    written = {(row[0].strip(" `"), row[1].strip(" `")): row[2].strip() for row in rows}
    failed = {
        (test, name): ", ".join(failure["reasons"])
        for name in nengo_tests.EXPLAINED
        for test, failure in figures[name]["failures"].items()
    }
    assert written == failed
    for reason, why in nengo_tests.REASONS.items():
        assert f"**{reason}**" in text
        assert why in " ".join(text.split())


def test_lif_of_that_amplitude_is_not_in_hz_either():
    """What the reason "amplitude" says of LIF."""
    for neuron in (nengo.LIF(amplitude=0.0062), nengo_phasor.AdaptiveSpiking()):
        rates = neuron.rates(np.ones(1), *neuron.gain_bias([300.0], [0.0]))
        assert rates.item() == pytest.approx(300 * neuron.amplitude)
