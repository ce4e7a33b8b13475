"""The reader of JSON lines against the standard library, line by line."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmafcast.common.errors import DataError
from vmafcast.corpus.jsonl import JsonLines

SIX = ("adm2", "vif_scale0", "vif_scale1", "vif_scale2", "vif_scale3", "motion2")


def row(frame):
    made = {"src": "park", "encoder": "libx264", "cq": 28, "frame_index": frame, "vmaf": 80.0 + frame / 7}
    return made | dict.fromkeys(SIX, 0.5 + frame / 100)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 200), st.floats(allow_nan=True), st.text(max_size=3), st.just([1]),
)  # fmt: skip
LINES = st.one_of(
    st.builds(
        lambda frame, key, value: json.dumps(row(frame) | {key: value}).encode(),
        st.integers(0, 99), st.sampled_from([*row(0), "codec", "crf", "preset", "other"]), VALUES,
    ),
    st.builds(lambda frame, cut: json.dumps(row(frame)).encode()[:cut], st.integers(0, 9), st.integers(0, 400)),
    st.sampled_from([b"", b"  ", b"\r", b"{}", b"[]", b"nul", b"\xff", b'{"a": 1} {"a": 2}']),
)  # fmt: skip


def read_plainly(data):
    """What must come of a file, by the rules as they are written: rows by line, the torn line, or the line at fault."""
    lines = data.split(b"\n")
    last = max((number for number, line in enumerate(lines, 1) if line.strip(b" \t\r")), default=0)
    rows, torn = [], None
    for number, line in enumerate(lines, 1):
        if not line.strip(b" \t\r"):
            continue
        try:
            found = json.loads(line)
        except ValueError:
            if number == last:
                torn = number
                continue
            return number
        if not isinstance(found, dict):
            return number
        columns = {"source": ("src",), "encoder": ("encoder", "codec"), "preset": ("preset",)}
        columns |= {"quality": ("cq", "q", "crf"), "frame": ("frame_index",), "vmaf": ("vmaf", "vmaf_score")}
        got = {}
        for name, keys in (columns | {name: (name,) for name in SIX}).items():
            value = next((found[key] for key in keys if found.get(key) is not None), None)
            text = name in ("source", "encoder", "preset")
            if value is None and name not in ("preset", "quality"):
                return number
            fits = isinstance(value, str | int) if text else isinstance(value, int | float)
            if value is not None and (not fits or isinstance(value, bool)):
                return number
            got[name] = None if value is None else str(value) if text else float(value)
        rows.append((number, got))
    return rows, torn


def read_by_us(path, batch_bytes):
    reader = JsonLines(path)
    try:
        tables = list(reader.batches(batch_bytes=batch_bytes))
    except DataError as error:
        return int(str(error).split("line ")[1].split(":")[0].split(" ")[0])
    rows = [
        (
            each["number"],
            {name: each[name] for name in ("source", "encoder", "preset", "quality", "frame", "vmaf", *SIX)},
        )
        for table in tables
        for each in table.iter_rows(named=True)
    ]
    return rows, reader.torn and reader.torn.line


def lenient(line):
    """Polars turns booleans, floats and lists into text, where the standard library's reader refuses them."""
    try:
        found = json.loads(line)
    except ValueError:
        return False
    odd = (found.get(key) for key in ("src", "encoder", "codec", "preset")) if isinstance(found, dict) else ()
    return any(isinstance(value, bool | float | list) for value in odd)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(LINES, max_size=8).filter(lambda lines: not any(map(lenient, lines))),
    end=st.sampled_from([b"", b"\n"]),
    batch_bytes=st.sampled_from([1, 64, 700, 1 << 20]),
)
def test_batches_hold_what_the_lines_hold(tmp_path, lines, end, batch_bytes):
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b"\n".join(lines) + end)
    expected, got = read_plainly(path.read_bytes()), read_by_us(path, batch_bytes)
    assert repr(got) == repr(expected)  # NaN equals NaN here
