"""`vmafcast complexity`: what it says to people and to scripts, what it remembers, and how it refuses."""

import pytest

from vmafcast.media.complexity.facts import NAMES


@pytest.fixture
def said(clip, run_in, tmp_path):
    def run(*arguments):
        return run_in(tmp_path, "complexity", *arguments)

    run.clip, run.cache = clip, tmp_path / "cache"
    return run


def test_every_feature_is_shown_with_its_unit_and_what_it_cost(said):
    code, out, _ = said(said.clip, "--no-cache")
    assert code == 0
    for name in NAMES:
        assert name in out
    assert "code value" in out
    assert "frames a second of one core" in out
    assert "probe" not in out


def test_a_script_gets_one_line_a_source_and_the_second_call_is_remembered(said):
    first = said(said.clip, "--probe", "--cache", said.cache, "--json")
    assert first.code == 0
    [line] = first.lines
    assert line["type"] == "complexity"
    assert tuple(line["features"]) == tuple(line["units"]) == NAMES
    assert line["cached"] is False
    assert line["total_cpu_seconds"] >= line["cpu_seconds"] + line["probe"]["cpu_seconds"]
    assert [point["encoder"] for point in line["probe"]["points"]] == ["libx264", "libx264", "libsvtav1", "libsvtav1"]
    [again] = said(said.clip, "--probe", "--cache", said.cache, "--json").lines
    assert again == {**line, "cached": True}


def test_several_sources_each_have_a_line(said, make_clip):
    other = make_clip("another.mkv", seed=4)
    lines = said(said.clip, other, "--no-cache", "--json").lines
    assert [line["source"] for line in lines] == [str(said.clip), str(other)]


def test_nothing_is_kept_where_nothing_may_be(said, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert said(said.clip, "--no-cache").code == 0
    assert not (tmp_path / "xdg").exists()
    assert said(said.clip).code == 0
    assert len(list((tmp_path / "xdg" / "vmafcast" / "complexity").glob("*.json"))) == 1


def test_bad_requests_are_refused_in_a_line(said, tmp_path):
    nonsense = tmp_path / "nonsense.mkv"
    nonsense.write_bytes(b"no video")
    for arguments, code, words in (
        ((tmp_path / "nowhere.mkv",), 2, "does not exist"),
        ((nonsense,), 1, "is not a video"),
        ((said.clip, "--no-cache", "--cache", tmp_path), 2, "exclude each other"),
        ((), 2, "Missing argument"),
    ):
        found = said(*arguments)
        assert found.code == code
        assert words in found.err
        assert "Traceback" not in found.err


def test_a_cache_that_cannot_be_written_is_said(said, tmp_path):
    (tmp_path / "file").write_text("in the way")
    found = said(said.clip, "--cache", tmp_path / "file")
    assert found.code == 1
    assert "cannot write" in found.err
