"""``sentiment-lstm predict``: one answer a text, in order, in three formats, from four kinds of input."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome

FIELDS = ["text", "label", "score", "probabilities", "num_tokens", "truncated", "unknown_share"]
TEXTS = [
    "a good film",
    "",
    "bad",
    "  two\twords\nhere ",
    "映画 😀",
    "nul \0 in it",
    "return\rkept",
    '"quoted", with comma',
]


@pytest.fixture
def answer(cli: Callable[..., Outcome], tiny_run: Path) -> Callable[..., Outcome]:
    """``predict`` with the tiny model."""

    def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        return cli("predict", "--model", tiny_run, *arguments, stdin=stdin)

    return run


def records(outcome: Outcome) -> list[dict]:
    assert outcome.code == 0, outcome
    return [json.loads(line) for line in outcome.out.splitlines()]


def test_text_is_label_score_and_sentence_a_line(answer: Callable[..., Outcome]) -> None:
    outcome = answer("it is good", "two\nlines\tand \0")
    assert outcome.code == 0
    first, second = outcome.out.splitlines()
    assert re.fullmatch(r"(negative|positive)  (0\.[5-9]\d\d|1\.000)  it is good", first)
    assert second.endswith("  two lines and �")


def test_json_has_exactly_the_promised_fields_and_they_agree(answer: Callable[..., Outcome]) -> None:
    outcome = answer("--format", "json", *TEXTS)
    found = records(outcome)
    assert outcome.err == ""
    assert [record["text"] for record in found] == TEXTS
    for record in found:
        assert list(record) == FIELDS
        assert list(record["probabilities"]) == ["negative", "positive"]
        assert record["score"] == max(record["probabilities"].values()) == record["probabilities"][record["label"]]
        assert sum(record["probabilities"].values()) == pytest.approx(1, abs=2e-6)
        assert 0 <= record["unknown_share"] <= 1
        assert record["truncated"] is (record["num_tokens"] > 64)


def test_csv_is_read_back_by_a_csv_reader(answer: Callable[..., Outcome]) -> None:
    rows = list(csv.DictReader(io.StringIO(answer("--format", "csv", *TEXTS).out, newline="")))
    assert [row["text"] for row in rows] == TEXTS
    assert list(rows[0]) == ["text", "label", "score", "p_negative", "p_positive"]
    for row in rows:
        assert float(row["score"]) == max(float(row["p_negative"]), float(row["p_positive"]))


def test_one_at_a_time_and_in_a_batch_give_the_same_answers(answer: Callable[..., Outcome]) -> None:
    together = records(answer("--format", "json", *TEXTS))
    alone = [records(answer("--format", "json", text))[0] for text in TEXTS]
    assert together == alone
    assert records(answer("--format", "json", *reversed(TEXTS))) == alone[::-1]


def test_arguments_stdin_and_files_give_the_same_answers(answer: Callable[..., Outcome], tmp_path: Path) -> None:
    texts = [text for text in TEXTS if "\n" not in text]
    expected = records(answer("--format", "json", *texts))
    lines = "".join(f"{text}\n" for text in texts).encode()
    (tmp_path / "a.txt").write_bytes(lines)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text, "x": 1}) + "\n" for text in texts))
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["id", "text"], *enumerate(texts)])
    for arguments, stdin in [
        (("-",), lines),
        (("--file", "-"), lines),
        (("--file", "a.txt"), b""),
        (("--file", "a.csv"), b""),
        (("--file", "a.jsonl"), b""),
    ]:
        assert records(answer("--format", "json", *arguments, stdin=stdin)) == expected, arguments


def test_many_lines_give_one_answer_each_in_order(answer: Callable[..., Outcome]) -> None:
    lines = [f"film {number}" for number in range(500)]
    found = records(answer("--format", "json", "-", stdin="\n".join(lines).encode()))
    assert [record["text"] for record in found] == lines


def test_nothing_on_stdin_is_no_answer_and_no_error(answer: Callable[..., Outcome]) -> None:
    assert answer("-") == Outcome(0, "", "")


def test_the_empty_sentence_is_answered_with_a_doubt(answer: Callable[..., Outcome]) -> None:
    outcome = answer("")
    assert outcome.code == 0
    assert outcome.out.count("\n") == 1
    assert outcome.err.startswith("note: no known word")


def test_what_should_be_doubted_is_said_on_stderr(answer: Callable[..., Outcome]) -> None:
    assert answer("good").err == ""
    assert "no known word" in answer("xyzzy").err
    assert "67% of the words are unknown" in answer("good xyzzy plugh").err
    assert "cut: it has 100 tokens" in answer("good " * 100).err


def test_ten_megabytes_are_answered(answer: Callable[..., Outcome]) -> None:
    (record,) = records(answer("--format", "json", "-", stdin=(b"g" * 99 + b" ") * 100_000))
    assert (record["num_tokens"], record["truncated"]) == (100_000, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "nothing to predict"),
        (("-", "-"), "stands alone"),
        (("-", "good"), "stands alone"),
        (("--file", "a.csv", "good"), "not both"),
        (("--file", "gone.csv"), "no file at gone.csv"),
        (("--file", "."), "no file at ."),
        (("--file", "a.xml"), "expected a name ending in .txt"),
        (("--file", "a.csv", "--text-column", "txet"), "did you mean 'text'"),
        (("--file", "a.txt", "--text-column", "text"), "has no columns"),
        (("--text-column", "text", "good"), "--text-column goes with --file"),
        (("--text-column", "text", "-"), "--text-column goes with --file"),
    ],
)
def test_what_was_typed_wrong_exits_2(
    answer: Callable[..., Outcome], arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("text,label\ngood,1\n")
    (tmp_path / "a.txt").write_text("good\n")
    (tmp_path / "a.xml").write_text("<good/>")
    assert words in answer(*arguments).error(2)


def test_a_broken_line_exits_1_after_the_answers_before_it(answer: Callable[..., Outcome], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"good\nbad\ncaf\xe9\nnever read\n")
    outcome = answer("--file", "a.txt")
    assert outcome.code == 1
    assert [line.split("  ")[2] for line in outcome.out.splitlines()] == ["good", "bad"]
    assert outcome.err == (
        "error: a.txt, line 3: byte 4 (0xe9) is not UTF-8: convert it, for example with: iconv -f latin1 -t utf-8\n"
    )
    (tmp_path / "empty.txt").write_bytes(b"")
    assert "is empty" in answer("--file", "empty.txt").error(1)


@pytest.mark.parametrize(
    ("model", "words"), [("gone", "no run at gone"), (".", "is not a run folder"), ("file", "no run at file")]
)
def test_what_is_no_run_folder_exits_2(cli: Callable[..., Outcome], model: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert words in cli("predict", "--model", model, "good").error(2)


def test_no_run_at_all_says_how_to_get_one(
    cli: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sentiment_lstm.config.SHIPPED_FOLDER", tmp_path / "nowhere")
    assert "no run under runs/: train one with sentiment-lstm train" in cli("predict", "good").error(2)
