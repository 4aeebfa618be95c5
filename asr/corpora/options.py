"""How a corpus is prepared: what ``asr prep`` lets one choose."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from asr.config import Config
from asr.corpora.conversion import check_conversion
from asr.errors import CorpusError, MissingPackageError
from asr.spelling import languages


@dataclass(frozen=True, kw_only=True)
class PrepOptions:
    """How a corpus is prepared.

    Attributes:
        format: A key of ``FORMATS``; None finds out.
        splits: ``NAME=SUBSET[,SUBSET]`` each; none leaves it to the subsets' names.
        dev_share: Part of the audio carved off as dev where the source has none, 0-1.
        test_share: The same for test, where the source has neither dev nor test.
        speaker_folders: Take the folder a recording lies in as its speaker, where the
            source names none.
        trim: Leave out silence at both ends of utterances, so many decibels or more
            below their loudest moment; 0 leaves them whole.
        numbers: Language in which digits are spelled out, before texts are looked at;
            "" leaves texts as the source has them.
        resample: Write copies of the audio at this rate, Hz; 0 writes none.
        shards: Pack those copies into files of so many minutes; 0 is a file each.
        fix: Leave out utterances with errors, and mend what can be mended, instead of
            giving up.
        strict: Take warnings for errors.
        decode: Decode all recordings; otherwise only their headers are read.
        overwrite: Replace manifests that are there already.
        config: What will be trained with.
        settled: Whether that is final. If not, what other settings would allow (a text
            too long for its frames, an utterance too long for a batch) is a warning.

    Raises:
        CorpusError: If one is out of range.
        MissingPackageError: If ``numbers`` is given and num2words not installed.
    """

    format: str | None = None
    splits: Sequence[str] = ()
    dev_share: float = 0.1
    test_share: float = 0.1
    speaker_folders: bool = False
    trim: float = 0.0
    numbers: str = ""
    resample: int = 0
    shards: float = 0.0
    fix: bool = False
    strict: bool = False
    decode: bool = True
    overwrite: bool = False
    config: Config = field(default_factory=Config)
    settled: bool = False

    def __post_init__(self) -> None:
        shares = (self.dev_share, self.test_share)
        if not (min(shares) >= 0 and sum(shares) < 1):
            raise CorpusError(
                f"--dev-share {shares[0]:g}, --test-share {shares[1]:g}: "
                "must be 0 or more, and below 1 together"
            )
        if not 0 <= self.trim < float("inf"):
            raise CorpusError(f"--trim {self.trim:g}: must be decibels, 0 or more")
        check_conversion(self.resample, self.shards)
        if self.numbers:
            _check_language(self.numbers)


def _check_language(numbers: str) -> None:
    try:
        known = languages()
    except MissingPackageError as error:
        raise MissingPackageError(f"--numbers {numbers}: {error}") from None
    if numbers not in known:
        raise CorpusError(f"--numbers {numbers}: must be one of {', '.join(known)}")
