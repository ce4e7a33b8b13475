"""What is learnt from of an imported corpus that does not state everything."""

from __future__ import annotations

from vmafcast.models.recipe import get_recipe
from vmafcast.workflows.rows import corpus_rows


def test_an_unstated_preset_is_the_middle_and_that_is_said(jsonl, tmp_path, caplog):
    rows = [*jsonl.clip(60), *jsonl.clip(60, cq=40, preset="ultrafast")]
    store, _ = jsonl.take(tmp_path, rows)
    made = corpus_rows(store, get_recipe("fr_regressor_v3"))
    assert sorted(set(made.preset_norm.tolist())) == [0.0, 0.5]
    (said,) = caplog.messages
    assert "1 of 2 encodes" in said
    assert "0.5" in said


def test_rows_that_do_not_name_their_encoder_say_nothing_of_it(jsonl, tmp_path, caplog):
    store, _ = jsonl.take(
        tmp_path, [*jsonl.clip(60, encoder="unknown", cq=None), *jsonl.clip(60, encoder="unknown", src="lake")]
    )
    made = corpus_rows(store, get_recipe("fr_regressor_v3"))
    assert set(made.encoders.tolist()) == {"unknown"}
    assert not made.preset_norm.any()
    assert not made.crf_norm.any()
    assert ["unknown" in words for words in caplog.messages] == [True]
    caplog.clear()
    assert len(corpus_rows(store, get_recipe("fr_regressor_v1"))) == 120
    assert not caplog.messages  # a codec-blind recipe has nothing to assume
