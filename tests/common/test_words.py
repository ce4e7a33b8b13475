import pytest

from vmafcast.common.words import counted, frames_kept


@pytest.mark.parametrize(
    ("count", "noun", "said"),
    [
        (0, "seed", "0 seeds"),
        (1, "seed", "1 seed"),
        (2, "source group", "2 source groups"),
        (1, "process", "1 process"),
        (1234567, "process", "1,234,567 processes"),
    ],
)
def test_a_number_has_its_noun(count, noun, said):
    assert counted(count, noun) == said


def test_what_was_left_out_is_said_only_where_something_was():
    assert frames_kept(1, 1) == "1 frame"
    assert frames_kept(245_520, 245_520) == "245,520 frames"
    assert frames_kept(122_760, 245_520) == "122,760 of 245,520 frames kept"
