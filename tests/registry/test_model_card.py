from __future__ import annotations

import dataclasses
import json
import re

import pytest
import yaml

from vmafcast.evaluation.loso_report import CorpusFacts, FoldScore, LosoReport
from vmafcast.models.recipe import get_recipe
from vmafcast.models.sidecar import LosoSummary, Sidecar
from vmafcast.registry.card import CardFacts, CardTable, Figure, model_card
from vmafcast.registry.frame_card import frame_card_facts

FOLDS = {"meadow": 0.5, "river": 3.25, "tower": 1.0}


@pytest.fixture
def sidecar(workshop):
    candidate = workshop.candidate()
    loso = LosoSummary(
        folds=3, seeds=(0, 4), mean_plcc=0.9991, std_plcc=0.001, min_plcc=0.998, max_plcc=0.9999, mean_srocc=0.99,
        mean_rmse=1.58, mean_plcc_interval=(0.998, 0.9995), interval_level=0.95, blind_mean_plcc=0.95,
        blind_mean_rmse=9.5,
    )  # fmt: skip
    found = Sidecar.model_validate_json(candidate.files["model.json"])
    training = found.training.model_copy(update={"loso": loso, "corpus_sha256": "ab" * 32})
    return found.model_copy(update={"training": training})


@pytest.fixture
def report():
    recipe = get_recipe("fr_regressor_v1")
    folds = tuple(
        FoldScore(held_out=name, n_train=100, n_val=50, plcc=0.99, srocc=0.98, rmse=rmse, mae=rmse / 2)
        for name, rmse in FOLDS.items()
    )
    return LosoReport(
        seed=0, corpus=CorpusFacts(path="some corpus", sha256="ab" * 32, rows=150, source_groups=3), n_folds=3,
        folds=folds, mean_plcc=0.99, std_plcc=0.0, min_plcc=0.99, max_plcc=0.99, mean_srocc=0.98, mean_rmse=1.58,
        mean_plcc_interval=None, interval_level=0.95, blind_mean_plcc=None, blind_mean_rmse=None, epochs=60,
        batch_size=64, lr=0.01, weight_decay=1e-5, num_codecs=0, encoder_vocab_version=None, wall_time_s=1.0,
        recipe=recipe, run_provenance=None,
    )  # fmt: skip


def front_matter(card):
    _, front, rest = card.split("---\n", 2)
    return yaml.safe_load(front), rest


def test_the_front_matter_is_what_a_model_host_reads(sidecar, report):
    front, rest = front_matter(model_card(frame_card_facts(sidecar, report)))
    assert front["license"] == "apache-2.0"
    assert front["library_name"] == "onnx"
    [index] = front["model-index"]
    [result] = index["results"]
    assert index["name"] == "fr_regressor_v1"
    assert result["dataset"]["revision"] == "ab" * 32
    metrics = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert (metrics["plcc"], metrics["srocc"], metrics["rmse"]) == (0.9991, 0.99, 1.58)
    assert rest.startswith("\n# fr_regressor_v1\n\n<!-- status:begin -->\nStatus: Proposed (not judged)\n")


@pytest.mark.parametrize(
    ("licence", "wanted"),
    [
        ("", {"license": "unknown"}),
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("CC BY-NC 4.0", {"license": "cc-by-nc-4.0"}),
        ('mixed: "see" the\ncard', {"license": "other", "license_name": 'mixed: "see" the card'}),
    ],
)
def test_a_licence_that_hosts_do_not_know_is_other(sidecar, licence, wanted):
    facts = frame_card_facts(sidecar.model_copy(update={"licence": licence}))
    front, rest = front_matter(model_card(facts))
    assert {key: value for key, value in front.items() if key.startswith("license")} == wanted
    assert f"Licence of the data: {licence or 'not stated'}." in rest


def test_every_source_group_is_shown_the_worst_first(sidecar, report):
    card = model_card(frame_card_facts(sidecar, report))
    shown = re.findall(r"^\| (meadow|river|tower) \| 50 \| 0\.99000 \| 0\.98000 \| ([\d.]+) ", card, re.MULTILINE)
    assert shown == [("river", "3.250"), ("tower", "1.00000"), ("meadow", "0.50000")]
    assert "worst source group, river, has an RMSE of 3.25" in card
    assert "95% bootstrap interval over source groups 0.99800 to 0.99950" in card


def test_it_says_how_to_make_it_again(sidecar, report):
    card = model_card(frame_card_facts(sidecar, report))
    recipe = sidecar.training.recipe
    assert f"vmafcast train {recipe.name} --corpus 'some corpus' --seed=0 --seed=4 --licence=Apache-2.0" in card
    assert "differs" not in card
    thinner = recipe.model_copy(update={"frame_stride": 2})
    training = sidecar.training.model_copy(update={"recipe": thinner})
    card = model_card(frame_card_facts(sidecar.model_copy(update={"training": training}), report))
    assert "--frame-stride=2" in card
    assert "differs" not in card
    training = sidecar.training.model_copy(update={"recipe": recipe.model_copy(update={"hidden": 3})})
    card = model_card(frame_card_facts(sidecar.model_copy(update={"training": training}), report))
    assert "the recipe differs" in card


def test_the_verdict_stands_in_it(sidecar, workshop):
    candidate = workshop.candidate()
    facts = frame_card_facts(sidecar)
    passed = model_card(facts, workshop.verdict(candidate))
    assert "Status: Production (gate cleared)" in passed
    assert "| mean_plcc | pass | 0.98000 | >= 0.95 |" in passed
    held = model_card(facts, workshop.verdict(candidate, mean_plcc=0.5))
    assert "Status: Proposed (gate-failed: mean_plcc" in held
    assert "**HOLD**" in held


def test_the_data_card_becomes_a_part_of_it(sidecar):
    data_card = "---\nlicense: x\n---\n# The corpus\n\nTwo sources.\n\n## Known gaps\n- no film\n"
    card = model_card(frame_card_facts(sidecar), data_card=data_card)
    assert card.endswith("## The data\n\nTwo sources.\n\n### Known gaps\n- no film\n")
    assert card.count("\n# ") == 1
    assert "## The data" not in model_card(frame_card_facts(sidecar), data_card=" \n")


def test_a_model_that_was_not_evaluated_says_so_and_claims_nothing(sidecar):
    training = sidecar.training.model_copy(update={"loso": None})
    front, rest = front_matter(model_card(frame_card_facts(sidecar.model_copy(update={"training": training}))))
    assert "model-index" not in front
    assert "was not evaluated" in rest


def test_the_same_facts_give_the_same_card(sidecar, report):
    cards = {model_card(frame_card_facts(sidecar, report), data_card="# d") for _ in range(3)}
    assert len(cards) == 1


def test_any_kind_of_model_can_have_a_card():
    facts = CardFacts(
        name="predictor_libx264", kind="predictor", teacher="vmaf_v0.6.1", sha256="0" * 64, summary=("It predicts.",),
        inputs=("`input` [N, 9]",), trained_on=("47 sources",), dataset="corpus", dataset_sha256=None,
        figures=(Figure("plcc", "mean fold PLCC", 0.97, "5 folds"), Figure("rmse", "RMSE", None)),
        groups=CardTable(("fold", "PLCC"), (("0 | a", 0.97), ("1", None))), groups_title="By fold",
        limits=("libx264 only",), licence="", reproduce=("vmafcast predictor train",),
    )  # fmt: skip
    front, rest = front_matter(model_card(facts, status="Production (gate cleared)"))
    assert [m["type"] for m in front["model-index"][0]["results"][0]["metrics"]] == ["plcc"]
    assert "### By fold" in rest
    assert "| 0 \\| a | 0.97000 |" in rest
    assert "| 1 | — |" in rest
    assert "Status: Production (gate cleared)" in rest
    assert json.dumps(dataclasses.asdict(facts))  # plain data throughout
