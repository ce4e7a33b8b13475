from __future__ import annotations

from fractions import Fraction

import pytest

from vmafcast.common.errors import DataError
from vmafcast.models.manifest import EnsembleManifest
from vmafcast.workflows.calibration import held_out_of
from vmafcast.workflows.coverage import CoverageRequest, evaluate_coverage, read_held_out
from vmafcast.workflows.held_out import HELD_OUT

LEVELS = (Fraction(1, 2), Fraction(9, 10))


def test_an_ensemble_is_judged_by_the_intervals_that_its_manifest_carries(ensembled, tmp_path):
    report = evaluate_coverage(CoverageRequest(ensembled.folder, tmp_path, LEVELS))
    score = ensembled.manifest.confidence.calibration["score"]
    assert report.served == {"absolute": "conformal"}.get(score, score)
    assert report.nested
    assert report.members == ensembled.manifest.ensemble_size
    assert {figure.method for figure in report.figures} == {
        "gaussian",
        "normalised",
        "shaped",
        "conformal",
        "conformal-pooled",
    }
    [table] = report.run_provenance.inputs
    assert table.path == str(ensembled.folder / HELD_OUT)


def test_the_manifests_own_intervals_can_be_tested_on_a_table(ensembled, tmp_path):
    """On the table that it was made from it covers, of course; what is shown is that it is the manifest's own width."""
    report = evaluate_coverage(CoverageRequest(ensembled.folder, tmp_path, LEVELS, calibration=ensembled.folder))
    assert (report.nested, report.served) == (False, "stored")
    assert {figure.rule for figure in report.figures} == {"hcp-frame", "hcp-clip", "most-frames"}
    assert all(figure.coverage >= float(figure.level) for figure in report.figures if figure.cell == "all")
    unbounded = {figure.unbounded for figure in report.figures if figure.level == Fraction(9, 10)}
    assert unbounded == {1.0}  # so few source groups cannot give nine tenths
    [_, manifest] = report.run_provenance.inputs
    assert manifest.path == str(ensembled.folder / "model.json")


def test_a_manifest_without_a_calibration_has_nothing_to_test(ensembled, tmp_path):
    bare = ensembled.manifest.confidence.model_copy(
        update={"calibration": None, "further": (), "calibration_sha256": None, "method": "none"}
    )
    manifest = ensembled.manifest.model_copy(update={"confidence": bare})
    (tmp_path / "bare.json").write_text(EnsembleManifest.model_dump_json(manifest))
    with pytest.raises(DataError, match="no calibration to test"):
        evaluate_coverage(CoverageRequest(ensembled.folder, tmp_path / "out", calibration=tmp_path / "bare.json"))
    assert not (tmp_path / "out").exists()


def test_held_out_predictions_read_as_they_were_written(ensembled):
    held_out = held_out_of(read_held_out(ensembled.folder / HELD_OUT))
    assert held_out.members.shape[1] == ensembled.manifest.ensemble_size
    assert len(held_out.clip_means().mean) == len(set(held_out.clips.tolist()))
