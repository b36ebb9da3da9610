"""Ingest of real documents: how many a second, and where the time goes. Also the start of a server with a model."""

from importlib.metadata import distributions
from time import perf_counter
from typing import Any

from benchmarks.server import Server, running_server

PAGES = 150
COLLECTION = "docs"


def measure() -> dict[str, Any]:
    """Ingest descriptions of the installed packages twice: the second time nothing is embedded."""
    documents = _pages()
    with running_server(embedder="minilm") as server:
        server.http.post("/api/v1/collections", json={"name": COLLECTION}).raise_for_status()
        first_s, first = _put(server, documents)
        again_s, again = _put(server, [{**page, "title": page["title"] + " (again)"} for page in documents[:1]])
        unchanged_s, unchanged = _put(server, documents[1:])
        began = perf_counter()
        answer = server.http.post(
            "/api/v1/search", json={"collection": COLLECTION, "query": "parse HTTP headers"}
        ).json()
        return {
            "documents": len(documents),
            "characters": sum(len(page["text"]) for page in documents),
            "first": {"seconds": round(first_s, 2), "documents_per_s": round(len(documents) / first_s, 1), **first},
            "one_changed": {"seconds": round(again_s, 2), **again},
            "unchanged": {"seconds": round(unchanged_s, 2), **unchanged},
            "first_search_ms": round((perf_counter() - began) * 1000, 1),
            "results": len(answer["results"]),
            "start_to_ready_s": round(server.ready_s, 2),
            "resident_mib": server.resident_mib(),
        }


def _put(server: Server, documents: list[dict[str, str]]) -> tuple[float, dict[str, Any]]:
    began = perf_counter()
    answer = server.http.post(
        f"/api/v1/collections/{COLLECTION}/documents", params={"wait": "true"}, json={"documents": documents}
    )
    answer.raise_for_status()
    accepted = answer.json()
    counts = accepted.get("progress", {}).get("counts", {})
    took_s = perf_counter() - began
    parts = {name: count for name, count in counts.items() if name.endswith("_ms")}
    if parts:
        parts["other_ms"] = round(1000 * took_s) - sum(parts.values())
    did = {name: count for name, count in counts.items() if name not in parts}
    return took_s, {"unchanged": accepted["unchanged"], "counts": did, "parts": parts}


def _pages() -> list[dict[str, str]]:
    pages: dict[str, dict[str, str]] = {}
    for found in distributions():
        name, text = found.metadata["Name"], found.metadata.get_payload()
        if isinstance(text, str) and len(text) > 200:
            pages[name] = {"id": name, "title": name, "text": text[:20_000]}
    return [pages[name] for name in sorted(pages, key=str.lower)][:PAGES]
