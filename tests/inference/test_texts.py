"""Text of any kind, through every door: one answer a text, in order, finite, and honest about what was read."""

from __future__ import annotations

import csv
import io
import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome, run_main
from test_predictor import write_archive

import sentiment_lstm
from sentiment_lstm.data import tokenizer as tokenizers
from sentiment_lstm.data.tokenizer import PIECE_CHARACTERS, Tokenizer
from sentiment_lstm.inference.predictor import Prediction, Predictor

TEXTS = {
    "known": "a good film",
    "blank": "",
    "white space": " \t\u2003 ",
    "nul": "a\0good\0film",
    "only nul": "\0\0",
    "emoji with joiners": "👩‍👩‍👧‍👦 🏳️‍🌈 good",
    "right to left": "סרט טוב \u202eפילם\u202c فيلم جيد",
    "chinese, japanese, korean": "映画は最高でした。电影很好！ 좋은 영화",
    "a lone high surrogate": "good \ud83d film",
    "a lone low surrogate": "\udc00",
    "combining marks": "e\u0301" + "\u0301" * 200,
    "carriage returns": "good\r\nfilm\rbad",
    "a byte-order mark": "\ufeffgood film",
    "control characters": "\x1b[31mgood\x1b[0m\x07\x7f\x85\u2028film",
    "markup": "good<br /><br />film <pad> <unk>",
    "one long word": "x" * 100_000,
    "long": "good film " * 500,
    "quotes and commas": '"good", ""film""',
    "a formula": "=1+1",
}


@pytest.fixture(scope="module", params=["basic_english", "bpe"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("texts") / "run", {}, request.param)


@pytest.fixture(scope="module")
def predictor(run: Path) -> Predictor:
    return sentiment_lstm.load(run, "cpu")


def check(prediction: Prediction, longest: int = 30) -> None:
    assert all(math.isfinite(value) for value in prediction.probabilities.values())
    assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
    assert prediction.score == max(prediction.probabilities.values()) == prediction.probabilities[prediction.label]
    assert prediction.truncated == (prediction.num_tokens > longest)
    assert 0 <= prediction.unknown_share <= 1


def test_every_kind_of_text_has_its_answer_in_its_place(predictor: Predictor) -> None:
    texts = list(TEXTS.values())
    predictions = predictor.predict(texts)
    assert [prediction.text for prediction in predictions] == texts
    for text, prediction in zip(texts, predictions, strict=True):
        check(prediction)
        (alone,) = predictor.predict([text])
        assert alone.num_tokens == prediction.num_tokens == len(predictor.archive.tokenizer.encode(text).token_ids)
        assert alone.unknown_share == prediction.unknown_share
        assert alone.score == pytest.approx(prediction.score, abs=1e-6)
    by_kind = dict(zip(TEXTS, predictions, strict=True))
    assert [by_kind[kind].truncated for kind in ("known", "blank", "long")] == [False, False, True]


@pytest.mark.parametrize("form", ["text", "json", "csv"])
@pytest.mark.parametrize("door", ["arguments", "stdin", "txt", "csv", "tsv", "jsonl"])
def test_every_door_and_format_gives_one_answer_a_text(run: Path, door: str, form: str, tmp_path: Path) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in TEXTS.values()]
    if door in ("stdin", "txt"):
        texts = [text.rstrip("\r\n").replace("\n", " ") for text in texts]
    if door == "arguments":
        texts = list(TEXTS.values())
    outcome = answers(run, door, form, texts, tmp_path)
    assert outcome.code == 0, outcome.err
    assert "Traceback" not in outcome.err
    if form == "text":
        assert outcome.out.count("\n") == len(texts)
    elif form == "json":
        rows = [json.loads(line) for line in outcome.out.split("\n")[:-1]]
        shown = [
            row["text"].encode("utf-8", "backslashreplace") for row in rows
        ]  # half a character is written as its number
        assert shown == [text.encode("utf-8", "backslashreplace") for text in texts]
        assert all(sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5) for row in rows)
    else:
        rows = list(csv.reader(io.StringIO(outcome.out, newline="")))
        assert len(rows) == len(texts) + 1
        assert all(math.isfinite(float(row[2])) for row in rows[1:])


def answers(run: Path, door: str, form: str, texts: list[str], folder: Path) -> Outcome:
    command = ("predict", "--model", run, "--format", form)
    if door == "arguments":
        return run_main(*command, "--", *texts)
    lines = "".join(text + "\n" for text in texts).encode()
    if door == "stdin":
        return run_main(*command, "-", stdin=lines)
    path = folder / f"texts.{door}"
    if door == "jsonl":
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
    elif door != "txt":
        content = io.StringIO(newline="")
        writer = csv.writer(content, delimiter="\t" if door == "tsv" else ",", quoting=csv.QUOTE_ALL)
        writer.writerows([["text", "n"], *([text, "1"] for text in texts)])
        lines = content.getvalue().encode()
    path.write_bytes(lines)
    return run_main(*command, "--file", path)


def test_a_text_of_which_no_word_is_known_says_so(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    run = write_archive(tmp_path / "run", {})
    outcome = cli("predict", "--model", run, "zebra", "good", "映画", "")
    assert outcome.out.count("\n") == 4
    assert outcome.err.count("no known word, so the answer means nothing") == 3


def test_half_a_character_leaves_stdout_valid(cli: Callable[..., Outcome], tmp_path: Path) -> None:
    run = write_archive(tmp_path / "run", {})
    (tmp_path / "half.jsonl").write_text('{"text": "good \\ud83d film"}\n')
    for form in ("text", "json", "csv"):
        outcome = cli("predict", "--model", run, "--format", form, "--file", "half.jsonl")
        assert outcome.code == 0
        assert "good" in outcome.out
    assert json.loads(cli("predict", "--model", run, "--format", "json", "--file", "half.jsonl").out)


@pytest.mark.parametrize(
    "unit", ["x", pytest.param("good film. ", marks=pytest.mark.slow), pytest.param("Σ'", marks=pytest.mark.slow)]
)
def test_ten_megabytes_take_seconds(predictor: Predictor, unit: str) -> None:
    text = unit * (10_000_000 // len(unit.encode()))
    started = time.perf_counter()
    (prediction,) = predictor.predict([text])
    assert time.perf_counter() - started < 60  # 2 on a machine with nothing else to do
    check(prediction)


MIXTURES = [
    "a b",
    "A Σ b",
    "AΣ ΣB",
    "it's (bad), no?  yes",
    "a<br /> b",
    "a<br  />b",
    '" a "b',
    "a \u0301b",
    "  ",
    "\n a\t b",
    "映 画",
    "\ud800 x",
]


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_text_encoded_in_pieces_has_the_same_tokens(
    predictor: Predictor, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer: Tokenizer = predictor.archive.tokenizer
    texts = [*MIXTURES, " ".join(MIXTURES), "<br /> ".join(MIXTURES), *TEXTS.values()]
    monkeypatch.setattr(tokenizers, "PIECE_CHARACTERS", size)
    for text, ids in zip(texts, tokenizer.encode_batch(texts), strict=True):
        assert ids.tolist() == tokenizer.encode(text).token_ids.tolist()


def test_the_pieces_of_a_long_text_are_short_where_it_has_spaces() -> None:
    pieces = list(tokenizers._pieces("a good film " * 200_000))
    assert "".join(pieces) == "a good film " * 200_000
    assert max(map(len, pieces)) < PIECE_CHARACTERS + 20
