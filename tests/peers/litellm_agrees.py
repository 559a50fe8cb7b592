#!/usr/bin/env python3
"""Asks LiteLLM's proxy, which answers by itself, through Convergio, and compares both books.

LiteLLM counts tokens with its own tokenizer and tells them to a callback of ours, which writes them
down; Convergio's figures are read with `cv usage`. They have to be equal, call by call and in sum.

usage: litellm_agrees.py BIN_FOLDER LITELLM   (programs of Convergio; LiteLLM's `litellm`)
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

KEY = "sk-mock-5e1f"
PRICE = {"input": 3_000, "output": 15_000}  # nano-USD a token
QUESTIONS = [
    "Hi.",
    "Why is the sky blue? " * 40,
    "Grüße aus 東京 🎈, was ist das?",
    "def f(x):\n    return x + 1\n" * 30,
    "\n".join(str(number) for number in range(200)),
]
ANSWERS = {
    "short": "Hello.",
    "long": "It depends on what you mean by that, and on whom you ask. " * 30,
    "odd": "Grüße zurück 🎈🎈 東京 — «naïve» ﬁn.",
    "code": "```rust\nfn main() { println!(\"{}\", 6 * 7); }\n```\n" * 10,
}

CALLBACK = '''
import json, os
from litellm.integrations.custom_logger import CustomLogger

class Count(CustomLogger):
    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        said = kwargs["standard_logging_object"]
        row = {name: said[name] for name in ("model_group", "prompt_tokens", "completion_tokens", "stream")}
        with open(os.environ["COUNTS"], "a") as file:
            file.write(json.dumps(row) + "\\n")

count = Count()
'''


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(url, process, log):
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"LiteLLM ended with {process.returncode}: {log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    sys.exit("LiteLLM does not answer")


def counts(file):
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().splitlines()]


def counted_after(file, calls):
    """LiteLLM tells its callback after the answer: waits for the row of one more call."""
    for _ in range(300):
        rows = counts(file)
        if len(rows) > calls:
            return rows
        time.sleep(0.1)
    return []


def main():
    programs, litellm = Path(sys.argv[1]).resolve(), sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "home").mkdir()
        port = free_port()
        models = [
            {
                "model_name": name,
                "litellm_params": {
                    "model": f"openai/{name}",
                    "api_key": "none",
                    "mock_response": text,
                },
            }
            for name, text in ANSWERS.items()
        ]
        config = {
            "model_list": models,
            "general_settings": {"master_key": KEY},
            "litellm_settings": {"callbacks": ["count.count"], "telemetry": False},
        }
        (folder / "config.yaml").write_text(json.dumps(config, ensure_ascii=False))  # YAML holds JSON
        (folder / "count.py").write_text(CALLBACK)
        seen = folder / "counts.jsonl"
        environment = dict(
            os.environ,
            COUNTS=str(seen),
            PYTHONPATH=str(folder),
            LITELLM_LOCAL_MODEL_COST_MAP="True",
            LITELLM_LOG="ERROR",
        )
        process = subprocess.Popen(
            [litellm, "--config", str(folder / "config.yaml"), "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=(folder / "litellm.log").open("w"),
        )
        home = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "CONVERGIO_HOME": str(folder / "c"),
            "CONVERGIO_NO_PROMPT": "1",
            "LANG": "C.UTF-8",
            "MOCK_KEY": KEY,
        }
        cv = str(programs / "cv")
        try:
            wait_for(f"http://127.0.0.1:{port}/health/liveliness", process, folder / "litellm.log")
            return compare(folder, cv, home, port, seen)
        finally:
            subprocess.run([cv, "stop"], env=home, capture_output=True, check=False)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def compare(folder, cv, home, port, seen):
    text = (
        '[budget]\ndaily_usd = "100.00"\n[provider.mock]\nkind = "openai"\n'
        f'base_url = "http://127.0.0.1:{port}/v1"\nkey_env = "MOCK_KEY"\n'
    )
    for name in ANSWERS:
        text += (
            f'[provider.mock.model."{name}"]\n'
            'price = { input = "3.00", output = "15.00" }\ncontext = 128000\n'
        )
    (folder / "c/config").mkdir(parents=True)
    (folder / "c/config/config.toml").write_text(text)
    failures, sums, theirs = [], {"input": 0, "output": 0, "calls": 0}, {"input": 0, "output": 0}
    for name, answer in ANSWERS.items():
        for question in QUESTIONS:
            calls = len(counts(seen))
            ran = subprocess.run(
                [cv, "ask", question, "--model", f"mock/{name}", "--format", "ndjson"],
                env=home, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
            )
            if ran.returncode != 0:
                failures.append(f"{name}: exit {ran.returncode}: {ran.stderr}")
                continue
            events = [json.loads(line) for line in ran.stdout.splitlines()]
            usage = next(event for event in events if event["type"] == "usage")
            said = "".join(event.get("text", "") for event in events if event["type"] == "delta")
            if said != answer:
                failures.append(f"{name}: another answer: {said!r}")
            rows = counted_after(seen, calls)
            if not rows:
                failures.append(f"{name}: LiteLLM counted nothing")
                continue
            ours = usage["resources"]
            mine = {
                "input": sum(count for kind, count in ours.items() if kind.startswith("in_")),
                "output": sum(count for kind, count in ours.items() if kind.startswith("out_")),
            }
            other = {"input": rows[-1]["prompt_tokens"], "output": rows[-1]["completion_tokens"]}
            if mine != other or not rows[-1]["stream"]:
                failures.append(f"{name}, {question[:20]!r}: ours {mine} ({usage}), LiteLLM's {rows[-1]}")
            for kind in ("input", "output"):
                sums[kind] += mine[kind]
                theirs[kind] += other[kind]
            sums["calls"] += 1
    ran = subprocess.run([cv, "usage", "--format", "json"], env=home, capture_output=True, text=True, check=True)
    total = json.loads(ran.stdout)["total"]
    expected = {
        "attempts": sums["calls"],
        "input_tokens": theirs["input"],
        "output_tokens": theirs["output"],
        "amount_nano_usd": theirs["input"] * PRICE["input"] + theirs["output"] * PRICE["output"],
        "open": 0,
        "estimated": 0,
    }
    for name, value in expected.items():
        if total[name] != value:
            failures.append(f"in sum, {name}: ours {total[name]}, LiteLLM's {value}")
    print(f"{sums['calls']} calls; LiteLLM counted {theirs['input']} + {theirs['output']} tokens, "
          f"cv usage says {total['input_tokens']} + {total['output_tokens']}")
    for failure in failures:
        print("DIFFERS:", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
