"""The pictures show what the files hold, and are the same every time."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from vmafcast.workflows.pictures import draw_curves, draw_predictions


def words(path):
    return " ".join(ET.parse(path).getroot().itertext())


def test_curves_name_every_source_and_encoder(store, tmp_path):
    draw_curves(store, tmp_path / "one.svg", target=90)
    draw_curves(store, tmp_path / "other.svg", target=90)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()
    shown = words(tmp_path / "one.svg")
    for name in ("alpha", "beta", "gamma", "libx264", "libsvtav1", "18 encodes", "vmaf_v0.6.1"):
        assert name in shown


def test_predictions_state_the_scores(train_into, tmp_path):
    trained = train_into(tmp_path / "c", seeds=(4,))
    [report] = trained.reports
    draw_predictions(trained.folder, report, tmp_path / "one.svg")
    shown = words(tmp_path / "one.svg")
    assert f"{report.mean_rmse:.2f} VMAF" in shown
    assert "2 source groups" in shown
    assert "libsvtav1" in shown


def test_a_seed_that_was_not_trained_cannot_be_drawn(train_into, tmp_path):
    trained = train_into(tmp_path / "c", seeds=(4,))
    with pytest.raises(Exception, match="seed5"):
        draw_predictions(trained.folder, trained.reports[0].model_copy(update={"seed": 5}), tmp_path / "one.svg")
    assert not (tmp_path / "one.svg").exists()
