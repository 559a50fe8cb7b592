//! Where a piece of code lives: a program that talks to a terminal, or a library.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::{
    language::Role,
    view::{FileView, LineKind},
};

/// Folders whose code is run by hand.
const FOLDERS: [&str; 32] = [
    "cli",
    "clis",
    "cmd",
    "cmds",
    "bin",
    "scripts",
    "script",
    "tools",
    "tool",
    "commands",
    "command",
    "console",
    "management",
    "examples",
    "example",
    "demo",
    "demos",
    "samples",
    "sample",
    "bench",
    "benches",
    "benchmark",
    "benchmarks",
    "playground",
    "tutorials",
    "notebooks",
    "hack",
    "ci",
    ".github",
    "devtools",
    "xtask",
    "_cli",
];

/// Whole names of files (without the part after the first `.`) that print for a living.
const STEMS: [&str; 38] = [
    "main",
    "__main__",
    "manage",
    "setup",
    "conftest",
    "fabfile",
    "noxfile",
    "gulpfile",
    "gruntfile",
    "rakefile",
    "guardfile",
    "run",
    "build",
    "program",
    "shell",
    "log",
    "logs",
    "debug",
    "print",
    "printing",
    "report",
    "output",
    "tty",
    "display",
    "banner",
    "progress",
    "jakefile",
    "dangerfile",
    "webpack",
    "rollup",
    "postinstall",
    "preinstall",
    "install",
    "release",
    "publish",
    "seed",
    "seeds",
    "repl",
];

/// Words in a file's name that say the same.
const WORDS: [&str; 20] = [
    "cli",
    "cmd",
    "bin",
    "script",
    "scripts",
    "tool",
    "logger",
    "logging",
    "reporter",
    "console",
    "terminal",
    "printer",
    "main",
    "demo",
    "example",
    "repl",
    "benchmark",
    "bench",
    "command",
    "commandline",
];

/// What only a program does.
static SIGNS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::new([
        "__name__ ==",
        "argparse",
        "import click",
        "typer",
        "sys.argv",
        "process.argv",
        "commander",
        "yargs",
        "flag.Parse",
        "cobra.",
        "os.Args",
        "func main(",
        "fun main(",
        "static void main(",
        "static void Main(",
        "static async Task Main(",
        "void main(",
        "package main",
        "int main(",
        "fn main(",
        "ARGV",
        "OptionParser",
        "$argv",
        "getopt",
        "inquirer",
        "readline.createInterface",
        "System.in",
        "Console.Read",
        " input(",
        "(input(",
        "def main(",
        "@click.",
        "readLine(",
        "STDIN",
        "object Main",
        "extends App",
        "ParsableCommand",
        "docopt",
        "meow(",
        "Symfony\\Component\\Console",
        "extends Command",
        "picocli",
        "optparse",
        "fire.Fire",
        "@main",
        "BaseCommand",
        "Thor",
    ])
    .ok()
});

/// How much of a file is read for the signs of a program.
const SHOWN_BYTES_MAX: usize = 512 * 1024;

/// True if the file is a program, a script or a place whose purpose is to print.
pub fn is_program(file: &FileView<'_>) -> bool {
    // A game engine calls its code scripts.
    if file.path.contains("Assets/Scripts/") {
        return false;
    }
    file.role != Role::Source || is_program_path(file.path, file.name) || shows_program(file)
}

fn is_program_path(path: &str, name: &str) -> bool {
    let folder = &path[..path.len() - name.len()];
    if folder
        .split('/')
        .any(|part| FOLDERS.iter().any(|f| part.eq_ignore_ascii_case(f)))
    {
        return true;
    }
    let stem = name.split('.').find(|s| !s.is_empty()).unwrap_or(name);
    if STEMS.iter().any(|s| stem.eq_ignore_ascii_case(s))
        || name.contains(".config.")
        || !name.contains('.')
    {
        return true;
    }
    words(name)
        .iter()
        .any(|word| WORDS.contains(&word.as_str()))
}

/// The words of a name in lower case: parts between signs and at capitals.
pub fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
    }
    words.retain(|w| !w.is_empty());
    words
}

fn shows_program(file: &FileView<'_>) -> bool {
    let Some(signs) = SIGNS.as_ref() else {
        return false;
    };
    // Imports stand at the top, a call of the main function at the end.
    let mut budget = SHOWN_BYTES_MAX;
    let near = file.hunks.iter().take_while(|h| {
        let goes_on = budget > 0;
        budget = budget.saturating_sub(h.new.live.len());
        goes_on
    });
    let shows = near
        .chain(file.hunks.last())
        .any(|h| h.new.text.starts_with("#!") || signs.is_match(&h.new.live));
    shows
        || file
            .hunks
            .iter()
            .any(|h| !h.section.is_empty() && signs.is_match(h.section))
}

/// True if the hunks show that the file has done this before the change: `needle` stands twice
/// in its context, or in a line that the change removes.
pub fn is_habit(file: &FileView<'_>, needle: &str) -> bool {
    let mut context = 0;
    for line in file.hunks.iter().flat_map(|h| &h.lines) {
        if line.kind != LineKind::Added && line.text.contains(needle) {
            if line.kind == LineKind::Removed {
                return true;
            }
            context += 1;
        }
    }
    context >= 2
}

/// How many added lines of the file hold `needle`.
pub fn added_count(file: &FileView<'_>, needle: &str) -> usize {
    file.hunks
        .iter()
        .flat_map(|h| &h.lines)
        .filter(|l| l.kind == LineKind::Added && l.text.contains(needle))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_place() {
        for path in [
            "src/cli/run.py",
            "bin/x.js",
            "tools/a.py",
            "src/main.go",
            "app/my_cli.py",
            "src/Logger.ts",
        ] {
            let name = path.rsplit('/').next().unwrap_or(path);
            assert!(is_program_path(path, name), "{path}");
        }
        for path in [
            "src/orders/service.py",
            "lib/client.js",
            "pkg/climate/data.go",
        ] {
            let name = path.rsplit('/').next().unwrap_or(path);
            assert!(!is_program_path(path, name), "{path}");
        }
    }
}
