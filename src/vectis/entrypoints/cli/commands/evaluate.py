"""`vectis eval`: ask the queries of a judged dataset in every mode, show how good the answers are, keep what modes gain."""

from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import msgspec
import typer

from vectis.domain.errors import InvalidInput, NotFound
from vectis.entrypoints.cli.exits import perform
from vectis.entrypoints.cli.main import COMMANDS
from vectis.entrypoints.cli.server.api import Api, path_of
from vectis.entrypoints.cli.server.connection import connect
from vectis.entrypoints.cli.terminal.options import DEFAULT_FOLDER, AsJson, Url
from vectis.entrypoints.cli.terminal.output import notes, print_json, print_table
from vectis.entrypoints.cli.terminal.progress import progress_bar
from vectis.entrypoints.cli.trials.judging import Ranking, ask_all
from vectis.entrypoints.cli.trials.trial import (
    PART_OF,
    UNCACHED,
    Trial,
    index_dataset,
    place_for,
    read_trial,
    without_parts,
)
from vectis.evaluation.dataset import Dataset, read_dataset
from vectis.evaluation.measures import MEASURES, Comparison, compare, means, per_query

app = typer.Typer(add_completion=False)
USUAL = ("sparse", "dense", "hybrid", "default")
MODES = (*USUAL, *PART_OF)


Values = dict[str, dict[str, dict[str, float]]]
"""Mode -> measure -> query id -> value."""


class Judged(msgspec.Struct):
    """Rankings by mode and their measures, of a corpus that was indexed for them or was there."""

    rankings: dict[str, Ranking]
    values: Values
    documents: int
    chunks: int
    refused: int
    seconds: float


@app.command(
    help=COMMANDS["eval"][1],
    epilog="Example: vectis eval datasets/scifact --config trial.toml; vectis eval judged -c docs --mode default,hyde",
)
def evaluate(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", exists=True, file_okay=False, help="Holds corpus.jsonl, queries.jsonl, qrels.tsv."
        ),
    ],
    mode: Annotated[
        str, typer.Option(help="Search modes, separated by commas; hybrid is plain RRF (k 60), best reranks.")
    ] = ",".join(USUAL),
    collection: Annotated[
        str | None,
        typer.Option("--collection", "-c", help="Holds the corpus already; what the last mode gains is kept with it."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="TOML or JSON with \\[settings] and \\[chunking].")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep what was indexed.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Draw no progress bar.")] = False,
    as_json: AsJson = False,
    url: Url = None,
    data_dir: Annotated[Path | None, typer.Option(help="Index here and keep it; else in a temporary folder.")] = None,
) -> None:
    """Means over queries with 95 % bootstrap intervals; times are medians of one query after the other."""
    modes, trial = _modes(mode), read_trial(config)
    if collection is not None and (config or keep):
        raise typer.BadParameter("--collection is asked as it is, and stays: leave --config and --keep out")
    try:
        dataset = read_dataset(directory)
    except (InvalidInput, NotFound) as error:
        raise typer.BadParameter(error.message) from None
    shown = not no_progress
    if collection is None:
        work = _judge(dataset, modes, trial, url, data_dir, keep, shown)
    else:
        work = _judge_collection(dataset, modes, collection, url, data_dir or DEFAULT_FOLDER, shown)
    judged = perform(work, as_json=as_json)
    values = judged.values
    lines = {mode: _line(ranking, values[mode]) for mode, ranking in judged.rankings.items()}
    if judged.refused:
        notes.print(f"{judged.refused} documents were refused, for example because they are empty")
    for each, ranking in judged.rankings.items():
        for part, count in ranking.degraded.items():
            notes.print(
                f"{each}: {count} of {len(ranking.run)} queries were answered without {part}; the server's log says why",
                style="yellow",
            )
    if as_json:
        beside = {"documents": judged.documents, "chunks": judged.chunks, "seconds": judged.seconds}
        differences = {
            f"{mode} - {other}": {
                "ndcg@10": round(found.difference, 4),
                "interval": [round(found.low, 4), round(found.high, 4)],
            }
            for (mode, other), found in _differences(values).items()
        }
        print_json({"dataset": dataset.name, "modes": lines, "differences": differences, **beside})
    else:
        _show(dataset, judged, lines)
        for (mode, other), found in _differences(values).items():
            typer.echo(f"{mode} - {other}: nDCG@10 {found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}]")


async def _judge(
    dataset: Dataset, modes: list[str], trial: Trial, url: str | None, folder: Path | None, keep: bool, shown: bool
) -> Judged:
    began = monotonic()
    collection = trial.collection(dataset.name)
    async with place_for(collection, url, folder, keep=keep) as api:
        chunks, refused = await index_dataset(api, dataset, collection, trial.chunking, shown=shown)
        settings = {mode: trial.settings_in(mode, among=modes) for mode in modes}
        rankings = await _rankings(api, collection, dataset, settings, shown=shown)
    values = _values(dataset, rankings)
    return Judged(rankings, values, len(dataset.documents), chunks, refused, round(monotonic() - began, 1))


async def _judge_collection(
    dataset: Dataset, modes: list[str], name: str, url: str | None, folder: Path, shown: bool
) -> Judged:
    """Ask a collection that holds the corpus, and keep what the last mode gains over the others, where nothing was missing."""
    began = monotonic()
    async with connect(url, folder, **UNCACHED) as api:
        place = f"/collections{path_of(name)}"
        chunks = (await api.get(place))["points"]
        settings = {mode: without_parts(mode, among=modes) for mode in modes}
        rankings = await _rankings(api, name, dataset, settings, shown=shown)
        values = _values(dataset, rankings)
        if not any(value for of_mode in values.values() for value in of_mode["recall@100"].values()):
            raise InvalidInput(f"collection {name} gave no judged document: does it hold the corpus of {dataset.name}?")
        whole = {mode: values[mode] for mode, ranking in rankings.items() if not ranking.degraded}
        if modes[-1] in whole:
            for (mode, against), found in _differences(whole).items():
                figures = {"difference": found.difference, "low": found.low, "high": found.high}
                told = {"dataset": dataset.name, "queries": len(values[mode]["ndcg@10"]), **figures}
                await api.put(f"{place}/gains", {"mode": mode, "against": against, **told})
    return Judged(rankings, values, len(dataset.documents), chunks, 0, round(monotonic() - began, 1))


async def _rankings(
    api: Api, collection: str, dataset: Dataset, settings: dict[str, dict[str, Any]], *, shown: bool
) -> dict[str, Ranking]:
    """By mode, each asked with its settings."""
    rankings: dict[str, Ranking] = {}
    for mode, sent in settings.items():
        with progress_bar(mode, len(dataset.queries), shown=shown) as advance:
            rankings[mode] = await ask_all(api, collection, dataset.queries, mode, sent, advance)
    return rankings


def _values(dataset: Dataset, rankings: dict[str, Ranking]) -> Values:
    return {mode: per_query(dataset.qrels, ranking.run) for mode, ranking in rankings.items()}


def _modes(text: str) -> list[str]:
    modes = [part.strip() for part in text.split(",")]
    if wrong := [mode for mode in modes if mode not in MODES]:
        raise typer.BadParameter(f"{wrong[0]!r} is no mode; there are {', '.join(MODES)}")
    return list(dict.fromkeys(modes))


def _line(ranking: Ranking, values: dict[str, dict[str, float]]) -> dict[str, Any]:
    intervals = means(values)
    return {
        **{name: round(intervals[name].mean, 4) for name in MEASURES},
        "ms_per_query_p50": ranking.client_ms_p50,
        "server_ms_p50": ranking.server_ms_p50,
        "degraded": ranking.degraded,
        "intervals": {name: [round(intervals[name].low, 4), round(intervals[name].high, 4)] for name in MEASURES},
    }


def _show(dataset: Dataset, judged: Judged, lines: dict[str, dict[str, Any]]) -> None:
    rows: list[list[object]] = []
    for mode, line in lines.items():
        cells = [
            f"{line[name]:.3f} [{line['intervals'][name][0]:.3f}, {line['intervals'][name][1]:.3f}]"
            for name in MEASURES
        ]
        rows.append([mode, *cells, line["ms_per_query_p50"], line["server_ms_p50"]])
    print_table(("mode", "nDCG@10", "MRR@10", "Recall@10", "Recall@100", "ms/query p50:", "server ms:"), rows)
    typer.echo(
        f"{dataset.name}: {len(dataset.queries)} queries, {judged.documents} documents, {judged.chunks} chunks, "
        f"{judged.seconds:.0f} s"
    )


def _differences(values: Values) -> dict[tuple[str, str], Comparison]:
    """nDCG@10 of the last mode against each other one, query by query."""
    *others, last = values
    return {(last, other): compare(values[other]["ndcg@10"], values[last]["ndcg@10"]) for other in others}
