import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmafcast.common.errors import RequestError
from vmafcast.encoders.catalogue import ENCODERS, get_encoder
from vmafcast.tuning.search import QualitySearch

ENCODER_NAMES = ["libx264", "libsvtav1", "libvvenc", "h264_videotoolbox", "prores_videotoolbox"]


def run(search, curve):
    """Feed a search from a curve until it knows the answer; return the quality values it asked for, in order."""
    asked = []
    while (quality := search.next_quality()) is not None:
        assert quality not in search.measured, "it asked for what it knows"
        search.record(quality, curve(quality))
        asked.append(quality)
    return asked


def falling(encoder, centre, slope):
    """Return a monotone curve over the encoder's scale: a logistic in the place from worst to best."""
    return lambda quality: 100 / (1 + math.exp(-slope * (encoder.quality.norm(quality) - centre)))


curves = st.tuples(st.floats(-0.3, 1.3), st.floats(1, 40))
targets = st.floats(min_value=1, max_value=100)


@given(st.sampled_from(ENCODER_NAMES), curves, targets)
def test_the_answer_is_the_worst_value_that_meets_the_target(name, shape, target):
    encoder = get_encoder(name)
    curve = falling(encoder, *shape)
    search = QualitySearch(encoder, target)
    run(search, curve)
    meeting = [quality for quality in encoder.quality.from_worst_to_best() if curve(quality) >= target]
    assert search.best == (meeting[0] if meeting else None)


@given(st.sampled_from(ENCODER_NAMES), curves, targets)
def test_the_next_worse_value_was_measured_and_fails(name, shape, target):
    encoder = get_encoder(name)
    search = QualitySearch(encoder, target)
    run(search, falling(encoder, *shape))
    if search.outcome == "met":
        assert encoder.quality.worse(search.best) == search.next_worse
        assert search.measured[search.next_worse] < target <= search.measured[search.best]
    elif search.outcome == "met-at-the-end":
        assert encoder.quality.worse(search.best) is None
        assert search.next_worse is None
    else:
        best_of_the_scale = encoder.quality.from_worst_to_best()[-1]
        assert search.best is None
        assert search.measured[best_of_the_scale] < target


@given(st.sampled_from(ENCODER_NAMES), st.lists(st.floats(0, 100), min_size=101, max_size=101), st.floats(1, 100))
def test_a_curve_that_is_not_monotone_still_ends_in_a_measured_pair(name, scores, target):
    encoder = get_encoder(name)
    search = QualitySearch(encoder, target)
    asked = run(search, lambda quality: scores[quality])
    assert len(asked) == len(set(asked))
    if search.best is not None:
        assert search.measured[search.best] >= target
    if search.next_worse is not None:
        assert search.measured[search.next_worse] < target


@given(curves, st.sampled_from([80.0, 90.0, 93.0, 95.0]))
def test_it_never_takes_more_encodes_than_trying_every_value(shape, target):
    encoder = get_encoder("libx264")
    asked = run(QualitySearch(encoder, target), falling(encoder, *shape))
    assert len(asked) <= encoder.quality.maximum - encoder.quality.minimum + 1


def test_plausible_curves_take_few_encodes():
    encoder = get_encoder("libx264")
    counts = [
        len(run(QualitySearch(encoder, target), falling(encoder, centre, slope)))
        for target in (80, 90, 93, 95)
        for centre in (0.15, 0.2, 0.25, 0.3)
        for slope in (7, 9, 11)
    ]
    bisection = math.ceil(math.log2(encoder.quality.maximum - encoder.quality.minimum + 2))
    assert sum(counts) / len(counts) < bisection - 1


@pytest.mark.parametrize("target", [0, -1, 100.5, math.nan])
def test_a_target_that_is_no_vmaf_is_refused(target):
    with pytest.raises(RequestError, match="target"):
        QualitySearch(get_encoder("libx264"), target)


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_a_search_begins_inside_the_scale_for_every_encoder(name):
    encoder = get_encoder(name)
    assert encoder.quality.contains(QualitySearch(encoder, 93).next_quality())
