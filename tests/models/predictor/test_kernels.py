"""One kernel for all encoders: chosen by their curves together, and by nothing of a source that is held out."""

from dataclasses import replace

import numpy as np
import pytest

from vmafcast.common.errors import DataError
from vmafcast.models.predictor.heads import curve_scores
from vmafcast.models.predictor.kernels import Kernels, SharedKernels, choose_kernels
from vmafcast.models.predictor.model import train_predictor
from vmafcast.models.predictor.process import LENGTHS, LINEAR_SHARES, choose_shape, fit
from vmafcast.workflows.predictor_rows import read_rows

SWEEPS = 2


@pytest.fixture(scope="module")
def rows(write_predictor_corpus, tmp_path_factory):
    return read_rows((write_predictor_corpus(tmp_path_factory.mktemp("corpus") / "one", hopeless=("libsvtav1",)),))


@pytest.fixture(scope="module")
def encoders(rows):
    return [rows.curves(name) for name in ("libx264", "libx265", "libsvtav1")]


def test_the_choice_is_that_of_all_curves_side_by_side(rows, encoders):
    learn = np.arange(len(rows.names)) % 3 != 0
    chosen = choose_kernels(encoders, rows.sources, learn, SWEEPS)
    scores = [curve_scores(each.coefficients[learn])[2] for encoder in encoders for each in encoder.curves]
    targets = np.concatenate([each.reshape(len(each), -1) for each in scores], axis=1)
    for probed, shape in ((False, chosen.plain), (True, chosen.probed)):
        features, blocks = rows.sources.features(probed=probed)
        assert fit(features[learn], targets, blocks, sweeps=SWEEPS).shape == shape
        assert set(shape.lengths) <= set(LENGTHS)
        assert set(shape.linear) <= set(LINEAR_SHARES)


def test_problems_of_other_sources_count_as_much_as_one_of_all():
    draw = np.random.default_rng(0)
    features = draw.normal(size=(30, 4))
    told = np.column_stack([features[:, 0], features[:, 1] ** 2]) + 0.01 * draw.normal(size=(30, 2))
    noise = draw.normal(size=(20, 1))
    together = choose_shape([(features, told[:, :1], None), (features, told[:, 1:], None)], (2, 2))
    assert together == fit(features, told, (2, 2)).shape
    assert choose_shape([(features, told, None), (features[:20], noise, None)], (2, 2)) != choose_shape(
        [(features[:20], noise, None)], (2, 2)
    )


def test_nothing_of_a_held_out_source_reaches_the_choice(rows, encoders):
    learn = np.arange(len(rows.names)) >= 4
    changed = []
    for encoder in encoders:
        points = tuple(
            replace(each, values=each.values + np.where(learn[each.source], 0.0, 5.0)[:, None])
            for each in encoder.points
        )
        changed.append(replace(encoder, points=points).as_known_to(learn))
    plain, other = (SharedKernels(each, rows.sources, SWEEPS)(learn) for each in (encoders, changed))
    assert plain == other


def test_a_choice_is_made_once_for_the_same_sources(rows, encoders):
    shared = SharedKernels(encoders, rows.sources, SWEEPS)
    everything = np.ones(len(rows.names), dtype=np.bool_)
    first = shared(everything)
    assert shared(everything.copy()) is first
    predictor = train_predictor(encoders[0], rows.sources, everything, first)
    assert predictor.kernels == first
    assert isinstance(train_predictor(encoders[0], rows.sources, everything, sweeps=1).kernels, Kernels)


def test_encoders_with_too_few_curves_are_passed_over(write_predictor_corpus, tmp_path):
    folder = write_predictor_corpus(tmp_path / "few", few=("libsvtav1",))
    rows = read_rows((folder,))
    few = np.zeros(len(rows.names), dtype=np.bool_)
    few[:2] = True
    with pytest.raises(DataError, match="no preset has the 3 sources"):
        choose_kernels([rows.curves("libx264")], rows.sources, few)
    everything = ~np.zeros(len(rows.names), dtype=np.bool_)
    assert rows.kernels(1)(everything) == rows.kernels(1)(everything)
