"""Shared parts of the benchmarks: timing in turn, peak memory, the command line, results."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from nengo_phasor import results

RESULTS = Path(__file__).resolve().parents[1] / "results"

Seconds = dict[str, list[float]]

SETTLE = 0.2
"""The pause before each call in seconds. The threads of a linear algebra library spin for a while
after their work, on the processors on which the next function is measured."""


def interleaved(functions: Mapping[str, Callable[[], Any]], repeats: int) -> Seconds:
    """Time functions in turn, so that other work on the machine slows all of them alike.

    Each function is first called once untimed, to fill caches and to let TensorFlow compile.
    """
    seconds: Seconds = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(repeats):
        for name, function in functions.items():
            time.sleep(SETTLE)
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def times_as_fast(seconds: Seconds, name: str, than: str) -> float:
    """Return the speed of one function relative to another: the median over the turns."""
    return median(b / a for a, b in zip(seconds[name], seconds[than], strict=True))


def timing(seconds: Seconds, items: int, reference: str) -> dict[str, Any]:
    """Return the figures of functions that process ``items`` items (images, steps) per call."""
    return {
        "seconds": seconds,
        "items_per_second": {name: items / median(times) for name, times in seconds.items()},
        "times_as_fast": {name: times_as_fast(seconds, name, reference) for name in seconds},
        "than": reference,
    }


def peak_memory() -> float:
    """Return the peak resident memory of this process, in GB (2**30 bytes)."""
    # not resource.getrusage, with which a process starts at the peak of its parent
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 2**20
    raise OSError("this system does not report a process' peak memory")


def peak_memory_of(script: str, *arguments: str) -> float:
    """Run a script in a separate process; return the peak memory that it prints last, in GB."""
    command = [sys.executable, script, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def parser(description: str, name: str) -> argparse.ArgumentParser:
    """Return the argument parser of all benchmarks."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument(
        "--output",
        type=Path,
        default=RESULTS / f"benchmark_{name}.json",
        help="file for the results (default: %(default)s)",
    )
    result.add_argument("--repeats", type=int, default=7, help="turns (default: %(default)s)")
    result.add_argument(
        "--tiny", action="store_true", help="run a small problem for a few seconds, as a test"
    )
    return result


def finish(
    arguments: argparse.Namespace,
    settings: Mapping[str, Any],
    seeds: Sequence[int],
    figures: Mapping[str, Any],
    claims: Sequence[results.Claim],
) -> int:
    """Write and print the results; return the exit status, 1 if a target is missed.

    A tiny run says nothing about targets, so its exit status is 0.
    """
    settings = {"tiny": arguments.tiny, "repeats": arguments.repeats, **settings}
    results.write(arguments.output, results.report(settings, seeds, figures, claims))
    for claim in claims:
        verdict = "tiny: shows nothing" if arguments.tiny else "holds" if claim.holds else "MISSED"
        print(f"{claim.name}: {claim.value:.3g} {claim.unit} ({claim.bound}: {verdict})")
    print(f"written to {arguments.output}")
    return 0 if arguments.tiny or all(claim.holds for claim in claims) else 1
