"""The checksum of event files against published values and TensorBoard's plain loop."""

from __future__ import annotations

import random

import pytest
from tensorboard.compat.tensorflow_stub import pywrap_tensorflow

from tb_convergence.reading.crc32c import crc32c, masked_crc32c


@pytest.mark.parametrize(("data", "expected"), [
    (b"", 0x00000000),
    (b"123456789", 0xE3069283),
    # RFC 3720, B.4.
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
])
def test_published_values(data: bytes, expected: int) -> None:
    assert crc32c(data) == expected


@pytest.mark.parametrize("length", [
    *range(8), 63, 64, 65, 1023, 1024, 1025, 1087, 1088, 1089, 2047, 2048, 4096, 5001, 26_000,
    65_536, 100_003,
])
def test_as_tensorboard_has_it(length: int) -> None:
    data = random.Random(length).randbytes(length)
    assert masked_crc32c(data) == pywrap_tensorflow.masked_crc32c(data)


@pytest.mark.parametrize("length", [1024, 5000])
def test_each_byte_counts(length: int) -> None:
    data = bytearray(random.Random(1).randbytes(length))
    whole = crc32c(bytes(data))
    for place in (0, 1, 3, 4, 63, 64, length // 2, length - 1):
        data[place] ^= 1
        assert crc32c(bytes(data)) != whole
        data[place] ^= 1
