"""Every setting: one tree of frozen dataclasses; :mod:`asr.settings` reads them."""

from dataclasses import dataclass, field
from typing import Literal

from asr.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """How transcripts are normalised, for training and for scoring alike."""

    form: Literal["NFC", "NFKC"] = "NFC"
    """Unicode form; NFKC also folds ligatures, full-width letters and superscripts."""
    case: Literal["lower", "upper", "keep"] = "lower"
    punctuation: Literal["strip", "keep"] = "strip"
    """``strip`` turns punctuation and symbols into spaces."""
    inside_words: str = "'"
    """Characters that ``strip`` leaves alone between two letters or digits."""
    normaliser: Literal["basic", "english"] = "basic"
    """``english`` first spells numbers, money, symbols, ``Mr.`` as a reader does."""
    numbers: str = ""
    """Language that ``basic`` spells numbers in, as num2words calls it; "" none."""

    def __post_init__(self) -> None:
        if self.normaliser == "english" and self.numbers not in ("", "en"):
            raise ConfigError(
                f'text.numbers = "{self.numbers}" contradicts text.normaliser = '
                '"english", which spells them in English; leave out one of the two'
            )


@dataclass(frozen=True, kw_only=True)
class TokenConfig:
    """What the network spells with."""

    unit: Literal["char", "subword"] = "char"
    size: int = 200
    """Number of subwords (sentencepiece unigram); characters take what is there."""
    characters: str = ""
    """What normalised texts may hold; "" takes the training texts' own characters."""

    def __post_init__(self) -> None:
        _require(self.size >= 2, "tokens.size", "at least 2")


@dataclass(frozen=True, kw_only=True)
class FeatureConfig:
    """Samples to frames."""

    kind: Literal["log-mel", "mfcc"] = "log-mel"
    sample_rate: int = 16000
    """Hz; recordings at other rates are converted."""
    frame_length: float = 0.025
    """Seconds."""
    frame_shift: float = 0.010
    """Seconds."""
    num_mels: int = 80
    num_ceps: int = 40
    """Cepstra kept, for ``mfcc``."""
    low_freq: float = 20.0
    """Lower edge of the lowest mel band, Hz."""
    high_freq: float = 0.0
    """Upper edge of the highest mel band, Hz; 0 is half the sample rate."""
    cmvn: Literal["utterance", "global", "none"] = "utterance"
    """Mean and variance normalisation: by utterance, or by the training set's."""

    def __post_init__(self) -> None:
        _require(
            1000 <= self.sample_rate <= 192000, "features.sample_rate", "1000-192000"
        )
        _require(
            0 < self.frame_shift <= 0.1, "features.frame_shift", "above 0, up to 0.1"
        )
        _require(
            0.002 <= self.frame_length <= 0.5, "features.frame_length", "0.002 to 0.5"
        )
        hop = round(self.frame_shift * self.sample_rate)
        _require(hop >= 1, "features.frame_shift", "at least one sample")
        _require(1 <= self.num_mels <= 512, "features.num_mels", "1 to 512")
        if self.kind == "mfcc":
            bounds = 1 <= self.num_ceps <= self.num_mels
            _require(bounds, "features.num_ceps", "1 to num_mels")
        top = self.high_freq or self.sample_rate / 2
        _require(0 <= self.low_freq < top, "features.low_freq", "below high_freq")
        _require(
            top <= self.sample_rate / 2, "features.high_freq", "at most half the rate"
        )


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """What training does to audio so that it learns the words, not the recordings."""

    speeds: tuple[float, ...] = (0.9, 1.0, 1.1)
    """Playback speeds, one drawn for each utterance and epoch (Ko et al. 2015)."""
    rir_folder: str = ""
    """Recordings of rooms' impulse responses (Ko et al. 2017), with all below it; ""
    none. A relative path starts at the current folder."""
    rir_probability: float = 0.0
    """Share of the utterances that are heard in one of these rooms."""
    noise_folder: str = ""
    """Recordings of noise (Snyder et al. 2015), likewise."""
    noise_probability: float = 0.0
    """Share of the utterances to which a stretch of noise is added."""
    noise_snr: tuple[float, ...] = (5.0, 20.0)
    """Speech over noise, dB: the lowest and highest ratio drawn."""
    telephone_probability: float = 0.0
    """Share of the utterances that pass a telephone: 8 kHz, mu-law (ITU-T G.711)."""
    gain_probability: float = 0.0
    """Share of the utterances whose level is changed."""
    gain_range: tuple[float, ...] = (-12.0, 6.0)
    """By so many dB, the least and the most."""
    freq_masks: int = 2
    """SpecAugment (Park et al. 2019): how many bands are masked, how wide at most."""
    freq_mask_width: int = 20
    """Mel bands or cepstra, at most."""
    time_masks: int = 2
    time_mask_width: float = 0.2
    """Seconds, at most."""
    time_mask_share: float = 0.1
    """The widest time mask as a share of the utterance, so that short ones survive."""

    def __post_init__(self) -> None:
        speeds = bool(self.speeds) and all(0.5 <= s <= 2 for s in self.speeds)
        _require(speeds, "augment.speeds", "one or more of 0.5 to 2")
        for name in ("freq_masks", "freq_mask_width", "time_masks"):
            _require(getattr(self, name) >= 0, f"augment.{name}", "0 or more")
        _require(self.time_mask_width >= 0, "augment.time_mask_width", "0 or more")
        for name in ("time_mask_share", "rir_probability", "noise_probability"):
            _require(0 <= getattr(self, name) <= 1, f"augment.{name}", "0 to 1")
        for name in ("telephone_probability", "gain_probability"):
            _require(0 <= getattr(self, name) <= 1, f"augment.{name}", "0 to 1")
        for name in ("noise_snr", "gain_range"):
            pair = getattr(self, name)
            holds = len(pair) == 2 and -100 <= pair[0] <= pair[1] <= 100
            _require(holds, f"augment.{name}", "two of -100 to 100, the lower first")
        for kind in ("rir", "noise"):
            folder = getattr(self, f"{kind}_folder")
            probability = getattr(self, f"{kind}_probability")
            if bool(folder) != bool(probability):
                raise ConfigError(
                    f'augment.{kind}_folder = "{folder}" and augment.{kind}_probability'
                    f" = {probability:g} do not go together; set both, or neither"
                )


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The acoustic model: convolutions, recurrent layers, one linear layer."""

    subsampling: Literal[2, 4, 8] = 4
    """Input frames for each output frame; one convolution of stride 2 a factor 2."""
    conv_channels: int = 16
    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    reset: Literal["after", "before"] = "after"
    """The GRU's reset gate: ``after`` the product with the state, as cuDNN and PyTorch
    have it, or ``before``, as it was published (Cho et al. 2014)."""
    activation: Literal["tanh", "relu", "sigmoid"] = "tanh"
    """Of the vanilla RNN."""
    equations: bool = False
    """Run the cells as their equations are written (asr/model/cells.py): slow."""
    layers: int = 3
    hidden: int = 256
    """Units of each layer and direction."""
    bidirectional: bool = True
    layer_norm: bool = True
    """Layer normalisation of each recurrent layer's input (Ba et al. 2016)."""
    residual: bool = True
    """Add a layer's input to its output where both are equally wide."""
    dropout: float = 0.35
    """Share of each recurrent layer's outputs dropped in training."""
    input_weights: Literal["uniform", "scaled"] = "uniform"
    """How they begin: PyTorch's own, within 1 / sqrt(hidden); or scaled by what goes in
    and comes out (Glorot & Bengio 2010)."""
    recurrent_weights: Literal["uniform", "orthogonal"] = "uniform"
    """How they begin: PyTorch's own; or orthogonal, which keep a state's length (Saxe
    et al. 2014)."""
    forget_bias: float = 0.0
    """Of the LSTM's forget gates at the beginning; 1 lets them remember (Jozefowicz et
    al. 2015), 0 leaves them as PyTorch has them, uniform."""

    def __post_init__(self) -> None:
        self._require_of_cell("reset", "after", "gru")
        self._require_of_cell("activation", "tanh", "rnn")
        self._require_of_cell("forget_bias", 0.0, "lstm")
        for name in ("conv_channels", "layers", "hidden"):
            _require(getattr(self, name) >= 1, f"model.{name}", "1 or more")
        _require(0 <= self.dropout < 1, "model.dropout", "0 or more, below 1")
        _require(-10 <= self.forget_bias <= 10, "model.forget_bias", "-10 to 10")

    def _require_of_cell(self, name: str, default: object, cell: str) -> None:
        value = getattr(self, name)
        if value != default and self.cell != cell:
            raise ConfigError(
                f"model.{name} = {value} is of no use to model.cell = "
                f'"{self.cell}"; it belongs to "{cell}"'
            )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The training loop."""

    epochs: int = 40
    batch_seconds: float = 60.0
    """Audio in a batch, padding included, seconds; bounds memory."""
    accumulate: int = 1
    """Batches whose gradients are added up for a step."""
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    """``sgd`` has Nesterov's momentum of 0.9."""
    learning_rate: float = 2e-3
    """Peak of the schedule."""
    schedule: Literal["cosine", "one-cycle", "noam", "plateau"] = "cosine"
    """How the rate goes on after warm-up: half a cosine to 0; the same, from a 25th of
    the peak; falling with 1 / sqrt(steps); or lowered when the dev loss stalls."""
    warmup: float = 0.1
    """Share of all steps in which the learning rate rises."""
    plateau_epochs: int = 2
    """``plateau``: epochs without a lower dev loss after which the rate is lowered."""
    plateau_factor: float = 0.5
    """``plateau``: to this share."""
    weight_decay: float = 1e-2
    clip: float = 5.0
    """Largest norm of the gradient over all weights; 0 lets it be any."""
    intermediate: float = 0.0
    """Share of the loss that the middle layer has in it, with the output layer on top
    of it (intermediate CTC, Lee & Watanabe 2021); 0 none."""
    consistency: float = 0.0
    """Weight of the consistency of two SpecAugment views of a batch (CR-CTC, Yao et al.
    2024); 0 has one view. Two take twice the time and memory."""
    ema: float = 0.0
    """Decay of a moving average of the weights, such as 0.999; it is validated beside
    them, and the better of both is kept. 0 has none."""
    average: int = 0
    """Average the weights of so many best epochs at the end, and keep the average where
    it does better on dev; 0 does not."""
    freeze: int = 0
    """With ``--init``: the subsampling and so many of the lowest recurrent layers are
    not trained; 0 trains all."""
    freeze_epochs: int = 0
    """For so many epochs only; 0 throughout."""
    patience: int = 0
    """Stop after so many epochs that were not the best on dev; 0 never."""
    checkpoint_minutes: float = 5.0
    """Save the state so often, besides at each epoch's end; 0 only there."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the network on a GPU; ``auto`` is bfloat16. A CPU computes in float32."""
    tensorboard: bool = False
    """Write the curves for TensorBoard too, to EXP/tensorboard; needs the package."""

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, "train.epochs", "1 or more")
        _require(self.batch_seconds > 0, "train.batch_seconds", "above 0")
        _require(self.accumulate >= 1, "train.accumulate", "1 or more")
        _require(self.learning_rate > 0, "train.learning_rate", "above 0")
        lowest = self.schedule == "noam" and self.warmup == 0
        _require(0 <= self.warmup < 1, "train.warmup", "0 or more, below 1")
        _require(not lowest, "train.warmup", 'above 0 for train.schedule = "noam"')
        _require(self.plateau_epochs >= 1, "train.plateau_epochs", "1 or more")
        factor = 0 < self.plateau_factor < 1
        _require(factor, "train.plateau_factor", "above 0, below 1")
        _require(self.weight_decay >= 0, "train.weight_decay", "0 or more")
        _require(self.clip >= 0, "train.clip", "0 or more")
        _require(0 <= self.intermediate < 1, "train.intermediate", "0 or more, below 1")
        _require(self.consistency >= 0, "train.consistency", "0 or more")
        _require(0 <= self.ema < 1, "train.ema", "0 or more, below 1")
        average = self.average == 0 or 2 <= self.average <= 100
        _require(average, "train.average", "0, or 2 to 100")
        _require(self.freeze >= 0, "train.freeze", "0 or more")
        _require(self.freeze_epochs >= 0, "train.freeze_epochs", "0 or more")
        if self.freeze_epochs and not self.freeze:
            raise ConfigError(
                f"train.freeze_epochs = {self.freeze_epochs} is of no use without "
                "train.freeze; say how many layers, or leave it out"
            )
        _require(
            self.freeze_epochs < self.epochs,
            "train.freeze_epochs",
            "less than train.epochs, or 0 for all of them",
        )
        if self.schedule == "plateau":
            if 0 < self.patience <= self.plateau_epochs:
                raise ConfigError(
                    f"train.patience = {self.patience} ends the training before "
                    f"train.plateau_epochs = {self.plateau_epochs} lower the rate; "
                    "raise the one, or lower the other"
                )
        elif (self.plateau_epochs, self.plateau_factor) != (2, 0.5):
            raise ConfigError(
                "train.plateau_epochs and train.plateau_factor are of no use to "
                f'train.schedule = "{self.schedule}"; they belong to "plateau"'
            )
        _require(self.patience >= 0, "train.patience", "0 or more")
        minutes = self.checkpoint_minutes
        _require(minutes >= 0, "train.checkpoint_minutes", "0 or more")


@dataclass(frozen=True, kw_only=True)
class DecodingConfig:
    """The search for the best text; ``asr tune`` finds what fits a model and an LM.

    It plays no part in training, and is stored in the model file.
    """

    beam: int = 64
    """Prefixes kept from frame to frame, at most."""
    beam_threshold: float = 12.0
    """Prefixes so much worse than the best one are dropped (natural logarithm)."""
    token_threshold: float = 7.0
    """In each frame, tokens so much less probable than the best one are passed over."""
    lm_weight: float = 0.7
    """Factor of the language model's log-probability."""
    word_bonus: float = 1.0
    """Added to the score for each word; makes up for what the LM takes for each."""
    unknown: float = -8.0
    """Added for each word that the language model's vocabulary lacks."""
    confidence: tuple[float, ...] = ()
    """How a word's confidence is calibrated for the search; () is not at all."""
    greedy_confidence: tuple[float, ...] = ()
    """The same for greedy decoding."""

    def __post_init__(self) -> None:
        _require(1 <= self.beam <= 1_000_000, "decoding.beam", "1 to 1000000")
        _require(self.beam_threshold > 0, "decoding.beam_threshold", "above 0")
        _require(self.token_threshold > 0, "decoding.token_threshold", "above 0")
        _require(self.lm_weight >= 0, "decoding.lm_weight", "0 or more")
        for name, size in (("confidence", 4), ("greedy_confidence", 3)):
            given = len(getattr(self, name))
            _require(given in (0, size), f"decoding.{name}", f"{size} numbers, or none")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole tree; a field of a section is written ``section.field``."""

    seed: int = 0
    text: TextConfig = field(default_factory=TextConfig)
    tokens: TokenConfig = field(default_factory=TokenConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    decoding: DecodingConfig = field(default_factory=DecodingConfig)

    def __post_init__(self) -> None:
        # What every generator takes: NumPy's no negative seed, torch's no 65th bit.
        _require(0 <= self.seed < 2**63, "seed", "0 or more, below 2**63")
        masks = self.augment.freq_masks + self.augment.time_masks
        if masks and self.features.cmvn == "none":
            raise ConfigError(
                'features.cmvn = "none" leaves no mean for SpecAugment to mask with; '
                "set augment.freq_masks and augment.time_masks to 0, or choose another"
            )
        augment = self.augment
        bands = augment.freq_masks * augment.freq_mask_width
        times = augment.time_masks * augment.time_mask_width * augment.time_mask_share
        if self.train.consistency and not bands + times:
            raise ConfigError(
                f"train.consistency = {self.train.consistency:g} compares two views "
                "that differ by SpecAugment's masks; set augment.time_masks or "
                "augment.freq_masks and their widths above 0"
            )
        if self.train.intermediate and self.model.layers < 2:
            raise ConfigError(
                f"train.intermediate = {self.train.intermediate:g} needs a middle "
                f"layer; model.layers = {self.model.layers}"
            )
        if self.train.intermediate and self.train.freeze >= self.model.layers // 2 > 0:
            raise ConfigError(
                f"train.intermediate = {self.train.intermediate:g} has nothing to "
                f"teach a middle layer that train.freeze = {self.train.freeze} keeps"
            )
        if self.train.freeze > self.model.layers:
            raise ConfigError(
                f"train.freeze = {self.train.freeze} is more than model.layers = "
                f"{self.model.layers}"
            )
        if self.augment.telephone_probability and self.features.sample_rate < 8000:
            raise ConfigError(
                f"features.sample_rate = {self.features.sample_rate} is less than a "
                "telephone's 8000; set augment.telephone_probability to 0"
            )


def _require(holds: bool, key: str, wanted: str) -> None:
    # Not <=: comparisons with NaN are false, so a NaN is refused too.
    if not holds:
        raise ConfigError(f"{key} is out of range; it must be {wanted}")
