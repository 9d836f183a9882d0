"""Run Nengo's own installed tests on the adaptive neurons, and on LIF for comparison.

Only those of Nengo's tests run that take the neuron type as a parameter. Each test that fails with
ours and passes with LIF needs a reason in `EXPLAINED`. If it has one, the test is repeated
with neurons to which the reason does not apply, and must pass. The results go to a JSON file. The
exit status is 1 if a test fails without a reason, or fails again.

This file is also the pytest plugin of the tests' processes: it selects the tests, and defines those
other neurons.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

from backend_tests import count

import nengo_phasor
from nengo_phasor import AdaptiveSpiking, AdaptiveSpikingRate, results

OUTPUT = Path(__file__).resolve().parents[1] / "results" / "nengo_tests.json"

REFERENCE = "nengo.LIF"
FIXTURES = {"AnyNeuronType", "NonDirectNeuronType", "PositiveNeuronType"}
"""The names of the tests' parameter for the neuron type."""

# ---------------------------------------------------------------------------- reasons


class SlowSpiking(AdaptiveSpiking):
    """Neurons whose membrane lag compensates the spikes' lead: tau_phi = tau_eta."""

    def __init__(self, **settings):
        super().__init__(tau_phi=0.05, **settings)


class UnitSpiking(AdaptiveSpiking):
    """Neurons with spikes of amplitude 1, like LIF's."""

    def __init__(self):
        super().__init__(amplitude=1.0)


class SlowUnitSpiking(SlowSpiking):
    """Both."""

    def __init__(self):
        super().__init__(amplitude=1.0)


class UnitRate(AdaptiveSpikingRate):
    """Neurons whose outputs are firing rates in Hz, like LIFRate's."""

    def __init__(self):
        super().__init__(amplitude=1.0)


REASONS = {
    "no lag": (
        "The spikes encode about S + tau_eta dS/dt, so that Lowpass(tau_eta) returns S without a "
        "lag. The shorter filter of the test amplifies changes and noise, and there is no delay as "
        "the test expects."
    ),
    "one spike a step": (
        "The test's input, at 10 Hz, changes so fast that the neurons fire up to 6 times in 1 ms "
        "with steps of 0.1 ms. With steps of 1 ms they fire at most once, and cannot follow."
    ),
    "amplitude": (
        "The outputs are in units of f(1) = 1, with spikes of amplitude 0.0062, but the test reads "
        "them as firing rates in Hz. LIF(amplitude=0.0062) fails as well."
    ),
    "half a spike": (
        "By equation (11), the transfer function is h/2, not 0, at the activation theta_0/2 where "
        "firing begins, but the test requires rates of 0 up to the intercept."
    ),
}


class Explanation(NamedTuple):
    """The reason why some tests fail, and the neurons with which they pass, if there are any."""

    reasons: tuple[str, ...]
    tests: tuple[str, ...]
    passes_with: type | None = None


EXPLAINED = {
    "AdaptiveSpiking": (
        Explanation(
            ("no lag",),
            (
                "test_node_to_ensemble",
                "test_weights",
                "test_slicing",
                "test_scalar",
                "test_vector",
                "test_product",
            ),
            SlowSpiking,
        ),
        Explanation(("one spike a step",), ("test_dt_dependence",), SlowSpiking),
        Explanation(
            ("amplitude",),
            ("test_voja_encoders", "test_gain_bias[True]", "test_gain_bias[False]"),
            UnitSpiking,
        ),
        Explanation(("no lag", "amplitude"), ("test_pes_ens_ens",), SlowUnitSpiking),
    ),
    "AdaptiveSpikingRate": (
        Explanation(
            ("amplitude",),
            ("test_pes_ens_ens", "test_voja_encoders", "test_gain_bias[True]"),
            UnitRate,
        ),
        Explanation(("amplitude", "half a spike"), ("test_gain_bias[False]",)),
    ),
}

# ------------------------------------------------------------------------- the plugin


def pytest_collection_modifyitems(config, items):
    ours = [item for item in items if FIXTURES & set(getattr(item, "fixturenames", ()))]
    config.hook.pytest_deselected(items=[item for item in items if item not in ours])
    items[:] = ours


# ------------------------------------------------------------------------- the script


def run(neuron_type: str, tests: tuple[str, ...] = ()) -> dict:
    """Run Nengo's tests on a neuron type, given by its dotted name; return counts and failures.

    All tests run, or only those in ``names``, which do not include the neuron type.
    """
    site = Path(importlib.util.find_spec("nengo").origin).parents[1]
    name = neuron_type.rsplit(".", 1)[1]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # decoders that other versions of NumPy have cached cannot be read
        (Path(folder) / "nengorc").write_text(f"[decoder_cache]\npath = {folder}/decoders\n")
        command = [
            *(sys.executable, "-m", "pytest", str(site / "nengo"), "--slow"),
            *("-p", Path(__file__).stem, f"--junitxml={report}"),
            # the tests' seeds come from their names relative to the root
            *("-c", os.devnull, f"--rootdir={site}", "-p", "no:cacheprovider"),
            *("-o", f"nengo_neurons={neuron_type}", "-q", "--disable-warnings"),
            *("-k", " or ".join(sorted({test.split("[")[0] for test in tests}))),
        ]
        modules = (__file__, nengo_phasor.__path__[0])
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(Path(path).resolve().parent) for path in modules),
            "MPLBACKEND": "Agg",
        }
        start = time.perf_counter()
        process = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
        if not cases:
            raise RuntimeError(f"pytest ran no test on {neuron_type}: {process.stdout[-2000:]}")
        figure = count(cases)
    failures = {nameless(test, name): why for test, why in figure["failures"].items()}
    seconds = round(time.perf_counter() - start, 1)
    return {**figure, "failures": failures, "seconds": seconds}


def nameless(test: str, neuron_type: str) -> str:
    """Return a test's name without the neuron type among its parameters."""
    function, _, parameters = test.partition("[")
    rest = [p for p in parameters.rstrip("]").split("-") if p != neuron_type]
    return f"{function}[{'-'.join(rest)}]" if rest and rest != [""] else function


def explain(failures: dict[str, str], explanations: tuple[Explanation, ...]) -> dict[str, dict]:
    """Return the message of each failure, and the reason if there is one."""
    of_test = {test: explanation for explanation in explanations for test in explanation.tests}
    return {
        test: {"message": why, "reasons": list(of_test[test].reasons) if test in of_test else []}
        for test, why in failures.items()
    }


def measure(name: str, failing: set[str]) -> dict:
    """Run the tests on one of our types; ``failing`` ones fail with LIF too and do not count."""
    figure = run(f"nengo_phasor.{name}")
    failures = {test: why for test, why in figure["failures"].items() if test not in failing}
    figure["failures"] = explain(failures, EXPLAINED[name])
    figure["again"] = []
    for explanation in EXPLAINED[name]:
        if explanation.passes_with is not None:
            other = explanation.passes_with.__name__
            again = run(f"{Path(__file__).stem}.{other}", explanation.tests)
            still = [test for test in again["failures"] if test in explanation.tests]
            tried = {"neurons": other, "tests": list(explanation.tests), "failed": still}
            figure["again"].append(tried)
    return figure


def claims(figures: dict[str, dict]) -> list[results.Claim]:
    """Return the claims about each of our neuron types."""
    found = []
    for name in EXPLAINED:
        unexplained = [x for x in figures[name]["failures"].values() if not x["reasons"]]
        again = [test for tried in figures[name]["again"] for test in tried["failed"]]
        titles = {
            "failures of Nengo's tests that LIF passes, without a documented reason": unexplained,
            "failures of Nengo's tests where the documented reason does not apply": again,
        }
        found += [
            results.Claim(f"{name}: {title}", len(tests), "tests", "<= 0")
            for title, tests in titles.items()
        ]
    return found


def main() -> int:
    """Run the tests on LIF and on our types; print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the JSON file to write")
    arguments = parser.parse_args()
    figures = {"LIF": run(REFERENCE)}
    figures |= {name: measure(name, set(figures["LIF"]["failures"])) for name in EXPLAINED}
    for name, figure in figures.items():
        print(f"{name}: {figure['passed']} passed, {figure['failed']} failed", flush=True)
    claimed = claims(figures)
    for claim in claimed:
        print(f"{'holds' if claim.holds else 'FAILS'}  {claim.name}: {claim.value}")
    settings = {"tests": "those with a neuron type, including slow ones", "reasons": REASONS}
    results.write(arguments.output, results.report(settings, [], figures, claimed))
    print(f"written: {os.path.relpath(arguments.output)}")
    return int(not all(claim.holds for claim in claimed))


if __name__ == "__main__":
    sys.exit(main())
