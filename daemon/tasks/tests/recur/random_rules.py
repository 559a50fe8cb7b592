#!/usr/bin/env python3
"""Random recurrence rules, and what python-dateutil makes of them.

    random_rules.py --seed 1 --count 500 > rules.tsv

Each line: start, rule, the first 20 occurrences (wall-clock times, no zone), separated by tabs; the
occurrences by spaces; `end` behind the last where the rule ends there, `far` where the next one lies
beyond the year 2500.

Only rules that RFC 5545 allows are made. Five forms are left out, because dateutil reads them
otherwise than the RFC; `tests/recur/rfc.rs` holds them with what the RFC says:

- BYDAY with and without ordinals at once (`MO,1TU`): dateutil intersects, the RFC unites.
- BYWEEKNO without BYDAY: dateutil takes the whole week, the RFC the start's day of the week.
- BYWEEKNO=-52 and -53: dateutil does not see a December day in week 1 of the next year so.
- BYWEEKNO=52 and 53: dateutil miscounts the year before, whose last week holds days of January
  (ISO's week 52 of 2021 has 1 January 2022).
- WEEKLY with BYSETPOS that begins within a week: dateutil cuts the first week's set at the start.

dateutil's `UNTIL` of a date is its midnight; ours is the whole day, so times are given.
"""

import argparse
import datetime
import random
import sys

from dateutil.rrule import rrulestr

DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
FREQS = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"]
LIMIT = datetime.datetime(2500, 1, 1)
TAKEN = 20


def some(rng, values, most):
    return sorted(rng.sample(list(values), rng.randint(1, most)))


def signed(rng, top, most):
    """Numbers from 1 to `top`, some counted from the end."""
    out = set()
    for _ in range(rng.randint(1, most)):
        n = rng.randint(1, top)
        out.add(-n if rng.random() < 0.3 else n)
    return sorted(out)


def numbers(values):
    return ",".join(str(v) for v in values)


def a_start(rng):
    day = datetime.date(1990, 1, 1) + datetime.timedelta(days=rng.randint(0, 60 * 365))
    if rng.random() < 0.2:
        day = rng.choice([
            datetime.date(rng.randint(1990, 2048), 12, rng.randint(25, 31)),
            datetime.date(rng.randint(1990, 2048), 1, rng.randint(1, 7)),
            datetime.date(rng.choice([1996, 2000, 2004, 2024, 2028]), 2, 29),
            datetime.date(rng.randint(1990, 2048), rng.choice([1, 3, 5, 7, 8, 10, 12]), 31),
        ])
    time = datetime.time(rng.randint(0, 23), rng.randint(0, 59), rng.choice([0, 0, 0, 30, 59]))
    return datetime.datetime.combine(day, time)


def a_rule(rng):
    freq = rng.choice(FREQS)
    parts = [f"FREQ={freq}"]
    start = a_start(rng)
    wkst = rng.choice(DAYS) if rng.random() < 0.3 else None
    if rng.random() < 0.5:
        top = {"YEARLY": 6, "MONTHLY": 18, "WEEKLY": 8, "DAILY": 40, "HOURLY": 60, "MINUTELY": 3000}[freq]
        parts.append(f"INTERVAL={rng.randint(1, top)}")
    chance = lambda p: rng.random() < p
    if chance(0.3):
        parts.append("BYMONTH=" + numbers(some(rng, range(1, 13), 4)))
    week_numbers = freq == "YEARLY" and chance(0.2)
    if week_numbers:
        weeks = [w for w in signed(rng, 53, 3) if w not in (-52, -53)] or [1]
        parts.append("BYWEEKNO=" + numbers(weeks))
    if freq in ("YEARLY", "HOURLY", "MINUTELY") and chance(0.15):
        parts.append("BYYEARDAY=" + numbers(signed(rng, 366, 6)))
    if freq != "WEEKLY" and chance(0.25):
        parts.append("BYMONTHDAY=" + numbers(signed(rng, 31, 4)))
    if week_numbers or chance(0.35):
        if freq in ("MONTHLY", "YEARLY") and not week_numbers and chance(0.5):
            top = 5 if freq == "MONTHLY" or any(p.startswith("BYMONTH=") for p in parts) else 53
            days = {f"{n}{rng.choice(DAYS)}" for n in signed(rng, top, 3)}
            parts.append("BYDAY=" + ",".join(sorted(days)))
        else:
            parts.append("BYDAY=" + ",".join(some(rng, DAYS, 4)))
    if chance(0.25):
        parts.append("BYHOUR=" + numbers(some(rng, range(24), 4)))
    if chance(0.25):
        parts.append("BYMINUTE=" + numbers(some(rng, range(60), 4)))
    if len(parts) > 2 and any(p.startswith("BY") for p in parts) and chance(0.25):
        parts.append("BYSETPOS=" + numbers(signed(rng, 6, 3)))
        if freq == "WEEKLY":
            start -= datetime.timedelta(days=(start.weekday() - DAYS.index(wkst or "MO")) % 7)
    if chance(0.25):
        parts.append(f"COUNT={rng.randint(1, 25)}")
    elif chance(0.25):
        span = {"YEARLY": 9000, "MONTHLY": 2000, "WEEKLY": 500, "DAILY": 90, "HOURLY": 20, "MINUTELY": 4}[freq]
        until = start + datetime.timedelta(days=rng.randint(0, span), minutes=rng.randint(0, 1439))
        parts.append("UNTIL=" + until.strftime("%Y%m%dT%H%M%S"))
    if wkst:
        parts.append(f"WKST={wkst}")
    head, tail = parts[0], parts[1:]
    rng.shuffle(tail)
    return start, ";".join([head] + tail)


def miscounted(text):
    weeks = next((p[9:] for p in text.split(";") if p.startswith("BYWEEKNO=")), "")
    return not {"52", "53"}.isdisjoint(weeks.split(","))


class Slow(Exception):
    pass


def occurrences(start, text):
    """The first of them. Where it hardly ever fires dateutil is slow; a second is enough."""
    import signal

    def late(*_):
        raise Slow()

    signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, 1)
    out, end = [], "end"
    try:
        for at in rrulestr(text, dtstart=start):
            if at >= LIMIT:
                end = "far"
                break
            if len(out) == TAKEN:
                end = None
                break
            out.append(at.strftime("%Y-%m-%dT%H:%M:%S"))
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return out + ([end] if end else [])


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--count", type=int, default=500)
    args = args.parse_args()
    rng = random.Random(args.seed)
    made = slow = never = 0
    while made < args.count:
        start, text = a_rule(rng)
        if miscounted(text):
            continue
        try:
            times = occurrences(start, text)
        except Slow:
            slow += 1
            continue
        except ValueError as error:  # dateutil's own refusal: no time of day can ever fit
            if "empty" not in str(error):
                raise
            never += 1
            times = ["end"]
        print(start.strftime("%Y-%m-%dT%H:%M:%S"), text, " ".join(times), sep="\t")
        made += 1
    print(f"{made} rules, {never} of them refused by dateutil as never firing; {slow} left out as slow", file=sys.stderr)


if __name__ == "__main__":
    main()
