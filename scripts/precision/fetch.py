#!/usr/bin/env python3
"""Fetches consecutive releases of packages and writes the diffs between them.

    fetch.py SET --cache DIR [--update]

SET is a table of sets.toml. Each registry is asked through its own client (pip, npm,
cargo). The versions and the SHA-256 of every archive are compared with releases.json beside this
file; with --update they are chosen anew (the newest stable ones) and written there. Archives,
trees and diffs go below DIR, which must lie outside the repository:
DIR/archives, DIR/trees, DIR/diffs/SET/NAME@OLD..NEW.diff
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
STABLE = re.compile(r"\d+(\.\d+)*")


def run(args, cwd=None, env=None, ok=(0,)):
    """Standard output of a command; ends the program if it fails."""
    done = subprocess.run(args, cwd=cwd, env=env, capture_output=True, timeout=900)
    if done.returncode not in ok:
        sys.exit(f"{' '.join(map(str, args))}: exit {done.returncode}\n{done.stderr.decode()[-2000:]}")
    return done.stdout


def order(version):
    """A sort key for dotted numbers."""
    return [int(part) for part in version.split(".")]


def newest(versions, count):
    """The newest stable versions, oldest first."""
    return sorted({v for v in versions if STABLE.fullmatch(v)}, key=order)[-count:]


class Pip:
    """Source distributions."""

    def versions(self, name, _cache):
        text = run([sys.executable, "-m", "pip", "index", "versions", name]).decode()
        return re.search(r"Available versions: (.*)", text).group(1).split(", ")

    def fetch(self, name, version, into, _cache):
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
             "--dest", str(into), f"{name}=={version}"])


class Npm:
    """Published tarballs."""

    def versions(self, name, _cache):
        return json.loads(run(["npm", "view", name, "versions", "--json"]))

    def fetch(self, name, version, into, _cache):
        run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=into)


class Cargo:
    """Published crates, out of cargo's own download folder."""

    def _fetch(self, name, version, cache):
        home = cache / "cargo-home"
        project = cache / "cargo-project"
        shutil.rmtree(project, ignore_errors=True)
        (project / "src").mkdir(parents=True)
        (project / "src/lib.rs").write_text("")
        (project / "Cargo.toml").write_text(
            '[package]\nname = "probe"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n'
            f'[dependencies]\n{name} = {{ version = "{version}", default-features = false }}\n')
        run(["cargo", "fetch", "--quiet"], cwd=project, env={**os.environ, "CARGO_HOME": str(home)})
        return home

    def versions(self, name, cache):
        home = self._fetch(name, "*", cache)
        found = []
        for entry in home.glob(f"registry/index/*/.cache/**/{name}"):
            for chunk in entry.read_bytes().split(b"\0"):
                if chunk.startswith(b"{"):
                    row = json.loads(chunk)
                    if not row.get("yanked"):
                        found.append(row["vers"])
        return found

    def fetch(self, name, version, into, cache):
        home = self._fetch(name, f"={version}", cache)
        (archive,) = home.glob(f"registry/cache/*/{name}-{version}.crate")
        shutil.copy(archive, into / archive.name)


CLIENTS = {"pip": Pip(), "npm": Npm(), "cargo": Cargo()}


def unpack(archive, tree):
    """Puts the archive's content into `tree`, without its single top folder."""
    raw = tree.with_name(tree.name + ".raw")
    shutil.rmtree(raw, ignore_errors=True)
    shutil.rmtree(tree, ignore_errors=True)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            bundle.extractall(raw)
    else:
        with tarfile.open(archive) as bundle:
            bundle.extractall(raw, filter="data")
    inside = list(raw.iterdir())
    if len(inside) == 1 and inside[0].is_dir():
        inside[0].rename(tree)
        shutil.rmtree(raw)
    else:
        raw.rename(tree)


def snapshot(tree, store):
    """The tree object of a folder's content."""
    git = ["git", f"--git-dir={store}", f"--work-tree={tree}", "-c", "core.autocrlf=false",
           "-c", "core.excludesFile=/dev/null"]
    run([*git, "read-tree", "--empty"])
    run([*git, "add", "--all", "--force"])
    return run([*git, "write-tree"]).decode().strip()


def compare(old, new, store):
    """The git diff between two folders."""
    return run(["git", f"--git-dir={store}", "-c", "core.quotepath=off", "diff", "--no-color",
                "--no-ext-diff", "-M", snapshot(old, store), snapshot(new, store)])


def main():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("set")
    args.add_argument("--cache", type=pathlib.Path, required=True)
    args.add_argument("--update", action="store_true")
    args = args.parse_args()
    plan = tomllib.loads((HERE / "sets.toml").read_text())
    book = HERE / "releases.json"
    known = json.loads(book.read_text()) if book.exists() else {}
    mine = known.setdefault(args.set, {})
    out = args.cache / "diffs" / args.set
    out.mkdir(parents=True, exist_ok=True)
    store = args.cache / "store.git"
    run(["git", "init", "--quiet", "--bare", str(store)])
    for client_name, names in plan[args.set].items():
        if client_name == "releases":
            continue
        client = CLIENTS[client_name]
        for name in names:
            rows = mine.get(name, {})
            if args.update:
                rows = {v: rows.get(v) for v in newest(client.versions(name, args.cache), plan[args.set]["releases"])}
            if not rows:
                sys.exit(f"{name}: no releases recorded; use --update")
            trees = []
            for version in sorted(rows, key=order):
                into = args.cache / "archives" / name / version
                tree = args.cache / "trees" / name / f"{name}-{version}"
                if not into.exists() or not list(into.iterdir()):
                    into.mkdir(parents=True, exist_ok=True)
                    client.fetch(name, version, into, args.cache)
                (archive,) = into.iterdir()
                digest = hashlib.sha256(archive.read_bytes()).hexdigest()
                if rows[version] not in (None, digest):
                    sys.exit(f"{name} {version}: SHA-256 is {digest}, recorded is {rows[version]}")
                rows[version] = digest
                if not tree.exists():
                    tree.parent.mkdir(parents=True, exist_ok=True)
                    unpack(archive, tree)
                trees.append(tree)
            for old, new in zip(trees, trees[1:]):
                target = out / f"{name}@{old.name[len(name) + 1:]}..{new.name[len(name) + 1:]}.diff"
                if not target.exists():
                    target.write_bytes(compare(old, new, store))
            mine[name] = {v: rows[v] for v in sorted(rows, key=order)}
            print(f"{name}: {len(trees)} releases", flush=True)
            if args.update:
                book.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
