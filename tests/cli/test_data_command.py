"""``sentiment-lstm data check``: the report on stdout, notes on stderr, exit codes that a script can use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Outcome, review_rows, write_csv

GOOD = [f"film {n} has {n}a and {n}b and {n}c,{'yes' if n % 2 else 'no'}" for n in range(40)]
BAD = [*GOOD, "film 1 has 1a and 1b and 1c,no", ",yes"]


def test_a_clean_file_passes_and_guessed_columns_are_said_on_stderr(cli: Callable[..., Outcome]) -> None:
    write_csv(Path("good.csv"), GOOD)
    outcome = cli("data", "check", "good.csv", "--strict")
    assert outcome.code == 0
    assert outcome.out.startswith("good.csv\n\n  reviews ")
    assert outcome.out.endswith("\n\nnothing found\n")
    assert outcome.err == "text column 'text', label column 'label' (guessed; --text-column, --label-column)\n"


def test_findings_are_one_line_each_and_the_worst_comes_first(cli: Callable[..., Outcome]) -> None:
    write_csv(Path("bad.csv"), BAD).write_bytes(Path("bad.csv").read_bytes() + b"caf\xe9,yes\n")
    outcome = cli("data", "check", "bad.csv", "--max-length", "7")
    assert outcome.code == 0
    lines = outcome.out.split("findings\n")[1].splitlines()
    assert [line.split()[0] for line in lines[:-2]] == ["error", "warning", "warning", "warning", "note"]
    assert "bad.csv:44:4" in lines[0]
    assert lines[-1] == "1 error, 3 warnings, 1 note"


def test_tables_are_aligned(cli: Callable[..., Outcome]) -> None:
    write_csv(Path("a.csv"), [f"a film {n},{'a very long name of a label indeed' if n % 2 else 'b'}" for n in range(9)])
    for table in cli("data", "check", "a.csv", "--test-data", "a.csv").out.split("\n\n")[1:3]:
        assert len({len(line) for line in table.splitlines()}) == 1
        assert table.splitlines()[0].split()[1:] == ["train", "test"]


def test_strict_fails_with_one_line_after_the_whole_report(cli: Callable[..., Outcome]) -> None:
    write_csv(Path("bad.csv"), BAD)
    relaxed = cli("data", "check", "bad.csv")
    strict = cli("data", "check", "bad.csv", "--strict")
    assert (relaxed.code, strict.code) == (0, 1)
    assert strict.out == relaxed.out
    assert strict.err == relaxed.err + "error: bad.csv has 3 warnings: mend them, or check without --strict\n"


def test_strict_lets_notes_pass(cli: Callable[..., Outcome]) -> None:
    write_csv(Path("long.csv"), GOOD)
    outcome = cli("data", "check", "long.csv", "--strict", "--max-length", "3")
    assert outcome.code == 0
    assert "1 note\n" in outcome.out


@pytest.mark.parametrize("options", [(), ("--strict",)])
def test_json_is_one_object_with_all_of_it(cli: Callable[..., Outcome], options: tuple[str, ...]) -> None:
    write_csv(Path("bad.csv"), BAD)
    outcome = cli("data", "check", "bad.csv", "--json", *options)
    assert outcome.code == len(options)
    assert outcome.out.count("\n") == 1
    answer = json.loads(outcome.out)
    assert answer["source"] == "bad.csv"
    assert answer["max_length"] == 400
    assert answer["counts"] == {"error": 0, "warning": 3, "note": 0}
    assert answer["splits"]["all"]["labels"] == {"no": 21, "yes": 20}
    copies = next(finding for finding in answer["findings"] if finding["kind"] == "copies")
    assert copies["examples"] == ["bad-1 = bad-40"]
    assert copies["severity"] == "warning"


def test_columns_and_files_of_other_splits_are_taken(cli: Callable[..., Outcome]) -> None:
    rows = [f"{row},x" for row in GOOD]
    write_csv(Path("train.csv"), rows[:30], header="body,kind,text")
    write_csv(Path("test.csv"), rows[29:], header="body,kind,text")
    columns = ("--text-column", "body", "--label-column", "kind")
    answer = json.loads(cli("data", "check", "train.csv", "--test-data", "test.csv", *columns, "--json").out)
    assert [(finding["kind"], finding["count"]) for finding in answer["findings"]] == [("overlap", 1)]
    answer = json.loads(cli("data", "check", "train.csv", "--validation-data", "test.csv", *columns, "--json").out)
    assert list(answer["splits"]) == ["train", "validation"]


def test_the_built_in_corpus_can_be_checked(cli: Callable[..., Outcome]) -> None:
    outcome = cli("data", "check", "sample")
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("gone.csv",), 2, "no data at gone.csv"),
        (("a.csv", "--text-column", "body"), 2, "--text-column 'body' is not in a.csv"),
        (("a.csv", "--test-data", "gone.csv"), 2, "no data at gone.csv"),
        (("a.csv", "--max-length", "0"), 2, "--max-length"),
        ((), 2, "path"),
        (("folder",), 2, "holds no files named by split"),
        (("one.csv",), 1, "has one column"),
        (("header.csv",), 1, "header.csv is empty"),
        (("empty.csv",), 1, "empty.csv is empty"),
        (("wide.csv",), 1, "wide.csv cannot be read as CSV"),
        (("binary.parquet",), 1, "binary.parquet cannot be read as PARQUET"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    cli: Callable[..., Outcome], arguments: tuple[str, ...], code: int, message: str
) -> None:
    write_csv(Path("a.csv"), review_rows())
    write_csv(Path("one.csv"), ["good"], header="text")
    write_csv(Path("header.csv"), [])
    write_csv(Path("wide.csv"), ["a,b", "a,b,c"])
    Path("empty.csv").touch()
    Path("binary.parquet").write_bytes(bytes(range(128)))
    Path("folder").mkdir()
    assert message in cli("data", "check", *arguments).error(code)


def test_a_binary_file_gives_its_faults_and_then_fails(cli: Callable[..., Outcome]) -> None:
    Path("binary.csv").write_bytes(b"a,b\n1,2\n1,2,3\n" + bytes(range(256)) * 10)
    outcome = cli("data", "check", "binary.csv")
    assert outcome.code == 1
    assert "1,280 bytes that cannot be UTF-8" in outcome.out
    assert outcome.err.startswith("error: binary.csv cannot be read as CSV")
    assert outcome.err.count("\n") == 1


def test_a_column_of_texts_that_is_taken_for_labels_keeps_the_report_short(cli: Callable[..., Outcome]) -> None:
    write_csv(Path("a.csv"), [f"short,{'a long review ' * 50} {n}" for n in range(50)])
    outcome = cli("data", "check", "a.csv")
    assert "38 more" in outcome.out
    assert max(map(len, outcome.out.splitlines())) < 300
