"""Scales of scores and bitrates."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vmafcast.models.predictor.scale import bits_per_pixel, from_logit, to_logit

SCORES = st.floats(0, 100)


@settings(deadline=None, max_examples=50)
@given(score=SCORES)
def test_the_logit_is_undone(score):
    np.testing.assert_allclose(from_logit(to_logit(score)), score, atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(one=SCORES, other=SCORES)
def test_order_is_kept(one, other):
    low, high = sorted((one, other))
    assert to_logit(low) <= to_logit(high)


def test_the_ends_of_the_range_are_finite_and_what_lies_beyond_is_held():
    ends = to_logit([0.0, 100.0])
    assert np.isfinite(ends).all()
    np.testing.assert_array_equal(to_logit([-5.0, 130.0]), ends)
    np.testing.assert_array_equal(from_logit([-1e9, 1e9]), [0.0, 100.0])


def test_bits_per_pixel_of_a_known_stream():
    assert bits_per_pixel(1000.0, 1000, 100.0) == 10.0
