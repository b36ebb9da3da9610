"""Vectis from nothing to ranked answers: starts a real server, ingests about a thousand pages, asks three questions.

    python examples/demo.py [FILE OR FOLDER ...]

Without arguments the pages are the standard library's docstrings and the descriptions of the installed packages.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
from pages import collect
from rich.console import Console
from rich.text import Text

PAGES_MAX = 1100
QUESTIONS = (
    "How do I run another program and capture its output?",
    "how long does a small piece of code take to run",
    "wait until several threads have all reached the same point",
)
STOP_S = 30.0
VECTIS = (sys.executable, "-m", "vectis")
console = Console(highlight=False, soft_wrap=True)


def main(sources: list[str]) -> int:
    """Run the demonstration; the exit status."""
    with tempfile.TemporaryDirectory(prefix="vectis-demo-") as folder:
        place = Path(folder)
        ingested = sources or [str(write_pages(place / "pages.jsonl"))]
        with server(place / "data") as url:
            console.print(f"A server runs at {url}\n")
            ingest = subprocess.run([*VECTIS, "ingest", *ingested, "--collection", "demo", "--url", url], check=False)
            if ingest.returncode != 0:
                return ingest.returncode
            with httpx.Client(base_url=url, timeout=60) as http:
                for question in QUESTIONS if not sources else titles(http):
                    ask(http, question)
    console.print("[bold]How to go on[/]")
    console.print("  .venv/bin/vectis ingest YOUR_DOCS/ --collection docs   index your own documentation")
    console.print("  .venv/bin/vectis search 'your question'                ask it")
    console.print("  .venv/bin/vectis serve                                 serve it; the API is at /openapi.json")
    return 0


def write_pages(file: Path) -> Path:
    """Write the pages that this machine has, one JSON object a line."""
    pages = collect(PAGES_MAX)
    file.write_text("".join(json.dumps(page) + "\n" for page in pages), "utf-8")
    console.print(f"{len(pages)} pages: docstrings of the standard library, descriptions of installed packages")
    return file


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A server on a free port, stopped at the end; gives its URL once it is ready."""
    folder.mkdir()
    log = folder / "server.log"
    command = [*VECTIS, "serve", "--port", "0", "--data-dir", str(folder)]
    with log.open("wb") as sink, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, text=True) as process:
        try:
            yield ready_url(process, log)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def ready_url(process: "subprocess.Popen[str]", log: Path) -> str:
    """The URL that the server tells when it is ready; ends the demonstration when it ends before."""
    assert process.stdout is not None
    for line in process.stdout:
        told = json.loads(line)
        if told["event"] == "ready":
            return str(told["url"])
    sys.exit(f"the server did not start; its log:\n{log.read_text('utf-8')[-4000:]}")


def titles(http: httpx.Client) -> list[str]:
    """Three questions about documents of one's own: the titles of the first, the middle and the last one."""
    wanted = {"limit": 1000, "with_payload": ["title"]}
    page = http.post("/api/v1/collections/demo/points/scroll", json=wanted).raise_for_status().json()
    found = sorted({point["payload"]["title"] for point in page["points"] if point["payload"].get("title")})
    return list(dict.fromkeys([found[0], found[len(found) // 2], found[-1]])) if found else []


def ask(http: httpx.Client, question: str) -> None:
    """Ask over HTTP and print the three best answers."""
    started = perf_counter()
    response = http.post("/api/v1/search", json={"collection": "demo", "query": question, "limit": 3})
    took_ms = (perf_counter() - started) * 1000
    answer = response.raise_for_status().json()
    console.print(
        Text(question, "bold"), Text(f"({took_ms:.0f} ms, {answer['took_ms']:.0f} of them in the server)", "dim")
    )
    for rank, result in enumerate(answer["results"], start=1):
        print_result(rank, result)
    console.print()


def print_result(rank: int, result: dict[str, Any]) -> None:
    """Rank, score, title, source and the place that matched."""
    payload = result.get("payload") or {}
    title = payload.get("title") or result["id"]
    console.print(
        Text.assemble(f"  {rank}  ", (f"{result['score']:.4f}  ", "cyan"), (str(title), "bold"), f"  {result['id']}")
    )
    snippet = (result.get("snippet") or "").replace("<mark>", "").replace("</mark>", "")
    console.print(Text(f"     {unescape(snippet)}", "dim"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
