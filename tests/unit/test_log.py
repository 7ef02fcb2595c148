import io
import json
import logging
from decimal import Decimal
from typing import Any

import pytest

from etl import log
from etl.errors import ConfigurationError


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


def test_an_error_brings_its_traceback() -> None:
    stream = io.StringIO()
    logger = log.configure("INFO", stream)
    try:
        raise ValueError("what happened")
    except ValueError:
        logger.exception("failed")

    assert json.loads(stream.getvalue())["traceback"].endswith("ValueError: what happened")


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
    log.configure("CRITICAL", stream)
    logging.getLogger(log.INVOCATIONS).info("finished")

    assert json.loads(stream.getvalue())["message"] == "finished"


def test_the_default_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("INFO").info("here")

    assert json.loads(capsys.readouterr().out)["message"] == "here"


def test_a_level_that_does_not_exist_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match=r"LOG_LEVEL must be one of CRITICAL.*got 'LOUD'"):
        log.configure("LOUD")


def test_the_standard_fields_of_logging_are_no_facts() -> None:
    assert not {"name", "args", "msg", "levelno", "pathname"} & logged().keys()
    assert logging.getLogger("etl").level == logging.INFO
