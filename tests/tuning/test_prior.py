import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.encoders.catalogue import ENCODERS
from vmafcast.tuning.prior import PriorCurve, logit, prior_curve, score


@given(st.floats(0.1, 99.9))
def test_score_is_the_inverse_of_logit(vmaf):
    assert score(logit(vmaf)) == pytest.approx(vmaf)


@pytest.mark.parametrize("vmaf", [0.0, 100.0])
def test_the_ends_have_a_finite_logit(vmaf):
    assert abs(logit(vmaf)) < 10


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_every_encoder_has_a_prior_that_rises_with_quality(name):
    encoder = ENCODERS[name]
    curve = prior_curve(encoder)
    scores = [curve.at(quality) for quality in encoder.quality.from_worst_to_best()]
    assert scores == sorted(scores)
    assert scores[0] < scores[-1]


def test_a_curve_is_straight_between_its_points_and_goes_on_as_it_ends():
    curve = PriorCurve(qualities=(10.0, 20.0, 40.0), log_odds=(3.0, 2.0, -2.0))
    assert curve.at(15) == pytest.approx(2.5)
    assert curve.at(30) == pytest.approx(0.0)
    assert curve.at(0) == pytest.approx(4.0)
    assert curve.at(50) == pytest.approx(-4.0)
