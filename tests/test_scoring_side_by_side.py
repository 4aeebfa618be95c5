"""Alignments of several systems under one another."""

from hypothesis import given
from hypothesis import strategies as st

from asr.scoring.alignment import align_words
from asr.scoring.side_by_side import stack

TEXTS = st.lists(st.sampled_from("abc"), max_size=8).map(" ".join)


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_every_alignment_stands_in_its_row(ref, hyps):
    alignments = [align_words(ref, hyp) for hyp in hyps]
    columns = stack(alignments)
    assert [c.ref for c in columns if c.ref is not None] == ref.split()
    for number, (hyp, pairs) in enumerate(zip(hyps, alignments, strict=True)):
        cells = [column.cells[number] for column in columns]
        heard = [cell for cell in cells if cell.word is not None]
        assert [cell.word for cell in heard] == hyp.split()
        assert [cell.place for cell in heard] == list(range(len(heard)))
        places = [cell.place for cell in cells]
        assert places == sorted(places)
        # The columns without those that are other systems' are the alignment.
        own = [
            (column.ref, column.cells[number].word)
            for column in columns
            if column.ref is not None or column.cells[number].word is not None
        ]
        assert own == pairs
        wrong = sum(cell.kind != "C" for cell in cells)
        assert wrong == sum(left != right for left, right in pairs)
    assert all(c.ref is not None or c.wrong for c in columns)


def test_an_optional_word_that_was_left_out_is_right():
    columns = stack([align_words("(uh) a b", "a c", marked=True)])
    assert [column.ref for column in columns] == ["(uh)", "a", "b"]
    assert [column.cells[0].kind for column in columns] == ["C", "C", "S"]
    assert [column.cells[0].place for column in columns] == [-1, 0, 1]


def test_nothing_is_no_columns():
    assert stack([[]]) == []
    assert stack([]) == []


def test_a_book_in_one_line_takes_no_quadratic_time():
    pairs = [("a", "a"), (None, "b"), ("c", None)] * 50_000
    assert len(stack([pairs, pairs])) == 150_000
