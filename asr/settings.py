"""Settings in and out of the config tree: TOML files, ``--set``, plain values."""

import dataclasses
import math
import tomllib
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal

from asr.config import Config
from asr.errors import ConfigError


def load_config(
    path: Path | None,
    settings: Sequence[str] = (),
    *,
    beneath: Mapping[str, Any] | None = None,
) -> Config:
    """Return the defaults, overridden by a TOML file, overridden by ``key=value``.

    Args:
        path: The file; None is none.
        settings: As ``section.name=value``, the value in TOML's syntax; a bare word is
            a string.
        beneath: Sections of plain values that take the place of the defaults.

    Raises:
        ConfigError: If the file is missing or not TOML, or a setting is unknown, of
            the wrong type or out of range; the message names file and key.
    """
    tree = _merged(beneath or {}, {})
    # What is wrong with the file alone, said with its name unless --set puts it right:
    # a folder on this machine may be all that a file of everybody's lacks.
    wrong: ConfigError | None = None
    if path is not None:
        try:
            tree = _merged(tree, tomllib.loads(path.read_text(encoding="utf-8-sig")))
        except FileNotFoundError:
            raise ConfigError(f"{path}: no such config file") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{path}: is not a TOML file: {error}") from None
        try:
            config_from_dict(tree)
        except ConfigError as error:
            wrong = ConfigError(f"{path}: {error}")
    try:
        for setting in settings:
            _apply(tree, setting)
        return config_from_dict(tree)
    except ConfigError as error:
        raise (wrong or error) from None


def with_settings(config: Config, settings: Sequence[str], section: str) -> Config:
    """Return a config with ``key=value`` laid over it, keys of one section only.

    Raises:
        ConfigError: If a setting is unknown, of another section, or its value wrong.
    """
    tree = config_to_dict(config)
    for setting in settings:
        if not setting.strip().startswith(f"{section}."):
            raise ConfigError(
                f"--set {setting}: only {section}.<name> can be set for a trained model"
            )
        _apply(tree, setting)
    return config_from_dict(tree)


def config_from_dict(tree: Mapping[str, Any]) -> Config:
    """Return the config a tree of plain values describes; missing ones are defaults.

    Raises:
        ConfigError: If a key is unknown or a value of the wrong type or out of range.
    """
    config = _build(Config, tree, "")
    assert isinstance(config, Config)
    return config


def config_to_dict(config: Config) -> dict[str, Any]:
    """Return the tree as plain values; the inverse of :func:`config_from_dict`."""
    return dataclasses.asdict(config)


def dump_toml(config: Config) -> str:
    """Return the whole tree as TOML text."""
    import tomli_w

    return tomli_w.dumps(config_to_dict(config))


def config_differences(old: Config, new: Config) -> list[str]:
    """Return ``key: old -> new`` for each setting that differs."""
    before, after = flat_settings(old), flat_settings(new)
    return [
        f"{key}: {before[key]!r} -> {after[key]!r}"
        for key in before
        if before[key] != after[key]
    ]


def flat_settings(config: Config) -> dict[str, Any]:
    """Return each setting's value by its full name, ``section.field``."""
    return _flat(config_to_dict(config))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def _merged(tree: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tree of its own with another laid over it, key by key."""
    merged = {
        k: _merged(v, {}) if isinstance(v, Mapping) else v for k, v in tree.items()
    }
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = _merged(below, value)
        merged[key] = value
    return merged


def _apply(tree: dict[str, Any], setting: str) -> None:
    """Lay one ``key=value`` over the tree."""
    key, equals, text = setting.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"--set {setting}: must be key=value, as in model.hidden=320")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *sections, name = key.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"unknown setting {key}{_suggestion(key)}")
    tree[name] = value


def _build(kind: type, tree: Mapping[str, Any], prefix: str) -> Any:
    hints = typing.get_type_hints(kind)
    for key in tree:
        if key not in hints:
            name = f"{prefix}{key}"
            raise ConfigError(f"unknown setting {name}{_suggestion(name)}")
    values = {
        key: _convert(hints[key], value, f"{prefix}{key}")
        for key, value in tree.items()
    }
    return kind(**values)


def _convert(hint: Any, value: Any, key: str) -> Any:
    """Return the value as its field's type, or say what the type is."""
    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{key} is a section, not a value; set {key}.<name>")
        return _build(typing.cast(type, hint), value, f"{key}.")
    if origin is Literal:
        choices = typing.get_args(hint)
        # By type too: 4.0 == 4 and True == 1.
        if not any(type(c) is type(value) and c == value for c in choices):
            listed = ", ".join(str(choice) for choice in choices)
            raise ConfigError(f"{key} is {value!r}; it must be one of {listed}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(
                f"{key} is {value!r}; it must be a list, as in [0.9, 1.0]"
            )
        return tuple(_convert(typing.get_args(hint)[0], item, key) for item in value)
    assert not isinstance(hint, UnionType), f"{key}: give the field a plain type"
    if hint is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    if type(value) is not hint or (hint is float and not math.isfinite(value)):
        words = {int: "a whole number", float: "a number", bool: "true or false"}
        wanted = words.get(hint, "a string")
        raise ConfigError(f"{key} is {value!r}; it must be {wanted}")
    return value


def _suggestion(key: str) -> str:
    import difflib

    known = list(flat_settings(Config()))
    close = difflib.get_close_matches(key, known, n=1)
    if not close:
        tail = key.rpartition(".")[2]
        close = [name for name in known if name.rpartition(".")[2] == tail][:1]
    return f"; did you mean {close[0]}?" if close else ""
