"""The gate over a folder of reports that others wrote."""

from __future__ import annotations

import json

import pytest

from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.evaluation.verdict import read_verdict
from vmafcast.workflows.judge_seeds import judge_seeds

STEADY = {0: 0.99751, 1: 0.99716, 2: 0.99781, 3: 0.99693, 4: 0.99686}


@pytest.fixture
def folder(tmp_path):
    """A function that writes reports with the least that a gate needs."""

    def write(per_seed=STEADY, **extra):
        for seed, plcc in per_seed.items():
            report = {"seed": seed, "mean_plcc": plcc, "whatever": [1, 2]} | extra
            (tmp_path / f"loso_seed{seed}.json").write_text(json.dumps(report))
        return tmp_path

    return write


def test_figures_and_seeds_alone_are_enough(folder):
    verdict = judge_seeds(folder())
    assert verdict.promotes
    assert (verdict.recipe, verdict.onnx_sha256, verdict.corpus.present) == ("not-stated", None, False)
    assert verdict.gate.mean_plcc == pytest.approx(0.997254)
    assert verdict.gate.plcc_spread == pytest.approx(0.00095)
    assert read_verdict(folder()) == verdict


@pytest.mark.parametrize(("plcc", "named"), [(0.9901, "seed 2"), (0.9439, "seed 2"), (1.0, None)])
def test_a_perturbed_seed_holds_and_is_named(folder, plcc, named):
    verdict = judge_seeds(folder(STEADY | {2: plcc}))
    assert verdict.promotes == (named is None)
    if named is not None:
        assert f"{named} is the farthest from the median" in verdict.recommendation
    assert verdict.gate.failing_seeds == ([2] if plcc < 0.95 else [])


def test_a_seed_without_a_correlation_holds_and_is_named(folder):
    verdict = judge_seeds(folder(STEADY | {3: None}))
    assert not verdict.promotes
    assert verdict.gate.failing_seeds == [3]
    assert "seed 3" in verdict.recommendation


def test_a_verdict_takes_the_place_of_the_other_one(folder):
    judge_seeds(folder(STEADY | {2: 0.95}))
    assert (folder() / "HOLD.json").is_file()
    judge_seeds(folder())
    assert (folder() / "PROMOTE.json").is_file()
    assert not (folder() / "HOLD.json").exists()


def test_another_bound_is_recorded(folder):
    verdict = judge_seeds(folder(), {"plcc_spread": 0.0005})
    assert not verdict.promotes
    assert verdict.overrides["plcc_spread"].default == 0.005
    assert verdict.overrides["plcc_spread"].used == 0.0005


def test_what_the_reports_state_of_corpus_and_recipe_is_kept(folder, tmp_path):
    corpus = {"path": "there", "sha256": "a" * 64, "rows": 5640, "source_groups": 9, "more": "of theirs"}
    verdict = judge_seeds(folder(corpus=corpus, recipe={"name": "theirs"}), output=tmp_path / "elsewhere")
    assert (verdict.recipe, verdict.corpus.sha256, verdict.corpus.rows) == ("theirs", "a" * 64, 5640)
    assert read_verdict(tmp_path / "elsewhere") == verdict
    assert not (tmp_path / "PROMOTE.json").exists()


@pytest.mark.parametrize(
    ("extra", "says"),
    [({"corpus": {"sha256": "b" * 64}}, "more than one corpus"), ({"recipe": "another"}, "more than one recipe")],
)
def test_reports_of_different_trainings_are_not_judged_together(folder, extra, says):
    folder(corpus={"sha256": "a" * 64}, recipe="theirs")
    other = {"seed": 4, "mean_plcc": 0.99, "corpus": {"sha256": "a" * 64}, "recipe": "theirs"} | extra
    (folder({}) / "loso_seed4.json").write_text(json.dumps(other))
    with pytest.raises(DataError, match=says):
        judge_seeds(folder({}))
    assert not (folder({}) / "PROMOTE.json").exists()


@pytest.mark.parametrize(
    "content", ["{", '{"seed": 7}', '{"seed": 7, "mean_plcc": 99.7}', '{"seed": 0, "mean_plcc": 1}']
)
def test_a_report_that_cannot_be_used_is_named_and_not_passed_over(folder, content):
    (folder() / "loso_seed7.json").write_text(content)
    with pytest.raises(DataError, match=r"loso_seed7\.json"):
        judge_seeds(folder())


def test_nothing_to_judge(tmp_path):
    with pytest.raises(RequestError, match="holds no loso_seed"):
        judge_seeds(tmp_path)
    with pytest.raises(RequestError, match="is no folder"):
        judge_seeds(tmp_path / "none")


def test_an_ensemble_beside_the_reports_is_checked_first(folder):
    (folder() / "model.json").write_text('{"kind": "fr_ensemble"}')
    with pytest.raises(IntegrityError, match="not a valid manifest"):
        judge_seeds(folder())
    assert not (folder() / "PROMOTE.json").exists()


def test_the_sidecar_of_another_kind_of_model_is_passed_by(folder):
    (folder() / "model.json").write_text('{"kind": "fr"}')
    assert judge_seeds(folder()).promotes
