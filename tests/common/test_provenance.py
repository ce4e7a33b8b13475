from __future__ import annotations

import getpass
import hashlib
import json
import platform
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vmafcast.common.documents import to_json
from vmafcast.common.errors import RequestError
from vmafcast.common.provenance import (
    FileFact,
    RunProvenance,
    RunRecord,
    code_version,
    host_facts,
    package_versions,
    utc_now,
)

UTC = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/vmafcast", "train", "corpus"])
    (tmp_path / "in.jsonl").write_bytes(b"input")
    (tmp_path / "out.onnx").write_bytes(b"out")
    return tmp_path


def test_a_run_records_what_it_read_wrote_and_ran(files):
    record = RunRecord("vmafcast train", {"seed": 3, "recipe": "lite"})
    record.read([Path("in.jsonl")])
    record.wrote([Path("out.onnx")])
    record.used_ffmpeg("n9.0")
    found = record.finish()
    assert found.entrypoint == "vmafcast train"
    assert found.argv == ["train", "corpus"]
    assert found.args == {"seed": 3, "recipe": "lite"}
    assert found.inputs == [FileFact(path="in.jsonl", sha256=hashlib.sha256(b"input").hexdigest(), bytes=5)]
    assert found.outputs == [FileFact(path="out.onnx", sha256=hashlib.sha256(b"out").hexdigest(), bytes=3)]
    assert found.ffmpeg == "n9.0"
    assert UTC.match(found.started_utc)
    assert found.started_utc <= found.ended_utc
    assert found.code_version == code_version()


def test_it_names_no_user_and_no_host(files):
    host = RunRecord("x", {}).finish().host
    assert host == host_facts()
    assert set(host) == {"system", "machine", "cpus"}
    names = {getpass.getuser(), socket.gethostname(), platform.node()}
    assert not names & {str(value) for value in host.values()}
    assert host["cpus"] >= 1


def test_the_document_says_which_schema_it_is_and_comes_back(files):
    found = RunRecord("x", {}).finish()
    written = json.loads(to_json(found))
    assert written["schema"] == "vmafcast/run-provenance/1"
    assert RunProvenance.model_validate(written) == found
    assert set(written) == {
        "schema", "entrypoint", "argv", "args", "inputs", "outputs", "code_version", "packages", "ffmpeg",
        "started_utc", "ended_utc", "host",
    }  # fmt: skip


def test_what_decides_numbers_is_listed_with_its_version():
    versions = package_versions()
    assert versions["python"] == platform.python_version()
    assert versions["numpy"] == np.__version__
    assert {"polars", "onnxruntime", "av", "imageio-ffmpeg"} <= set(versions)
    assert "nonexistent" not in versions


def test_what_was_recorded_later_does_not_reach_back(files):
    args = {"a": 1}
    record = RunRecord("x", args)
    args["a"] = 2
    assert record.finish().args == {"a": 1}
    record.read([Path("in.jsonl")])
    assert len(record.finish().inputs) == 1


def test_a_file_that_is_not_there_is_named(files):
    with pytest.raises(RequestError, match=r"absent\.onnx"):
        RunRecord("x", {}).wrote([Path("absent.onnx")])


def test_a_file_can_be_shown_under_another_path(files):
    fact = FileFact.of(files / "in.jsonl", shown_as="corpus/in.jsonl")
    assert (fact.path, fact.bytes) == ("corpus/in.jsonl", 5)


def test_now_is_in_utc_to_the_second():
    assert UTC.match(utc_now())


def test_importing_it_warns_of_nothing():
    """It has a field called ``schema``, as pydantic's documents have a method; warnings are errors here."""
    command = [sys.executable, "-W", "error", "-c", "import vmafcast.common.provenance"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stderr == ""
