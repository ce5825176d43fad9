"""Both languages say the same things, with the same numbers in them."""

from __future__ import annotations

import string

import pytest

from sentiment_lstm.lessons.language import LANGUAGES, Say, language_of, sentences


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def test_every_sentence_is_there_in_both_languages_with_the_same_numbers() -> None:
    english, indonesian = (sentences(language) for language in LANGUAGES)
    assert english.keys() == indonesian.keys()
    assert len(english) > 10
    for key, text in english.items():
        assert placeholders(text) == placeholders(indonesian[key]), key


def test_no_sentence_was_left_untranslated() -> None:
    english, indonesian = (sentences(language) for language in LANGUAGES)
    same = {key for key, text in english.items() if text == indonesian[key] and len(text.split()) > 3}
    assert not same


@pytest.mark.parametrize(("environment", "expected"), [
    ({}, "en"), ({"LANG": "C.UTF-8"}, "en"), ({"LANG": "id_ID.UTF-8"}, "id"), ({"LANG": "id"}, "id"),
    ({"LC_ALL": "en_US.UTF-8", "LANG": "id_ID.UTF-8"}, "en"),
    ({"LC_ALL": "", "LC_MESSAGES": "id_ID", "LANG": "C"}, "id"),
    ({"LANG": "idx_XX"}, "en"),
])  # fmt: skip
def test_the_environment_chooses_the_language(environment: dict[str, str], expected: str) -> None:
    assert language_of(environment) == expected


def test_numbers_are_put_in() -> None:
    assert Say("id")("common.written", path="a.png") == "gambar: a.png"
