"""A trained predictor as a file: what it says is what was learnt, rises with quality, and stays in range."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vmafcast.common.errors import DataError, IntegrityError, RequestError
from vmafcast.common.files import sha256_bytes
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.evaluation.predictor_folds import calibrate
from vmafcast.evaluation.predictor_report import CodecReport, judge_folds
from vmafcast.media.complexity.facts import NAMES, NAMES_BESIDE_PROBE
from vmafcast.models.onnx_graph import ALLOWED_OPERATORS
from vmafcast.models.predictor.export import INPUT, OUTPUTS, check_round_trip, evaluate, predictor_bytes
from vmafcast.models.predictor.inputs import (
    FORMER_PARTS,
    PROBE_FOUND,
    REQUEST,
    SHORT_FOUND,
    InputLayout,
    geometry,
    probe_values,
)
from vmafcast.models.predictor.kinds import PLACES
from vmafcast.models.predictor.model import train_predictor
from vmafcast.models.predictor.runtime import MeasuredEncode, PredictorModel, SourceFacts
from vmafcast.models.predictor.scale import from_logit
from vmafcast.models.predictor.sidecar import PredictorSidecar, StatedKinds
from vmafcast.models.runtime import open_session
from vmafcast.workflows.predictor_model import refit
from vmafcast.workflows.predictor_rows import Found, read_rows

ENCODER = "libx264"


@pytest.fixture(scope="module")
def learnt(write_predictor_corpus, tmp_path_factory):
    """The rows of a corpus with two presets, and the predictor that learnt from all of them."""
    folder = write_predictor_corpus(tmp_path_factory.mktemp("corpus") / "one")
    rows = read_rows((folder,))
    measured = rows.curves(ENCODER)
    predictor = train_predictor(measured, rows.sources, np.ones(len(rows.names), dtype=np.bool_), sweeps=1)
    return folder, rows, measured, predictor


@pytest.fixture(scope="module")
def data(learnt):
    _, rows, _, predictor = learnt
    return predictor_bytes(predictor, rows.layout)


@pytest.fixture(scope="module")
def model(learnt):
    folder, rows, _, _ = learnt
    report = CodecReport(
        codec=ENCODER, status="pass", mean_plcc=1.0, plcc_spread=0.0, mean_srocc=1.0, mean_rmse=1.0,
        n_rows_total=rows.of(ENCODER).height, n_distinct_sources=10, presets=("medium", "veryfast"),
        failure_reasons=(), corpus_provenance=(), folds=(), stages=(),
    )  # fmt: skip
    made = refit(ENCODER, rows, Found((folder,), (), ()), report, judge_folds((), 0, 0), rows.kernels(1), "")
    return PredictorModel(made.onnx, made.sidecar)


@pytest.fixture(scope="module")
def source(learnt):
    _, rows, _, _ = learnt
    layout, known = rows.layout, rows.sources
    columns = dict(zip(layout.probe_columns, known.probe[0].tolist(), strict=True))
    probe = {
        name: {
            "vmaf": float(from_logit(columns[f"{name}_logit_vmaf"])), "bpp": float(np.exp(columns[f"{name}_log_bpp"])),
            "bpp_i": 0.02 * float(np.exp(columns[f"{name}_log_key_ratio"])), "bpp_inter": 0.02,
            **{detail: columns[f"{name}_{detail}"] for detail in layout.parts[-1]},
        }
        for name in layout.probe
    }  # fmt: skip
    for name in layout.shorts:
        ratio = float(np.exp(columns[f"{name}_log_key_ratio"]))
        probe[name] = {"bpp": float(np.exp(columns[f"{name}_log_bpp"])), "bpp_i": 0.02 * ratio, "bpp_inter": 0.02}
    complexity = dict(zip(layout.complexity, known.plain[0].tolist(), strict=False))
    return SourceFacts(640, 360, 25.0, 50, complexity, probe)


def inputs(rows, count, seed=0):
    draw = np.random.default_rng(seed)
    features = rows.sources.everything()
    asked = np.column_stack([draw.integers(0, 2, count), draw.random((count, 2))])
    return np.column_stack([features[draw.integers(0, len(features), count)], asked])


def test_the_file_says_what_the_predictor_says(learnt, data):
    _, rows, _, predictor = learnt
    off = check_round_trip(data, predictor, rows.layout, inputs(rows, 2000))
    assert off[0] < 0.01
    assert off[1] < 1e-4


def test_another_predictor_is_told_apart(learnt, data):
    _, rows, measured, predictor = learnt
    few = np.arange(len(rows.names)) % 2 == 0
    other = train_predictor(measured, rows.sources, few, predictor.kernels)
    with pytest.raises(DataError, match="off by"):
        check_round_trip(data, other, rows.layout, inputs(rows, 200))


def test_the_same_predictor_gives_the_same_bytes_of_allowed_operators(learnt, data):
    _, rows, _, predictor = learnt
    assert predictor_bytes(predictor, rows.layout) == data
    graph = onnx.load_from_string(data)
    assert {node.op_type for node in graph.graph.node} <= ALLOWED_OPERATORS
    assert [each.name for each in graph.graph.input] == [INPUT]
    assert tuple(each.name for each in graph.graph.output) == OUTPUTS


def test_rows_are_held_once_for_all_that_share_them(learnt, data):
    """Both presets learnt from the same sources: what is held is those without a probe, and those with it."""
    _, rows, _, predictor = learnt
    assert len(predictor.places) == 2
    held = [tensor for tensor in onnx.load_from_string(data).graph.initializer if len(rows.names) in tensor.dims[1:]]
    assert sorted(tuple(tensor.dims) for tensor in held) == sorted(
        (width, len(rows.names)) for width in (len(rows.layout.plain), len(rows.layout.probed_columns))
    )


def test_presets_of_other_sources_have_rows_of_their_own(learnt):
    _, rows, measured, _ = learnt
    fewer = replace(measured, curves=(measured.curves[0], _without_the_last(measured.curves[1])))
    predictor = train_predictor(fewer, rows.sources, np.ones(len(rows.names), dtype=np.bool_), sweeps=1)
    off = check_round_trip(predictor_bytes(predictor, rows.layout), predictor, rows.layout, inputs(rows, 500))
    assert off[0] < 0.01
    assert off[1] < 1e-4


def _without_the_last(curves):
    return replace(curves, source=curves.source[:-1], coefficients=curves.coefficients[:-1])


def test_curves_rise_with_quality_and_stay_in_range_for_sources_that_never_were(learnt, data):
    _, rows, _, _ = learnt
    session = open_session(data, "the predictor")
    draw = np.random.default_rng(1)
    width = len(rows.layout.columns)
    places = np.linspace(0, 1, 64)
    for _ in range(40):
        row = np.tile(draw.normal(scale=4.0, size=width), (len(places), 1))
        row[:, -3:] = np.column_stack([np.full((64, 2), draw.integers(0, 2, 2)), places])
        vmaf, log_kbps = session.run(list(OUTPUTS), {INPUT: row.astype(np.float32)})
        assert vmaf.min() >= 0
        assert vmaf.max() <= 100
        assert np.diff(vmaf).min() >= -1e-3  # float32
        assert np.diff(log_kbps).min() >= -1e-4


def test_without_a_probe_its_columns_mean_nothing(learnt, data):
    _, rows, _, _ = learnt
    session = open_session(data, "the predictor")
    first = inputs(rows, 50)
    first[:, -3] = 0.0
    second = first.copy()
    begin = len(rows.layout.plain)
    second[:, begin : begin + len(rows.layout.probe_columns)] = 0.0
    one, other = (session.run(list(OUTPUTS), {INPUT: rows_.astype(np.float32)}) for rows_ in (first, second))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


def test_with_a_probe_what_neighbours_tell_means_nothing_and_need_not_be_there(learnt, data, model, source):
    _, rows, _, _ = learnt
    session = open_session(data, "the predictor")
    unseen = np.setdiff1d(np.arange(len(rows.layout.columns) - len(REQUEST)), rows.layout.probed_columns)
    assert {rows.layout.columns[i] for i in unseen} == set(NAMES) - set(NAMES_BESIDE_PROBE)
    first = inputs(rows, 50)
    for is_probed, same in ((1.0, True), (0.0, False)):
        first[:, -3] = is_probed
        second = first.copy()
        second[:, unseen] += 1.0
        one, other = (session.run(list(OUTPUTS), {INPUT: each.astype(np.float32)}) for each in (first, second))
        assert np.allclose(one[0], other[0], atol=1e-3) is same  # float32: what was found without it is added and taken
    less = replace(source, complexity={name: source.complexity[name] for name in NAMES_BESIDE_PROBE})
    for one, other in zip(model.forecast(less).points, model.forecast(source).points, strict=True):
        assert (one.vmaf, one.kbps) == pytest.approx((other.vmaf, other.kbps), rel=1e-5)
    with pytest.raises(DataError, match=r"needs frame_difference, .*bits_inter_64 of the source"):
        model.forecast(replace(less, probe=None))


def test_a_feature_that_is_not_looked_at_may_lie_anywhere(model, source):
    strange = replace(source, complexity={**source.complexity, "mc_residual": 1e6})
    assert not any("mc_residual" in said for said in model.forecast(strange).warnings)
    assert any("mc_residual" in said for said in model.forecast(replace(strange, probe=None)).warnings)


def test_presets_between_are_mixed_and_presets_beyond_are_the_nearest(learnt):
    _, rows, _, predictor = learnt
    low, high = predictor.places
    row = inputs(rows, 1)
    at = rows.layout.columns.index("preset_norm")

    def said(place):
        changed = row.copy()
        changed[:, at] = place
        return evaluate(predictor, rows.layout, changed)[1][0]

    assert said(0.0) == said(low)
    assert said(1.0) == said(high)
    assert min(said(low), said(high)) - 1e-9 <= said((low + high) / 2) <= max(said(low), said(high)) + 1e-9


def test_a_forecast_is_near_what_was_measured_of_a_source_that_it_learnt_from(learnt, model, source):
    _, rows, _, _ = learnt
    truth = rows.of(ENCODER).filter(rows.of(ENCODER)["source"] == rows.names[0])
    medium = truth.filter(truth["preset"] == "medium")
    said = model.forecast(source, "medium", medium["quality"].to_list())
    assert said.probed
    assert said.groups == 10
    np.testing.assert_allclose([point.vmaf for point in said.points], medium["vmaf"].to_numpy(), atol=1.5)
    for point in said.points:
        assert point.vmaf_low is None or point.vmaf_low <= point.vmaf <= point.vmaf_high
        assert point.kbps_low is None or point.kbps_low <= point.kbps <= point.kbps_high


def test_too_few_groups_for_a_level_give_no_interval_rather_than_a_wrong_one(model, source):
    # Ten groups bound 90 % (10 of 11), and cannot bound 95 %.
    sure = model.forecast(source, "medium", [30], level=Fraction(9, 10)).points[0]
    unsure = model.forecast(source, "medium", [30], level=Fraction(19, 20)).points[0]
    assert sure.vmaf_low is not None
    assert (unsure.vmaf_low, unsure.vmaf_high, unsure.kbps_low, unsure.kbps_high) == (None, None, None, None)


def test_a_measured_encode_moves_the_curve_towards_it(model, source):
    before = model.forecast(source, "medium", [24, 30, 36]).points
    known = MeasuredEncode(30, before[1].vmaf - 6, before[1].kbps)
    after = model.forecast(source, "medium", [24, 30, 36], measured=[known]).points
    assert after[1].measured
    assert known.vmaf <= after[1].vmaf < before[1].vmaf - 0.3
    assert sum(new.vmaf for new in after) < sum(old.vmaf for old in before)


@settings(deadline=None, max_examples=30)
@given(quality=st.integers(0, 51), vmaf=st.floats(0, 100), rate=st.floats(1, 1e5), probed=st.booleans())
def test_every_forecast_rises_and_stays_in_range(model, source, quality, vmaf, rate, probed):
    facts = source if probed else SourceFacts(640, 360, 25.0, 50, source.complexity)
    said = model.forecast(facts, "medium", range(52), measured=[MeasuredEncode(quality, vmaf, rate)])
    scores, rates = [point.vmaf for point in said.points], [point.kbps for point in said.points]
    assert all(0 <= score <= 100 for score in scores)
    assert np.isfinite(rates).all()
    assert (np.diff(scores) <= 1e-9).all()
    assert (np.diff(rates) <= 1e-9 * np.max(rates)).all()


def test_the_default_is_every_quality_that_was_learnt_and_others_are_marked(model, source):
    learnt_qualities = [point.quality for point in model.forecast(source).points]
    assert (min(learnt_qualities), max(learnt_qualities)) == (18, 48)
    beyond = model.forecast(source, None, [10, 30])
    assert [point.outside_training for point in beyond.points] == [True, False]
    assert any("quality 10" in warning for warning in beyond.warnings)


def test_what_was_not_learnt_from_is_said(model, source):
    assert model.forecast(source, "medium", [30]).warnings == ()
    assert any("slow" in warning for warning in model.forecast(source, "slow", [30]).warnings)
    name = next(iter(source.complexity))
    odd = SourceFacts(640, 360, 25.0, 50, {**source.complexity, name: 1e4}, source.probe)
    assert any(name in warning for warning in model.forecast(odd, "medium", [30]).warnings)


def test_requests_that_cannot_be_meant_are_refused(model, source):
    with pytest.raises(RequestError, match="no preset"):
        model.forecast(source, "ludicrous")
    with pytest.raises(RequestError, match="takes a quality"):
        model.forecast(source, "medium", [99])
    with pytest.raises(RequestError, match="levels"):
        model.forecast(source, "medium", level=Fraction(2, 3))
    with pytest.raises(DataError, match="needs"):
        model.forecast(SourceFacts(640, 360, 25.0, 50, {}), "medium")
    name = next(iter(source.complexity))
    with pytest.raises(DataError, match="not a finite number"):
        model.forecast(SourceFacts(640, 360, 25.0, 50, {**source.complexity, name: float("nan")}), "medium")
    with pytest.raises(DataError, match="geometry"):
        model.forecast(SourceFacts(640, 360, 0.0, 50, source.complexity), "medium")


def test_other_bytes_than_the_sidecar_was_written_for_are_refused(model, data):
    with pytest.raises(IntegrityError, match="SHA-256"):
        PredictorModel(data[:-1], model.sidecar)


def test_a_probe_that_lacks_an_encode_or_weighs_nothing_is_refused(learnt):
    _, rows, _, _ = learnt
    with pytest.raises(DataError, match="lacks"):
        probe_values(rows.layout, {})
    whole, encodes = dict.fromkeys(PROBE_FOUND, 1.0), (*rows.layout.probe, *rows.layout.shorts)
    for name in ("bpp", "bpp_i", "bpp_inter"):
        with pytest.raises(DataError, match=rf"0.0 bits per pixel \({name}\)"):
            probe_values(rows.layout, dict.fromkeys(encodes, whole | {name: 0.0}))
    with pytest.raises(DataError, match=f"the probe {rows.layout.probe[0]} lacks its psnr_y"):
        probe_values(rows.layout, dict.fromkeys(encodes, whole | {"psnr_y": None}))
    with pytest.raises(DataError, match="geometry"):
        geometry(0, 360, 25.0, 50)


def test_key_frames_are_told_by_how_much_larger_they_are():
    layout = InputLayout((), ("one", "other"))
    found = dict.fromkeys(PROBE_FOUND, 1.0) | {"bpp_i": 0.6, "bpp_inter": 0.2}
    alone = found | {"bpp_inter": None}  # a sample of one frame
    values = dict(zip(layout.probe_columns, probe_values(layout, {"one": found, "other": alone}), strict=True))
    assert values["one_log_key_ratio"] == pytest.approx(np.log(3.0))
    assert values["other_log_key_ratio"] == 0.0
    assert sum(layout.probe_blocks) == len(values)


def test_an_encode_that_is_cut_short_gives_its_bits_after_the_others_of_each_block():
    layout = InputLayout((), ("one",), shorts=("one_first16",))
    found = dict.fromkeys(PROBE_FOUND, 1.0)
    short = dict(zip(SHORT_FOUND, (0.5, 0.9, 0.3), strict=True))
    values = probe_values(layout, {"one": found, "one_first16": short})
    assert layout.probe_columns[:3] == ("one_logit_vmaf", "one_log_bpp", "one_first16_log_bpp")
    assert layout.probe_columns[3:5] == ("one_log_key_ratio", "one_first16_log_key_ratio")
    assert values[[2, 4]] == pytest.approx(np.log([0.5, 3.0]))
    assert layout.probe_blocks == (3, 2, len(layout.parts[-1]))
    with pytest.raises(DataError, match="the probe lacks one_first16"):
        probe_values(layout, {"one": found})


def test_what_is_looked_at_beside_a_probe_may_be_less():
    names = ("si", "ti", "coded_bits_40")
    less, former = InputLayout(names, ("one",), beside=("ti",)), InputLayout(names, ("one",))
    assert [less.columns[i] for i in less.probed_columns][:4] == ["ti", "log_pixels", "log_fps", "log_frames"]
    assert len(former.probed_columns) == len(less.probed_columns) + 2 == len(former.columns) - len(REQUEST)
    assert (less.plain_blocks, less.plain_blocks_beside_probe) == ((2, 1, 3), (1, 3))
    assert former.plain_blocks_beside_probe == former.plain_blocks


def test_a_predictor_from_before_key_frames_were_told_is_still_served(model, source):
    layout = model.sidecar.layout
    former = InputLayout(layout.complexity, layout.probe, FORMER_PARTS)
    assert len(former.columns) == len(layout.columns) - len(layout.probe) - 2 * len(layout.shorts)
    kept = [layout.columns.index(name) for name in former.columns[:-3]]
    side = model.sidecar.model_dump(exclude={"shorts", "beside_probe"}) | {
        "feature_order": former.columns,
        "feature_min": tuple(model.sidecar.feature_min[i] for i in kept),
        "feature_max": tuple(model.sidecar.feature_max[i] for i in kept),
    }
    assert PredictorSidecar.model_validate(side).layout == former
    now, then = probe_values(layout, source.probe), probe_values(former, source.probe)
    by_name = dict(zip(layout.probe_columns, now, strict=True))
    np.testing.assert_array_equal(then, [by_name[name] for name in former.probe_columns])
    with pytest.raises(ValidationError, match="feature_order"):
        PredictorSidecar.model_validate(side | {"feature_order": former.columns[1:]})


def test_calibration_never_sees_the_groups_that_are_left_out(learnt):
    _, rows, measured, predictor = learnt
    learn = rows.sources.groups != "group_00"
    stage = calibrate(measured, rows.sources, learn, predictor, probed=True)
    assert all(each.groups == 9 for each in stage.calibrations)


def test_the_encoder_of_the_test_has_the_presets_that_are_taken_for_granted():
    assert get_encoder(ENCODER).preset_norm("veryfast") < get_encoder(ENCODER).preset_norm("medium")


def test_served_kinds_are_those_that_were_calibrated(learnt, model):
    _, rows, measured, _ = learnt
    everything = np.ones(len(rows.names), dtype=np.bool_)
    twin = train_predictor(measured, rows.sources, everything, rows.kernels(1)(everything))
    stage = calibrate(measured, rows.sources, everything, twin, probed=True)
    stated = model.sidecar.uncertainty[1]
    for curves in (np.zeros((2, PLACES)), np.linspace(-2, 2, 2 * PLACES).reshape(2, PLACES)):
        np.testing.assert_allclose(stated.matrix(curves), stage.kinds.of(curves), rtol=1e-3, atol=1e-6)
    assert stated.kinds is not None
    assert len({str(each) for each in stated.kinds.covariances}) > 1


def test_a_predictor_from_before_there_were_kinds_has_one_covariance(model, learnt, source):
    _, rows, _, predictor = learnt
    single = tuple(each.model_copy(update={"kinds": None}) for each in model.sidecar.uncertainty)
    older = PredictorModel(predictor_bytes(predictor, rows.layout), model.sidecar.model_copy(update={
        "uncertainty": single, "sha256": sha256_bytes(predictor_bytes(predictor, rows.layout)),
    }))  # fmt: skip
    np.testing.assert_array_equal(single[1].matrix(np.ones((2, PLACES))), np.array(single[1].covariance))
    known = [MeasuredEncode(28, 85.0, 800.0)]
    now, then = (each.forecast(source, "medium", [24, 32], measured=known) for each in (model, older))
    assert [point.vmaf for point in now.points] != [point.vmaf for point in then.points]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mean": (0.0,)}, "must have 10 values"),
        ({"centres": ((0.0,),)}, "needs a coordinate on each axis"),
        ({"covariances": (((1.0,),),)}, "needs a coordinate on each axis, and a covariance"),
    ],
)
def test_kinds_that_do_not_hold_together_are_refused(model, change, said):
    kinds = model.sidecar.uncertainty[1].kinds
    with pytest.raises(ValidationError, match=said):
        StatedKinds.model_validate({**kinds.model_dump(), **change})


def test_a_kind_of_another_size_is_refused(model):
    side = model.sidecar.model_dump()
    kinds = side["uncertainty"][1]["kinds"]
    kinds["covariances"] = [[[1.0]]] * len(kinds["covariances"])
    with pytest.raises(ValidationError, match="covariances must be"):
        PredictorSidecar.model_validate(side)
