"""The status block of a model card: one line between two marks, which can be replaced and leaves all else as it is."""

from __future__ import annotations

import re
from typing import Final

from vmafcast.common.errors import DataError
from vmafcast.evaluation.verdict import Verdict

PRODUCTION: Final = "Production (gate cleared)"
NOT_JUDGED: Final = "Proposed (not judged)"

_BEGIN: Final = "<!-- status:begin -->"
_END: Final = "<!-- status:end -->"
_LONGEST_REASON: Final = 400

_BLOCK = re.compile(rf"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)
_FENCE = re.compile(r"^(`{3,}|~{3,})", re.MULTILINE)
_PLAIN = re.compile(r"^(?:\*\*)?Status:.*$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_HEADING = re.compile(r"^# .*\n?", re.MULTILINE)


def status_of(verdict: Verdict | None) -> str:
    """Return the status that a verdict gives: production, or proposed with what the gate found wrong."""
    if verdict is None:
        return NOT_JUDGED
    if verdict.promotes:
        return PRODUCTION
    wrong = [f"{each.name}: {each.detail}" for each in verdict.criteria if each.status == "fail"]
    wrong = wrong or [f"{each.name}: {each.detail}" for each in verdict.criteria if each.status != "pass"]
    return proposed("; ".join(wrong) or verdict.outcome)


def proposed(reason: str) -> str:
    """Return the status of a model that a gate refused, with the reason in one line."""
    return f"Proposed (gate-failed: {_one_line(reason)})"


def revoked(reason: str) -> str:
    """Return the status of a model that was withdrawn, with the reason in one line."""
    return f"Revoked ({_one_line(reason)})"


def status_block(status: str) -> str:
    """Return the block that says ``status``."""
    return f"{_BEGIN}\nStatus: {_one_line(status)}\n{_END}"


def with_status(text: str, status: str) -> str:
    """Return ``text`` with its status block saying ``status``, and every other character as it was.

    A text without the block gets it in place of its line ``Status: ...``, else below its first heading, else at its
    beginning (below a front matter). Doing it again changes nothing.

    Raises
    ------
    DataError
        There is more than one block, or one that does not end.
    """
    block = status_block(status)
    found = _BLOCK.findall(text)
    if len(found) > 1 or text.count(_BEGIN) != len(found) or text.count(_END) != len(found):
        raise DataError(f"the card has a status block that cannot be told apart; keep one, from {_BEGIN} to {_END}")
    if found:
        return _BLOCK.sub(lambda _: block, text)
    for match in _PLAIN.finditer(text):
        if len(_FENCE.findall(text[: match.start()])) % 2 == 0:  # not within a code block
            return text[: match.start()] + block + text[match.end() :]
    front = _FRONT_MATTER.match(text)
    begin = front.end() if front else 0
    heading = _HEADING.search(text, begin)
    at = heading.end() if heading else begin
    between = "" if not text[:at] or text[:at].endswith("\n") else "\n"
    return f"{text[:at]}{between}\n{block}\n{text[at:]}"


def _one_line(text: str) -> str:
    """Return ``text`` in one line that can neither end the block nor begin a new one."""
    line = " ".join(text.split()).replace("<!--", "<!- -").replace("-->", "- ->")
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"
