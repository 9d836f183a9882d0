import numpy as np
import pytest

from nengo_phasor.models.adaptive import data


def between(image, row, column):
    """The value at a place between pixels: their mean, weighted by nearness; zeros outside."""
    total = 0.0
    for i in (int(np.floor(row)), int(np.floor(row)) + 1):
        for j in (int(np.floor(column)), int(np.floor(column)) + 1):
            if 0 <= i < image.shape[0] and 0 <= j < image.shape[1]:
                total = total + image[i, j] * (1 - abs(row - i)) * (1 - abs(column - j))
    return total


@pytest.mark.parametrize("channels", [1, 3])
def test_augmentation_reads_between_pixels(channels):
    """Pixel by pixel, at places turned and zoomed about the middle, shifted, and mirrored."""
    how = data.Augmentation(shift=2.0, angle=30.0, zoom=0.3, flip=True)
    images = np.random.default_rng(1).uniform(size=(5, 11, 9, channels))
    moved = data.augment(images, how, np.random.RandomState(7))
    rng = np.random.RandomState(7)
    angles, zooms = np.deg2rad(rng.uniform(-30, 30, 5)), 1 + rng.uniform(-0.3, 0.3, 5)
    shifts, mirrored = rng.uniform(-2, 2, (2, 5)), rng.uniform(size=5) < 0.5
    assert 0 < mirrored.sum() < 5
    for k in range(5):
        cos, sin = np.cos(angles[k]), np.sin(angles[k])
        for row, column in np.ndindex(11, 9):
            y, x = (row - 5) / zooms[k], (column - 4) / zooms[k]
            down, right = cos * y - sin * x, sin * y + cos * x
            right = -right if mirrored[k] else right
            place = down + 5 + shifts[0, k], right + 4 + shifts[1, k]
            np.testing.assert_allclose(moved[k, row, column], between(images[k], *place), atol=1e-6)


def test_augmentation_of_nothing_and_flip():
    images = np.random.default_rng(0).uniform(size=(40, 5, 6, 2))
    same = data.augment(images, data.Augmentation(), np.random.RandomState(0))
    np.testing.assert_allclose(same, images, atol=1e-12)
    flipped = data.augment(images, data.Augmentation(flip=True), np.random.RandomState(0))
    mirrored = [np.allclose(f, x[:, ::-1]) for f, x in zip(flipped, images, strict=True)]
    kept = [np.allclose(f, x) for f, x in zip(flipped, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 8 < sum(mirrored) < 32


def test_augmentation_by_whole_pixels():
    """Each image is a part of itself with a border of zeros, and all places occur."""
    images = np.random.default_rng(0).uniform(size=(200, 4, 5, 2))
    moved = data.augment(images, data.Augmentation(shift=1), np.random.RandomState(0))
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = set()
    for around, image in zip(padded, moved, strict=True):
        (place,) = [
            (i, j)
            for i, j in np.ndindex(3, 3)
            if np.array_equal(around[i : i + 4, j : j + 5], image)
        ]
        places.add(place)
    assert len(places) == 9


def test_pixels():
    assert data.pixels(np.full((2, 4, 4), 255, np.uint8)).shape == (2, 4, 4, 1)
    assert data.pixels(np.full((2, 4, 4, 3), 51, np.uint8)).max() == np.float32(0.2)
    features = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(data.pixels(features), features)


def test_subset():
    x, y = np.arange(20), np.arange(20) * 2
    some, classes = data.subset(x, y, 7, seed=1)
    assert len(set(some)) == 7
    np.testing.assert_array_equal(classes, 2 * some)
    assert set(some) != set(data.subset(x, y, 7, seed=2)[0])
    everything, _ = data.subset(x, y, None, seed=1)
    assert set(everything) == set(x)
    np.testing.assert_array_equal(everything[:7], some)
