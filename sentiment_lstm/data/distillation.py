"""What teachers are asked about besides the training reviews: texts without a label, pieces of them, and sentences."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Mapping, Sequence

from sentiment_lstm.config import Config
from sentiment_lstm.data.corpus import read_texts
from sentiment_lstm.data.reviews import Review
from sentiment_lstm.data.sentences import split_sentences
from sentiment_lstm.data.splits import stratified_sample
from sentiment_lstm.data.unlabelled import read_unlabelled
from sentiment_lstm.errors import DataError

logger = logging.getLogger(__name__)

MOST_SENTENCES = 3  # in a piece
PARTS_PER_TEXT = 8  # short sentences for each counterfactual: teachers are sure of about a quarter of them
FEWEST_WORDS, MOST_WORDS = 3, 25  # of a short sentence
PLAIN = re.compile(r"[A-Z][A-Za-z',;: -]*[a-z][.!]?")  # no quotation, bracket, figure or question
TITLE = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|vs)\.?$")  # what a full stop does not end a sentence after
DRAWS = 20  # for each piece that is wanted: in a small corpus the same one is drawn again and again


def read_more_texts(config: Config, splits: Mapping[str, Sequence[Review]]) -> dict[str, list[Review]]:
    """Return the texts to learn from besides the labelled training reviews, all without a label.

    Parameters
    ----------
    config : Config
        Its ``distillation`` says what is wanted; ``data.limit`` samples the unlabelled texts too.
    splits : the labelled reviews by split
        A text that validation or test reviews hold is left out.

    Returns
    -------
    dict
        ``unlabelled`` and ``sentences``; also ``parts`` where counterfactuals are wanted, which are made of them.

    Raises
    ------
    UsageError, DataError
        As :func:`load_source`; also where unlabelled texts are asked for and there is none, or no text can be cut.
    """
    wanted = config.distillation
    unlabelled = read_unlabelled(config.data) if wanted.unlabelled is not False else []
    if wanted.unlabelled and not unlabelled:
        raise DataError(
            f"{config.data.source} holds no review without a label: leave out --unlabelled, or name a file of "
            "texts with --unlabelled-data"
        )
    if wanted.unlabelled_data is not None:
        unlabelled += read_texts(wanted.unlabelled_data, config.data)
    held_out = {review.text for name in ("validation", "test") for review in splits[name]}
    kept = [review for review in unlabelled if review.text not in held_out]
    if left_out := len(unlabelled) - len(kept):
        logger.info("%d texts without a label are left out: validation or test reviews have the same text", left_out)
    if config.data.limit is not None and kept:
        kept = stratified_sample(kept, config.data.limit, config.data.split_seed)
    pieces = cut_pieces([*splits["train"], *kept], wanted.sentences, config.training.seed) if wanted.sentences else []
    more = {"unlabelled": kept, "sentences": pieces}
    if wanted.counterfactuals:
        count = PARTS_PER_TEXT * wanted.counterfactuals
        more["parts"] = cut_short_sentences([*splits["train"], *kept], count, config.training.seed)
    return more


def cut_pieces(reviews: Sequence[Review], count: int, seed: int) -> list[Review]:
    """Draw runs of one to three sentences, no run twice; fewer than ``count`` where the texts have no more.

    A text is drawn, then how many sentences, then where they begin. A sentence ends with ``.``, ``!`` or ``?`` before
    white space. A piece is shorter than its text and holds a letter.

    Raises
    ------
    DataError
        Where no text has two sentences.
    """
    sentences = [split_sentences(review.text) for review in reviews]
    long_enough = [place for place, own in enumerate(sentences) if len(own) > 1]
    if not long_enough:
        raise DataError("distillation.sentences: no training text has two sentences that could be cut")
    draw = random.Random(f"{seed}/sentences")
    pieces: dict[tuple[int, int, int], Review] = {}
    for _ in range(DRAWS * count):
        if len(pieces) == count:
            break
        place = draw.choice(long_enough)
        own = sentences[place]
        size = draw.randint(1, min(MOST_SENTENCES, len(own) - 1))
        start = draw.randint(0, len(own) - size)
        text = " ".join(own[start : start + size])
        if any(character.isalpha() for character in text):
            name = f"{reviews[place].id}[{start}:{start + size}]"
            pieces.setdefault((place, start, size), Review(text, None, name))
    return list(pieces.values())


def cut_short_sentences(reviews: Sequence[Review], count: int, seed: int) -> list[Review]:
    """Draw single sentences of 3 to 25 words, no text twice; fewer than ``count`` where the reviews have no more.

    Taken are those of letters and simple punctuation that begin with a capital: others are seldom whole sentences.
    """
    found: dict[str, Review] = {}
    for review in reviews:
        for place, text in enumerate(split_sentences(review.text)):
            if FEWEST_WORDS <= len(text.split()) <= MOST_WORDS and PLAIN.fullmatch(text) and not TITLE.search(text):
                found.setdefault(text, Review(text, None, f"{review.id}[{place}:{place + 1}]"))
    sentences = list(found.values())
    random.Random(f"{seed}/short sentences").shuffle(sentences)
    return sentences[:count]
