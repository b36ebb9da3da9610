"""Evaluation: judged data sets, the measures of a ranking, and what was measured. Indexing and asking are a surface's."""
