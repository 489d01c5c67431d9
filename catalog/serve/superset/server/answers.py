"""What is answered when a request cannot be met: whose fault it is decides between 4xx and 5xx.

Superset answers 500 to much that only a wrong request can cause. What goes wrong while a request is turned into a
query, or while the database refuses that query, is the request's; what fails below (files, memory, Superset's own
tables) stays the server's.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any

import duckdb
from flask import Response, jsonify

from catalog.serve.superset.server.keys import LastAdministrator

_STATUS = 400
log = logging.getLogger("gridlake.superset")


def install() -> None:
    """Put the rule around every way to ask for data; before Superset makes its addresses."""
    from flask_appbuilder.api import BaseApi
    from superset.charts.data.api import ChartDataRestApi
    from superset.commands.sql_lab.execute import ExecuteSqlCommand
    from superset.datasource.api import DatasourceRestApi
    from superset.views import error_handling

    ChartDataRestApi.data = _answered(ChartDataRestApi.data)
    ChartDataRestApi.get_data = _answered(ChartDataRestApi.get_data)
    DatasourceRestApi.get_column_values = _answered(DatasourceRestApi.get_column_values)
    ExecuteSqlCommand.run = _refused_statement(ExecuteSqlCommand.run)
    # The other addresses catch everything themselves, and make their answers by these two.
    BaseApi.response_500 = _by_cause(BaseApi.response_500)
    error_handling.json_error_response = _error_by_cause(error_handling.json_error_response)


def is_of_the_request(error: BaseException) -> bool:
    """Whether only another request could have avoided the error."""
    from flask_appbuilder.exceptions import FABException
    from marshmallow import ValidationError
    from sqlalchemy.exc import ArgumentError, CompileError, IntegrityError, OperationalError, ProgrammingError
    from superset.daos.exceptions import DatasourceNotFound, DatasourceTypeNotSupportedError
    from superset.exceptions import SupersetException
    from superset.key_value.exceptions import KeyValueParseKeyError

    cause = error.__cause__ or error.__context__
    if isinstance(error, FABException):
        return cause is not None and is_of_the_request(cause)
    if isinstance(error, SupersetException):
        unstated = (DatasourceNotFound, DatasourceTypeNotSupportedError, KeyValueParseKeyError)
        return error.status < 500 or isinstance(error, unstated) or (cause is not None and is_of_the_request(cause))
    kinds = (ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError, RecursionError)
    ours = (TypeError, ValueError, ValidationError, ArgumentError, CompileError, IntegrityError)
    if isinstance(error, (OperationalError, ProgrammingError)):
        return isinstance(error.orig, duckdb.Error) and not isinstance(error.orig, duckdb.IOException)
    return isinstance(error, (*kinds, *ours, duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError))


def _message(error: BaseException) -> str:
    from superset.exceptions import SupersetException

    if isinstance(error, SupersetException) and error.message:
        return str(error.message)
    for found in (error, error.__cause__):
        if isinstance(found, LastAdministrator):
            return str(found.orig)
    # Python's own words would tell of the program, not of the request.
    log.warning("a request could not be turned into a query", exc_info=error)
    return "请求的内容有误，无法据此查询。 / Something in this request is wrong: it cannot be made a query."


def _answered(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of an API whose wrong requests are answered as such."""

    @functools.wraps(method)
    def answered(*arguments: Any, **named: Any) -> Any:
        from superset.exceptions import SupersetErrorException

        try:
            return method(*arguments, **named)
        except SupersetErrorException:
            raise  # answered by Superset, with its status
        except Exception as error:
            if not is_of_the_request(error):
                raise
            answer: Response = jsonify(message=_message(error))
            answer.status_code = int(getattr(error, "status", 0)) if _is_told(error) else _STATUS
            return answer

    return answered


def _is_told(error: BaseException) -> bool:
    return 400 <= int(getattr(error, "status", 0) or 0) < 500


def _by_cause(respond: Callable[..., Any]) -> Callable[..., Any]:
    """The API's answer to whatever it caught."""

    def responding(api: Any, **named: Any) -> Any:
        error = sys.exception()
        if error is not None and is_of_the_request(error):
            return api.response(_STATUS, message=_message(error))
        return respond(api, **named)

    return responding


def _error_by_cause(respond: Callable[..., Any]) -> Callable[..., Any]:
    """The pages' answer to whatever they caught."""

    def responding(details: Any = None, status: int = 500, payload: Any = None) -> Any:
        error = sys.exception()
        if status >= 500 and error is not None and is_of_the_request(error):
            return respond(_message(error), _STATUS, payload)
        return respond(details, status, payload)

    return responding


def _refused_statement(run: Callable[..., Any]) -> Callable[..., Any]:
    """SQL Lab's command: a statement that is refused or fails is the writer's to correct."""

    @functools.wraps(run)
    def refusing(*arguments: Any, **named: Any) -> Any:
        from superset.exceptions import SupersetException

        try:
            return run(*arguments, **named)
        except SupersetException as error:
            if error.status >= 500:
                error.status = _STATUS
            raise

    return refusing
