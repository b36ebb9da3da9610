"""Two changes of an index under real questions: one is better and goes live by itself, one does harm and is taken back by itself.

    python examples/demo_release.py

The pages are those of demo.py. Users ask all the while; nobody steps in. It ends after about two minutes.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
from demo import VECTIS, console, server
from pages import Page, collect
from rich.table import Table
from users import Users

PAGES_MAX = 500
JUDGED_MAX = 250
ALIAS = "pages"
LARGE = {"target": 200, "overlap": 20}
BETTER = {"target": 64, "overlap": 8}
DAMAGED = {"query_prefix": "the purple elephant of tomorrow sings about cheese and rainy weather in the mountains: "}

STAGES = [{"weight_percent": percent, "duration_s": 10, "duration_max_s": 120} for percent in (20, 50)]
METRICS = [
    {"name": "error_rate", "margin": 0.02, "tolerance": 0.1},
    {"name": "empty_rate", "margin": 0.02, "tolerance": 0.1},
    {"name": "latency_p50", "margin": 1.0, "tolerance": 3.0},
    {"name": "ndcg@10", "margin": 0.01, "tolerance": 0.025},
    {"name": "recall@10", "margin": 0.01, "tolerance": 0.025},
]
"""A minute of thirty questions a second is no day of traffic: only of the rankings, asked for themselves, much is wanted."""


def main() -> int:
    """Run the demonstration; 0 when both releases ended as they should and no question failed."""
    began, pages = monotonic(), collect(PAGES_MAX)
    console.print(f"{len(pages)} pages: docstrings of the standard library, descriptions of installed packages")
    with tempfile.TemporaryDirectory(prefix="vectis-demo-") as folder:
        place = Path(folder)
        with server(place / "data") as url, httpx.Client(base_url=url, timeout=60) as http:
            console.print(f"A server runs at {url}\n")
            fill(http, url, place, pages)
            with Users(url, ALIAS, questions(pages)) as users:
                better = release(http, url, "chunks of 64 tokens instead of 200", {"chunking": BETTER}, pages)
                damaged = release(http, url, "an embedding profile that is damaged", {"embedding": DAMAGED}, pages)
            served = http.get("/deployment/status").json()["aliases"][0]["targets"]
    console.print(
        f"\n[bold]{users.answered} questions were answered meanwhile, {len(users.failed)} failed[/], the slowest took "
        f"{users.slowest_s:.2f} s; it took {monotonic() - began:.0f} s in all"
    )
    for failure in users.failed[:3]:
        console.print(failure, style="red")
    as_told = (better["phase"], damaged["phase"]) == ("healthy", "aborted")
    kept = [target["collection"] for target in served] == [better["candidates"][0]["collection"]]
    console.print("[bold]How to go on[/]\n  docs/rollouts.md says what else a rollout can change, and how it is judged")
    return 0 if as_told and kept and not users.failed else 1


def fill(http: httpx.Client, url: str, place: Path, pages: list[Page]) -> None:
    """A collection of all pages in large chunks, behind an alias."""
    http.post("/api/v1/collections", json={"name": "pages_1", "chunking": LARGE}).raise_for_status()
    file = place / "pages.jsonl"
    file.write_text("".join(json.dumps(page) + "\n" for page in pages), "utf-8")
    subprocess.run([*VECTIS, "ingest", str(file), "--collection", "pages_1", "--url", url], check=True)
    http.put(f"/api/v1/aliases/{ALIAS}", json={"collection": "pages_1"}).raise_for_status()


def questions(pages: list[Page]) -> list[str]:
    """What users ask: how pages begin."""
    return [" ".join(page["text"].split("\n\n")[-1].split()[:8]) for page in pages]


def judged(pages: list[Page]) -> list[dict[str, Any]]:
    """Questions whose answers are known: a title is answered by its page."""
    step = max(1, len(pages) // JUDGED_MAX)
    return [{"query": page["title"], "grades": {page["id"]: 1}} for page in pages[::step]][:JUDGED_MAX]


def release(http: httpx.Client, url: str, what: str, build: dict[str, Any], pages: list[Page]) -> dict[str, Any]:
    """Begin a release, watch it on the terminal until it is decided, and say why it ended as it did."""
    console.rule(f"[bold]{what}")
    spec = {
        "alias": ALIAS,
        "change": "reembed",
        "strategy": "canary",
        "build": build,
        "stages": STAGES,
        "metrics": METRICS,
        "validation": {"judged": judged(pages)},
        "watch_s": 5,
        "policy": {"on_inconclusive": "abort"},
    }
    estimate = http.post("/api/v1/rollouts/estimate", json=spec).raise_for_status().json()
    seconds = "unknown" if estimate["seconds"] is None else f"{estimate['seconds']:.0f} s and what users leave"
    console.print(
        f"{estimate['documents']} documents, about {estimate['chunks']} chunks and {estimate['tokens']} tokens, "
        f"{estimate['cached_percent']:.0f} % of them embedded before; to build it: {seconds}"
    )
    began = http.post("/api/v1/rollouts", json=spec).raise_for_status().json()["id"]
    subprocess.run([*VECTIS, "rollout", "watch", began, "--url", url], check=False)
    ended = http.get(f"/api/v1/rollouts/{began}/explain").raise_for_status().json()
    console.print(f"[bold]{ended['phase']}[/]: {ended['reason']}", markup=True)
    console.print(rankings(ended))
    return ended


def rankings(ended: dict[str, Any]) -> Table:
    """What was found of the judged questions before any user was let in."""
    table = Table("measure", "stable", "candidate", "judged questions", "verdict")
    for metric in ended["judgements"][0]["judgement"]["metrics"]:
        if metric["name"] in ("ndcg@10", "recall@10"):
            figures = (f"{metric['stable']:.3f}", f"{metric['candidate']:.3f}", str(metric["samples"]))
            table.add_row(metric["name"], *figures, metric["verdict"])
    return table


if __name__ == "__main__":
    sys.exit(main())
