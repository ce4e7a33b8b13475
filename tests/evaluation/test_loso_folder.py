from __future__ import annotations

import json

import pytest

from vmafcast.common.errors import DataError, RequestError
from vmafcast.evaluation.gates import judge_ensemble
from vmafcast.evaluation.loso_folder import read_loso_folder


def put(folder, name, content):
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def test_a_foreign_report_needs_only_a_seed_and_a_mean(tmp_path):
    put(tmp_path, "loso_seed0.json", {"seed": 0, "mean_plcc": 0.9975, "git": "abc", "folds": {"odd": "shape"}})
    read = read_loso_folder(tmp_path)
    assert read.per_seed == {0: 0.9975}
    assert read.bad == ()
    assert read.require_clean() is read


def test_unknown_keys_of_a_foreign_report_are_kept(tmp_path):
    put(tmp_path, "loso_seed0.json", {"seed": 0, "mean_plcc": 0.9, "gpu": "RTX"})
    assert read_loso_folder(tmp_path).figures["loso_seed0.json"].model_extra == {"gpu": "RTX"}


def test_seeds_come_in_order_and_only_reports_are_read(tmp_path):
    for seed in (10, 2, 0):
        put(tmp_path, f"loso_seed{seed}.json", {"seed": seed, "mean_plcc": 0.99})
    put(tmp_path, "HOLD.json", "not a report")
    assert list(read_loso_folder(tmp_path).per_seed) == [0, 2, 10]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "EOF"),
        ('{"seed": 1, "mean_pl', "EOF"),
        ("[1, 2]", "object"),
        ({"seed": 1}, "mean_plcc"),
        ({"mean_plcc": 0.9}, "seed"),
        ({"seed": 1, "mean_plcc": 99.7}, "mean_plcc"),
        ({"seed": 1, "mean_plcc": "high"}, "mean_plcc"),
        ('{"seed": 1, "mean_plcc": NaN}', "mean_plcc"),
        ({"seed": -1, "mean_plcc": 0.9}, "seed"),
    ],
)
def test_bad_files_are_reported_by_name_and_the_rest_is_read(tmp_path, content, why):
    put(tmp_path, "loso_seed0.json", {"seed": 0, "mean_plcc": 0.99})
    put(tmp_path, "loso_seed1.json", content)
    read = read_loso_folder(tmp_path)
    assert read.per_seed == {0: 0.99}
    assert [file.name for file in read.bad] == ["loso_seed1.json"]
    assert why in read.bad[0].reason
    with pytest.raises(DataError, match=r"loso_seed1\.json"):
        read.require_clean()


def test_a_seed_that_is_given_twice_counts_for_neither_file(tmp_path):
    put(tmp_path, "loso_seed0.json", {"seed": 0, "mean_plcc": 0.99})
    put(tmp_path, "loso_seed0_again.json", {"seed": 0, "mean_plcc": 0.5})
    put(tmp_path, "loso_seed1.json", {"seed": 1, "mean_plcc": 0.99})
    read = read_loso_folder(tmp_path)
    assert read.per_seed == {1: 0.99}
    assert [file.name for file in read.bad] == ["loso_seed0.json", "loso_seed0_again.json"]


def test_a_null_mean_reaches_the_gate_and_fails_there(tmp_path):
    put(tmp_path, "loso_seed0.json", {"seed": 0, "mean_plcc": 0.99})
    put(tmp_path, "loso_seed1.json", {"seed": 1, "mean_plcc": None})
    assert judge_ensemble(read_loso_folder(tmp_path).per_seed).verdict == "fail"


def test_an_empty_folder_and_no_folder_are_refused(tmp_path):
    with pytest.raises(RequestError, match="evaluation"):
        read_loso_folder(tmp_path)
    with pytest.raises(RequestError, match="no folder"):
        read_loso_folder(tmp_path / "absent")
