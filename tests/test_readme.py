import re
from pathlib import Path

import numpy as np
import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_readme_examples_run(capsys):
    """The first says what it prints; the others want data, NengoDL, and the names of the first."""
    names = {}
    exec(BLOCKS[0], names)
    assert "[0.31]" in capsys.readouterr().out
    pytest.importorskip("nengo_dl")
    rng = np.random.default_rng(0)
    names["x"], names["y"] = rng.uniform(-1, 1, (256, 1024)), np.zeros((256, 10))
    names["x_test"] = rng.uniform(-1, 1, (4, 1024))
    exec(BLOCKS[1], names)
    assert names["classes"].shape == (4,)
    names["images"], names["labels"] = rng.random((6, 28, 28, 1)), np.arange(6)
    exec(BLOCKS[2], names)
    assert names["classes"].shape == (6,)
    names["x"] = np.repeat(rng.uniform(-1, 1, (100, 1, 784)), 4, axis=1)
    names["y"], names["nothing"] = np.zeros((100, 4, 10)), np.zeros((100, 1, 1))
    exec(BLOCKS[3], names)
    history = names["trained"].history
    assert history["sigma"] == pytest.approx(1e-4 * np.arange(1, 11))
    (counted,) = (v for k, v in history.items() if k.endswith("spikes"))
    assert counted[0] > 0
