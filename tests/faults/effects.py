"""What happens to a request that a fault strikes."""

from __future__ import annotations

import json
from typing import Any

from tests.faults.injection import Call, Scene
from tests.pipeline.interposer import Answer, Request, dynamodb_error

SHORT_SECONDS = 2
MEMORY_MB = 512
JSON = {"Content-Type": "application/x-amz-json-1.0"}
THROTTLED = dynamodb_error("ProvisionedThroughputExceededException", "The level of provisioned throughput is exceeded")
SLOW_DOWN = Answer(503, {}, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
BROKEN = {
    "S3": Answer(500, {}, b"<Error><Code>InternalError</Code><Message>We encountered an error.</Message></Error>"),
    "DYNAMODB": Answer(500, JSON, b'{"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}'),
}
DENIED = {
    "S3": Answer(403, {}, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"),
    "DYNAMODB": dynamodb_error("AccessDeniedException", "not authorized to perform it"),
}


def kill(scene: Scene, call: Call, request: Request) -> Answer | None:
    """The function's processes are killed: before the deed or after it."""
    if scene.random.random() < 0.5:
        request.forward()
    assert scene.pipeline.kill(call.function), f"{call.function} has no process"
    scene.note(call.state)
    return None


def kill_after(scene: Scene, call: Call, request: Request) -> Answer | None:
    """The function's processes are killed after the deed, and before they learn of it."""
    request.forward()
    assert scene.pipeline.kill(call.function), f"{call.function} has no process"
    scene.note(call.state)
    return None


def hang(scene: Scene, call: Call, request: Request) -> Answer | None:
    """The answer doesn't come in the invocation's time, whether the deed was done or not."""
    if scene.random.random() < 0.5:
        request.forward()
    scene.note(call.state)
    scene.over.wait(2 * SHORT_SECONDS)
    return None


def flood(scene: Scene, call: Call, request: Request) -> Answer | None:
    """The answer is more than the function's memory, whether the deed was done or not: Lambda kills it."""
    if scene.random.random() < 0.5:
        request.forward()
    scene.note(call.state)
    return Answer(200, {}, bytes(MEMORY_MB << 20))


def lose_answer(scene: Scene, call: Call, request: Request) -> Answer | None:
    """The deed is done, and the answer is an error or a connection that breaks off."""
    request.forward()
    scene.note(call.state)
    return scene.random.choice((BROKEN[call.service], None))


def throttle(scene: Scene, call: Call, request: Request) -> Answer | None:
    """DynamoDB says "later": to a whole request, or to some of a batch."""
    scene.note(call.state)
    if call.operation != "BatchWriteItem" or scene.random.random() < 0.5:
        return THROTTLED
    answer = request.forward()
    ((table, puts),) = json.loads(request.body)["RequestItems"].items()
    body: dict[str, Any] = json.loads(answer.body)
    if answer.status == 200:
        left = scene.random.sample(puts, scene.random.randint(1, len(puts)))
        body["UnprocessedItems"] = {table: left}
    return Answer(answer.status, JSON, json.dumps(body).encode())


def slow_down(scene: Scene, call: Call, _: Request) -> Answer | None:
    """S3 says "later"."""
    scene.note(call.state)
    return SLOW_DOWN


def deny(scene: Scene, call: Call, _: Request) -> Answer | None:
    """The request is refused for good, which fails the execution."""
    scene.note(call.state)
    return DENIED[call.service]


def stop(scene: Scene, call: Call, request: Request) -> Answer | None:
    """Somebody stops the execution; the invocation goes on, as on AWS."""
    scene.stop()
    scene.note(call.state)
    return request.forward()
