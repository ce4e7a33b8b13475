from __future__ import annotations

import json

import pytest

from vmafcast.common.errors import RequestError
from vmafcast.evaluation.gates import judge_fr_v1, judge_fr_v3
from vmafcast.evaluation.loso_folder import LosoFigures, read_loso_folder
from vmafcast.evaluation.loso_scores import fr_scores


def fold(name, plcc=0.97, rmse=4.0, **extra):
    return {"held_out": name, "n_train": 10, "n_val": 2, "plcc": plcc, "srocc": 0.9, "rmse": rmse, **extra}


def report(seed=0, mean_plcc=0.978, folds=("Tennis", "FoxBird"), **extra):
    stated = [fold(each) if isinstance(each, str) else each for each in folds]
    return LosoFigures.model_validate({"seed": seed, "mean_plcc": mean_plcc, "folds": stated, **extra})


def test_figures_are_taken_from_the_folds():
    scores = fr_scores([report(blind_mean_plcc=0.948, folds=[fold("Tennis", blind_plcc=0.94), fold("FoxBird")])])
    assert (scores.mean_plcc, scores.blind_mean_plcc) == (0.978, 0.948)
    assert scores.blind_per_source_plcc == {"FoxBird": None, "Tennis": 0.94}
    assert scores.per_source_plcc == {"FoxBird": 0.97, "Tennis": 0.97}
    assert scores.per_source_rmse == {"FoxBird": 4.0, "Tennis": 4.0}
    assert judge_fr_v3(scores, None).verdict == "pass"


def test_several_seeds_are_averaged_by_source():
    seeds = [
        report(0, 0.96, [fold("Tennis", 0.9, 4.0)], blind_mean_plcc=0.94),
        report(1, 0.98, [fold("Tennis", 0.94, 6.0)], blind_mean_plcc=0.95),
    ]
    scores = fr_scores(seeds)
    assert (scores.mean_plcc, scores.blind_mean_plcc) == (0.97, 0.945)
    assert (scores.per_source_plcc, scores.per_source_rmse) == ({"Tennis": 0.92}, {"Tennis": 5.0})


@pytest.mark.parametrize(
    "other",
    [
        report(1, None, [fold("Tennis", None)]),
        report(1, 0.99, []),
        report(1, 0.99, [fold("FoxBird")]),
    ],
)
def test_one_seed_without_a_figure_leaves_no_mean_over_the_others(other):
    scores = fr_scores([report(0, folds=["Tennis"]), other])
    assert scores.per_source_plcc["Tennis"] is None
    assert "per_source_plcc" in judge_fr_v3(scores, None).failing
    assert judge_fr_v1(scores).verdict == "fail"


def test_a_blind_figure_that_one_seed_lacks_is_no_blind_figure():
    assert fr_scores([report(0, blind_mean_plcc=0.9), report(1)]).blind_mean_plcc is None


@pytest.mark.parametrize(
    "folds",
    ["nine", {"Tennis": 0.9}, [{"source": "Tennis", "plcc": 0.9}], [fold("Tennis"), fold("Tennis")], None],
)
def test_folds_of_another_form_give_no_figures_by_source_and_never_a_pass_by_source(folds):
    figures = LosoFigures.model_validate({"seed": 0, "mean_plcc": 0.99, "blind_mean_plcc": 0.9, "folds": folds})
    scores = fr_scores([figures])
    assert scores.per_source_plcc == {}
    assert judge_fr_v1(scores).verdict == "pass"
    assert judge_fr_v3(scores, None).failing == ("per_source_plcc",)


def test_no_report_is_refused():
    with pytest.raises(RequestError, match="no leave-one-source-out report"):
        fr_scores([])


def test_from_a_folder_to_scores(tmp_path):
    for seed in (0, 1):
        content = {"seed": seed, "mean_plcc": 0.97, "folds": [fold("Tennis")], "recipe": {"name": "x"}}
        (tmp_path / f"loso_seed{seed}.json").write_text(json.dumps(content))
    folder = read_loso_folder(tmp_path).require_clean()
    assert fr_scores(list(folder.figures.values())).per_source_rmse == {"Tennis": 4.0}
