"""Evaluation: judged data sets and the measures of a ranking. Indexing and asking are a surface's."""
