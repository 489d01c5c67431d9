from __future__ import annotations

import ast
import csv
import re
from pathlib import Path

import pytest
import yaml

from catalog.contract import load_contracts
from quality.rules import compile_contract
from quality.suites.declared import core_suites, raw_suite
from quality.texts import MAX_VALUES, CheckText, CheckTextError, sentences
from warehouse.settings import PROJECT_ROOT

DBT = PROJECT_ROOT / "dbt"
# What `contract_checks` and `suites.run` call results that come from no rule of a contract or suite.
OWN_RULES = {
    "freshness:clock",
    "freshness:horizon",
    "freshness:data",
    "refused_whole",
    "quarantine",
    "quarantine_share",
    "unknown_columns",
    "balance",
    "table_exists",
    "unreadable",
}


def codes_given() -> set[str]:
    """The codes that the package's code gives, by `CheckText.of("…")` or as the code of a comparison."""
    found = set()
    for path in (PROJECT_ROOT / "quality").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in sentences():
                found.add(str(node.value))
    return found


def labelled_rules() -> set[str]:
    with (DBT / "seeds" / "standards" / "code_label.csv").open(encoding="utf-8", newline="") as handle:
        return {row["code"] for row in csv.DictReader(handle) if row["list"] == "check_rule"}


def dbt_tests() -> set[str]:
    """Names of the generic and single data tests of the dbt project."""
    found = {path.stem for path in (DBT / "tests").glob("*.sql")}
    for path in [*(DBT / "models").rglob("*.yml"), *(DBT / "seeds").rglob("*.yml")]:
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for node in [*(document.get("models") or []), *(document.get("seeds") or [])]:
            for owner in [node, *(node.get("columns") or [])]:
                for test in owner.get("data_tests") or []:
                    found.add(test if isinstance(test, str) else next(iter(test)))
    return found


def test_a_text_is_the_same_finding_in_each_language() -> None:
    text = CheckText.of("refused", 3, 4302, "0.07%", 2)
    assert text.in_language("en") == "3 of 4302 (0.07%) rows were refused in 2 deliveries"
    assert text.in_language("zh") == "2 个批次共 4302 行，隔离 3 行（0.07%）"


def test_a_text_of_a_later_release_is_shown_by_its_code() -> None:
    assert CheckText("told_by_a_later_release", ("1",)).in_language("zh") == "told_by_a_later_release"


def test_an_unknown_text_or_too_many_values_are_refused() -> None:
    with pytest.raises(CheckTextError, match="no such text"):
        CheckText.of("nobody_wrote_this")
    with pytest.raises(CheckTextError, match="too many values"):
        CheckText.of("refused", *range(MAX_VALUES + 1))


def test_every_sentence_is_used_and_has_the_same_places_in_both_languages() -> None:
    assert codes_given() == set(sentences())
    for code, sentence in sentences().items():
        places = {language: sorted(set(re.findall(r"\{(\d)\}", text))) for language, text in sentence.items()}
        assert places["zh"] == places["en"], code
        assert places["zh"] == [str(n) for n in range(1, len(places["zh"]) + 1)], code
        assert len(places["zh"]) <= MAX_VALUES, code
        assert re.search(r"[\u4e00-\u9fff]", sentence["zh"]), code


def test_the_mart_fills_in_as_many_values_as_a_text_may_have() -> None:
    macro = Path(DBT / "macros" / "labels.sql").read_text(encoding="utf-8")
    assert f"range(1, {MAX_VALUES + 1})" in macro


def test_every_rule_of_a_check_has_a_name_in_both_languages() -> None:
    rules = set(OWN_RULES)
    for contract in load_contracts().values():
        compiled = compile_contract(contract, {field.name: True for field in contract.fields})
        rules |= {condition.rule for condition in (*compiled.errors, *compiled.warnings)}
        rules |= {expectation.rule for expectation in raw_suite(contract).expectations}
    rules |= {expectation.rule for suite in core_suites() for expectation in suite.expectations}
    rules |= dbt_tests()
    labels = labelled_rules()
    assert {rule for rule in rules if rule not in labels and rule.partition(":")[0] not in labels} == set()
