"""OpenAI's SDK for Python before Convergio's gateway: what it makes of each answer, a JSON line each."""

import json
import os

import openai
from openai import OpenAI

BASE, MODEL = os.environ["CONVERGIO_BASE"] + "/v1", "mock/gpt-test"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def client(token="CONVERGIO_TOKEN", retries=2):
    return OpenAI(base_url=BASE, api_key=os.environ.get(token, token), max_retries=retries, timeout=30)


def says(text):
    return [{"role": "user", "content": text}]


def whole(api):
    answer = api.chat.completions.create(model=MODEL, messages=says("Say hello."), max_tokens=64)
    choice = answer.choices[0]
    return {
        "text": choice.message.content, "stop": choice.finish_reason,
        "input": answer.usage.prompt_tokens, "output": answer.usage.completion_tokens,
    }


def stream(api):
    chunks = api.chat.completions.create(
        model=MODEL, messages=says("Say hello."), max_tokens=64, stream=True, stream_options={"include_usage": True},
    )
    text, stop, usage, pieces = "", None, None, 0
    for chunk in chunks:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            pieces += bool(choice.delta.content)
            stop = choice.finish_reason or stop
    return {"text": text, "stop": stop, "pieces": pieces, "input": usage.prompt_tokens, "output": usage.completion_tokens}


def helper(api):
    with api.chat.completions.stream(model=MODEL, messages=says("Say hello."), max_tokens=64) as events:
        for _ in events:
            pass
        choice = events.get_final_completion().choices[0]
    return {"text": choice.message.content, "stop": choice.finish_reason}


def tool(api):
    messages = says("What is the weather?")
    with api.chat.completions.stream(model=MODEL, messages=messages, tools=[TOOL], max_tokens=64) as events:
        for _ in events:
            pass
        choice = events.get_final_completion().choices[0]
    call = choice.message.tool_calls[0]
    messages.append({
        "role": "assistant",
        "tool_calls": [{"id": call.id, "type": "function",
                        "function": {"name": call.function.name, "arguments": call.function.arguments}}],
    })
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "Rain."})
    answer = api.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL], max_tokens=64)
    return {
        "name": call.function.name, "arguments": json.loads(call.function.arguments), "id": bool(call.id),
        "stop": choice.finish_reason, "text": answer.choices[0].message.content,
    }


def models(api):
    return {"has_model": any(model.id == MODEL for model in api.models.list())}


def broken(api):
    chunks = api.chat.completions.create(model=MODEL, messages=says("Break off."), max_tokens=64, stream=True)
    text = ""
    try:
        for chunk in chunks:
            for choice in chunk.choices:
                text += choice.delta.content or ""
    except openai.APIError as error:
        return {"text": text, "error": True, "message": str(error)}
    return {"text": text, "error": False}


def no_model(api):
    api.chat.completions.create(model="unheard-of-model-9", messages=says("hi"))


def bad(api):
    api.chat.completions.create(model=MODEL, messages=says("hi"), n=2)


def limited(api):
    api.chat.completions.create(model=MODEL, messages=says("Be limited."))


def tell(op, run, **how):
    try:
        told = run(client(**how)) or {}
    except openai.APIStatusError as error:
        kinds = [kind.__name__ for kind in type(error).__mro__]
        told = {"error": kinds[: kinds.index("APIError")], "status": error.status_code, "message": str(error)}
    except Exception as error:  # what it is, is the test's to judge
        told = {"error": [type(error).__name__], "message": repr(error)}
    print(json.dumps({"op": op, **told}), flush=True)


for run in (whole, stream, helper, tool, models, broken):
    tell(run.__name__, run)
for run in (no_model, bad):
    tell(run.__name__, run, retries=0)
tell("wrong_token", models, token="cvt-nobody")
# With its retries: a used-up budget is not asked again.
tell("poor", whole, token="CONVERGIO_POOR")
# Last: nobody is asked for a while then.
tell("limited", limited, retries=0)
