"""Anthropic's SDK for Python before Convergio's gateway: what it makes of each answer, a JSON line each."""

import json
import os

import anthropic
from anthropic import Anthropic

BASE, MODEL = os.environ["CONVERGIO_BASE"], "mock/gpt-test"
TOOL = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def client(token="CONVERGIO_TOKEN", retries=2):
    return Anthropic(base_url=BASE, api_key=os.environ.get(token, token), max_retries=retries, timeout=30)


def says(text):
    return [{"role": "user", "content": text}]


def told(message):
    text = "".join(block.text for block in message.content if block.type == "text")
    return {
        "text": text, "stop": message.stop_reason,
        "input": message.usage.input_tokens, "output": message.usage.output_tokens,
    }


def whole(api):
    return told(api.messages.create(model=MODEL, messages=says("Say hello."), max_tokens=64))


def stream(api):
    pieces, last = [], {}
    for event in api.messages.create(model=MODEL, messages=says("Say hello."), max_tokens=64, stream=True):
        if event.type == "content_block_delta":
            pieces.append(event.delta.text)
        if event.type == "message_delta":
            last = {"stop": event.delta.stop_reason, "output": event.usage.output_tokens}
    return {"text": "".join(pieces), "pieces": len(pieces), **last}


def helper(api):
    with api.messages.stream(model=MODEL, messages=says("Say hello."), max_tokens=64) as events:
        for _ in events:
            pass
        return told(events.get_final_message())


def tool(api):
    messages = says("What is the weather?")
    with api.messages.stream(model=MODEL, messages=messages, tools=[TOOL], max_tokens=64) as events:
        for _ in events:
            pass
        message = events.get_final_message()
    call = next(block for block in message.content if block.type == "tool_use")
    messages.append({"role": "assistant", "content": [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}]})
    messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "Rain."}]})
    answer = api.messages.create(model=MODEL, messages=messages, tools=[TOOL], max_tokens=64)
    return {
        "name": call.name, "arguments": call.input, "id": bool(call.id),
        "stop": message.stop_reason, "text": told(answer)["text"],
    }


def models(api):
    return {"has_model": any(model.id == MODEL for model in api.models.list())}


def count(api):
    return {"tokens": api.messages.count_tokens(model=MODEL, messages=says("Say hello.")).input_tokens}


def broken(api):
    text = ""
    try:
        for event in api.messages.create(model=MODEL, messages=says("Break off."), max_tokens=64, stream=True):
            if event.type == "content_block_delta":
                text += event.delta.text
    except anthropic.APIError as error:
        return {"text": text, "error": True, "message": str(error)}
    return {"text": text, "error": False}


def no_model(api):
    api.messages.create(model="unheard-of-model-9", messages=says("hi"), max_tokens=64)


def bad(api):
    api.messages.create(model=MODEL, messages=[{"role": "oracle", "content": "hi"}], max_tokens=64)


def limited(api):
    api.messages.create(model=MODEL, messages=says("Be limited."), max_tokens=64)


def tell(op, run, **how):
    try:
        said = run(client(**how)) or {}
    except anthropic.APIStatusError as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        said = {"error": kinds[: kinds.index("APIError")], "status": error.status_code, "message": str(error)}
    except Exception as error:  # what it is, is the test's to judge
        said = {"error": [type(error).__name__], "message": repr(error)}
    print(json.dumps({"op": op, **said}), flush=True)


for run in (whole, stream, helper, tool, models, count, broken):
    tell(run.__name__, run)
for run in (no_model, bad):
    tell(run.__name__, run, retries=0)
tell("wrong_token", models, token="cvt-nobody")
# With its retries: a used-up budget is not asked again.
tell("poor", whole, token="CONVERGIO_POOR")
# Last: nobody is asked for a while then.
tell("limited", limited, retries=0)
