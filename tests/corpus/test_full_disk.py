"""A full disk, at whatever point of a build, and a folder that cannot be written: said clearly, then resumed."""

from __future__ import annotations

import resource
import shutil
import signal

import polars as pl
import pytest

from vmafcast.common.errors import OutputError
from vmafcast.corpus.build import build_corpus
from vmafcast.corpus.plan import NamedSource, Sweep
from vmafcast.corpus.store import TIMINGS, CorpusStore
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.availability import check_encoder
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.source import probe

X264 = get_encoder("libx264")
CELLS = 6
FREE_KIB = (0, 96, 188, 256)


@pytest.fixture(scope="module")
def sweep(make_clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    paths = [
        make_clip(name, width=128, height=96, frames=12, seed=seed, folder=folder)
        for seed, name in enumerate(("ant.mkv", "bee.mkv"))
    ]
    sources = tuple(NamedSource(path.stem, path.stem, probe(path)) for path in paths)
    jobs = tuple(EncodeSettings(X264, "ultrafast", quality) for quality in (5, 25, 45))
    return Sweep(sources, jobs, Scoring("vmaf_v0.6.1", (CANONICAL6, LITE)))


@pytest.fixture(scope="module")
def straight(ffmpeg, sweep, tmp_path_factory):
    store = CorpusStore(tmp_path_factory.mktemp("straight") / "corpus")
    build_corpus(store, sweep, ffmpeg, processes=2)
    return store


def assert_sound(store):
    """Every file that is there can be read, and every finished cell has all of its frames."""
    rows = [row for path in store.folder.glob("encodes/*") for row in pl.read_parquet(path, glob=False).to_dicts()]
    frames = [pl.read_parquet(path, glob=False)["cell"] for path in store.folder.glob("frames/*")]
    counts = pl.concat(frames).value_counts() if frames else pl.DataFrame({"cell": [], "count": []})
    held = dict(counts.iter_rows())
    assert all(held[row["cell"]] == row["frames"] for row in rows)
    return len(rows)


def assert_resumes(store, sweep, ffmpeg, straight, finished):
    report = build_corpus(store, sweep, ffmpeg, processes=1)
    assert (report.already_finished, report.built, report.set_aside) == (finished, CELLS - finished, [])
    assert store.encodes().drop(TIMINGS).equals(straight.encodes().drop(TIMINGS))
    assert store.frames().equals(straight.frames())
    assert sorted(path.name for path in store.folder.iterdir()) == ["encodes", "feature_costs.json", "frames"]
    assert not list(store.folder.rglob(".*"))


def fill(disk, free):
    """Leave ``free`` bytes on ``disk``; return the file that takes the rest."""
    filler = disk / "filler"
    filler.write_bytes(bytes(max(shutil.disk_usage(disk).free - free, 0)))
    return filler


def test_a_full_disk_is_said_wherever_it_strikes_and_the_build_resumes(ffmpeg, sweep, straight, small_disk):
    refused = 0
    for free in FREE_KIB:
        store = CorpusStore(small_disk / "corpus")
        filler = fill(small_disk, free << 10)
        try:
            report, said = build_corpus(store, sweep, ffmpeg, processes=1), None
            assert (report.built, report.set_aside) == (CELLS, []), f"{free} KiB"
        except OutputError as error:
            refused, said = refused + 1, str(error)
        assert said is None or "disk is full" in said or "No space left" in said, f"{free} KiB: {said}"
        finished = assert_sound(store)
        filler.unlink()
        assert_resumes(store, sweep, ffmpeg, straight, finished)
        shutil.rmtree(store.folder)
    assert 2 <= refused < len(FREE_KIB)


def test_a_limit_on_the_size_of_files_is_said_and_the_build_resumes(ffmpeg, sweep, straight, tmp_path):
    """What can be had without mounting: the corpus's own files may not grow, as with a quota."""
    store = CorpusStore(tmp_path / "corpus")
    check_encoder(ffmpeg, X264)
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"(File too large|disk is full)"):
            build_corpus(store, sweep, ffmpeg, processes=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert_resumes(store, sweep, ffmpeg, straight, assert_sound(store))


def test_a_disk_that_becomes_read_only_is_said_and_the_build_resumes(ffmpeg, sweep, straight, small_disk, remount):
    store = CorpusStore(small_disk / "corpus")
    first = Sweep(sweep.sources[:1], sweep.settings, sweep.scoring)
    assert build_corpus(store, first, ffmpeg, processes=1).built == 3
    remount(small_disk, "ro")
    with pytest.raises(OutputError, match="permission denied; choose another place"):
        build_corpus(store, sweep, ffmpeg, processes=1)
    with pytest.raises(OutputError, match=r"cannot make a corpus in .*: Read-only file system"):
        build_corpus(CorpusStore(small_disk / "other"), sweep, ffmpeg, processes=1)
    remount(small_disk, "rw")
    assert_resumes(store, sweep, ffmpeg, straight, 3)


@pytest.mark.parametrize("name", ["encodes", "frames"])
def test_a_table_that_cannot_be_written_is_said_before_anything_runs(ffmpeg, sweep, straight, unprivileged, name):
    del straight  # which asked the encoder if it works, before permissions bound us
    store = CorpusStore(unprivileged / "corpus")
    store.prepare()
    (store.folder / name).chmod(0o555)
    with pytest.raises(OutputError, match=f"cannot write to the corpus .*{name}: permission denied"):
        build_corpus(store, sweep, ffmpeg, processes=1)
    assert not list((store.folder / name).iterdir())
