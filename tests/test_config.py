import dataclasses

import pytest

from asr.config import Config
from asr.errors import ConfigError
from asr.settings import load_config


def test_no_more_cepstra_than_bands_where_there_are_cepstra():
    with pytest.raises(ConfigError, match=r"features\.num_ceps is out of range"):
        load_config(None, ["features.kind=mfcc", "features.num_ceps=81"])


def test_configs_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().seed = 1


def test_masks_need_a_mean_to_mask_with():
    with pytest.raises(ConfigError, match=r"features\.cmvn = \"none\" leaves no mean"):
        load_config(None, ["features.cmvn=none"])
    off = ["augment.freq_masks=0", "augment.time_masks=0"]
    assert load_config(None, ["features.cmvn=none", *off]).features.cmvn == "none"


def test_english_is_not_spelled_in_another_language():
    with pytest.raises(ConfigError, match=r'text\.numbers = "de" contradicts'):
        load_config(None, ["text.normaliser=english", "text.numbers=de"])
    english = load_config(None, ["text.normaliser=english", "text.numbers=en"])
    assert english.text.normaliser == "english"


def test_a_shift_below_one_sample_is_refused():
    with pytest.raises(ConfigError, match=r"features\.frame_shift .* one sample"):
        load_config(None, ["features.frame_shift=0.00001"])


@pytest.mark.parametrize("value", ["[1.0, 2.0]", "[1.0]"])
def test_calibrations_have_as_many_numbers_as_are_read(value):
    for name in ("confidence", "greedy_confidence"):
        with pytest.raises(ConfigError, match=f"decoding.{name} is out of range"):
            load_config(None, [f"decoding.{name}={value}"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["reset=before"], r'model\.reset = before is of no use to .*"lstm".*"gru"'),
        (["cell=gru", "activation=relu"], r'model\.activation = relu .*"gru".*"rnn"'),
        (["cell=rnn", "forget_bias=1.0"], r'model\.forget_bias = 1\.0 .*"lstm"'),
    ],
)
def test_a_setting_of_another_cell_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        load_config(None, [f"model.{setting}" for setting in settings])


@pytest.mark.parametrize("kind", ["rir", "noise"])
def test_a_folder_and_its_probability_go_together(kind):
    folder, often = f"augment.{kind}_folder=x", f"augment.{kind}_probability=0.5"
    for half in (folder, often):
        with pytest.raises(ConfigError, match=f"augment.{kind}_folder = .* set both"):
            load_config(None, [half])
    assert load_config(None, [folder, often]).augment != Config().augment


def test_no_telephone_below_its_rate():
    often = "augment.telephone_probability=1"
    with pytest.raises(ConfigError, match=r"features\.sample_rate = 7999 is less"):
        load_config(None, [often, "features.sample_rate=7999"])
    load_config(None, [often, "features.sample_rate=8000"])
