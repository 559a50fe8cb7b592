#!/usr/bin/env python3
"""Writes peer_en.tsv and peer_it.tsv: what Duckling's own corpora say of a phrase.

    pip download --no-deps --no-binary :none: -d DIR duckling==1.8.0
    python3 daemon/tasks/tests/when/peers.py DIR/duckling-1.8.0-py2.py3-none-any.whl

The package carries Duckling 0.4.23, whose corpora are phrases with what they mean on Tuesday
12 February 2013, 04:30, two hours west of Greenwich. Only those facts are taken over: the phrase,
its reading with as many digits as are meant, and its class:

    instant   one time or day, which ours must agree with
    month     a month or a year, whose first day ours is
    holiday   a feast that neither calendar nor grammar of ours knows, or that moves
    stretch   a stretch of time: from, to, before, after, week, quarter, season, part of a day
    length    a length of time that nothing says to begin now: "for 3/4h"
    withdrawn what Duckling's later corpora list as no time at all
"""

import io
import pathlib
import re
import sys
import zipfile

HOLIDAY = re.compile(
    r"mother|father|memorial|independence|labor|black friday|mlk|martin luther|thanksgiving|ides|idi di"
    r"|festa del(la|l)? (mamma|papa|papà)|san giuseppe|liberazione|repubblica$|assunzione|festa degli"
    r"|morti|defunti|festa di|alla vigilia$|la vigilia$|giorno dei|dei santi|easter|pasqua|anniversario",
    re.I,
)


LENGTH = re.compile(r"^(for|about) .*\b\d*h(our)?$|^(nel)?l.ultima ora$", re.I)
WITHDRAWN = {"3 20"}


def corpus(archive, language):
    text = archive.read(f"languages/{language}/corpus/time.clj").decode()
    text = re.sub(r"(?m)(?<!\\);(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$).*$", "", text)
    phrases = []
    for match in re.finditer(r'"((?:[^"\\]|\\.)*)"|\((datetime[\w-]*)([^()]*)\)', text):
        phrase, form, body = match.groups()
        if phrase is not None:
            phrases.append(phrase.replace('\\"', '"'))
            continue
        for each in dict.fromkeys(phrases):
            yield each, form, body
        phrases = []


def classify(phrase, form, body):
    if form != "datetime" or ":direction" in body:
        return "stretch", ""
    grain = re.search(r":grain :(\w+)", body)
    if grain and grain.group(1) in ("week", "quarter", "year", "month"):
        return "stretch", ""
    numbers = re.match(r"[\d\s]+", body.strip()).group(0).split()
    numbers = [int(n) for n in numbers]
    reading = f"{numbers[0]:04d}"
    for sep, n in zip("--T::", numbers[1:]):
        reading += f"{sep}{n:02d}"
    if phrase in WITHDRAWN:
        return "withdrawn", reading
    if LENGTH.search(phrase):
        return "length", reading
    if HOLIDAY.search(phrase):
        return "holiday", reading
    return ("instant" if len(numbers) >= 3 else "month"), reading


def main():
    here = pathlib.Path(__file__).parent
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        jar = zipfile.ZipFile(io.BytesIO(wheel.read("duckling/jars/duckling-0.4.23.jar")))
    for language in ("en", "it"):
        rows = []
        for phrase, form, body in corpus(jar, language):
            zone = re.search(r':timezone "(\w+)"', body)
            kind, reading = classify(phrase, form, body)
            # The corpus checks a named zone by its name, not by the instant.
            if zone and reading:
                reading += f" {zone.group(1)}"
            row = f"{kind}\t{phrase}\t{reading}"
            if row not in rows:
                rows.append(row)
        head = "# class\tphrase\treading; written by peers.py\n"
        (here / f"peer_{language}.tsv").write_text(head + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
