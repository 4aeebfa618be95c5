import dataclasses
import tomllib
import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.config import (
    AugmentConfig,
    Config,
    FeatureConfig,
    ModelConfig,
    TextConfig,
    TokenConfig,
    TrainConfig,
)
from asr.errors import ConfigError
from asr.settings import (
    config_differences,
    config_from_dict,
    config_to_dict,
    dump_toml,
    load_config,
)

POSITIVE = st.floats(1e-6, 1e6)
COUNT = st.integers(2, 10**6)
SHARE = st.floats(0, 1, exclude_max=True)


def choices(kind, name):
    return st.sampled_from(typing.get_args(typing.get_type_hints(kind)[name]))


CONFIGS = st.builds(
    Config,
    seed=st.integers(0, 2**63 - 1),
    text=st.builds(TextConfig, inside_words=st.text(st.characters(codec="utf-8"))),
    tokens=st.builds(TokenConfig, unit=choices(TokenConfig, "unit"), size=COUNT),
    features=st.builds(
        FeatureConfig,
        kind=choices(FeatureConfig, "kind"),
        sample_rate=st.integers(8000, 48000),
        num_mels=st.integers(40, 512),
        low_freq=st.floats(0, 300),
        cmvn=st.sampled_from(["utterance", "global"]),
    ),
    augment=st.builds(
        AugmentConfig,
        speeds=st.lists(st.floats(0.5, 2), min_size=1).map(tuple),
        noise_snr=st.tuples(st.floats(-100, 0), st.floats(0, 100)),
        gain_probability=st.floats(0, 1),
        freq_masks=st.integers(0, 9),
        time_mask_width=POSITIVE,
    ),
    model=st.builds(
        ModelConfig,
        subsampling=choices(ModelConfig, "subsampling"),
        hidden=COUNT,
        bidirectional=st.booleans(),
        dropout=SHARE,
    ),
    train=st.builds(TrainConfig, epochs=COUNT, learning_rate=POSITIVE, warmup=SHARE),
)


@given(CONFIGS)
def test_toml_and_plain_values_round_trip(config):
    assert config_from_dict(tomllib.loads(dump_toml(config))) == config
    assert config_from_dict(config_to_dict(config)) == config


def test_a_dumped_file_loads(tmp_path):
    config = Config(seed=3, model=ModelConfig(cell="gru"))
    (tmp_path / "c.toml").write_text(dump_toml(config), encoding="utf-8")
    assert load_config(tmp_path / "c.toml") == config


def test_settings_override_the_file_which_overrides_the_defaults(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("[model]\nhidden = 64\nlayers = 2\n")
    config = load_config(path, ["model.layers=5", "model.layers = 4"])
    assert config.model == ModelConfig(hidden=64, layers=4)
    assert config.train == TrainConfig()
    assert load_config(None) == Config()


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path):
    (tmp_path / "c.toml").write_text("seed = 5\n", encoding="utf-8-sig")
    assert load_config(tmp_path / "c.toml").seed == 5


@pytest.mark.parametrize(
    ("setting", "section", "name", "value"),
    [
        ("model.cell=gru", "model", "cell", "gru"),
        ('model.cell="gru"', "model", "cell", "gru"),
        ("model.bidirectional=false", "model", "bidirectional", False),
        ("augment.speeds=[1, 0.95]", "augment", "speeds", (1.0, 0.95)),
        ("train.clip=3", "train", "clip", 3.0),
        ("train.learning_rate=1e-3", "train", "learning_rate", 0.001),
        ("model.subsampling=2", "model", "subsampling", 2),
        ("text.inside_words=", "text", "inside_words", ""),
        ("text.inside_words='-", "text", "inside_words", "'-"),
        ("text.inside_words=#", "text", "inside_words", "#"),
    ],
)
def test_settings_in_toml_syntax_or_as_bare_words(setting, section, name, value):
    found = getattr(getattr(load_config(None, [setting]), section), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "model.hiden=3",
            r"unknown setting model\.hiden; did you mean model\.hidden\?",
        ),
        ("hidden=3", r"unknown setting hidden; did you mean model\.hidden\?"),
        ("optimiser.kind=sgd", "unknown setting optimiser"),
        ("model.hidden", "must be key=value"),
        ("=3", "must be key=value"),
        ("model=3", "model is a section, not a value"),
        ("model.hidden.x=3", r"model\.hidden is .* it must be a whole number"),
        ("model.hidden=3.0", "it must be a whole number"),
        ("model.hidden=true", "it must be a whole number"),
        ("model.hidden=0", r"model\.hidden is out of range; it must be 1 or more"),
        ("model.bidirectional=yes", "it must be true or false"),
        ("model.bidirectional=1", "it must be true or false"),
        ("model.cell=LSTM", "it must be one of lstm, gru, rnn"),
        ("model.subsampling=3", "it must be one of 2, 4, 8"),
        ("model.subsampling=4.0", "it must be one of 2, 4, 8"),
        ("model.cell=[1]", "it must be one of"),
        ("model.dropout=1", r"model\.dropout is out of range"),
        ("train.clip=nan", "it must be a number"),
        ("train.batch_seconds=inf", "it must be a number"),
        (f"train.clip={10**400}", "it must be a number"),
        ("train.clip=big", "it must be a number"),
        ("train.patience=-1", r"train\.patience is out of range"),
        ("text.inside_words=3", "it must be a string"),
        ("augment.speeds=1.0", "it must be a list"),
        ("augment.speeds=[]", r"augment\.speeds is out of range"),
        ("augment.speeds=[1.0, nan]", "it must be a number"),
        ("augment.speeds=[3.0]", r"augment\.speeds is out of range"),
        ("augment.freq_masks=-1", r"augment\.freq_masks is out of range"),
        ("augment.gain_probability=1.1", r"augment\.gain_probability is out of range"),
        ("augment.noise_probability=-1", r"augment\.noise_probability is out of"),
        ("augment.gain_range=[1.0]", r"augment\.gain_range is out of .* lower first"),
        ("augment.gain_range=[3, 1]", r"augment\.gain_range is out of range"),
        ("augment.noise_snr=[0, 5, 9]", r"augment\.noise_snr is out of range"),
        ("augment.noise_snr=[0, 1000]", r"augment\.noise_snr is out of range"),
        ("tokens.size=1", r"tokens\.size is out of range"),
        ("features.low_freq=8000.0", r"features\.low_freq is out of range"),
        ("features.high_freq=8001.0", r"features\.high_freq is out of range"),
        ("features.frame_shift=0", r"features\.frame_shift is out of range"),
        ("features.sample_rate=16", r"features\.sample_rate is out of range"),
        ("seed=-1", "seed is out of range"),
        (f"seed={2**63}", "seed is out of range"),
        ("seed=2020-01-01", "it must be a whole number"),
    ],
)
def test_bad_settings_say_which_and_what_is_wanted(setting, message):
    with pytest.raises(ConfigError, match=message):
        load_config(None, [setting])


def test_a_setting_below_a_value_is_an_error_not_a_crash():
    with pytest.raises(ConfigError, match=r"unknown setting model\.hidden"):
        load_config(None, ["model=3", "model.hidden=4"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[model]\nhiden = 3\n",
            r"c\.toml: unknown setting model\.hiden; did you mean",
        ),
        ("[model\n", r"c\.toml: is not a TOML file"),
        ("model = 3\n", r"c\.toml: model is a section"),
    ],
)
def test_messages_name_the_file(tmp_path, text, message):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(tmp_path / "c.toml", ["seed=1"])


def test_a_file_may_lack_what_is_set(tmp_path):
    """A folder of this machine, for a file of every machine's."""
    path = tmp_path / "c.toml"
    path.write_text("[augment]\nnoise_probability = 0.5\n")
    with pytest.raises(ConfigError, match=r"c\.toml: augment\.noise_folder = "):
        load_config(path)
    config = load_config(path, ["augment.noise_folder=here"])
    assert config.augment.noise_folder == "here"
    with pytest.raises(ConfigError, match=r"c\.toml: augment\.noise_folder = "):
        load_config(path, ["seed"])


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: no such config file"):
        load_config(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="is not a TOML file"):
        load_config(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not a TOML file"):
        load_config(tmp_path / "binary")


def test_every_setting_takes_its_own_default_back():
    for section in dataclasses.fields(Config):
        tree = config_to_dict(Config())
        assert config_from_dict({section.name: tree[section.name]}) == Config()


def test_differences_name_key_and_both_values():
    new = Config(seed=1, model=ModelConfig(hidden=8))
    assert config_differences(Config(), Config()) == []
    assert config_differences(Config(), new) == [
        "seed: 0 -> 1",
        "model.hidden: 256 -> 8",
    ]


def test_sections_beneath_take_the_place_of_defaults(tmp_path):
    beneath = {"model": {"hidden": 7, "layers": 2}, "text": {"case": "upper"}}
    file = tmp_path / "a.toml"
    file.write_text("[model]\nlayers = 4\n")
    found = load_config(file, ["text.case=keep"], beneath=beneath)
    assert (found.model.hidden, found.model.layers) == (7, 4)
    assert found.text.case == "keep"
    assert found.model.cell == "lstm"
    assert beneath == {"model": {"hidden": 7, "layers": 2}, "text": {"case": "upper"}}
    with pytest.raises(ConfigError, match="model is a section"):
        load_config(None, ["model=3"], beneath=beneath)
