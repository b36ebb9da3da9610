"""What a trial may set."""

from pathlib import Path

import pytest
import typer

from vectis.entrypoints.cli.trials.trial import Trial, read_trial, without_parts


def test_without_a_file_nothing_is_set() -> None:
    assert read_trial(None) == Trial()


@pytest.mark.parametrize(
    ("name", "text"),
    [("t.toml", "[settings]\nprefetch_dense = 300\n[chunking]\ntarget = 100\n"),
     ("t.json", '{"settings": {"prefetch_dense": 300}, "chunking": {"target": 100}}')],
)  # fmt: skip
def test_toml_and_json(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_trial(tmp_path / name) == Trial({"prefetch_dense": 300}, {"target": 100})


@pytest.mark.parametrize(
    ("name", "text"), [("t.toml", "[setings]\n"), ("t.json", "{"), ("t.toml", "settings = 3"), ("t.toml", "= 1")]
)
def test_unreadable(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(typer.BadParameter, match=name):
        read_trial(tmp_path / name)


def test_the_collection_is_another_where_documents_are_cut_otherwise() -> None:
    plain, searched, cut = Trial(), Trial(settings={"hnsw_ef": 64}), Trial(chunking={"target": 100})
    assert plain.collection("scifact") == searched.collection("scifact")
    assert plain.collection("scifact") != cut.collection("scifact")
    assert plain.collection("scifact") != plain.collection("awsdocs")


@pytest.mark.parametrize(
    ("mode", "among", "sent"),
    [
        ("default", ["default", "hyde"], {"rerank", "limit"}), ("hyde", ["default", "hyde"], {"hyde", "rerank", "limit"}),
        ("default", ["default", "hyde", "best"], {"limit"}), ("best", ["default", "hyde", "best"], {"rerank", "limit"}),
        ("default", ["default"], {"hyde", "rerank", "limit"}),
    ],
)  # fmt: skip
def test_no_mode_is_compared_with_itself(mode: str, among: list[str], sent: set[str]) -> None:
    trial = Trial(settings={"hyde": {"documents": 1}, "rerank": {"weight": 1}, "limit": 5})
    assert set(trial.settings_in(mode, among)) == sent


def test_a_mode_is_asked_without_what_another_one_adds() -> None:
    modes = ("sparse", "default", "hyde", "best")
    without = {mode: without_parts(mode, among=modes) for mode in modes}
    no_hyde, no_rerank = {"hyde": {"documents": 0}}, {"rerank": {"weight": 0}}
    assert without == {"sparse": {}, "default": {**no_hyde, **no_rerank}, "hyde": no_rerank, "best": no_hyde}
    assert without_parts("default", among=("sparse", "default")) == {}
