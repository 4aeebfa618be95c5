"""Text to token ids and back; id 0 is the CTC blank."""

import base64
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from asr.config import TokenConfig
from asr.errors import MissingPackageError, TokenError

BLANK = "<blank>"


@dataclass(frozen=True)
class Tokens:
    """The symbols a network writes with.

    Attributes:
        symbols: Every token, blank first; the position is the id.
        subword_model: A serialised sentencepiece model; empty for characters.
    """

    symbols: tuple[str, ...]
    subword_model: bytes = field(default=b"", repr=False)

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a normalised text, without blanks.

        >>> Tokens((BLANK, " ", "a", "b")).encode("ab a")
        [2, 3, 1, 2]

        Raises:
            TokenError: If a character is not among the tokens; the message lists them.
        """
        missing = self.missing(text)
        if missing:
            raise TokenError(f"no token for {describe(missing)}")
        if self.subword_model:
            return [int(n) for n in self._processor.encode(text)]
        return [self._ids[character] for character in text]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of token ids; blanks are left out, nothing is collapsed.

        >>> Tokens((BLANK, " ", "a", "b")).decode([2, 3, 0, 1, 2])
        'ab a'
        """
        pieces = [self.symbols[n] for n in ids if n != 0]
        text = "".join(pieces)
        if self.subword_model:
            text = text.replace("\u2581", " ")
        return " ".join(text.split())

    def missing(self, text: str) -> Counter[str]:
        """Return the characters of a text that no token writes, with their counts."""
        known = self._characters
        return Counter(character for character in text if character not in known)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for the model file's metadata."""
        model = base64.b64encode(self.subword_model).decode("ascii")
        return {"symbols": list(self.symbols), "subword_model": model}

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> "Tokens":
        """Return the tokens that :meth:`to_dict` described."""
        return Tokens(
            tuple(tree["symbols"]), base64.b64decode(tree.get("subword_model", ""))
        )

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {symbol: n for n, symbol in enumerate(self.symbols)}

    @cached_property
    def _characters(self) -> frozenset[str]:
        if not self.subword_model:
            return frozenset(self.symbols[1:])
        return frozenset("".join(self.symbols[1:]).replace("\u2581", " "))

    @cached_property
    def _processor(self) -> Any:
        return _sentencepiece().SentencePieceProcessor(model_proto=self.subword_model)


def build_tokens(texts: Sequence[str], config: TokenConfig) -> Tokens:
    """Return the tokens for normalised training texts.

    Characters are sorted by code point, so the same texts give the same ids. With
    ``config.characters`` these are the tokens whether the texts hold them or not, and
    the space if the texts have one; subwords are learnt from texts of these only.

    Raises:
        TokenError: If the texts hold no character, one that ``config.characters`` has
            not, or too few for the subwords wanted.
        MissingPackageError: If subwords are wanted and sentencepiece is not installed.
    """
    characters = sorted(set().union(*texts)) if texts else []
    if not characters:
        raise TokenError("the training texts hold no character to learn")
    if config.characters:
        given = set(config.characters) | ({" "} & set(characters))
        missing = Counter(c for text in texts for c in text if c not in given)
        if missing:
            raise TokenError(
                f"no token for {describe(missing)}: not in tokens.characters"
            )
        characters = sorted(given)
    if config.unit == "char":
        return Tokens((BLANK, *characters))
    return _train_subwords(texts, config.size)


def describe(characters: Counter[str], limit: int = 8) -> str:
    """Return characters with code points and counts, the most frequent first.

    >>> describe(Counter("é"))
    "'é' (U+00E9)"
    """
    named = []
    for character, count in characters.most_common(limit):
        times = f", {count} times" if count > 1 else ""
        named.append(f"{character!r} (U+{ord(character):04X}{times})")
    rest = len(characters) - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest > 0 else "")


def _train_subwords(texts: Sequence[str], size: int) -> Tokens:
    sentencepiece = _sentencepiece()
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            vocab_size=size,
            model_type="unigram",
            character_coverage=1.0,
            normalization_rule_name="identity",
            unk_id=0,  # takes the place of the blank: nothing is unknown here
            bos_id=-1,
            eos_id=-1,
            pad_id=-1,
            num_threads=1,  # the same texts give the same subwords
            # Bytes; longer texts would be left out, and their characters with them.
            max_sentence_length=max(len(text.encode()) for text in texts) + 1,
            minloglevel=2,
        )
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise TokenError(
            f"tokens.size = {size} does not fit the texts: {reason}"
        ) from None
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [processor.id_to_piece(n) for n in range(1, processor.get_piece_size())]
    return Tokens((BLANK, *pieces), model.getvalue())


def _sentencepiece() -> Any:
    try:
        import sentencepiece
    except ImportError:
        raise MissingPackageError(
            "subword tokens need sentencepiece: pip install sentencepiece"
        ) from None
    return sentencepiece
