"""An ensemble through the library: one run from the corpus to the registry, and what it refuses."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager

import numpy as np
import onnxruntime
import polars as pl
import pytest

from vmafcast.common.errors import DataError, GateRefused, IntegrityError, RequestError
from vmafcast.common.files import sha256_bytes, sha256_file
from vmafcast.common.progress import Silent
from vmafcast.corpus.store import CorpusStore
from vmafcast.evaluation.conformal import Calibration
from vmafcast.evaluation.verdict import read_verdict
from vmafcast.models.manifest import calibration_sha256
from vmafcast.models.manifest_check import parse_manifest, read_ensemble
from vmafcast.models.sidecar import read_sidecar
from vmafcast.registry.store import Registry
from vmafcast.registry.verify import verify
from vmafcast.workflows.promote_ensemble import promote_ensemble
from vmafcast.workflows.ship import ship

SEEDS = (0, 3, 1)


@pytest.fixture
def copied(ensembled, tmp_path):
    """A copy of its folder, to be tampered with."""
    return shutil.copytree(ensembled.folder, tmp_path / "copy")


def test_one_run_leaves_all_that_belongs_to_an_ensemble(ensembled):
    names = {path.name for path in ensembled.folder.iterdir()}
    of_seeds = {f"{stem}{seed}{suffix}" for seed in SEEDS for stem, suffix in (
        ("member_seed", ".onnx"), ("member_seed", ".json"), ("loso_seed", ".json"),
    )}  # fmt: skip
    assert names == of_seeds | {"model.onnx", "model.json", "PROMOTE.json", "README.md", "held_out"}
    assert [report.seed for report in ensembled.reports] == list(SEEDS)
    assert ensembled.round_trip_error <= 1e-4


def test_the_manifest_names_its_members_in_the_order_of_the_graph_s_columns(ensembled):
    manifest, graph = read_ensemble(ensembled.folder / "model.json")
    assert manifest == ensembled.manifest
    assert (manifest.kind, manifest.id, manifest.ensemble_size) == ("fr_ensemble", "fr_regressor_v3_ensemble", 3)
    assert [member.seed for member in manifest.members] == list(SEEDS)
    assert sha256_bytes(graph) == manifest.sha256 == sha256_file(ensembled.folder / "model.onnx")
    draw = np.random.default_rng(1)
    feed = {
        "features": draw.uniform(manifest.feature_min, manifest.feature_max, (50, 6)).astype(np.float32),
        "codec_block": np.eye(50, len(manifest.codec_block_layout), dtype=np.float32),
    }
    mean, members = onnxruntime.InferenceSession(graph).run(["vmaf", "members"], feed)
    for column, member in enumerate(manifest.members):
        assert sha256_file(ensembled.folder / member.onnx) == member.sha256
        [alone] = onnxruntime.InferenceSession(ensembled.folder / member.onnx).run(["vmaf"], feed)
        assert np.allclose(members[:, column], alone, atol=1e-4)
        sidecar = read_sidecar(ensembled.folder / member.sidecar)
        assert (sidecar.training.seed, sidecar.feature_mean) == (member.seed, manifest.feature_mean)
    assert np.allclose(mean, members.mean(axis=1), atol=1e-4)
    assert members.std(axis=1).max() > 0.01


def test_the_manifest_has_the_keys_of_its_contract(ensembled):
    manifest = json.loads((ensembled.folder / "model.json").read_text())
    assert {
        "id", "kind", "ensemble_size", "members", "feature_order", "feature_mean", "feature_std", "codec_vocab",
        "codec_vocab_version", "confidence", "eval", "smoke",
    } <= manifest.keys()  # fmt: skip
    assert {"id", "onnx", "seed", "sha256"} <= manifest["members"][0].keys()
    confidence = manifest["confidence"]
    assert {"method", "nominal_coverage", "gaussian_z", "conformal_q_residual", "calibration"} <= confidence.keys()
    assert {"rule", "unit", "groups", "alpha", "scores"} <= confidence["calibration"].keys()
    assert confidence["calibration"]["unit"] == "source_group"
    # Two source groups cannot give nine in ten: an interval that is not there is null, and never a number.
    assert (confidence["calibration"]["groups"], confidence["conformal_q_residual"]) == (2, None)
    assert confidence["gaussian_z"] == pytest.approx(1.6448536, abs=1e-6)


def test_every_rule_is_calibrated_with_and_without_the_encoder(ensembled):
    confidence = ensembled.manifest.confidence
    assert {(each.codec_told, each.calibration["rule"]) for each in confidence.further} == {
        (True, "hcp-frame"), (True, "most-frames"), (False, "hcp-clip"), (False, "hcp-frame"), (False, "most-frames"),
    }  # fmt: skip
    for each in confidence.further:
        cells = [cell.cell for cell in Calibration.model_validate(each.calibration).scores]
        assert cells == (["all", "libsvtav1", "libx264"] if each.codec_told else ["all"])
    assert confidence.calibration_sha256 == calibration_sha256(confidence.calibration, confidence.further)


def test_held_out_predictions_are_those_that_the_reports_judge(ensembled):
    table = pl.read_parquet(ensembled.folder / "held_out" / "predictions.parquet")
    assert [name for name in table.columns if "seed" in name] == [
        *(f"seed{seed}" for seed in SEEDS), *(f"untold_seed{seed}" for seed in SEEDS),
    ]  # fmt: skip
    together = table.select(pl.mean_horizontal([f"seed{seed}" for seed in SEEDS]) - pl.col("vmaf"))
    errors = table.select("source_group").with_columns(together.to_series().alias("error"))
    by_group = errors.group_by("source_group").agg((pl.col("error") ** 2).mean().sqrt())["error"]
    assert ensembled.manifest.eval.ensemble_mean_rmse == pytest.approx(by_group.mean(), rel=1e-4)
    plccs = [report.mean_plcc for report in ensembled.reports]
    assert ensembled.manifest.eval.plcc_spread == pytest.approx(max(plccs) - min(plccs), abs=1e-12)
    assert ensembled.manifest.eval.per_seed_plccs == {
        str(r.seed): pytest.approx(r.mean_plcc) for r in ensembled.reports
    }


def test_the_verdict_knows_corpus_graph_seeds_and_what_was_overridden(ensembled, store):
    verdict = read_verdict(ensembled.folder)
    assert verdict.promotes
    assert (verdict.gate_name, verdict.seeds) == ("fr-ensemble", sorted(SEEDS))
    assert verdict.corpus.sha256 == store.sha256()
    assert verdict.onnx_sha256 == ensembled.manifest.sha256
    assert set(verdict.overrides) == {"mean_plcc", "per_seed_plcc", "plcc_spread"}
    provenance = verdict.run_provenance
    assert {entry.path for entry in provenance.outputs} >= {str(ensembled.folder / "model.onnx")}
    assert len(provenance.inputs) == len(store.files())


def test_members_and_ensemble_are_registered_and_the_ensemble_is_served(ensembled):
    registry = Registry.open(ensembled.folder.parent / "registry")
    rows = {entry.row.recipe: entry.row for entry in registry.list()}
    assert set(rows) == {"fr_regressor_v3_ensemble", *(f"fr_regressor_v3_ensemble_seed{seed}" for seed in SEEDS)}
    served = registry.champion("fr_regressor_v3_ensemble")
    assert served.id == ensembled.champion.id
    assert (served.row.kind, served.row.smoke, served.row.vocab_version) == ("fr_ensemble", False, 3)
    for seed in SEEDS:
        row = rows[f"fr_regressor_v3_ensemble_seed{seed}"]
        assert (row.kind, row.status, row.smoke) == ("fr", "registered", False)
    assert verify(registry.folder).ok


def test_the_card_speaks_of_the_ensemble(ensembled, store):
    card = (ensembled.folder / "README.md").read_text()
    assert "# fr_regressor_v3_ensemble" in card
    assert "The mean of 3 networks that differ by their seed alone" in card
    assert "seeds: 0, 3, 1" in card
    assert "There are too few source groups for an interval at 90%" in card
    assert f"vmafcast ensemble fr_regressor_v3 --corpus {store.folder} --seeds=3" in card
    assert "the recipe differs from the one of that name" in card
    assert "Status: Production (gate cleared)" in card.replace("`", "").replace("*", "")


def test_seeds_leave_smoke_by_a_passing_verdict_alone(ensembled, run_ensemble, tmp_path):
    assert not ensembled.manifest.smoke
    held = run_ensemble(tmp_path / "held", thresholds={}, registry=Registry(tmp_path / "registry"))
    assert not held.verdict.promotes
    assert held.champion is None
    assert held.manifest.smoke
    assert held.manifest.gate.verdict == held.verdict.outcome
    assert all(read_sidecar(held.folder / member.sidecar).smoke for member in held.manifest.members)
    assert not (tmp_path / "registry").exists()
    with pytest.raises(GateRefused, match="was not promoted"):
        promote_ensemble(held.folder, held.verdict, Registry(tmp_path / "registry"))
    with pytest.raises(GateRefused, match="smoke model"):
        ship(held.folder, Registry(tmp_path / "registry"))
    assert not (tmp_path / "registry").exists()


def test_a_smoke_run_is_held_whatever_its_scores(run_ensemble, tmp_path):
    tried = run_ensemble(tmp_path / "tried", smoke=True, registry=Registry(tmp_path / "registry"))
    assert (tried.verdict.verdict, tried.manifest.smoke) == ("HOLD", True)
    assert [c.name for c in tried.verdict.criteria if c.status == "fail"] == ["smoke"]
    assert "never promoted" in tried.verdict.recommendation
    assert [path.name for path in tmp_path.iterdir()] == ["tried"]


def test_the_same_run_leaves_the_same_bytes(ensembled, run_ensemble, tmp_path, tree):
    again, before = tree(run_ensemble(tmp_path / "again", score="absolute").folder), tree(ensembled.folder)
    apart = {"PROMOTE.json", "README.md", *(f"loso_seed{seed}.json" for seed in SEEDS)}
    assert {name: sha for name, sha in again.items() if name not in apart} == {
        name: sha for name, sha in before.items() if name not in apart
    }


def test_a_member_is_the_network_that_would_be_trained_alone(ensembled, train_into, tmp_path):
    alone = train_into(tmp_path / "alone", seeds=(3,))
    assert (alone.folder / "model.onnx").read_bytes() == (ensembled.folder / "member_seed3.onnx").read_bytes()


def test_shipping_the_folder_again_judges_by_the_default_bounds(copied, tmp_path):
    shipped = ship(copied, Registry(tmp_path / "registry"))
    assert not shipped.verdict.promotes
    assert (shipped.verdict.gate_name, shipped.verdict.overrides) == ("fr-ensemble", {})
    assert (copied / "HOLD.json").is_file()
    assert not (copied / "PROMOTE.json").exists()
    assert not (tmp_path / "registry").exists()


def test_a_perturbed_seed_holds_the_ensemble_and_is_named(copied, tmp_path):
    for seed, plcc in zip(SEEDS, (0.991, 0.975, 0.992), strict=True):
        report = json.loads((copied / f"loso_seed{seed}.json").read_text())
        report["mean_plcc"] = plcc
        (copied / f"loso_seed{seed}.json").write_text(json.dumps(report))
    with pytest.raises(IntegrityError, match="not those that the sidecar records"):
        ship(copied, Registry(tmp_path / "registry"))


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"seeds": (0,)}, RequestError, "2 different seeds or more"),
        ({"seeds": (0, 0)}, RequestError, "2 different seeds or more"),
        ({"thresholds": {"lift": 0.1}}, RequestError, "no threshold is named"),
    ],
)
def test_what_cannot_be_meant_leaves_nothing(run_ensemble, tmp_path, options, error, says):
    with pytest.raises(error, match=says):
        run_ensemble(tmp_path / "candidate", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_handful_of_frames_is_refused(run_ensemble, store, tmp_path):
    small = tmp_path / "small"
    encodes, frames = store.encodes().head(2), store.frames()
    for name, table in (
        ("encodes", encodes),
        ("frames", frames.filter(pl.col("cell").is_in(encodes["cell"].implode()))),
    ):
        (small / name).mkdir(parents=True)
        table.write_parquet(small / name / "a.parquet")
    with pytest.raises(DataError, match="18 frames; training takes at least 100"):
        run_ensemble(tmp_path / "candidate", corpus=small)
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_a_damaged_corpus_is_not_learnt_from(run_ensemble, store, tmp_path):
    damaged = shutil.copytree(store.folder, tmp_path / "damaged")
    first = min((damaged / "frames").iterdir())
    table = pl.read_parquet(first)
    table.with_columns(pl.lit(50.0).alias("vmaf")).write_parquet(first)
    with pytest.raises(IntegrityError, match="corpus verify"):
        run_ensemble(tmp_path / "candidate", corpus=damaged)
    assert [path.name for path in tmp_path.iterdir()] == ["damaged"]


def test_a_corpus_that_is_exchanged_while_networks_train_is_not_recorded_as_learnt_from(run_ensemble, store, tmp_path):
    corpus = shutil.copytree(store.folder, tmp_path / "corpus")

    class Exchange:
        """A progress that makes the corpus another one when the training is under way."""

        @contextmanager
        def task(self, description, total=None):
            if description.startswith("training"):
                smaller = store.encodes().head(4)
                shutil.rmtree(corpus)
                (corpus / "encodes").mkdir(parents=True)
                smaller.write_parquet(corpus / "encodes" / "a.parquet")
            with Silent().task(description, total) as task:
                yield task

    made = run_ensemble(tmp_path / "candidate", corpus=corpus, progress=Exchange())
    assert len(CorpusStore(corpus).encodes()) == 4
    assert made.manifest.training.corpus_sha256 == made.verdict.corpus.sha256 == store.sha256()
    assert {entry.sha256 for entry in made.verdict.run_provenance.inputs} == {sha256_file(p) for p in store.files()}


# ---- a manifest that is not true is refused, with the reason


def edited(folder, change):
    path = folder / "model.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def swap(document):
    document["members"][:2] = document["members"][1::-1]


def swap_files(document):
    one, other = document["members"][:2]
    for key in ("onnx", "sha256"):
        one[key], other[key] = other[key], one[key]


CHANGES = {
    "the hash of a member": (lambda d: d["members"][1].update(sha256="0" * 64), r"member_seed3\.onnx has the SHA-256"),
    "the hash of the graph": (lambda d: d.update(sha256="0" * 64), r"model\.onnx|model\.json"),
    "the order of the members": (swap, "stands in place 0 .* it is column 1: the order was changed"),
    "two files": (swap_files, "differ in onnx, sha256"),
    "a mean of the scaler": (lambda d: d["feature_mean"].__setitem__(2, 0.5), "differ in feature_mean"),
    "a deviation of the scaler": (lambda d: d["feature_std"].reverse(), "differ in feature_std"),
    "the order of the features": (lambda d: d["feature_order"].reverse(), "differ in feature_order"),
    "a seed": (lambda d: d["members"][0].update(seed=9), "differ in seed"),
    "a missing member": (lambda d: d["members"].pop(), "ensemble_size is 3, and 2 members are listed"),
    "a member twice": (lambda d: d["members"].__setitem__(0, d["members"][1]), "two members have the same"),
    "the smoke mark": (lambda d: d.update(smoke=True), "differ in smoke"),
    "the vocabulary": (lambda d: d["codec_vocab"].reverse(), "codec_vocab must be encoder_vocab"),
    "the calibration": (
        lambda d: d["confidence"]["calibration"]["scores"][0]["scores"].__setitem__(0, 0.0),
        "the calibration has the SHA",
    ),
    "a calibration that goes": (lambda d: d["confidence"]["further"].pop(), "the calibration has the SHA"),
    "a key": (lambda d: d.pop("members"), "members: Field required"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_manifest_that_was_changed_is_refused_with_the_reason(copied, tmp_path, name):
    change, says = CHANGES[name]
    edited(copied, change)
    with pytest.raises(IntegrityError, match=says):
        read_ensemble(copied / "model.json")
    with pytest.raises(IntegrityError):
        ship(copied, Registry(tmp_path / "registry"))
    assert not (tmp_path / "registry").exists()


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("member_seed3.onnx", r"member_seed3\.onnx has the SHA-256"),
        ("member_seed3.json", r"member_seed3\.json has the SHA-256"),
        ("model.onnx", r"model\.onnx has the SHA-256"),
    ],
)
def test_a_file_that_was_changed_or_is_gone_is_refused(copied, file, says):
    whole = (copied / file).read_bytes()
    (copied / file).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(IntegrityError, match=says):
        read_ensemble(copied / "model.json")
    (copied / file).unlink()
    with pytest.raises(IntegrityError, match=f"names {file}, which cannot be read"):
        read_ensemble(copied / "model.json")


def test_a_member_that_was_exchanged_with_its_hashes_is_found_by_running_it(copied):
    """Every hash agrees, and still the graph holds another network than the list."""
    other = (copied / "member_seed0.onnx").read_bytes()
    (copied / "member_seed1.onnx").write_bytes(other)
    sidecar = json.loads((copied / "member_seed1.json").read_text()) | {"sha256": sha256_bytes(other)}
    (copied / "member_seed1.json").write_text(json.dumps(sidecar))
    hashes = {"sha256": sha256_bytes(other), "sidecar_sha256": sha256_file(copied / "member_seed1.json")}
    edited(copied, lambda d: d["members"][2].update(hashes))
    with pytest.raises(IntegrityError, match=r"member_seed1\.onnx \(seed 1\) stands in place 2 .* it is column 0"):
        read_ensemble(copied / "model.json")


def test_what_is_no_manifest_is_said_to_be_none(tmp_path):
    with pytest.raises(RequestError, match="cannot read the manifest"):
        read_ensemble(tmp_path / "none.json")
    with pytest.raises(IntegrityError, match="not a valid manifest"):
        parse_manifest(b"{}", "it")
