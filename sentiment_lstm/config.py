"""The configuration of a run: typed, validated before any data is read, and saved whole with the run.

A recipe is a YAML file with sections such as ``data``, ``tokenizer``, ``model`` and ``training``. Every key has a
default here, so a recipe names only what it changes; the run's ``config.yaml`` names everything.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

NAMED_SOURCES = ("imdb", "sample")
SHIPPED = "shipped"  # the name, wherever a run is named, of the models that come with the program
SHIPPED_FOLDER = Path(__file__).resolve().parent / SHIPPED
MAX_LENGTH = 400  # tokens kept of a review, where nothing else is said


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused, values never change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(Section):
    """Where the reviews come from and how they are split."""

    source: str = Field(
        "imdb", min_length=1, description="imdb, sample, a folder, or a CSV, TSV, JSONL or parquet file"
    )
    test_data: str | None = Field(
        None, min_length=1, description="file with the test reviews; default: the source's own, or a share"
    )
    validation_data: str | None = Field(
        None, min_length=1, description="file with the validation reviews; default: a share of train"
    )
    text_column: str | None = Field(None, description="column that holds the text; default: guessed and announced")
    label_column: str | None = Field(None, description="column that holds the label; default: guessed and announced")
    validation: Literal["random", "grouped"] = Field(
        "random", description="reviews are held out one by one, or in groups that share rare names or repeat each other"
    )
    validation_share: float = Field(0.1, gt=0.0, lt=1.0, description="share of the training reviews held out")
    test_share: float = Field(0.1, gt=0.0, lt=1.0, description="share held out first, where there is no test split")
    split_seed: int = Field(0, ge=0, description="seed of the splits and of `limit`; the same for every training seed")
    limit: int | None = Field(None, ge=2, description="reviews per split: a stratified sample, never the first ones")


class TokenizerConfig(Section):
    """How a text becomes token ids."""

    kind: Literal["basic_english", "bpe"] = Field(
        "basic_english", description="words as torchtext's, or byte-level BPE"
    )
    min_frequency: int = Field(2, ge=1, description="times a token must occur in the training reviews")
    max_size: int = Field(20_000, ge=3, description="vocabulary entries, <pad> and <unk> included")
    max_length: int | None = Field(MAX_LENGTH, ge=1, description="tokens kept of a review; null: all of them")
    truncation: Literal["head", "tail", "head_tail"] = Field(
        "head_tail", description="which part of a long review is kept"
    )

    @model_validator(mode="after")
    def _bytes_fit(self) -> TokenizerConfig:
        if self.kind == "bpe" and self.max_size < 258:
            raise ValueError("max_size must be at least 258 for kind 'bpe': 256 bytes, <pad> and <unk>")
        return self


class ModelConfig(Section):
    """The network: embedding -> [conv + max-pool] -> recurrent layers -> pooling -> linear."""

    kind: Literal["lstm", "cnn_lstm", "rnn"] = "lstm"
    embedding_dim: int = Field(128, ge=1, le=4096, description="E, numbers per token")
    hidden_dim: int = Field(128, ge=1, le=8192, description="H, numbers per direction of a recurrent layer")
    num_layers: int = Field(1, ge=1, le=16, description="recurrent layers on top of each other")
    bidirectional: bool = Field(True, description="read each review from both ends")
    pooling: Literal["last", "mean", "max", "mean_max", "attention"] = Field(
        "mean_max", description="how the outputs of all words become one vector"
    )
    segment_length: int | None = Field(
        None, ge=1,
        description="steps that recurrent layers read on end: cut there, each segment begins anew; null: no end",
    )  # fmt: skip
    word_dropout: float = Field(0.0, ge=0.0, lt=1.0, description="share of whole words zeroed while training")
    embedding_dropout: float = Field(0.0, ge=0.0, lt=1.0, description="share of embedding channels zeroed per review")
    layer_dropout: float = Field(0.0, ge=0.0, lt=1.0, description="dropout between recurrent layers")
    recurrent_dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="share of the hidden-to-hidden weights dropped, anew each forward pass"
    )
    output_dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="dropout on the pooled vector, before the linear layer"
    )
    conv_channels: int = Field(64, ge=1, le=8192, description="cnn_lstm: filters of the convolution")
    conv_kernel_size: int = Field(5, ge=1, le=101, description="cnn_lstm: words a filter sees; odd")
    conv_pool_size: int = Field(4, ge=1, le=100, description="cnn_lstm: neighbouring words the max-pool joins into one")
    initialization: Literal["pytorch", "orthogonal"] = Field(
        "orthogonal", description="recurrent weights: torch's uniform, or orthogonal with Xavier input weights"
    )
    embedding_std: float = Field(0.1, gt=0.0, le=10.0, description="standard deviation of a fresh embedding")
    forget_bias: float = Field(
        1.0, ge=-10, le=10, description="initial bias of the forget gate (Jozefowicz et al. 2015)"
    )
    vectors: str | None = Field(
        None, min_length=1, description="text file of word vectors (GloVe, word2vec, fastText) to start from"
    )
    init: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), description="runs whose words and weights training starts from, or shipped; see pretrain"
    )
    freeze_embedding: bool = Field(False, description="leave the embedding as it starts; for pretrained vectors")
    normalize_embedding: bool = Field(
        False, description="bring embeddings to mean 0 and variance 1 per channel, words counted as often as they occur"
    )
    ngrams: int | None = Field(
        None, ge=1, le=3, description="longest n-gram that adds to the logits, from naive-Bayes ratios on; null: none"
    )
    ngram_min_count: int = Field(3, ge=1, description="training reviews an n-gram must occur in to have a weight")
    ngram_dropout: float = Field(
        0.0, ge=0.0, lt=1.0, description="share of reviews whose n-grams add nothing while training"
    )
    network_weight: float = Field(
        1.0, gt=0.0, le=100.0,
        description="with n-grams: factor on the network's own logits once it is trained; below 1 where it is too sure",
    )  # fmt: skip

    @field_validator("init", mode="before")
    @classmethod
    def _runs(cls, value: Any) -> Any:
        if value is None or value == "none":
            return ()
        return (value,) if isinstance(value, str) else value

    @field_validator("conv_kernel_size")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("must be odd, so that a filter is centred on a word")
        return value

    @model_validator(mode="after")
    def _one_start(self) -> ModelConfig:
        if self.vectors is not None and self.init:
            raise ValueError(
                "vectors and init are two beginnings for the same words: leave out --vectors, or start from nothing "
                "else (--init none)"
            )
        return self


class TrainingConfig(Section):
    """The loop: batches, optimiser, schedule, when to stop, and on what machine."""

    seed: int = Field(1, ge=0, le=2**32 - 1, description="weights, dropout and batch order follow from it")
    epochs: int = Field(5, ge=1, description="passes over the training reviews, at most")
    min_steps: int = Field(
        0, ge=0, description="with few reviews more epochs, so that so many optimiser steps are taken; --epochs: 0"
    )
    batch_size: int = Field(64, ge=1, description="reviews in a batch, at most")
    batch_tokens: int = Field(32_768, ge=1, description="tokens in a batch, padding included, at most")
    crop_tokens: int | None = Field(
        None, ge=1, description="longest piece of a review read while training, from a random place; null: all of it"
    )
    crop_min_tokens: int | None = Field(
        None, ge=1, description="where given, each piece's length is drawn between it and crop_tokens, log-uniformly"
    )
    crop_share: float = Field(1.0, gt=0.0, le=1.0, description="share of the reviews that are cropped, drawn an epoch")
    sentences_per_review: int = Field(
        0, ge=0, description="up to so many single sentences of each review are learnt beside it, with its label"
    )
    counterfactuals: int = Field(
        0, ge=0,
        description="up to so many short English texts in which word order decides are made of the reviews' sentences "
        "and learnt beside them, as many as there are reviews at most; for the labels positive and negative",
    )  # fmt: skip
    accumulation_steps: int = Field(1, ge=1, description="batches whose gradients are added before one optimiser step")
    optimizer: Literal["sgd", "momentum", "rmsprop", "adam", "adamw"] = "adam"
    learning_rate: float = Field(2e-3, gt=0.0, le=100.0, description="the peak of the schedule")
    momentum: float = Field(0.9, ge=0.0, lt=1.0, description="for optimizer: momentum")
    weight_decay: float = Field(0.0, ge=0.0, le=10.0)
    schedule: Literal["constant", "one_cycle", "cosine", "reduce_on_plateau"] = "one_cycle"
    warmup_share: float = Field(0.1, ge=0.0, lt=1.0, description="share of all steps in which the rate rises linearly")
    plateau_factor: float = Field(0.5, gt=0.0, lt=1.0, description="reduce_on_plateau: what the rate is multiplied by")
    plateau_patience: int = Field(0, ge=0, description="reduce_on_plateau: epochs without a better score it waits")
    label_smoothing: float = Field(0.0, ge=0.0, lt=1.0, description="probability spread evenly over all classes")
    adversarial_epsilon: float = Field(
        0.0, ge=0.0, le=1000.0,
        description="length of a review's perturbation in standard deviations of the embedding; 0: none",
    )  # fmt: skip
    virtual_adversarial_epsilon: float = Field(
        0.0, ge=0.0, le=1000.0,
        description="the same for virtual adversarial training, on labelled and unlabelled reviews; 0: none",
    )  # fmt: skip
    virtual_adversarial_weight: float = Field(
        1.0, gt=0.0, le=1000.0, description="of the virtual adversarial loss beside that of the labels"
    )
    entropy_weight: float = Field(
        0.0, ge=0.0, le=1000.0, description="of the mean entropy of the answers on unlabelled reviews; 0: none"
    )
    unlabelled_batch_size: int | None = Field(
        None, ge=1, description="unlabelled reviews read beside each batch, where a loss needs them; null: batch_size"
    )
    class_weights: Literal["none", "balanced"] = Field("none", description="balanced: rare classes count for more")
    init_rate: float = Field(
        1.0, gt=0.0, le=1.0,
        description="factor on the rate of each layer taken over by model.init, once more for each layer below the top",
    )  # fmt: skip
    ngram_rate: float = Field(10.0, gt=0.0, le=1000.0, description="factor on the rate of the weights of n-grams")
    gradual_unfreezing: bool = Field(
        False, description="layers taken over by model.init join in one an epoch, from the second on, the top one first"
    )
    gradient_clip: float | None = Field(
        1.0, gt=0.0, description="largest norm of the whole gradient; null: no clipping"
    )
    weight_averaging: float = Field(
        0.0, ge=0.0, lt=1.0,
        description="decay of the weights' moving average, which is validated and kept instead of them; 0: none",
    )  # fmt: skip
    target_loss: float | None = Field(None, gt=0.0, description="stop once an epoch's mean training loss is this small")
    patience: int | None = Field(None, ge=1, description="stop after so many epochs without a better validation score")
    max_seconds: float | None = Field(
        None, gt=0.0, description="stop after so many seconds of training; --max-time 10m"
    )
    checkpoint_every_steps: int | None = Field(
        None, ge=1, description="optimiser steps between two checkpoints, besides the one at each epoch's end"
    )
    checkpoint_every_minutes: float | None = Field(
        5.0, gt=0.0, description="minutes between two checkpoints, besides the one at each epoch's end"
    )
    keep_checkpoints: int = Field(
        2, ge=0, description="the last checkpoints kept, besides the best epoch's; 0: none are written"
    )
    auto_batch: bool = Field(False, description="out of memory: go through a batch in halves, adding their gradients")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 where the processor has it")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    threads: int | None = Field(None, ge=1, le=1024, description="CPU threads; default: torch's own choice")

    @property
    def reads_unlabelled(self) -> bool:
        """Whether a part of the loss is computed on unlabelled reviews."""
        return self.virtual_adversarial_epsilon > 0 or self.entropy_weight > 0

    @field_validator("device")
    @classmethod
    def _known(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
            raise ValueError("must be auto, cpu, cuda or cuda:N")
        return value

    @model_validator(mode="after")
    def _crops_fit(self) -> TrainingConfig:
        if self.crop_tokens is None:
            if self.crop_min_tokens is not None or self.crop_share < 1:
                raise ValueError("crop_min_tokens and crop_share need crop_tokens, the longest piece")
        elif self.crop_min_tokens is not None and self.crop_min_tokens > self.crop_tokens:
            raise ValueError(f"crop_min_tokens ({self.crop_min_tokens}) exceeds crop_tokens ({self.crop_tokens})")
        return self


class PretrainingConfig(Section):
    """The language model: how ``pretrain`` reads text. ``train`` reads none of it."""

    backward: bool = Field(False, description="read each text from its last word to its first")
    streams: int = Field(128, ge=1, le=8192, description="B, texts read side by side")
    window: int = Field(64, ge=1, le=4096, description="T, words between two optimiser steps; the state is carried on")
    sampled_words: int | None = Field(
        1024, ge=1, description="words that each next word is told apart from, drawn anew each step; null: all of them"
    )
    validation_share: float = Field(0.01, gt=0.0, lt=1.0, description="share of the texts held out for perplexity")


class DistillationConfig(Section):
    """One student from several teachers, where there are any: their answers instead of the labels."""

    teachers: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), description="runs whose averaged answers training aims at, or shipped; none: the labels are what it aims at"
    )
    temperature: float = Field(
        1.0, gt=0.0, le=100.0, description="what the teachers' logits are divided by: above 1 their answers get softer"
    )
    label_weight: float = Field(
        0.0, ge=0.0, le=1.0, description="share of the true label in what a labelled review is to be answered with"
    )
    unlabelled: bool | None = Field(
        None, description="also read the source's reviews without a label; null: where it has any"
    )
    unlabelled_data: str | None = Field(
        None, min_length=1, description="file or folder with more texts; its labels are not looked at"
    )
    sentences: int = Field(
        0, ge=0, description="pieces of one to three sentences cut from the texts, for the teachers to answer too"
    )
    counterfactuals: int = Field(
        0,
        ge=0,
        description="texts made by rules of English from short sentences that the teachers answer: negated, contrasted",
    )


class Config(Section):
    """The whole configuration of a run."""

    data: DataConfig = DataConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    pretraining: PretrainingConfig = PretrainingConfig()
    distillation: DistillationConfig = DistillationConfig()

    @model_validator(mode="after")
    def _answers_are_taken_as_they_are(self) -> Config:
        training = self.training
        if self.distillation.teachers and (training.label_smoothing > 0 or training.class_weights != "none"):
            raise ValueError(
                "training.label_smoothing and training.class_weights change labels, which distillation.teachers "
                "replace: leave them out"
            )
        return self

    def to_yaml(self) -> str:
        """Return every key with its value, as YAML that ``load_config`` reads back to an equal ``Config``."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    def with_absolute_paths(self) -> Config:
        """Return the configuration with its data and vectors named so that any working folder finds them."""
        data, vectors = self.data, self.model.vectors
        init = tuple(map(_absolute_run, self.model.init))
        more = self.distillation.unlabelled_data
        distillation = self.distillation.model_copy(
            update={
                "teachers": tuple(map(_absolute_run, self.distillation.teachers)),
                "unlabelled_data": more and absolute_source(more),
            }
        )
        sources = {name: getattr(data, name) for name in ("source", "test_data", "validation_data")}
        absolute = {name: absolute_source(value) for name, value in sources.items() if value is not None}
        model = self.model.model_copy(update={"vectors": vectors and _absolute(vectors), "init": init})
        sections = {"data": data.model_copy(update=absolute), "model": model, "distillation": distillation}
        return self.model_copy(update=sections)


def absolute_source(source: str) -> str:
    """Return a data source as a run keeps it: a name as it is, a path as an absolute one."""
    return source if source in NAMED_SOURCES else _absolute(source)


def _absolute_run(run: str) -> str:
    return run if run == SHIPPED else _absolute(run)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().resolve())  # without the ".." of how it was typed


def find_classifier(run: Path) -> Path:
    """Return the folder of a run; of the name ``shipped``, that of the classifier that comes with the program."""
    return SHIPPED_FOLDER / "classifier" if str(run) == SHIPPED else run.expanduser()


def answers_folder(run: Path) -> Path:
    """Return where a run's answers to reviews are kept: in its folder; of the shipped one, under ``runs/``."""
    return (Path("runs") / SHIPPED if run == SHIPPED_FOLDER / "classifier" else run) / "evaluation"


def find_language_model(run: Path) -> Path:
    """Return the folder of a run; of the name ``shipped``, that of the language model that comes with the program."""
    return SHIPPED_FOLDER / "language_model" if str(run) == SHIPPED else run.expanduser()
