"""Run NengoDL's and nengo-loihi's own installed tests on top of nengo_phasor.

Each test file runs in its own process, which imports nengo_phasor before the backend. The numbers
of passed, failed and skipped tests, and every failure, go to a JSON file. The exit status is 1 if
more tests fail than `SUITES` allows.

This file is also the pytest plugin of those processes: the options and the set-up that the
backends keep in a conftest.py outside their packages.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nengo
import pytest

import nengo_phasor  # before any backend
from nengo_phasor import results

OUTPUT = Path(__file__).resolve().parents[1] / "results" / "backend_tests.json"


def oscillator(recurrent_tau: float, frequency: float, n_neurons: int) -> nengo.Network:
    """Build a harmonic oscillator, which NengoDL's test_simulator needs and Nengo 4 has dropped."""
    angle = recurrent_tau * frequency
    with nengo.Network() as network:
        ensemble = nengo.Ensemble(n_neurons, dimensions=2)
        rotation = [[1, -angle], [angle, 1]]
        nengo.Connection(ensemble, ensemble, synapse=recurrent_tau, transform=rotation)
    return network


def prepare_nengo_dl() -> None:
    """Complete what NengoDL's tests expect of Nengo 3, and import NengoDL."""
    import nengo_dl  # noqa: F401

    if not hasattr(nengo.networks, "Oscillator"):
        nengo.networks.Oscillator = oscillator


def prepare_nengo_loihi() -> None:
    """Check every emulated operation and every built model, as nengo-loihi's tests expect."""
    import nengo_loihi
    from nengo_loihi.builder.builder import Model, ValidationLevel
    from nengo_loihi.emulator import EmulatorInterface

    nengo_loihi.set_defaults()
    EmulatorInterface.strict = True
    Model.default_validation_level = ValidationLevel.FULL


@dataclass(frozen=True)
class Suite:
    """The test files of a backend, and the number of their tests that may fail."""

    prepare: Callable[[], None]
    files: tuple[str, ...]
    may_fail: int


SUITES = {
    "nengo_dl": Suite(
        prepare=prepare_nengo_dl,
        files=(
            "tests/test_neurons.py",
            "tests/test_simulator.py",
            "tests/test_config.py",
            "tests/test_converter.py",
            "tests/test_processes.py",
            "tests/test_transforms.py",
            "tests/test_tensor_node.py",
            "tests/test_learning_rules.py",
            "tests/test_builder.py",
        ),
        may_fail=3,  # two without TensorBoard; one misses a tolerance by 6e-8 on some machines
    ),
    "nengo_loihi": Suite(
        prepare=prepare_nengo_loihi,
        files=(
            "emulator/tests/test_interface.py",
            "builder/tests/test_builder.py",
            "builder/tests/test_connection.py",
            "builder/tests/test_discretize.py",
            "builder/tests/test_inputs.py",
            "builder/tests/test_sparse_matrix.py",
            "builder/tests/test_split_blocks.py",
            "builder/tests/test_validate.py",
            "tests/test_block.py",
            "tests/test_neurons.py",
            "tests/test_simulator.py",
        ),
        may_fail=0,
    ),
}

# ---------------------------------------------------------------------------------- the plugin

OPTIONS = {
    "--dtype": "float32",
    "--unroll-simulation": 1,
    "--device": None,
    "--inference-only": False,
    "--target": "sim",
}
"""Command line options that the backends' tests need, with the backends' own defaults."""

SKIPPED_MARKS = {
    "gpu": "needs a GPU",
    "performance": "compares speeds with those of NengoDL's own benchmark machine",
    "target_loihi": "needs Loihi hardware",
}


def pytest_addoption(parser):
    parser.addoption("--suite", choices=tuple(SUITES))
    for name, default in OPTIONS.items():
        parser.addoption(name, default=default)


def pytest_configure(config):
    SUITES[config.getoption("--suite")].prepare()


def pytest_collection_modifyitems(items):
    for item in items:
        for mark, reason in SKIPPED_MARKS.items():
            if mark in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_runtest_setup(item):
    if item.config.getoption("--suite") == "nengo_dl":
        sys.modules["tensorflow"].keras.backend.clear_session()


# ---------------------------------------------------------------------------------- the script


def run_file(package: str, file: str) -> dict:
    """Run one installed test file; return counts, failures and the seconds it took."""
    site = Path(importlib.util.find_spec(package).origin).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # decoders that other versions of NumPy have cached cannot be read
        (Path(folder) / "nengorc").write_text(f"[decoder_cache]\npath = {folder}/decoders\n")
        command = [
            *(sys.executable, "-m", "pytest", str(site / package / file)),
            *("-p", Path(__file__).stem, "--suite", package, f"--junitxml={report}"),
            # pytest-rng's seeds come from the tests' names relative to the root
            *("-c", os.devnull, f"--rootdir={site}", "-p", "no:cacheprovider"),
            *("-o", "xfail_strict=true", "-o", f"nengo_simloader={package}.tests.make_test_sim"),
            # NengoDL's tests say pytest.warns(None), an error from pytest 8 on unless ignored
            *("-q", "--disable-warnings", "-W", "ignore::pytest.PytestRemovedIn8Warning"),
        ]
        modules = (__file__, nengo_phasor.__path__[0])
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(Path(path).resolve().parent) for path in modules),
            "MPLBACKEND": "Agg",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        start = time.perf_counter()
        process = subprocess.run(
            command, env=environment, cwd=folder, capture_output=True, text=True, check=False
        )
        seconds = time.perf_counter() - start
        if not report.exists():
            last = (process.stderr or process.stdout).splitlines()[-1:]
            figure = {"passed": 0, "failed": 1, "skipped": 0, "failures": {"(all)": "".join(last)}}
        else:
            figure = count(ElementTree.parse(report).iter("testcase"))
        return {**figure, "seconds": round(seconds, 1)}


def count(cases) -> dict:
    """Return the numbers of passed, failed and skipped tests in a JUnit report, with failures."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    failures = {}
    for case in cases:
        failure = case.find("failure") if case.find("failure") is not None else case.find("error")
        if failure is not None:
            counts["failed"] += 1
            failures[case.get("name")] = failure.get("message").splitlines()[0][:200]
        elif case.find("skipped") is not None:
            counts["skipped"] += 1
        else:
            counts["passed"] += 1
    return {**counts, "failures": failures}


def table(figures: dict[str, dict]) -> str:
    """Return the figures as a table with one row per file, followed by the failures."""
    width = max(map(len, figures))
    columns = ("passed", "failed", "skipped", "seconds")
    lines = [" ".join([f"{'file':{width}}", *(f"{column:>8}" for column in columns)])]
    for file, figure in figures.items():
        lines.append(" ".join([f"{file:{width}}", *(f"{figure[c]:>8}" for c in columns)]))
    for file, figure in figures.items():
        lines += [f"FAILED {file}::{name}: {why}" for name, why in figure["failures"].items()]
    return "\n".join(lines)


def claims(figures: dict[str, dict]) -> list[results.Claim]:
    """Return the claims about each suite that ran in full."""
    return [
        results.Claim(
            name=f"{package}: failures in its own test suite",
            value=sum(figures[f"{package}/{file}"]["failed"] for file in suite.files),
            unit="tests",
            bound=f"<= {suite.may_fail}",
        )
        for package, suite in SUITES.items()
        if all(f"{package}/{file}" in figures for file in suite.files)
    ]


def main() -> int:
    """Run the requested files; print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="only run files whose names contain this")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the JSON file to write")
    arguments = parser.parse_args()

    figures = {}
    for package, suite in SUITES.items():
        for file in (file for file in suite.files if arguments.only in f"{package}/{file}"):
            figures[f"{package}/{file}"] = figure = run_file(package, file)
            print(
                f"{package}/{file}: {figure['passed']} passed, {figure['failed']} failed, "
                f"{figure['skipped']} skipped in {figure['seconds']} s",
                flush=True,
            )
    if not figures:
        parser.error(f"no test file's name contains {arguments.only!r}")
    print("", table(figures), sep="\n")

    claimed = claims(figures)
    settings = {"only": arguments.only, "plugin options": OPTIONS, "seeds": "from the tests' names"}
    results.write(arguments.output, results.report(settings, [], figures, claimed))
    print(f"\nwritten: {os.path.relpath(arguments.output)}")
    return int(not all(claim.holds for claim in claimed))


if __name__ == "__main__":
    sys.exit(main())
