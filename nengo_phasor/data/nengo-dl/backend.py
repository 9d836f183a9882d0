"""The build backend (PEP 517) of this folder, which has pip build NengoDL."""

import subprocess
import sys
from pathlib import Path

RELEASE = "nengo-dl==3.6.0"
"""The last release of NengoDL."""


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Build NengoDL's wheel and return its file name."""
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    subprocess.run([*pip, "--wheel-dir", wheel_directory, RELEASE], check=True)
    (wheel,) = Path(wheel_directory).glob("nengo_dl-*.whl")
    return wheel.name
