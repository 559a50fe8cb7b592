#!/usr/bin/env python3
"""Runs the reviewer over the diffs that fetch.py made, and counts.

    measure.py SET --cache DIR [--rule ID] [--list] [--reviewer FILE]

The reviewer is built from the example of the review crate:
cargo build --release -p convergio-review --example review_diff
Findings go to DIR/findings/SET.jsonl, one JSON object a line, with the diff they are from.
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def default_reviewer():
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return max((target / p / "examples/review_diff" for p in ("release", "debug")),
               key=lambda p: p.stat().st_mtime if p.exists() else 0)


def review(reviewer, diff):
    """The findings of one diff, and its summary."""
    done = subprocess.run([reviewer], stdin=diff.open("rb"), capture_output=True, timeout=300)
    if done.returncode != 0:
        sys.exit(f"{diff.name}: exit {done.returncode}: {done.stderr.decode()[-500:]}")
    rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
    return [r for r in rows if "rule" in r], next(r for r in rows if "files" in r)


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("set")
    args.add_argument("--cache", type=pathlib.Path, required=True)
    args.add_argument("--reviewer", type=pathlib.Path, default=None)
    args.add_argument("--rule", help="list only this rule's findings")
    args.add_argument("--list", action="store_true")
    args = args.parse_args()
    reviewer = args.reviewer or default_reviewer()
    rules = collections.Counter()
    packages = collections.defaultdict(collections.Counter)
    everything = []
    diffs = sorted((args.cache / "diffs" / args.set).glob("*.diff"))
    for diff in diffs:
        findings, summary = review(reviewer, diff)
        package = packages[diff.name.split("@")[0]]
        package["diffs"] += 1
        package["files"] += summary["files"]
        package["reviewed"] += summary["reviewed"]
        package["findings"] += len(findings)
        for finding in findings:
            rules[finding["rule"]] += 1
            everything.append({"diff": diff.name, **finding})
    target = args.cache / "findings" / f"{args.set}.jsonl"
    target.parent.mkdir(exist_ok=True)
    target.write_text("".join(json.dumps(row) + "\n" for row in everything))
    if args.list or args.rule:
        for row in everything:
            if args.rule in (None, row["rule"]):
                lines = "-".join(map(str, row["line_range"]))
                print(f"{row['rule']:<26} {row['diff'][:-5]} {row['path']}:{lines}")
                for line in row["evidence"].split("\n")[:4]:
                    print(f"    {line.strip()[:150]}")
        print()
    print(f"{'package':<16}{'diffs':>6}{'files':>7}{'reviewed':>10}{'findings':>10}{'per 20 files':>14}")
    total = collections.Counter()
    for name, row in [*packages.items(), ("all", total)]:
        if name != "all":
            total.update(row)
        rate = 20 * row["findings"] / max(1, row["files"])
        print(f"{name:<16}{row['diffs']:>6}{row['files']:>7}{row['reviewed']:>10}{row['findings']:>10}{rate:>14.2f}")
    print()
    for rule, count in rules.most_common():
        print(f"{count:>6}  {rule}")


if __name__ == "__main__":
    main()
