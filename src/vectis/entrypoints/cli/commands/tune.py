"""`vectis tune`: fit a collection's fusion weights to judged queries, and keep them when other judged queries gain by it."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from vectis.domain.errors import EmbedderUnavailable, InvalidInput, NotFound
from vectis.domain.profiles import Scores
from vectis.entrypoints.cli.commands.collections_configuring import put_search_settings, search_settings
from vectis.entrypoints.cli.exits import FAILED, perform
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import Api
from vectis.entrypoints.cli.server.connection import connect
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, DataDir, Url
from vectis.entrypoints.cli.terminal.output import print_json
from vectis.entrypoints.cli.terminal.progress import progress_bar
from vectis.entrypoints.cli.trials.judging import Ranking, ask_all, ask_explained
from vectis.entrypoints.cli.trials.trial import UNCACHED, Trial, index_dataset
from vectis.evaluation.dataset import Dataset, JudgedQuery, read_dataset
from vectis.evaluation.fitting import MEASURE, Fitted, fit_weights, split
from vectis.evaluation.measures import SEED, Comparison, compare, per_query

app = typer.Typer(add_completion=False)

PART_MIN = 20
"""Judged queries in each part: a bootstrap over fewer promises more than it holds."""


class Tuned(msgspec.Struct):
    """What was found: weights fitted to `train` queries, both rankings of the `test` queries; `version` None: refused."""

    collection: str
    train: int
    test: int
    fitted: Fitted
    in_force: float
    tuned: float
    difference: Comparison
    version: int | None


@app.command(
    help=COMMANDS["tune"][1], epilog="Example: vectis tune judged/docs --collection docs; vectis tune datasets/scifact"
)
def tune(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", exists=True, file_okay=False, help="Holds corpus.jsonl, queries.jsonl, qrels.tsv."
        ),
    ],
    collection: Annotated[
        str | None,
        typer.Option("--collection", "-c", help="Holds the corpus already; else it is indexed as `vectis eval` does."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Which half of the queries is fitted to.")] = SEED,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Draw no progress bar.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: DataDir = DEFAULT_FOLDER,
) -> None:
    """Half of the queries, by a hash of their ids, is fitted to; the other half decides. Ends with 1 when nothing is kept."""
    try:
        dataset = read_dataset(directory)
        train, test = _parts(dataset, seed)
    except (InvalidInput, NotFound) as error:
        raise typer.BadParameter(error.message) from None

    async def work() -> Tuned:
        async with connect(url, data_dir, **UNCACHED) as api:
            name = collection or Trial().collection(dataset.name)
            if collection is None:
                await index_dataset(api, dataset, name, {}, shown=not no_progress)
            return await _tune(api, name, dataset, train, test, shown=not no_progress)

    found = perform(work(), as_json=as_json)
    _show(dataset.name, found, as_json=as_json)
    if found.version is None:
        raise typer.Exit(FAILED)


def _parts(dataset: Dataset, seed: int) -> tuple[list[JudgedQuery], list[JudgedQuery]]:
    """The queries with a relevant document, to fit to and to test on. Raises InvalidInput when they are too few."""
    queries = {
        query.id: query for query in dataset.queries if any(grade > 0 for grade in dataset.qrels[query.id].values())
    }
    train, test = ([queries[id] for id in ids] for ids in split(queries, seed))
    if min(len(train), len(test)) < PART_MIN:
        raise InvalidInput(
            f"{len(train)} judged queries to fit to and {len(test)} to test on: at least {PART_MIN} of each are needed, "
            "so judge more queries"
        )
    return train, test


async def _tune(
    api: Api, name: str, dataset: Dataset, train: list[JudgedQuery], test: list[JudgedQuery], *, shown: bool
) -> Tuned:
    active = (await search_settings(api, name))[0]
    with progress_bar("fitting", len(train), shown=shown) as advance:
        explained = await ask_explained(api, name, train, _setting(Scores()), advance)
    fitted = fit_weights(dataset.qrels, explained)
    if not fitted.best:
        raise InvalidInput(f"collection {name} gave no judged document: does it hold the corpus of {dataset.name}?")
    rankings: list[Ranking] = []
    for title, settings in (("in force", {}), ("tuned", _setting(fitted.weights))):
        with progress_bar(title, len(test), shown=shown) as advance:
            ranking = await ask_all(api, name, test, "default", settings, advance)
        if ranking.degraded:
            raise EmbedderUnavailable(f"queries were answered without {', '.join(ranking.degraded)}: nothing was tuned")
        rankings.append(ranking)
    judged = {query.id: dataset.qrels[query.id] for query in test}
    before, after = (per_query(judged, ranking.run)[MEASURE] for ranking in rankings)
    difference = compare(before, after)
    version = None
    if difference.low > 0:
        reason = f"tuned on {len(train)} queries of {dataset.name}; on {len(test)} others nDCG@10 {_gain(difference)}"
        settings = {**active["settings"], **_setting(fitted.weights)}
        version = (await put_search_settings(api, name, settings, reason, active["number"]))["number"]
    in_force, tuned = (sum(values.values()) / len(test) for values in (before, after))
    return Tuned(name, len(train), len(test), fitted, in_force, tuned, difference, version)


def _setting(weights: Scores) -> dict[str, Any]:
    return {"fusion": msgspec.to_builtins(weights)}


def _gain(difference: Comparison) -> str:
    return f"{difference.difference:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _show(dataset: str, found: Tuned, *, as_json: bool) -> None:
    weights = msgspec.structs.asdict(found.fitted.weights)
    if as_json:
        print_json(
            {
                "dataset": dataset,
                "collection": found.collection,
                "weights": weights,
                "train": {
                    "queries": found.train,
                    "equal": round(found.fitted.equal, 4),
                    "tuned": round(found.fitted.best, 4),
                },
                "test": {"queries": found.test, "in_force": round(found.in_force, 4), "tuned": round(found.tuned, 4)},
                "difference": round(found.difference.difference, 4),
                "interval": [round(found.difference.low, 4), round(found.difference.high, 4)],
                "version": found.version,
            }
        )
        return
    typer.echo("weights: " + ", ".join(f"{name} {weight:g}" for name, weight in weights.items()))
    typer.echo(
        f"fitted to {found.train} queries: nDCG@10 {found.fitted.best:.3f}, with equal weights {found.fitted.equal:.3f}"
    )
    typer.echo(
        f"on {found.test} others: nDCG@10 {found.tuned:.3f}, with the settings in force {found.in_force:.3f}, "
        f"difference {_gain(found.difference)}"
    )
    if found.version is None:
        typer.echo(f"{found.collection}: refused, nothing changed: the interval of the difference is not above 0")
    else:
        typer.echo(f"{found.collection}: version {found.version}; `vectis collections rollback` takes it back")
