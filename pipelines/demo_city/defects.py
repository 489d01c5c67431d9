"""The rows that are wrong on purpose: which data set holds how many of which kind, and which rule refuses them.

Every kind is placed in rows of its own, in the first delivery of the base state, and stays as it is when the city
moves on; so a test can compare the quarantine with `expected_defects` row for row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Defect:
    """`count` rows of a data set that break exactly `broken_rules`; without a rule they pass and are only odd."""

    dataset: str
    kind: str
    count: int
    broken_rules: tuple[str, ...] = ()

    @property
    def is_quarantined(self) -> bool:
        """Whether the contract refuses such a row."""
        return bool(self.broken_rules)


_DEFECTS = (
    Defect("hotline_order", "missing_id", 4, ("required:order_no",)),
    Defect("hotline_order", "wrong_type", 5, ("type:reported_at",)),
    Defect("hotline_order", "closed_before_reported", 6, ("rule:closed_after_reported",)),
    Defect("hotline_order", "outside_city", 7, ("range:lon",)),
    Defect("hotline_order", "wrong_code", 3, ("pattern:order_status",)),
    Defect("hotline_order", "unmapped_class", 8),
    Defect("hotline_order", "wrong_district", 9),
    Defect("patrol_case_yunhe", "missing_id", 5, ("required:case_no",)),
    Defect("patrol_case_yunhe", "wrong_type", 6, ("type:reported_at",)),
    Defect("patrol_case_yunhe", "closed_before_reported", 7, ("rule:closed_after_reported",)),
    Defect("patrol_case_yunhe", "outside_city", 6, ("range:lon",)),
    Defect("patrol_case_yunhe", "wrong_code", 8, ("pattern:grid_code",)),
    Defect("patrol_case_yunhe", "unmapped_class", 5),
    Defect("patrol_case_lanting", "missing_id", 3, ("required:case_no",)),
    Defect("patrol_case_lanting", "wrong_type", 4, ("type:reported_at",)),
    Defect("patrol_case_lanting", "closed_before_reported", 5, ("rule:closed_after_reported",)),
    Defect("patrol_case_lanting", "outside_city", 4, ("range:lon",)),
    Defect("patrol_case_lanting", "wrong_code", 6, ("pattern:grid_code",)),
    Defect("patrol_case_lanting", "unmapped_class", 4),
    Defect("patrol_case_lanting", "unreadable", 2, ("unreadable",)),
    Defect("permit_application", "missing_id", 3, ("required:permit_no",)),
    Defect("permit_application", "wrong_code", 3, ("pattern:permit_no",)),
    Defect("permit_application", "decided_before_applied", 4, ("rule:decided_after_applied",)),
    Defect("permit_application", "outside_city", 3, ("range:lon",)),
    Defect("permit_application", "unmapped_class", 4),
    Defect("component_census", "missing_id", 3, ("required:component_id",)),
    Defect("component_census", "wrong_code", 5, ("pattern:component_id",)),
    Defect("component_census", "wrong_type", 4, ("type:surveyed_date",)),
    Defect("component_census", "outside_city", 4, ("range:geometry",)),
    Defect("component_census", "unmapped_class", 6),
    Defect("component_greenery", "missing_id", 2, ("required:component_id",)),
    Defect("component_greenery", "wrong_type", 3, ("type:lon",)),
    Defect("component_greenery", "outside_city", 2, ("range:lat",)),
)


def expected_defects(dataset: str | None = None) -> tuple[Defect, ...]:
    """The deliberate defects of all data sets, or of one."""
    return tuple(d for d in _DEFECTS if dataset in (None, d.dataset))


def expected_quarantine() -> dict[str, int]:
    """Rows that each data set's quarantine holds after a first full load (data sets without any are left out)."""
    counts: dict[str, int] = {}
    for defect in _DEFECTS:
        if defect.is_quarantined:
            counts[defect.dataset] = counts.get(defect.dataset, 0) + defect.count
    return counts


def mark(frame: pl.DataFrame, eligible: pl.Series, dataset: str, rng: np.random.Generator) -> pl.DataFrame:
    """Name in column `defect` the rows that are to be spoiled; only rows where `eligible` holds are taken.

    Raises:
        ValueError: there are fewer eligible rows than defects.
    """
    kinds = np.repeat([d.kind for d in expected_defects(dataset)], [d.count for d in expected_defects(dataset)])
    candidates = np.flatnonzero(eligible.to_numpy())
    if candidates.size < kinds.size:
        raise ValueError(f"{dataset}: {candidates.size} rows can be spoiled, {kinds.size} are wanted")
    chosen = rng.choice(candidates, kinds.size, replace=False)
    before = frame["defect"].to_list() if "defect" in frame.columns else None
    names = np.full(frame.height, None, dtype=object) if before is None else np.array(before, dtype=object)
    names[chosen] = kinds
    return frame.with_columns(defect=pl.Series(names.tolist(), dtype=pl.String))
