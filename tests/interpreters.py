"""Scripts in interpreters of their own, for what depends on the order of imports."""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import textwrap

import pytest

from nengo_phasor import compat


def installed(module):
    return importlib.util.find_spec(module) is not None


needs_dl = pytest.mark.skipif(
    not (installed("nengo_dl") and compat.installed_versions()["tensorflow"] >= (2, 16)),
    reason="NengoDL on TensorFlow 2.16 or later is not installed",
)
needs_loihi = pytest.mark.skipif(not installed("nengo_loihi"), reason="needs nengo-loihi")


def run(script):
    """What a script, run in a fresh interpreter, leaves in its dictionary `seen`."""
    script = "seen = {}\n" + textwrap.dedent(script) + "\nimport json\nprint(json.dumps(seen))"
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={**environment, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])
