import io
import json
import logging
from decimal import Decimal
from typing import Any

import pytest

from etl.invocation import log
from etl.model.errors import StagingError
from etl.model.rejection import RejectedError


def logged(**extra: Any) -> dict[str, Any]:
    stream = io.StringIO()
    log.configure("INFO", stream).info("finished %s", "it", extra=extra)
    (line,) = stream.getvalue().splitlines()
    document: dict[str, Any] = json.loads(line)
    return document


def test_a_line_is_json_with_time_level_and_message() -> None:
    line = logged()

    assert line.keys() == {"time", "level", "message"}
    assert (line["level"], line["message"]) == ("INFO", "finished it")
    assert line["time"].endswith("+00:00")


def test_facts_are_fields_of_the_line() -> None:
    assert logged(counts={"read": 2})["counts"] == {"read": 2}


def test_a_fact_that_is_no_json_is_written_as_text() -> None:
    assert logged(threshold=Decimal("0.5"))["threshold"] == "0.5"


def test_a_text_of_several_lines_stays_one_line() -> None:
    assert logged(note="a\nb")["note"] == "a\nb"


def traceback_of(error: Exception, cause: Exception | None = None) -> str:
    stream = io.StringIO()
    logger = log.configure("INFO", stream)
    try:
        raise error from cause
    except Exception:
        logger.exception("failed")
    return str(json.loads(stream.getvalue())["traceback"])


def test_an_error_brings_its_traceback() -> None:
    told = traceback_of(StagingError("what happened"))

    assert told.startswith("Traceback (most recent call last):\n  File ")
    assert "raise error from cause" in told
    assert told.endswith("\nStagingError: what happened")


def test_a_message_that_is_not_the_pipelines_own_is_left_out() -> None:
    assert traceback_of(ValueError("canary")).endswith("\nValueError")


def test_the_causes_of_an_error_have_no_messages() -> None:
    told = traceback_of(StagingError("what happened"), RejectedError("expected canary", field="canary", got="canary"))

    assert "RejectedError\n" in told
    assert "canary" not in told


def test_errors_that_cause_each_other_are_logged_once() -> None:
    one, other = ValueError("canary"), KeyError("canary")
    one.__context__, other.__context__ = other, one

    assert "canary" not in traceback_of(one, other)


def test_configured_twice_each_line_is_written_once() -> None:
    stream = io.StringIO()
    log.configure("INFO", stream)
    log.configure("INFO", stream).info("once")

    assert len(stream.getvalue().splitlines()) == 1


def test_lines_do_not_reach_the_root_logger(caplog: pytest.LogCaptureFixture) -> None:
    log.configure("INFO", io.StringIO()).info("mine")

    assert not caplog.records


def test_lines_below_the_level_are_left_out() -> None:
    stream = io.StringIO()
    log.configure("WARNING", stream).info("unimportant")

    assert stream.getvalue() == ""


def test_the_line_of_an_invocation_is_written_at_every_level() -> None:
    stream = io.StringIO()
    log.configure("ERROR", stream)
    logging.getLogger(log.INVOCATIONS).info("finished")

    assert json.loads(stream.getvalue())["message"] == "finished"


def test_the_default_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("INFO").info("here")

    assert json.loads(capsys.readouterr().out)["message"] == "here"


def test_the_standard_fields_of_logging_are_no_facts() -> None:
    assert not {"name", "args", "msg", "levelno", "pathname"} & logged().keys()
    assert logging.getLogger("etl").level == logging.INFO
