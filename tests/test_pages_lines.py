import pytest

from asr.pages.lines import linear_axis, log_axis, value_axis, whole_axis


def test_axes():
    axis = linear_axis("x", [2.0, 3.0], str, from_zero=True)
    assert (axis.place(0), axis.place(3.0), axis.place(9)) == (0, 1, 1)
    same = linear_axis("x", [5.0, 5.0], str)
    assert same.place(5.0) == pytest.approx(0.5)
    nothing = linear_axis("x", [0.0], str)
    assert 0 <= nothing.place(0.0) <= 1
    assert nothing.ticks
    log = log_axis("y", [0.01, 1.0], "{:g}".format)
    assert log.place(0.1) == pytest.approx(0.5)
    assert log.place(0.0) == 0
    assert {"0.01", "0.1", "1"} <= {label for _, label in log.ticks}
    assert 2 <= len(log_axis("y", [0.12, 0.8], str).ticks) <= 7
    assert len(log_axis("y", [1e-9, 1.0], str).ticks) <= 7
    assert log_axis("y", [0.5], str).ticks
    values = value_axis("layers", [1, 2, 4, 8, 16], str)
    assert values.log
    assert [label for _, label in values.ticks] == ["1", "2", "4", "8", "16"]
    assert not value_axis("layers", [1, 2, 3], str).log
    assert not value_axis("dropout", [0.0, 0.9], str).log


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (1, 1, "1"),
        (1, 2, "1 2"),
        (1, 7, "1 2 3 4 5 6 7"),
        (1, 40, "10 20 30 40"),
        (5, 8, "5 6 7 8"),
        (1, 2500, "500 1,000 1,500 2,000 2,500"),
    ],
)
def test_whole_numbers_are_labelled_with_whole_numbers(low, high, labels):
    axis = whole_axis("epoch", low, high)
    assert [label for _, label in axis.ticks] == labels.split()
    assert axis.place(low) == (0.5 if low == high else 0)
    assert axis.place(high) == (0.5 if low == high else 1)
