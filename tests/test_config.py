"""The configuration: what it accepts, what it refuses and in which words, and that it survives its own file."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sentiment_lstm.config import Config, Section, absolute_source
from sentiment_lstm.errors import ConfigError, UsageError
from sentiment_lstm.recipes import find_recipe, list_recipes, load_config, validate_config

SECTIONS = list(Config.model_fields)
KEYS = [(section, key) for section in SECTIONS for key in getattr(Config(), section).model_dump()]


def test_there_are_recipes_and_each_is_valid() -> None:
    recipes = list_recipes()
    assert {"imdb", "sample"} <= recipes.keys()
    for name in recipes:
        assert isinstance(load_config(name), Config)


@pytest.mark.parametrize("name", sorted(list_recipes()))
def test_a_saved_configuration_is_read_back_equal_and_names_every_key(name: str, tmp_path: Path) -> None:
    config = load_config(name)
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert load_config(str(path)) == config
    saved = yaml.safe_load(config.to_yaml())
    assert {(section, key) for section in saved for key in saved[section]} == set(KEYS)


@given(
    st.builds(
        lambda rate, std, epochs: {
            "training": {"learning_rate": rate, "epochs": epochs},
            "model": {"embedding_std": std},
        },
        st.floats(1e-12, 100.0),
        st.floats(1e-6, 10.0),
        st.integers(1, 10**9),
    )
)
def test_no_number_changes_on_its_way_through_yaml(values: dict) -> None:
    config = validate_config(values, "test")
    assert validate_config(yaml.safe_load(config.to_yaml()), "test") == config


@pytest.mark.parametrize(("section", "key"), KEYS)
def test_a_misspelt_key_is_refused_with_the_right_one(section: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validate_config({section: {f"{key}x": 1}}, "mine.yaml")
    assert f"mine.yaml: unknown key '{section}.{key}x'; did you mean '{key}'?" in str(caught.value)


def test_a_misspelt_section_is_refused_with_the_right_one() -> None:
    with pytest.raises(ConfigError, match="unknown key 'trainig'; did you mean 'training'"):
        validate_config({"trainig": {}}, "mine.yaml")


def test_a_key_like_no_other_is_answered_with_all_that_are_known() -> None:
    with pytest.raises(ConfigError, match=r"known keys: data, tokenizer, model, training"):
        validate_config({"zzz": 1}, "mine.yaml")


@pytest.mark.parametrize(
    "override",
    [
        "training.epochs=0",
        "training.epochs=1.5",
        "training.epochs=many",
        "training.epochs=null",
        "training.learning_rate=0",
        "training.learning_rate=-1",
        "training.learning_rate=.nan",
        "training.learning_rate=.inf",
        "training.gradient_clip=0",
        "training.device=tpu",
        "training.precision=fp8",
        "training.seed=-1",
        "training.max_seconds=0",
        "model.hidden_dim=0",
        "model.conv_kernel_size=4",
        "model.output_dropout=1",
        "model.kind=gru",
        "model.vectors=''",
        "data.source=''",
        "data.source=null",
        "data.limit=1",
        "data.validation_share=1",
        "data.test_share=0",
        "tokenizer.max_length=0",
        "tokenizer.kind=words",
    ],
)
def test_an_impossible_value_is_refused_by_its_key(override: str) -> None:
    key, _, _ = override.partition("=")
    with pytest.raises(ConfigError) as caught:
        load_config("sample", [override])
    assert f"sample.yaml: {key}: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        (["training.crop_min_tokens=5"], "need crop_tokens"),
        (["training.crop_share=0.5"], "need crop_tokens"),
        (["training.crop_tokens=4", "training.crop_min_tokens=5"], r"crop_min_tokens \(5\) exceeds crop_tokens \(4\)"),
    ],
)
def test_crops_that_cannot_be_are_refused(overrides: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=f"^sample.yaml: training: .*{problem}"):
        load_config("sample", overrides)


def test_all_faults_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("sample", ["training.epochs=0", "model.kindd=lstm", "data.limit=0"])
    for key in ("training.epochs", "model.kindd", "data.limit"):
        assert key in str(caught.value)


def test_bytes_do_not_fit_into_a_smaller_vocabulary() -> None:
    with pytest.raises(ConfigError, match="at least 258"):
        load_config("sample", ["tokenizer.kind=bpe", "tokenizer.max_size=257"])
    assert load_config("sample", ["tokenizer.kind=bpe", "tokenizer.max_size=258"]).tokenizer.max_size == 258


@pytest.mark.parametrize("override", ["nonsense", "epochs=3", "training=3", "a.b.c=3", "", "=1", "training.epochs"])
def test_an_override_that_is_no_section_key_and_value_is_refused(override: str) -> None:
    with pytest.raises(ConfigError, match=r"section\.key=value"):
        load_config("sample", [override])


def test_an_override_whose_value_is_no_yaml_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a YAML value"):
        load_config("sample", ["training.epochs=[1"])


def test_overrides_are_yaml_and_the_last_one_wins_but_changes_win_over_all() -> None:
    overrides = ["training.epochs=3", "training.epochs=4", "model.bidirectional=no", "training.learning_rate=1e-4"]
    config = load_config("sample", overrides, {"training.seed": 7})
    assert (config.training.epochs, config.training.seed, config.model.bidirectional) == (4, 7, False)
    assert config.training.learning_rate == 1e-4
    assert load_config("sample", ["training.epochs=3"], {"training.epochs": 9}).training.epochs == 9


def test_an_override_may_hold_an_equals_sign() -> None:
    assert load_config("sample", ["data.source=a=b.csv"]).data.source == "a=b.csv"


@pytest.mark.parametrize("content", ["", "# nothing\n", "training:\n", "{}\n"])
def test_what_a_recipe_leaves_out_has_its_default(content: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    assert load_config(str(path), ["training.epochs=9"]).training.epochs == 9
    assert load_config(str(path), ["training.epochs=9"]).model == Config().model


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"training: [1\n", "line 2 is not valid YAML"),
        (b"- 1\n", "must hold the sections data, tokenizer, model, training, pretraining, distillation, not a list"),
        (b"just words\n", "not a str"),
        (b"\xff\xfe\x00", "byte 1 is not UTF-8"),
        (b"a: \x00", "not valid YAML"),
        (b"training: 3\n", "training: "),
        (b"1: 2\n", "1: "),
        (b"!!python/object/apply:os.system ['touch canary']\n", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_in_one_line(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(str(path))
    assert words in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_a_recipe_is_found_by_name_or_path_and_nothing_else(tmp_path: Path) -> None:
    assert find_recipe("sample").name == "sample.yaml"
    path = tmp_path / "mine.yaml"
    path.write_text("", encoding="utf-8")
    assert find_recipe(str(path)) == path
    for name, words in [
        ("sampel", "did you mean 'sample'"),
        (str(tmp_path), "is a folder"),
        (str(tmp_path / "gone.yaml"), "no configuration file at"),
        ("", "folder"),
    ]:
        with pytest.raises(UsageError, match=words):
            find_recipe(name)


def test_values_never_change_after_validation() -> None:
    config = Config()
    with pytest.raises(ValueError, match="frozen"):
        config.training.epochs = 3  # type: ignore[misc]


def test_every_section_says_what_its_keys_mean_or_names_their_values() -> None:
    for name in SECTIONS:
        section = Config.model_fields[name].annotation
        assert issubclass(section, Section)
        for key, field in section.model_fields.items():
            assert field.description or "Literal" in str(field.annotation) or key == "weight_decay", key


def test_paths_become_absolute_and_names_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert absolute_source("imdb") == "imdb"
    assert absolute_source("sample") == "sample"
    assert absolute_source("~/a.csv") == str(tmp_path / "home" / "a.csv")
    config = load_config(
        "sample", ["data.source=a.csv", "data.test_data=b/c.csv", "model.vectors=~/v.txt"]
    ).with_absolute_paths()
    assert config.data.source == str(tmp_path / "a.csv")
    assert config.data.test_data == str(tmp_path / "b" / "c.csv")
    assert config.data.validation_data is None
    assert config.model.vectors == str(tmp_path / "home" / "v.txt")
    assert config.with_absolute_paths() == config
    assert Config().with_absolute_paths() == Config()
