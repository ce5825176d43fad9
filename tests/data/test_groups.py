"""Which reviews belong together, and splits that tear none of them apart."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment_lstm.config import DataConfig
from sentiment_lstm.data import prepare
from sentiment_lstm.data.groups import GIANT, MOST_REVIEWS, NEIGHBOURS, find_groups, join, name_pairs, rare_names
from sentiment_lstm.data.prepare import groups_of, load_splits
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sources import load_source
from sentiment_lstm.data.splits import LARGEST_GROUP, TOLERANCE, divide, draw_groups, draw_reviews, stratified_split

IMDB = Path(__file__).resolve().parents[3] / "shared" / "data" / "imdb"
needs_imdb = pytest.mark.skipif(not IMDB.is_dir(), reason=f"needs IMDB's parquet files in {IMDB}")
ORDINARY = ["a", "film", "of", "which", "much", "could", "be", "said", "although", "little", "would", "seem", "new"]
PEOPLE = ["Amara", "Bexley", "Corvino", "Dragomir", "Elspeth", "Farquhar", "Gudrun", "Hollis", "Ingmar", "Jocasta"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SENTIMENT_LSTM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def reviews_of(texts: list[str]) -> list[Review]:
    return [Review(text, "good" if place % 2 else "bad", str(place)) for place, text in enumerate(texts)]


def chatter(generator: random.Random, number: int = 14) -> str:
    """Words that no other text has in the same order."""
    return " ".join([*generator.choices(ORDINARY, k=number), f"{generator.getrandbits(40):x}"])


def film_reviews(films: int = 60, each: int = 5, loners: int = 300, lower: bool = False) -> tuple[list[Review], list]:
    """Reviews of films with two names of their own, and others; with the film of each (``None``: no name)."""
    generator = random.Random(0)
    rows: list[tuple[str, int | None]] = [(chatter(generator), None) for _ in range(loners)]
    for film in range(films):
        names = [f"{name}{'abcdefghij'[film % 10]}{'klmnop'[film // 10]}" for name in (PEOPLE[film % 10], "Zorb")]
        rows += [
            (f"{chatter(generator)} with {names[0]} and {names[1]} {chatter(generator, 3)}", film) for _ in range(each)
        ]
    generator.shuffle(rows)
    texts = [text.lower() if lower else text for text, _ in rows]
    return reviews_of(texts), [film for _, film in rows]


def sizes(groups: np.ndarray) -> list[int]:
    return sorted(np.unique(groups, return_counts=True)[1].tolist(), reverse=True)


def held_by_label(reviews: list[Review], held_out: np.ndarray) -> Counter[str | None]:
    return Counter(review.label for review in divide(reviews, held_out)[1])


# -------------------------------------------------------------------------------------------------------- names


def test_a_name_is_capitalised_inside_a_sentence_and_rarely_met_in_lower_case() -> None:
    texts = [
        "Then came Amara, and she was fine. Nothing more.",
        "Amara is in it. Nothing less.",  # first in its sentence here, but known from elsewhere
        "We saw Wonderful things (Bexley was among them).",
        "It was wonderful, Wonderful I say. ALL OF IT WAS COOL with Bexley",
        "wonderful and ALL COOL",
    ]
    assert rare_names(texts) == {"Amara": [0, 1], "Bexley": [2, 3]}


def test_a_name_that_many_reviews_have_is_not_rare() -> None:
    texts = [f"so said Amara to {PEOPLE[place % 3 + 1] if place < 6 else 'me'}" for place in range(400)]
    assert rare_names(texts) == {PEOPLE[n]: [n - 1, n + 2] for n in (1, 2, 3)}


@pytest.mark.parametrize(
    "texts",
    [
        ["这部电影很好 王家卫", "王家卫 的电影", "我不喜欢"],
        ["هذا فيلم جيد", "هذا فيلم سيئ"],
        ["THE FILM WITH AMARA", "A FILM, AMARA"],
        ["", " "],
        [],
        ["\ud800 Amara\x00", "😀"],
    ],
)
def test_where_there_are_no_names_nothing_is_grouped(texts: list[str]) -> None:
    assert rare_names(texts) == {}
    assert sizes(find_groups(reviews_of(texts)).names) == [1] * len(texts)


@pytest.mark.parametrize("name", ["Андреевич", "Ångström", "Ödön", "Παπαδοπούλου", "McDonald"])
def test_names_of_any_script_with_capitals_are_found(name: str) -> None:
    assert rare_names([f"so, {name} again", f"was it {name}?"]) == {name: [0, 1]}


@pytest.mark.parametrize(("distance", "together"), [(1, True), (NEIGHBOURS, True), (NEIGHBOURS + 1, False)])
def test_one_shared_name_suffices_for_neighbours_two_for_all(distance: int, together: bool) -> None:
    pairs = name_pairs([[3, 3 + distance]], 100)
    assert pairs == ([(3, 3 + distance)] if together else [])
    assert name_pairs([[3, 3 + distance]] * 2, 100) == [(3, 3 + distance)]


def test_pairs_of_names_are_counted_over_names_in_different_numbers_of_reviews() -> None:
    assert name_pairs([[0, 50, 99], [0, 50], [1, 99], [50, 99]], 100) == [(0, 50), (50, 99)]
    assert name_pairs([], 0) == name_pairs([], 5) == []


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(*[st.integers(0, n - 1)] * 2)))))
def test_what_pairs_tie_together_is_one_group(case: tuple[int, list[tuple[int, int]]]) -> None:
    number, pairs = case
    expected = list(range(number))  # labels spread until nothing changes
    for _ in range(number):
        for left, right in pairs:
            expected[left] = expected[right] = min(expected[left], expected[right])
    assert join(number, pairs).tolist() == expected


def test_reviews_of_a_film_are_a_group_and_others_are_not() -> None:
    reviews, films = film_reviews()
    groups = find_groups(reviews)
    assert sizes(groups.copies) == [1] * len(reviews)
    assert sizes(groups.names) == [5] * 60 + [1] * 300
    for film in set(films) - {None}:
        assert len({group for group, own in zip(groups.names.tolist(), films, strict=True) if own == film}) == 1


def test_where_names_make_a_giant_they_must_be_rarer() -> None:
    reviews, films = film_reviews()
    generator = random.Random(3)
    common = [f"Xan{n:x}q" for n in range(150)]  # in eight reviews each, of different films
    texts = [f"{review.text} as in {' and '.join(generator.sample(common, 2))}" for review in reviews]
    names = rare_names(texts).values()
    loose = join(len(texts), name_pairs(names, len(texts)))
    assert sizes(loose)[0] > GIANT * len(texts), "the case is of the kind that is meant"
    groups = find_groups(reviews_of(texts)).names
    assert sizes(groups)[0] <= max(GIANT * len(texts), MOST_REVIEWS[0])
    for film in set(films) - {None}:
        assert len({group for group, own in zip(groups.tolist(), films, strict=True) if own == film}) == 1


def test_labels_and_ids_do_not_count() -> None:
    reviews, _ = film_reviews()
    other = [Review(review.text, "same", "x") for review in reviews]
    assert find_groups(other).names.tolist() == find_groups(reviews).names.tolist()


def test_copies_and_near_copies_are_together_at_any_distance_and_in_any_number() -> None:
    generator = random.Random(1)
    texts = [chatter(generator, 60) for _ in range(200)]
    for place in (50, 100, 150):
        words = texts[0].split()
        words[place // 10] = "otherwise"
        texts[place] = " ".join(words)
    texts[199] = texts[7].upper() + "  "
    groups = find_groups(reviews_of(texts))
    assert groups.copies[[0, 50, 100, 150]].tolist() == [0, 0, 0, 0]
    assert groups.copies[199] == 7
    assert sizes(groups.copies) == [4, 2] + [1] * 194


def test_the_groups_are_the_same_in_every_process() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tests/data')\n"
        "from test_groups import film_reviews, find_groups, draw_groups\n"
        "reviews, _ = film_reviews()\n"
        "groups = find_groups(reviews)\n"
        "print(groups.names.tolist(), draw_groups(reviews, groups.names, 0.1, 0).tolist())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


# -------------------------------------------------------------------------------------------------------- splits

cases = st.integers(1, 120).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from("aab"), min_size=n, max_size=n),
        st.lists(st.integers(0, n - 1), min_size=n, max_size=n),
        st.floats(0.05, 0.5),
        st.integers(0, 2**32),
    )
)


@given(cases)
@settings(max_examples=300)
def test_no_group_is_torn_and_every_label_is_near_its_share(case: tuple[list[str], list[int], float, int]) -> None:
    labels, numbers, share, seed = case
    reviews = [Review(f"text {place}", label, str(place)) for place, label in enumerate(labels)]
    groups = np.array(numbers)
    held_out = draw_groups(reviews, groups, share, seed)
    if held_out is None:
        return
    if len(set(numbers)) < len(numbers):  # else it is the plain split, which leaves a label's only review alone
        assert held_out.any()
    assert not set(groups[held_out]) & set(groups[~held_out])
    held = held_by_label(reviews, held_out)
    for label, count in Counter(labels).items():
        assert held[label] < count, "no label leaves training altogether"
        wanted = min(max(round(share * count), 1), count - 1)
        assert abs(held[label] - wanted) <= max(TOLERANCE * wanted, 1)


@given(cases)
def test_where_each_review_is_a_group_the_split_is_the_plain_one(case: tuple[list[str], list[int], float, int]) -> None:
    labels, _, share, seed = case
    reviews = [Review("text", label, str(place)) for place, label in enumerate(labels)]
    held_out = draw_groups(reviews, np.arange(len(reviews)), share, seed)
    assert held_out is not None
    assert divide(reviews, held_out) == stratified_split(reviews, share, seed)


def test_the_seed_decides_which_groups_are_held_out() -> None:
    reviews, _ = film_reviews()
    groups = find_groups(reviews).names
    drawn = [draw_groups(reviews, groups, 0.1, seed) for seed in range(5)]
    assert len({tuple(held_out.tolist()) for held_out in drawn if held_out is not None}) == 5
    for seed, held_out in enumerate(drawn):
        np.testing.assert_array_equal(held_out, draw_groups(reviews, groups, 0.1, seed))
        assert held_by_label(reviews, held_out) == {"good": 30, "bad": 30}, "single reviews fill up what is missing"


def test_groups_are_held_out_about_as_often_as_single_reviews() -> None:
    """Else validation would be the odd reviews that no other is like."""
    reviews, films = film_reviews()
    groups = find_groups(reviews).names
    of_films = np.array([film is not None for film in films])
    shares = [of_films[draw_groups(reviews, groups, 0.1, seed)].mean() for seed in range(40)]
    assert abs(np.mean(shares) - of_films.mean()) < 0.1  # the last places are filled by single reviews


def test_a_group_that_is_too_large_stays_in_training() -> None:
    reviews = reviews_of([f"text {place}" for place in range(10_000)])
    groups = np.arange(10_000)
    groups[: LARGEST_GROUP + 1] = 0
    for seed in range(20):
        held_out = draw_groups(reviews, groups, 0.5, seed)
        assert held_out is not None
        assert not held_out[0]
        assert held_out.sum() == 5_000


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_where_everything_is_one_group_there_is_no_such_split(share: float) -> None:
    reviews = reviews_of([f"text {place}" for place in range(100)])
    assert draw_groups(reviews, np.zeros(100, dtype=np.int64), share, 0) is None


# ----------------------------------------------------------------------------------------------- from a user's file


def write(path: Path, reviews: list[Review]) -> str:
    path.write_text("\n".join(["text,label", *(f'"{own.text}",{own.label}' for own in reviews)]) + "\n")
    return str(path)


def held_films(splits: dict[str, list[Review]], films: list[int | None]) -> dict[str, set[int]]:
    def film_of(review: Review) -> int | None:
        return films[int(review.id.split("-")[1])]

    return {name: {film for own in reviews if (film := film_of(own)) is not None} for name, reviews in splits.items()}


def test_a_file_is_split_by_whole_films_test_and_validation(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reviews, films = film_reviews()
    source = write(tmp_path / "a.csv", reviews)
    splits = load_splits(DataConfig(source=source, validation="grouped"))
    assert {name: len(own) for name, own in splits.items()} == {"train": 486, "validation": 54, "test": 60}
    by_split = held_films(splits, films)
    assert by_split["validation"]
    assert by_split["test"]
    assert sum(map(len, by_split.values())) == 60, "no film is in two splits"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    shared = held_films(load_splits(DataConfig(source=source)), films)
    assert shared["validation"] & shared["train"], "as a random split tears them"


def test_lower_case_texts_are_split_by_their_copies(tmp_path: Path) -> None:
    reviews, _ = film_reviews(lower=True)
    copies = [Review(review.text, review.label, "") for review in reviews[:100]]
    splits = load_splits(DataConfig(source=write(tmp_path / "a.csv", [*reviews, *copies]), validation="grouped"))
    texts = {name: {review.text for review in own} for name, own in splits.items()}
    assert len(splits["test"]) == 70
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        assert not texts[one] & texts[other]


def test_without_names_and_copies_grouped_is_random(tmp_path: Path) -> None:
    reviews, _ = film_reviews(lower=True)
    source = write(tmp_path / "a.csv", reviews)
    assert load_splits(DataConfig(source=source, validation="grouped")) == load_splits(DataConfig(source=source))


def test_what_names_tie_into_one_falls_back_to_copies_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    generator = random.Random(2)
    chain = [f"{chatter(generator)} of Xan{n:x}q and Xan{n + 1:x}q {chatter(generator)}" for n in range(200)]
    reviews = reviews_of(chain + chain[:1])
    source = write(tmp_path / "train.csv", reviews)
    write(tmp_path / "test.csv", reviews[:4])
    splits = load_splits(DataConfig(source=str(tmp_path), validation="grouped"))
    assert len(splits["validation"]) == 20, source
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "validation: whole groups of alike reviews do not make up a share of 0.1: "
        "only copies and near copies are kept together"
    ]
    assert sum(review.text == chain[0] for review in splits["validation"]) in (0, 2)


def test_copies_of_one_text_alone_fall_back_to_single_reviews(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = write(tmp_path / "a.csv", reviews_of(["one text"] * 40))
    splits = load_splits(DataConfig(source=source, validation="grouped"))
    assert splits == load_splits(DataConfig(source=source))
    assert "test: whole groups of alike reviews do not make up a share of 0.1: reviews are drawn one by one" in (
        caplog.text
    )


@pytest.mark.parametrize("number", [4, 6, 9, 20])
def test_tiny_data_are_split_as_well(number: int, tmp_path: Path) -> None:
    reviews = reviews_of(
        [f"{'of Amara and Bexley' if n < 2 else ''} {PEOPLE[n % 10].lower()} {n}" for n in range(number)]
    )
    config = DataConfig(source=write(tmp_path / "train.csv", reviews), validation="grouped", test_data=None)
    write(tmp_path / "test.csv", reviews[:2])
    splits = load_splits(config.model_copy(update={"source": str(tmp_path)}))
    assert splits["validation"]
    assert len(splits["train"]) + len(splits["validation"]) == number


def test_given_splits_are_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reviews, _ = film_reviews(films=2, loners=10)
    source = write(tmp_path / "a.csv", reviews)

    def fail(*arguments: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(prepare, "find_groups", fail)
    config = DataConfig(source=source, test_data=source, validation_data=source, validation="grouped")
    assert len(load_splits(config)["train"]) == 20


def test_groups_come_from_the_cache_and_a_damaged_entry_is_made_again(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviews, _ = film_reviews(films=3, loners=10)
    calls = []
    monkeypatch.setattr(prepare, "find_groups", lambda reviews: calls.append(len(reviews)) or find_groups(reviews))
    first = groups_of(reviews)
    again = groups_of(reviews)
    np.testing.assert_array_equal(first.names, again.names)
    np.testing.assert_array_equal(first.copies, again.copies)
    assert calls == [25]
    next(own_cache.iterdir()).write_bytes(b"")
    np.testing.assert_array_equal(first.names, groups_of(reviews).names)
    np.testing.assert_array_equal(find_groups(reviews[::-1]).names, groups_of(reviews[::-1]).names)
    assert calls == [25, 25, 25], "their order is part of the key"


@needs_imdb
def test_imdb_is_split_by_whole_groups_where_a_random_tenth_tears_hundreds() -> None:
    reviews = load_source(str(IMDB), splits=("train",)).splits["train"]
    groups = groups_of(reviews).names
    held_out = draw_groups(reviews, groups, 0.1, 0)
    assert held_out is not None
    assert held_by_label(reviews, held_out) == {"negative": 1_250, "positive": 1_250}
    assert not set(groups[held_out]) & set(groups[~held_out])
    plain = draw_reviews(reviews, 0.1, 0)
    assert len(set(groups[plain]) & set(groups[~plain])) > 300
    assert sum(size for size in sizes(groups) if size > LARGEST_GROUP) < GIANT * len(reviews)
