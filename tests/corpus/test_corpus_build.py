from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from vmafcast.common.errors import CapabilityError, DataError, OutputError
from vmafcast.corpus.build import build_corpus, check_encoders
from vmafcast.corpus.plan import NamedSource, Sweep
from vmafcast.corpus.store import TIMINGS, CorpusStore
from vmafcast.corpus.table import frame_table
from vmafcast.encoders.catalogue import get_encoder
from vmafcast.media.availability import check_encoder
from vmafcast.media.features import CANONICAL6, LITE
from vmafcast.media.ffmpeg import find_ffmpeg
from vmafcast.media.graph import EncodeSettings, Scoring
from vmafcast.media.source import probe

SCORING = Scoring("vmaf_v0.6.1", (CANONICAL6, LITE))
X264 = get_encoder("libx264")


@pytest.fixture(scope="module")
def sources(clips):
    return tuple(NamedSource(path.stem, path.stem, probe(path)) for path in sorted(clips.iterdir()))


def x264(*qualities, **more):
    return tuple(EncodeSettings(X264, "ultrafast", quality, **more) for quality in qualities)


def without_timings(store):
    return store.encodes().drop(TIMINGS)


def assert_same_corpus(one, other):
    assert without_timings(one).equals(without_timings(other))
    assert one.frames().equals(other.frames())


def assert_nothing_is_left_over(store):
    assert sorted(path.name for path in store.folder.iterdir()) == ["encodes", "feature_costs.json", "frames"]
    assert [path.name for path in store.encode_files()] == [path.name for path in store.frame_files()]
    assert not list(store.folder.rglob(".*"))


def wrapper(ffmpeg, folder, body):
    path = folder / "ffmpeg-wrapper"
    path.write_text(f'#!/bin/sh\nreal={ffmpeg.path}\n{body}exec "$real" "$@"\n')
    path.chmod(0o755)
    return find_ffmpeg(str(path))


class Watcher:
    """Progress that is remembered, or that does something after so many steps."""

    def __init__(self, after=None, what=None):
        self.total, self.done, self.steps, self.words = None, 0.0, 0, []
        self._after, self._what = after, what

    @contextmanager
    def task(self, description, total=None):
        self.words.append(description)
        self.total = total
        yield self

    def advance(self, amount=1.0):
        self.done += amount
        self.steps += 1
        if self.steps == self._after:
            self._what()

    def describe(self, text):
        self.words.append(text)


# -------------------------------------------------------------------------------------------------------- building


def test_everything_that_is_planned_is_built(ffmpeg, sources, tmp_path):
    store = CorpusStore(tmp_path / "corpus")
    watcher = Watcher()
    sweep = Sweep(sources, (*x264(25, 45), EncodeSettings(get_encoder("libsvtav1"), "11", 50)), SCORING)
    report = build_corpus(store, sweep, ffmpeg, processes=2, progress=watcher)
    assert (report.planned, report.already_finished, report.built, report.set_aside) == (6, 0, 6, [])
    assert 0 < report.cpu_seconds < report.spent.cpu_seconds
    assert report.spent.busy(1) > 0
    assert watcher.done == pytest.approx(watcher.total)
    assert watcher.steps == 4
    assert any("libsvtav1 11 50" in words for words in watcher.words)
    table = store.encodes()
    assert table["source"].to_list() == ["ant"] * 3 + ["bee"] * 3
    assert table["vmaf"].is_between(1, 100).all()
    assert frame_table(store, ["psnr_y"], "vmaf_v0.6.1").height == 6 * 6
    assert_nothing_is_left_over(store)


def test_the_number_of_processes_changes_nothing(ffmpeg, sources, tmp_path):
    one, many = CorpusStore(tmp_path / "one"), CorpusStore(tmp_path / "many")
    sweep = Sweep(sources, x264(25, 35, 45), SCORING)
    build_corpus(one, sweep, ffmpeg, processes=1)
    build_corpus(many, sweep, ffmpeg, processes=4)
    assert_same_corpus(one, many)


def test_only_what_is_not_finished_runs(ffmpeg, sources, tmp_path):
    store = CorpusStore(tmp_path)
    build_corpus(store, Sweep(sources[:1], x264(25), SCORING), ffmpeg, processes=1)
    [first] = store.encode_files()
    stamp = first.stat().st_mtime_ns
    report = build_corpus(store, Sweep(sources, x264(25, 45), SCORING), ffmpeg, processes=1)
    assert (report.planned, report.already_finished, report.built) == (4, 1, 3)
    assert first.stat().st_mtime_ns == stamp
    again = build_corpus(store, Sweep(sources, x264(25, 45), SCORING), ffmpeg, processes=1)
    assert (again.planned, again.already_finished, again.built, again.cpu_seconds) == (4, 4, 0, 0)
    straight = CorpusStore(tmp_path / "straight")
    build_corpus(straight, Sweep(sources, x264(25, 45), SCORING), ffmpeg, processes=1)
    assert_same_corpus(store, straight)


def test_another_teacher_is_another_cell(ffmpeg, sources, tmp_path):
    store = CorpusStore(tmp_path)
    for teacher in ("vmaf_v0.6.1", "vmaf_v0.6.1neg"):
        report = build_corpus(store, Sweep(sources[:1], x264(45), Scoring(teacher, (CANONICAL6,))), ffmpeg, processes=1)
        assert report.built == 1
    assert store.encodes().height == 2
    with pytest.raises(DataError, match="do not mix teachers"):
        frame_table(store, ["adm2"], "vmaf_v0.6.1")


def test_the_same_material_under_two_names_is_encoded_once(ffmpeg, clips, sources, tmp_path):
    twin = replace(sources[0], name="twin")
    report = build_corpus(CorpusStore(tmp_path), Sweep((sources[0], twin), x264(45), SCORING), ffmpeg, processes=1)
    assert (report.planned, report.built) == (1, 1)


def test_nothing_to_do(ffmpeg, sources, tmp_path):
    report = build_corpus(CorpusStore(tmp_path), Sweep(sources, (), SCORING), ffmpeg, processes=1)
    assert (report.planned, report.built) == (0, 0)


# ------------------------------------------------------------------------------------------------- refused beforehand


def test_an_encoder_that_is_not_there_is_refused_before_anything_runs(ffmpeg, sources, tmp_path):
    unknown = EncodeSettings(replace(X264, name="libnone"), "medium", 23)
    store = CorpusStore(tmp_path / "corpus")
    with pytest.raises(CapabilityError, match="libnone does not work here"):
        build_corpus(store, Sweep(sources, (*x264(25), unknown), SCORING), ffmpeg, processes=1)
    assert not store.folder.exists()


def test_every_encoder_is_asked_once(ffmpeg, sources):
    found = check_encoders(ffmpeg, x264(25, 45))
    assert list(found) == ["libx264"]
    assert found["libx264"].works


def test_a_place_that_cannot_be_written_is_refused_before_anything_runs(ffmpeg, sources, unprivileged):
    check_encoder(ffmpeg, X264)
    (unprivileged / "frames").mkdir()
    (unprivileged / "encodes").mkdir()
    unprivileged.chmod(0o555)
    watcher = Watcher()
    with pytest.raises(OutputError, match="choose another place"):
        build_corpus(
            CorpusStore(unprivileged), Sweep(sources, x264(25), SCORING), ffmpeg, processes=1, progress=watcher
        )
    assert watcher.steps == 0


# ------------------------------------------------------------------------------------------------------ set aside


def test_a_poison_cell_is_set_aside_and_all_others_are_done(ffmpeg, sources, tmp_path):
    log = tmp_path / "log"
    counting = wrapper(ffmpeg, tmp_path, f'case "$*" in *nonexistent*) echo x >> {log};; esac\n')
    poison = x264(35, extra=("-vf", "nonexistent"))
    store = CorpusStore(tmp_path / "corpus")
    sweep = Sweep(sources[:1], (*x264(25), *poison, *x264(45)), SCORING)
    report = build_corpus(store, sweep, counting, processes=2, tries=3)
    assert (report.planned, report.built) == (3, 2)
    [aside] = report.set_aside
    assert aside.cell.settings == poison[0]
    assert "encoding ant.mkv with libx264 ultrafast 35" in aside.reason
    assert store.encodes()["quality"].to_list() == [25, 45]
    assert len(log.read_text().split()) == 1 + 3  # with its neighbours, and three times alone
    assert_nothing_is_left_over(store)
    again = build_corpus(store, sweep, counting, processes=1, tries=1)
    assert (again.already_finished, again.built, len(again.set_aside)) == (2, 0, 1)


def test_a_source_that_is_damaged_inside_costs_only_its_own_cells(ffmpeg, sources, clips, run_tool, tmp_path):
    path = tmp_path / "damaged.mov"
    run_tool("-i", clips / "ant.mkv", "-c:v", "png", path)
    data = bytearray(path.read_bytes())
    places = [place for place in range(len(data)) if data[place : place + 4] == b"IHDR"]
    data[places[3] : places[3] + 4] = b"XXXX"
    path.write_bytes(data)
    damaged = NamedSource("damaged", "damaged", probe(path))
    report = build_corpus(
        CorpusStore(tmp_path / "corpus"), Sweep((damaged, *sources), x264(45), SCORING), ffmpeg, processes=2
    )
    assert report.built == 2
    assert [aside.cell.source.name for aside in report.set_aside] == ["damaged"]


def test_a_failure_that_passes_is_forgotten(ffmpeg, sources, tmp_path):
    flag = tmp_path / "failed-once"
    body = f'case "$*" in *c0.mkv*) [ -e {flag} ] || {{ touch {flag}; echo "[error] a hiccup" >&2; exit 1; }};; esac\n'
    flaky = wrapper(ffmpeg, tmp_path, body)
    report = build_corpus(CorpusStore(tmp_path / "corpus"), Sweep(sources[:1], x264(45), SCORING), flaky, processes=1)
    assert (report.built, report.set_aside) == (1, [])
    assert flag.exists()


def test_a_failure_by_luck_is_tried_more_often(ffmpeg, sources, tmp_path):
    """libvvenc may give out nothing of a clip that its lookahead holds whole, and all of it the next time."""
    count = tmp_path / "count"
    words = "[error] Cannot initialize a standalone decoder"
    unless = f'[ $(wc -l < {count}) -gt 7 ] || {{ echo "{words}" >&2; exit 234; }}'
    body = f'case "$*" in *c0.mkv*) echo x >> {count}; {unless};; esac\n'
    unlucky = wrapper(ffmpeg, tmp_path, body)
    report = build_corpus(CorpusStore(tmp_path / "corpus"), Sweep(sources[:1], x264(45), SCORING), unlucky, processes=1)
    assert (report.built, report.set_aside) == (1, [])
    assert len(count.read_text().split()) == 8


def test_a_hung_ffmpeg_is_a_failure_like_any_other(ffmpeg, sources, tmp_path):
    hung = wrapper(ffmpeg, tmp_path, 'case "$*" in *bee.mkv*) exec sleep 600;; esac\n')
    report = build_corpus(
        CorpusStore(tmp_path / "corpus"), Sweep(sources, x264(45), SCORING), hung, processes=2, tries=1, stall_seconds=3
    )
    assert report.built == 1
    [aside] = report.set_aside
    assert "no progress" in aside.reason


def test_a_full_disk_ends_the_build_at_once_and_says_so(ffmpeg, sources, tmp_path):
    body = 'case "$*" in *bee.mkv*) echo "[error] Error writing: No space left on device" >&2; exit 228;; esac\n'
    full = wrapper(ffmpeg, tmp_path, body)
    store = CorpusStore(tmp_path / "corpus")
    with pytest.raises(
        OutputError, match=r"the disk is full \(No space.*; free some space and run the same command again"
    ):
        build_corpus(store, Sweep(sources, x264(45), SCORING), full, processes=1, tries=5)
    report = build_corpus(store, Sweep(sources, x264(45), SCORING), ffmpeg, processes=1)
    assert report.already_finished + report.built == 2


# ---------------------------------------------------------------------------------------------------- interrupted


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


@linux
@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_ends_every_ffmpeg_and_keeps_what_is_finished(ffmpeg, sources, tmp_path, failure, running_in):
    def interrupt():
        raise failure

    endless = wrapper(ffmpeg, tmp_path, 'case "$*" in *bee.mkv*) exec sleep 600;; esac\n')
    store = CorpusStore(tmp_path / "corpus")
    sweep = Sweep(sources, x264(25, 45), SCORING)
    begun = time.monotonic()
    with pytest.raises(failure):
        build_corpus(store, sweep, endless, processes=2, progress=Watcher(1, interrupt))
    assert time.monotonic() - begun < 60
    assert running_in(store.folder) == []
    assert store.encodes()["source"].to_list() == ["ant", "ant"]
    report = build_corpus(store, sweep, replace(endless, path=ffmpeg.path), processes=2)
    assert (report.already_finished, report.built) == (2, 2)
    assert_nothing_is_left_over(store)
