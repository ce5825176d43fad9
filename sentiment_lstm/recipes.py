"""Recipes: where they are, how one is read, and what is said about a value that is not allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sentiment_lstm.config import Config, Section
from sentiment_lstm.errors import ConfigError, UsageError, did_you_mean

SHOWN_CHARACTERS = 200  # of a wrong value in a message
SHOWN_FAULTS = 20


def recipes_folder() -> Path:
    """Return the folder of shipped recipes: inside an installed wheel, or ``configs/`` of a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def list_recipes() -> dict[str, Path]:
    """Return the shipped recipes by name."""
    return {path.stem: path for path in sorted(recipes_folder().glob("*.yaml"))}


def find_recipe(name_or_path: str) -> Path:
    """Return the file of a recipe given by its name (``imdb``) or its path (``mine.yaml``).

    Raises
    ------
    UsageError
        Where it is neither.
    """
    recipes = list_recipes()
    if name_or_path in recipes:
        return recipes[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.is_dir():
        raise UsageError(
            f"{path} is a folder: give a YAML file, such as a run's config.yaml, or one of {', '.join(recipes)}"
        )
    if path.suffix in {".yaml", ".yml"} or "/" in name_or_path:
        raise UsageError(f"no configuration file at {name_or_path}: give a path or one of {', '.join(recipes)}")
    nearest = did_you_mean(name_or_path, recipes)
    raise UsageError(
        f"no recipe named {name_or_path!r}{nearest} (recipes: {', '.join(recipes)}; or a path to a YAML file)"
    )


def read_recipe(path: Path) -> str:
    """Return the text of a recipe's file.

    Raises
    ------
    UsageError
        Where it cannot be read.
    ConfigError
        Where it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a YAML file: byte {error.start + 1} is not UTF-8") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def load_config(name_or_path: str, overrides: Iterable[str] = (), changes: Mapping[str, Any] | None = None) -> Config:
    """Read a recipe by name or path, change some of its values, validate the whole.

    Parameters
    ----------
    name_or_path : a shipped recipe's name or a YAML file
    overrides : ``section.key=value`` strings, as ``--set`` takes them; the values are YAML
    changes : values by dotted key, which win over the rest

    Raises
    ------
    UsageError
        Where there is no such recipe.
    ConfigError
        Where the file is not YAML, or a key or value is not allowed. All faults are reported at once.
    """
    path = find_recipe(name_or_path)
    try:
        values = yaml.safe_load(read_recipe(path))
    except Exception as error:  # for a date or a number that is none, and for deep nests, yaml raises what Python does
        if isinstance(error, UsageError):
            raise
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise ConfigError(f"{path}{line} is not valid YAML: {problem}") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} must hold the sections {', '.join(Config.model_fields)}, not a {type(values).__name__}"
        )
    for key, value in [*map(_parse_override, overrides), *(changes or {}).items()]:
        section_name, _, name = key.partition(".")
        section = values[section_name] = values.get(section_name) or {}  # a recipe may leave a section blank
        if isinstance(section, dict):
            section[name] = value
    return validate_config(values, where=path.name)


def _parse_override(override: str) -> tuple[str, Any]:
    """Split ``section.key=value``; the value is read as YAML."""
    key, equals, text = override.partition("=")
    if not equals or key.count(".") != 1:
        raise ConfigError(f"--set {shortened(override)} is not section.key=value, for example training.epochs=3")
    try:
        return key.strip(), yaml.safe_load(text)
    except Exception as error:
        raise ConfigError(f"--set {shortened(override)}: {shortened(text)} is not a YAML value") from error


def validate_config(values: dict[str, Any], where: str) -> Config:
    """Turn nested dictionaries into a ``Config``; ``where`` names their origin in the message.

    Raises
    ------
    ConfigError
        One line that names every fault, with the nearest key for an unknown one.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        faults = [_describe_fault(fault) for fault in error.errors()[:SHOWN_FAULTS]]
        more = f"; and {error.error_count() - SHOWN_FAULTS} more" if error.error_count() > SHOWN_FAULTS else ""
        raise ConfigError(f"{where}: {'; '.join(faults)}{more}") from None


def _describe_fault(fault: Any) -> str:
    location = [str(part) for part in fault["loc"]]
    key = ".".join(location)
    if fault["type"] == "extra_forbidden":
        known = _known_keys(location[:-1])
        nearest = did_you_mean(location[-1], known) or f" (known keys: {', '.join(known)})"
        return f"unknown key {shortened(key)}{nearest}"
    problem = fault["msg"].removeprefix("Value error, ")
    value = fault["input"]
    shown = f", not {shortened(value)}" if isinstance(value, (str, int, float, bool, type(None))) else ""
    where = f"{key}: " if key else ""  # a fault of the whole names its keys itself
    return f"{where}{problem[0].lower()}{problem[1:]}{shown}"


def shortened(value: Any) -> str:
    """Return a value as Python writes it, or the start of it: no message is longer than a few lines of a terminal."""
    try:
        written = repr(value)
    except ValueError:  # a whole number of more than 4,300 digits
        return "a number of thousands of digits"
    return written if len(written) <= SHOWN_CHARACTERS else f"{written[:SHOWN_CHARACTERS]}…"


def _known_keys(section: list[str]) -> list[str]:
    if not section:
        return list(Config.model_fields)
    field = Config.model_fields.get(section[0])
    annotation = field.annotation if field else None
    return list(annotation.model_fields) if isinstance(annotation, type) and issubclass(annotation, Section) else []
