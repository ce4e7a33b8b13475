from __future__ import annotations

import pytest

from vmafcast.evaluation.comparison import compare_with_previous
from vmafcast.evaluation.loso_report import CorpusFacts, FoldScore, LosoReport
from vmafcast.evaluation.published import published_figures
from vmafcast.evaluation.target_facts import TargetFacts
from vmafcast.models.recipe import get_recipe


def report(name="fr_regressor_v1", sha256="a" * 64, sroccs=(0.99, 0.7), mean_rmse=1.0):
    folds = tuple(
        FoldScore(held_out=f"g{number}", n_train=10, n_val=5, plcc=0.99, srocc=srocc, rmse=mean_rmse, mae=0.5)
        for number, srocc in enumerate(sroccs)
    )
    recipe = get_recipe(name)
    return LosoReport(
        seed=0, corpus=CorpusFacts(path="c", sha256=sha256, rows=10, source_groups=2), n_folds=2, folds=folds,
        mean_plcc=0.99, std_plcc=0.001, min_plcc=0.98, max_plcc=0.995, mean_srocc=0.85, mean_rmse=mean_rmse,
        in_sample_plcc=0.999, epochs=1, batch_size=1, lr=1.0, weight_decay=0.0, num_codecs=0,
        encoder_vocab_version=None, wall_time_s=1.0, recipe=recipe, run_provenance=None,
    )  # fmt: skip


def targets():
    return tuple(
        TargetFacts(
            held_out=f"g{number}", rows=5, target_min=50, target_max=100, ceiling_share=share, tied_share=share,
            srocc_below_ceiling=0.99,
        )
        for number, share in enumerate((0.0, 0.6))
    )  # fmt: skip


def test_without_a_champion_the_latest_publication_is_the_previous():
    found = compare_with_previous(report(), targets(), None)
    assert found.previous.origin == "published: refresh of 2026-05-20"
    figures = found.previous
    assert (figures.mean_plcc, figures.std_plcc, figures.mean_srocc) == (0.9982, 0.0014, 0.9567)
    assert (figures.mean_rmse, figures.in_sample_plcc, figures.rows) == (2.194, 0.9993, 11190)
    assert (found.new.mean_rmse, found.new.in_sample_plcc) == (1.0, 0.999)
    assert not found.same_corpus


def test_a_champion_goes_before_what_was_published():
    found = compare_with_previous(report(), targets(), ("v1-abc", report(mean_rmse=2.0)))
    assert (found.previous.origin, found.previous.mean_rmse) == ("champion v1-abc", 2.0)
    assert found.same_corpus
    assert not compare_with_previous(report(), targets(), ("v1-abc", report(sha256="b" * 64))).same_corpus
    assert not compare_with_previous(report(sha256=None), targets(), ("v1", report(sha256=None))).same_corpus


def test_groups_that_rank_badly_are_named_with_the_reason():
    [low] = compare_with_previous(report(), targets(), None).low_ranks
    assert (low.held_out, low.srocc) == ("g1", 0.7)
    assert "60% of its frames are at the ceiling" in low.reason


def test_of_a_recipe_that_nobody_published_there_is_no_previous():
    assert compare_with_previous(report("fr_regressor_v4"), targets(), None).previous is None


@pytest.mark.parametrize(
    ("name", "count", "mean_plcc"),
    [
        ("fr_regressor_v1", 2, 0.9982),
        ("fr_regressor_v1_reference", 2, 0.9982),
        ("fr_regressor_v2", 2, 0.99725),
        ("fr_regressor_v3", 1, 0.9975),
        ("fr_regressor_lite", 1, 0.996),
    ],
)
def test_what_was_published(name, count, mean_plcc):
    figures = published_figures(name)
    assert len(figures) == count
    assert figures[-1].mean_plcc == mean_plcc
    assert all(each.scope for each in figures)
