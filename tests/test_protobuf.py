from io import BytesIO

import pytest

from asr.protobuf import fields


def test_fields_and_what_has_no_length():
    # 1: the number 300; 2: "testing"; 3: four bytes; 4: eight.
    data = b"\x08\xac\x02\x12\x07testing\x1d1234\x2112345678"
    file = BytesIO(data)
    found = [(n, file.read(length)) for n, length in fields(file, len(data))]
    assert found == [(2, b"testing"), (3, b"1234"), (4, b"12345678")]


def test_contents_may_be_stepped_over():
    data = b"\x12\x03abc" * 3
    assert list(fields(BytesIO(data), len(data))) == [(2, 3)] * 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x12\x07test", "6 bytes of 9 or more"),
        (b"\x13", "no field begins at byte 0"),
        (b"\x12\xff", "breaks off within a number"),
    ],
)
def test_what_is_none(data, said):
    with pytest.raises(ValueError, match=said):
        list(fields(BytesIO(data), len(data)))
