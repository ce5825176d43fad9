"""``sentiment-lstm config``: the shipped recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sentiment_lstm.errors import UsageError
from sentiment_lstm.recipes import find_recipe, list_recipes, read_recipe

app = typer.Typer(help="List, show and copy the shipped recipes.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A recipe's name, or the path of a YAML file.")]


@app.command("list")
def list_() -> None:
    """List the recipes, each with its first line."""
    recipes = list_recipes()
    width = max(map(len, recipes), default=0)
    for name, path in recipes.items():
        first = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        typer.echo(f"{name:<{width}}  {first}")


@app.command()
def show(name: Name) -> None:
    """Print a recipe with its comments."""
    typer.echo(read_recipe(find_recipe(name)), nl=False)


@app.command()
def copy(
    name: Name,
    target: Annotated[Path | None, typer.Argument(help="The file to write; default: NAME.yaml here.")] = None,
) -> None:
    """Copy a recipe to a file of yours, to be changed and given to train --config."""
    source = find_recipe(name)
    content = read_recipe(source)
    target = target or Path(f"{source.stem}.yaml")
    if target.is_dir():
        target = target / f"{source.stem}.yaml"
    if target.exists():
        raise UsageError(f"{target} exists already: name another file")
    try:
        target.write_text(content, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from error
    typer.echo(f"{target}  (train with: sentiment-lstm train --config {target})")
