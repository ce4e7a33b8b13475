"""Intervals about what an ensemble predicts: whose they are, how wide, and when nothing is guaranteed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import polars as pl
import pytest

from vmafcast.common.errors import IntegrityError, RequestError
from vmafcast.models.loading import load_model
from vmafcast.registry.store import Registry
from vmafcast.workflows.calibration import stored_calibration
from vmafcast.workflows.confidence import clip_confidence, load_ensemble_champion
from vmafcast.workflows.predict import EncodeFacts, predict_clip
from vmafcast.workflows.rows import corpus_rows


@pytest.fixture(scope="module")
def model(ensembled):
    return load_model(ensembled.folder / "model.onnx")


@pytest.fixture(scope="module")
def prediction(model, store, tiny):
    """What the ensemble says of one encode of its own corpus."""
    rows = corpus_rows(store, tiny)
    one = rows.take((rows.sources == rows.sources[0]) & (rows.encoders == "libx264") & (rows.crf_norm < 0.3))
    assert len(one) == 9
    return model.predict(one.features, one.encoders, one.preset_norm, one.crf_norm)


def half_width(table, members, unit, level):
    """The threshold of the rule by its definition: weights 1/((K + 1) N_k), and 1/(K + 1) at infinity."""
    units = table.with_columns(said=pl.mean_horizontal(members)).group_by("source_group", *unit).agg(
        miss=(pl.col("said").mean() - pl.col("vmaf").mean()).abs()
    )  # fmt: skip
    groups = units["source_group"].n_unique()
    weighed = sorted(
        (miss, Fraction(1, (groups + 1) * of_group.height))
        for _, of_group in units.group_by("source_group")
        for miss in of_group["miss"]
    )
    mass = Fraction(0)
    for miss, weight in weighed:
        mass += weight
        if mass >= level:
            return miss
    return None


@pytest.mark.parametrize("encoder", ["libx264", None])
def test_the_intervals_are_those_of_the_held_out_predictions(model, prediction, ensembled, encoder):
    sure = clip_confidence(model, prediction, "0.5", encoder)
    table = pl.read_parquet(ensembled.folder / "held_out" / "predictions.parquet")
    if encoder is not None:
        table = table.filter(pl.col("encoder") == encoder)
    members = [f"{'seed' if encoder else 'untold_seed'}{seed}" for seed in (0, 3, 1)]
    for interval, unit in ((sure.clip, ["cell"]), (sure.frames[4], ["cell", "frame_index"])):
        half = half_width(table, members, unit, Fraction(1, 2))
        assert interval.lower == pytest.approx(max(interval.mean - half, 0), abs=1e-4)
        assert interval.upper == pytest.approx(min(interval.mean + half, 100), abs=1e-4)
        assert (interval.level, interval.groups, interval.cell) == (Fraction(1, 2), 2, encoder or "all")
        assert not interval.outside_training
    assert (sure.clip.rule, sure.frames[0].rule) == ("hcp-clip", "hcp-frame")
    assert sure.clip.mean == pytest.approx(float(prediction.vmaf.mean()), abs=1e-4)
    assert [frame.mean for frame in sure.frames] == pytest.approx(prediction.vmaf.tolist(), abs=1e-4)
    assert sure.notes == ()


def test_intervals_may_follow_the_spread_of_the_members(run_ensemble, store, tiny, tmp_path):
    made = run_ensemble(tmp_path / "candidate", score="normalised")
    found = stored_calibration(made.manifest.confidence, "hcp-clip")
    assert (found.score, found.floor > 0) == ("normalised", True)
    rows = corpus_rows(store, tiny)
    one = rows.take((rows.sources == rows.sources[0]) & (rows.encoders == "libx264") & (rows.crf_norm < 0.3))
    model = load_model(tmp_path / "candidate" / "model.onnx")
    prediction = model.predict(one.features, one.encoders, one.preset_norm, one.crf_norm)
    sure = clip_confidence(model, prediction, "0.5", "libx264")
    spread = prediction.members.astype(float).mean(axis=0).std(ddof=1)
    half = found.cell("libx264").threshold(Fraction(1, 2)) * max(spread, found.floor)
    assert sure.clip.lower == pytest.approx(max(sure.clip.mean - half, 0), abs=1e-3)
    assert {frame.score for frame in sure.frames} == {"normalised"}


def test_too_few_groups_give_no_interval_and_say_how_many_it_takes(model, prediction):
    sure = clip_confidence(model, prediction, "0.9", "libx264")
    assert (sure.clip.lower, sure.clip.upper, sure.clip.bounded) == (None, None, False)
    assert not any(frame.bounded for frame in sure.frames)
    assert sure.notes == ("no interval at the level 0.9: that takes 9 source groups, and it was calibrated on 2",)


def test_outside_of_what_was_learnt_nothing_is_guaranteed(model, prediction):
    beyond = np.zeros(9, dtype=bool)
    beyond[[2, 3]] = True
    sure = clip_confidence(model, replace(prediction, outside=beyond), "0.5", "libx264")
    assert sure.clip.outside_training
    assert sure.clip.guarantee is None
    assert [frame.outside_training for frame in sure.frames] == beyond.tolist()
    assert "2 of 9 frames" in sure.notes[0]
    assert "void" in sure.notes[0]
    assert clip_confidence(model, prediction, "0.5", "libx264").clip.guarantee == Fraction(1, 2)


def test_a_single_model_has_no_interval(ensembled, prediction):
    member = load_model(ensembled.folder / "member_seed3.onnx")
    with pytest.raises(RequestError, match="single model and has no interval"):
        clip_confidence(member, replace(prediction, members=None), "0.9")


@pytest.mark.parametrize("level", ["0", "1", "ninety", 1.5])
def test_what_is_no_level_is_refused(model, prediction, level):
    with pytest.raises(RequestError, match="is not a level"):
        clip_confidence(model, prediction, level)


def test_every_stored_calibration_can_be_read(ensembled):
    for told in (True, False):
        for rule in ("hcp-clip", "hcp-frame", "most-frames"):
            found = stored_calibration(ensembled.manifest.confidence, rule, told=told)
            assert (found.rule, found.groups) == (rule, 2)


def test_the_ensemble_of_a_recipe_answers_for_it(ensembled, tmp_path):
    registry = Registry.open(ensembled.folder.parent / "registry")
    for name in ("fr_regressor_v3", "fr_regressor_v3_ensemble"):
        assert load_ensemble_champion(registry, name)[0] == ensembled.champion.id
    with pytest.raises(RequestError, match="vmafcast ensemble fr_regressor_v4"):
        load_ensemble_champion(registry, "fr_regressor_v4")
    with pytest.raises(RequestError, match="no ensemble is served"):
        load_ensemble_champion(Registry.open(tmp_path / "empty", create=True), "fr_regressor_v3")


def test_a_clip_is_predicted_with_its_intervals(ensembled, clips, ffmpeg):
    registry = Registry.open(ensembled.folder.parent / "registry")
    pair = (clips / "alpha.mkv", clips / "alpha.mkv")
    plain = predict_clip(*pair, ffmpeg=ffmpeg, registry=registry, recipe="fr_regressor_v3_ensemble")
    assert plain.confidence is None
    told = EncodeFacts("libx264", "ultrafast", 20)
    for encode, cell in ((None, "all"), (told, "libx264")):
        sure = predict_clip(*pair, ffmpeg=ffmpeg, registry=registry, encode=encode, confidence="0.5")
        assert sure.model == ensembled.champion.id
        assert sure.confidence.clip.cell == cell
        assert sure.confidence.clip.mean == pytest.approx(sure.predicted_mean, abs=1e-4)
        assert len(sure.confidence.frames) == len(sure.predicted) == 9
    with pytest.raises(RequestError, match="is not a level"):
        predict_clip(*pair, ffmpeg=ffmpeg, registry=registry, confidence="90")


def test_a_model_file_that_was_changed_is_not_served(ensembled, tmp_path):
    for name in (
        "model.onnx",
        "model.json",
        *(f"member_seed{seed}{end}" for seed in (0, 3, 1) for end in (".onnx", ".json")),
    ):
        (tmp_path / name).write_bytes((ensembled.folder / name).read_bytes())
    assert load_model(tmp_path / "model.onnx").id == "fr_regressor_v3_ensemble"
    (tmp_path / "member_seed0.onnx").write_bytes(b"another")
    with pytest.raises(IntegrityError, match=r"member_seed0\.onnx has the SHA-256"):
        load_model(tmp_path / "model.onnx")
