"""What must not stand in the project: paths of somebody's machine, hosts of registries, footage."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SOMEBODYS_PATH = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/\w")
REGISTRY_HOST = re.compile(r"https?://[^\s\"')]*(?:pypi|pythonhosted|npmjs)[^\s\"')]*")
FOOTAGE = {".mkv", ".mp4", ".y4m", ".yuv", ".webm", ".mov", ".avi"}


def tracked():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_path_of_a_machine_and_no_registry_host_is_named():
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path.name}: {match[0]}" for match in SOMEBODYS_PATH.finditer(text)]
        found += [f"{path.name}: {match[0]}" for match in REGISTRY_HOST.finditer(text)]
    assert found == []


def test_no_footage_is_tracked():
    assert [path.name for path in tracked() if path.suffix.lower() in FOOTAGE] == []


def test_the_documentation_links_to_files_that_are_there():
    missing = [
        f"{page.name}: {target}"
        for page in tracked()
        if page.suffix == ".md"
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert missing == []
