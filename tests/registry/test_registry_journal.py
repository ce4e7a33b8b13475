from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import IntegrityError, OutputError, RequestError
from vmafcast.registry.journal import NO_EVENT, Event, append_events, cut_back, read_journal, scan_journal
from vmafcast.registry.store import Registry
from vmafcast.registry.verify import verify


@pytest.fixture
def history(registry, workshop):
    """A registry with six events, and the path of its history."""
    for _ in range(2):
        workshop.promoted(registry)
    registry.rollback("fr_regressor_v1", "schlechter, «très» mauvais")
    registry.revoke(registry.champion("fr_regressor_v1").id, "a leak")
    return registry.folder / "events.jsonl"


def resealed(path, edit):
    """Rewrite the whole file with every hash recomputed, as a forger with the code at hand would."""
    head, lines = NO_EVENT, []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        content = json.loads(line)
        edit(number, content)
        event = Event.model_validate({**content, "previous_hash": head}).sealed()
        head = event.hash
        lines.append(event.line())
    path.write_bytes(b"".join(lines))


def test_every_event_names_the_one_before_it(history):
    events = read_journal(history).events
    assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6]
    assert [event.event for event in events] == ["register", "promote"] * 2 + ["rollback", "revoke"]
    assert [event.previous_hash for event in events] == [NO_EVENT, *(event.hash for event in events[:-1])]
    assert events[4].reason == "schlechter, «très» mauvais"


def test_an_empty_history_has_no_head(tmp_path):
    (tmp_path / "events.jsonl").touch()
    journal = read_journal(tmp_path / "events.jsonl")
    assert (journal.events, journal.size, journal.torn, journal.head) == ((), 0, 0, NO_EVENT)


def test_a_missing_history_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"events\.jsonl"):
        read_journal(tmp_path / "events.jsonl")


def test_the_same_bytes_are_read_once_and_others_anew(history):
    first = read_journal(history)
    assert read_journal(history) is first
    whole = history.read_bytes()
    history.write_bytes(whole.replace(b"schlechter", b"schlichter"))
    with pytest.raises(IntegrityError, match="line 5: its hash is not that of its content"):
        read_journal(history)
    history.write_bytes(whole)
    assert read_journal(history) is first


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_any_changed_byte_is_noticed(history, data):
    whole = history.read_bytes()
    position = data.draw(st.integers(0, len(whole) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != whole[position]))
    try:
        history.write_bytes(whole[:position] + bytes([value]) + whole[position + 1 :])
        journal = scan_journal(history)
        assert journal.broken or journal.torn
        assert "events.jsonl" in {problem.path for problem in verify(history.parent).problems}
    finally:
        history.write_bytes(whole)


@pytest.mark.parametrize("number", range(6))
def test_a_line_taken_out_is_noticed(history, number):
    lines = history.read_bytes().splitlines(keepends=True)
    history.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
    report = verify(history.parent)
    assert not report.ok
    assert report.problems[0].path == ("events.jsonl" if number < 5 else "registry.json")


def test_lines_in_another_order_are_noticed(history):
    lines = history.read_bytes().splitlines(keepends=True)
    history.write_bytes(b"".join([lines[2], *lines[:2], *lines[3:]]))
    with pytest.raises(IntegrityError, match=r"events\.jsonl was altered: line 1"):
        read_journal(history)


def test_an_edited_reason_is_noticed_and_its_line_is_named(history):
    history.write_bytes(history.read_bytes().replace(b"schlechter", b"fabelhaft!"))
    with pytest.raises(IntegrityError, match="line 5: its hash"):
        Registry.open(history.parent)


def test_the_same_content_in_other_bytes_is_noticed(history):
    lines = history.read_bytes().splitlines(keepends=True)
    lines[1] = json.dumps(json.loads(lines[1])).encode() + b"\n"
    history.write_bytes(b"".join(lines))
    with pytest.raises(IntegrityError, match="line 2: its bytes"):
        read_journal(history)


def make_champion(number, content):
    if number == 5:
        content["champion"] = content["model"]


def promote_without_verdict(number, content):
    if content["event"] == "promote":
        content["verdict_sha256"] = None


def promote_a_smoke_model(number, content):
    if number == 1:
        content["facts"]["smoke"] = True


def uncover_the_sidecar(number, content):
    if number == 1:
        del content["files"][content["facts"]["sidecar"]]


def replace_a_file(number, content):
    if number == 4:
        content["files"] = {"models/{}/model.onnx".format(content["model"]): "0" * 64}
        content["verdict_sha256"] = "0" * 64


@pytest.mark.parametrize(
    ("forgery", "says"),
    [
        (make_champion, "does not follow"),
        (promote_without_verdict, "exactly its verdict"),
        (promote_a_smoke_model, "smoke"),
        (uncover_the_sidecar, "covered by a hash"),
        (replace_a_file, "replaces a file"),
    ],
)
def test_a_resealed_history_that_breaks_the_rules_is_refused(history, forgery, says):
    resealed(history, forgery)
    assert read_journal(history).broken is None  # the chain itself holds
    with pytest.raises(IntegrityError, match=says):
        Registry.open(history.parent)
    assert "events.jsonl" in {problem.path for problem in verify(history.parent).problems}


def test_a_resealed_history_within_the_rules_no_longer_fits_what_was_rendered(history):
    resealed(history, lambda _, content: content.update(reason="nothing to see"))
    assert Registry.open(history.parent).history()[0].reason == "nothing to see"
    assert [problem.path for problem in verify(history.parent).problems] == ["registry.json"]


def test_appending_and_cutting_back(history):
    journal = read_journal(history)
    before = history.read_bytes()
    event = journal.events[-1].model_copy(update={"seq": 7, "previous_hash": journal.head}).sealed()
    append_events(history, [event], journal.size)
    assert read_journal(history).events[-1] == event
    cut_back(history, journal.size)
    assert history.read_bytes() == before


def test_a_history_that_cannot_be_written_is_named(tmp_path, history):
    event = read_journal(history).events[0]
    with pytest.raises(OutputError, match="absent"):
        append_events(tmp_path / "absent", [event], 0)
    with pytest.raises(OutputError, match="absent"):
        cut_back(tmp_path / "absent", 0)
