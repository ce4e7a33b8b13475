"""Pictures whose measures are known."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def landscape():
    """A function that draws a picture of mean 128 and deviation 40."""

    def draw(rows, columns, seed=0):
        """Structure at all sizes alike, as in nature: amplitude falls with frequency."""
        spectrum = np.fft.rfft2(np.random.default_rng(seed).normal(size=(rows, columns)))
        down, across = np.fft.fftfreq(rows)[:, None] * rows, np.fft.rfftfreq(columns)[None, :] * columns
        picture = np.fft.irfft2(spectrum / np.maximum(np.hypot(down, across), 1), s=(rows, columns))
        return (128 + 40 * picture / picture.std()).astype(np.float32)

    return draw
