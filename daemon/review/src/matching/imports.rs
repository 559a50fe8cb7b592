//! Under which names a file knows a module and its members, as far as the diff shows it.

use crate::view::FileView;

/// How many lines of other hunks are read for imports; they stand at the top of a file.
const LINES_MAX: usize = 400;

/// The import lines of a file.
pub struct Imports {
    entries: Vec<Entry>,
}

/// One imported thing: `member` of `module`, or the module itself, under `alias`.
struct Entry {
    module: String,
    member: Option<String>,
    alias: String,
}

impl Imports {
    /// Reads the imports of Python and JavaScript/TypeScript that the diff shows.
    pub fn of(file: &FileView<'_>) -> Self {
        let mut imports = Self {
            entries: Vec::new(),
        };
        let mut budget = LINES_MAX;
        for hunk in &file.hunks {
            let mut lines = hunk.new.live.split('\n');
            while let Some(line) = lines.next() {
                if budget == 0 {
                    return imports;
                }
                budget -= 1;
                let line = line.trim_start();
                let opens = (line.starts_with("from ") && line.trim_end().ends_with('('))
                    || ((line.starts_with("import ") || line.starts_with("const "))
                        && line.contains('{')
                        && !line.contains('}'));
                if opens {
                    let mut whole = line.to_owned();
                    for next in lines.by_ref().take(30) {
                        budget = budget.saturating_sub(1);
                        whole.push(' ');
                        whole.push_str(next.trim());
                        if next.contains([')', '}']) {
                            break;
                        }
                    }
                    imports.line(&whole);
                } else {
                    imports.line(line);
                }
            }
        }
        imports
    }

    fn line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("from ") {
            self.python_from(rest);
        } else if let Some(rest) = line.strip_prefix("import ") {
            if rest.contains(['"', '\'']) {
                self.javascript_import(rest);
            } else {
                self.python_import(rest);
            }
        } else if let Some(rest) = ["const ", "let ", "var "]
            .iter()
            .find_map(|k| line.strip_prefix(k))
        {
            self.javascript_require(rest);
        }
    }

    fn add(&mut self, module: &str, member: Option<&str>, alias: &str) {
        let module = module.trim();
        let module = module.strip_prefix("node:").unwrap_or(module);
        self.entries.push(Entry {
            module: module.to_owned(),
            member: member.map(|m| m.trim().to_owned()),
            alias: alias.trim().to_owned(),
        });
    }

    fn python_from(&mut self, rest: &str) {
        let Some((module, names)) = rest.split_once(" import ") else {
            return;
        };
        for part in names
            .trim_matches(|c: char| c.is_whitespace() || c == '(' || c == ')')
            .split(',')
        {
            let part = part.trim().trim_matches(['(', ')']).trim();
            let (name, alias) = part.split_once(" as ").unwrap_or((part, part));
            if !name.is_empty() {
                self.add(module, Some(name), alias);
            }
        }
    }

    fn python_import(&mut self, rest: &str) {
        for part in rest.trim_end().trim_end_matches(';').split(',') {
            let part = part.trim();
            let (module, alias) = part.split_once(" as ").unwrap_or((part, part));
            self.add(module, None, alias);
        }
    }

    fn javascript_import(&mut self, rest: &str) {
        let Some(module) = quoted(rest) else { return };
        let Some((names, _)) = rest.rsplit_once(" from ") else {
            return;
        };
        self.javascript_names(&module, names, " as ");
    }

    fn javascript_require(&mut self, rest: &str) {
        let Some((names, value)) = rest.split_once('=') else {
            return;
        };
        let Some(call) = value.find("require(").or_else(|| value.find("import(")) else {
            return;
        };
        let Some(module) = quoted(&value[call..]) else {
            return;
        };
        let tail = value[call..]
            .split_once(')')
            .map_or("", |(_, tail)| tail)
            .trim();
        if let Some(member) = tail.strip_prefix('.') {
            let member = member.trim_end_matches(|c: char| !c.is_alphanumeric());
            self.add(&module, Some(member), names);
        } else {
            self.javascript_names(&module, names, ":");
        }
    }

    fn javascript_names(&mut self, module: &str, names: &str, renaming: &str) {
        let (outer, inner) = match names.split_once('{') {
            Some((outer, inner)) => (outer, inner.split('}').next().unwrap_or("")),
            None => (names, ""),
        };
        let outer = outer.trim().trim_end_matches(',').trim();
        let outer = outer.strip_prefix("* as ").unwrap_or(outer);
        if !outer.is_empty() {
            self.add(module, None, outer);
        }
        for part in inner.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let (name, alias) = part.split_once(renaming).unwrap_or((part, part));
            self.add(module, Some(name), alias);
        }
    }

    /// True if `alias` names the module (or, for `os.path`, its first part).
    pub fn is_module(&self, alias: &str, module: &str) -> bool {
        self.entries
            .iter()
            .any(|e| e.member.is_none() && e.alias == alias && e.module == module)
            || self.entries.iter().any(|e| {
                e.alias == alias
                    && e.member
                        .as_deref()
                        .is_some_and(|m| module == format!("{}.{m}", e.module))
            })
    }

    /// True if `alias` is imported from another module than `module`.
    pub fn binds_elsewhere(&self, alias: &str, module: &str) -> bool {
        self.entries
            .iter()
            .any(|e| e.alias == alias && e.module != module)
    }

    /// The names under which the module is known.
    pub fn modules<'i>(&'i self, module: &'i str) -> impl Iterator<Item = &'i str> {
        self.entries
            .iter()
            .filter(move |e| e.member.is_none() && e.module == module)
            .map(|e| e.alias.as_str())
    }

    /// Pairs of member and local name imported from the module.
    pub fn members<'i>(&'i self, module: &'i str) -> impl Iterator<Item = (&'i str, &'i str)> {
        self.entries
            .iter()
            .filter(move |e| e.module == module)
            .filter_map(|e| e.member.as_deref().map(|m| (m, e.alias.as_str())))
    }

    /// True if `alias` is a name for `member` of `module`.
    pub fn is_member(&self, alias: &str, module: &str, member: &str) -> bool {
        self.members(module).any(|(m, a)| m == member && a == alias)
    }
}

fn quoted(text: &str) -> Option<String> {
    let open = text.find(['"', '\'', '`'])?;
    let quote = text[open..].chars().next()?;
    let rest = &text[open + 1..];
    rest.find(quote).map(|len| rest[..len].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Imports {
        let mut imports = Imports {
            entries: Vec::new(),
        };
        for line in lines {
            imports.line(line);
        }
        imports
    }

    #[test]
    fn renamed_imports_are_followed() {
        let i = of(&[
            "import pickle as p, os",
            "from pickle import loads as l, dumps",
            "from os import path",
            "import { exec as run } from 'node:child_process';",
            "const { exec: go, spawn } = require(\"child_process\");",
            "const vm = require('vm')",
            "const x = require('child_process').execSync;",
        ]);
        assert!(i.is_module("p", "pickle") && i.is_module("os", "os"));
        assert!(i.is_module("path", "os.path"));
        assert!(i.is_member("l", "pickle", "loads") && i.is_member("dumps", "pickle", "dumps"));
        assert!(i.is_member("run", "child_process", "exec"));
        assert!(i.is_member("go", "child_process", "exec"));
        assert!(i.is_member("spawn", "child_process", "spawn"));
        assert!(i.is_member("x", "child_process", "execSync"));
        assert!(i.is_module("vm", "vm"));
    }
}
