from asr.augment import generator


def test_generator_depends_on_every_part_of_its_key_and_on_nothing_else():
    def draw(*key):
        return generator(*key).integers(2**62)

    assert draw(1, 2, "a") == draw(1, 2, "a")
    assert len({draw(1, 2, "a"), draw(1, 2, "b"), draw(1, 3, "a"), draw(12, "a")}) == 4
