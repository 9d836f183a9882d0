import pytest

from nengo_phasor.models.adaptive import claims


def test_claims():
    point = {"accuracy": 0.98, "firing_rate": 20.0, "matching_time": 0.2}
    found = {
        "analog": {"accuracy": 0.99},
        "precise": point,
        "sparse": {**point, "accuracy": 0.97},
        "aroused": {**point, "accuracy": 0.9775, "firing_rate": 10.0},
    }
    bounds = dict.fromkeys(claims.CLAIMS, ("<= 1", "paper"))
    values = {c.name.split(": ")[1]: c.value for c in claims.claims(found, "net", bounds)}
    assert values == pytest.approx(
        {
            "analog accuracy": 0.99,
            "accuracy lost in the conversion to spikes": 1.0,
            "accuracy difference between spiking and analog network": 1.0,
            "firing rate": 20.0,
            "matching time": 0.2,
            "accuracy at a low firing rate": 0.97,
            "accuracy lost at a low firing rate": 2.0,
            "low firing rate": 20.0,
            "accuracy lost with arousal": 0.25,
            "firing rate with arousal, relative to without": 0.5,
        }
    )
