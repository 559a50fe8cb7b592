//! Manifests of package managers, their lock files, and the dependencies that a diff changes.

use crate::{
    matching::pattern,
    view::{DiffView, FileView, LineKind, LineView},
};

/// A package manager, by the files that it keeps.
pub struct Ecosystem {
    /// Names of manifests.
    pub manifests: &'static [&'static str],
    /// Names of lock files.
    pub locks: &'static [&'static str],
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Cargo,
    Npm,
    Go,
    Bundler,
    Composer,
    Pipenv,
    Poetry,
    Mix,
    Pub,
    Pods,
    PipTools,
}

/// Those whose lock file is kept in the repository as a rule.
pub static ECOSYSTEMS: [Ecosystem; 11] = [
    Ecosystem {
        manifests: &["Cargo.toml"],
        locks: &["Cargo.lock"],
        kind: Kind::Cargo,
    },
    Ecosystem {
        manifests: &["package.json"],
        locks: &[
            "package-lock.json",
            "yarn.lock",
            "pnpm-lock.yaml",
            "bun.lock",
            "bun.lockb",
            "npm-shrinkwrap.json",
        ],
        kind: Kind::Npm,
    },
    Ecosystem {
        manifests: &["go.mod"],
        locks: &["go.sum", "go.work.sum"],
        kind: Kind::Go,
    },
    Ecosystem {
        manifests: &["Gemfile", "gems.rb"],
        locks: &["Gemfile.lock", "gems.locked"],
        kind: Kind::Bundler,
    },
    Ecosystem {
        manifests: &["composer.json"],
        locks: &["composer.lock"],
        kind: Kind::Composer,
    },
    Ecosystem {
        manifests: &["Pipfile"],
        locks: &["Pipfile.lock"],
        kind: Kind::Pipenv,
    },
    Ecosystem {
        manifests: &["pyproject.toml"],
        locks: &["poetry.lock", "uv.lock", "pdm.lock"],
        kind: Kind::Poetry,
    },
    Ecosystem {
        manifests: &["mix.exs"],
        locks: &["mix.lock"],
        kind: Kind::Mix,
    },
    Ecosystem {
        manifests: &["pubspec.yaml"],
        locks: &["pubspec.lock"],
        kind: Kind::Pub,
    },
    Ecosystem {
        manifests: &["Podfile"],
        locks: &["Podfile.lock"],
        kind: Kind::Pods,
    },
    Ecosystem {
        manifests: &["requirements.in"],
        locks: &["requirements.txt"],
        kind: Kind::PipTools,
    },
];

pattern!(CARGO, r#"^\s*([\w-]+)\s*=\s*(?:"([^"]*)"|\{(.*)\}?)"#);
pattern!(
    CARGO_VERSION,
    r#"\b(?:version|git|rev|tag|branch)\s*=\s*"([^"]*)""#
);
pattern!(JSON, r#"^\s*"([^"]+)"\s*:\s*"([^"]*)"\s*,?\s*$"#);
pattern!(JSON_OPEN, r#"^\s*"([^"]+)"\s*:\s*\{"#);
pattern!(
    GO,
    r"^\s*(?:require\s+)?([\w~-]+(?:\.[\w~-]+)+(?:/[\w.~-]+)*)\s+(v\d[^\s]*)"
);
pattern!(GEM, r#"^\s*gem\s*\(?\s*['"]([^'"]+)['"](.*)$"#);
pattern!(MIX, r#"\{\s*:(\w+)\s*,\s*"([^"]+)""#);
pattern!(PUB, r"^\s{2,4}(\w+):\s*['\x22]?([\^><=~]*\s*\d[^'\x22#]*)");
pattern!(POD, r#"^\s*pod\s+['"]([^'"]+)['"]\s*,?\s*(.*)$"#);
pattern!(
    PIP,
    r"^\s*([A-Za-z][\w.-]*)(?:\[[^\]]*\])?\s*((?:==|>=|~=|<=|!=|<|>).*)?$"
);
pattern!(
    VERSION_LIKE,
    r"^(?:[\^~><=v\s]*\d|\*$|latest$|next$|npm:|git|github:|https?:)"
);
pattern!(
    OWN_VERSION,
    r#"(?i)^\s*["']?(?:__version__|version|ver|VERSION)["']?\s*(?::|=|:=)\s*["']?v?\d+\.\d+"#
);

/// A dependency with its wanted version.
#[derive(PartialEq, Eq)]
struct Dependency<'l> {
    name: &'l str,
    wanted: &'l str,
}

/// Where a manifest first changes a dependency: the hunk, and the name of the dependency.
pub struct Changed<'l> {
    /// Index of the hunk.
    pub hunk: usize,
    /// The dependency.
    pub name: &'l str,
    /// The line as the diff has it.
    pub line: &'l str,
    /// The line is in the new file.
    pub added: bool,
}

impl Ecosystem {
    /// The first external dependency that the manifest adds, drops or wants in another version.
    pub fn changed<'l>(&self, file: &'l FileView<'_>) -> Option<Changed<'l>> {
        let mut added: Vec<(usize, &'l str, Dependency<'l>)> = Vec::new();
        let mut removed: Vec<(usize, &'l str, Dependency<'l>)> = Vec::new();
        for (index, hunk) in file.hunks.iter().enumerate() {
            let mut section = "";
            for line in &hunk.lines {
                if let Some(opened) = self.section(line) {
                    section = opened;
                }
                let list = match line.kind {
                    LineKind::Context => continue,
                    LineKind::Added => &mut added,
                    LineKind::Removed => &mut removed,
                };
                if let Some(dependency) = self.dependency(line.text, section) {
                    list.push((index, line.text, dependency));
                }
            }
        }
        let new = added
            .iter()
            .find(|(_, _, d)| !removed.iter().any(|(_, _, r)| r == d))
            .map(|x| (x, true));
        let old = removed
            .iter()
            .find(|(_, _, d)| !added.iter().any(|(_, _, a)| a == d))
            .map(|x| (x, false));
        let ((hunk, line, dependency), is_added) = new.or(old)?;
        Some(Changed {
            hunk: *hunk,
            name: dependency.name,
            line,
            added: is_added,
        })
    }

    fn section<'l>(&self, line: &LineView<'l>) -> Option<&'l str> {
        let text = line.text.trim();
        match self.kind {
            Kind::Cargo | Kind::Pipenv | Kind::Poetry => text
                .strip_prefix('[')
                .filter(|_| text.ends_with(']'))
                .map(|t| t.trim_matches(['[', ']'])),
            Kind::Npm | Kind::Composer => {
                if text.starts_with('}') {
                    return Some("");
                }
                JSON_OPEN
                    .captures(line.text)
                    .and_then(|c| c.get(1))
                    .map(|m| m.as_str())
            }
            Kind::Pub => (!line.text.starts_with([' ', '#']) && text.ends_with(':'))
                .then(|| text.trim_end_matches(':')),
            Kind::Go => text
                .strip_suffix('(')
                .map(str::trim)
                .or_else(|| (text == ")").then_some("")),
            _ => None,
        }
    }

    fn dependency<'l>(&self, line: &'l str, section: &str) -> Option<Dependency<'l>> {
        if line.trim_start().starts_with(['#', '/']) {
            return None;
        }
        match self.kind {
            Kind::Cargo => cargo(line, section),
            Kind::Pipenv => {
                let found = toml_entry(line)?;
                matches!(section, "packages" | "dev-packages" | "")
                    .then_some(found)
                    .filter(|d| d.name != "python_version")
            }
            Kind::Poetry => {
                let found = toml_entry(line)?;
                let is_known =
                    section.starts_with("tool.poetry") && section.contains("dependencies");
                let is_poetry = section.is_empty()
                    && found.wanted.starts_with(['^', '~'])
                    && !matches!(found.name, "version");
                (found.name != "python" && (is_known || is_poetry)).then_some(found)
            }
            Kind::Npm => {
                let found = JSON.captures(line)?;
                let (name, wanted) = (found.get(1)?.as_str(), found.get(2)?.as_str());
                let in_dependencies = matches!(
                    section,
                    "dependencies"
                        | "devDependencies"
                        | "optionalDependencies"
                        | "overrides"
                        | "resolutions"
                        | ""
                );
                let is_setting = section.is_empty()
                    && matches!(
                        name,
                        "version"
                            | "node"
                            | "npm"
                            | "yarn"
                            | "pnpm"
                            | "vscode"
                            | "bun"
                            | "packageManager"
                            | "types"
                            | "homepage"
                            | "main"
                            | "module"
                            | "url"
                            | "target"
                            | "lib"
                            | "license"
                            | "electron-builder"
                            | "apiVersion"
                            | "schema"
                            | "$schema"
                            | "typesVersions"
                            | "repository"
                            | "bugs"
                            | "year"
                            | "date"
                            | "port"
                            | "funding"
                            | "browser"
                    );
                let is_external = VERSION_LIKE.is_match(wanted);
                (in_dependencies && !is_setting && is_external)
                    .then_some(Dependency { name, wanted })
            }
            Kind::Composer => {
                let found = JSON.captures(line)?;
                let (name, wanted) = (found.get(1)?.as_str(), found.get(2)?.as_str());
                (name.contains('/')
                    && matches!(section, "require" | "require-dev" | "")
                    && VERSION_LIKE.is_match(wanted))
                .then_some(Dependency { name, wanted })
            }
            Kind::Go => {
                let found = GO.captures(line)?;
                (!line.contains("=>") && matches!(section, "require" | "")).then_some(Dependency {
                    name: found.get(1)?.as_str(),
                    wanted: found.get(2)?.as_str(),
                })
            }
            Kind::Bundler => {
                let found = GEM.captures(line)?;
                let rest = found.get(2)?.as_str();
                (!rest.contains("path:")).then_some(Dependency {
                    name: found.get(1)?.as_str(),
                    wanted: version_part(rest),
                })
            }
            Kind::Mix => {
                let found = MIX.captures(line)?;
                Some(Dependency {
                    name: found.get(1)?.as_str(),
                    wanted: found.get(2)?.as_str(),
                })
            }
            Kind::Pub => {
                let found = PUB.captures(line)?;
                let name = found.get(1)?.as_str();
                (matches!(
                    section,
                    "dependencies" | "dev_dependencies" | "dependency_overrides" | ""
                ) && !matches!(name, "sdk" | "version" | "flutter" | "weight"))
                .then_some(Dependency {
                    name,
                    wanted: found.get(2)?.as_str().trim(),
                })
            }
            Kind::Pods => {
                let found = POD.captures(line)?;
                let rest = found.get(2)?.as_str();
                (!rest.contains(":path")).then_some(Dependency {
                    name: found.get(1)?.as_str(),
                    wanted: rest,
                })
            }
            Kind::PipTools => {
                let found = PIP.captures(line)?;
                Some(Dependency {
                    name: found.get(1)?.as_str(),
                    wanted: found.get(2).map_or("", |m| m.as_str()),
                })
            }
        }
    }

    /// True if the file is one of this ecosystem's lock files.
    pub fn is_lock(&self, name: &str) -> bool {
        self.locks.contains(&name)
            || (self.kind == Kind::PipTools
                && name.starts_with("requirements")
                && name.ends_with(".txt"))
    }
}

fn version_part(rest: &str) -> &str {
    // `require: false`, groups and comments don't reach the lock file.
    let rest = rest.split('#').next().unwrap_or(rest);
    let end = [
        ", require",
        ", group",
        ", groups",
        ", platform",
        ", platforms",
    ]
    .iter()
    .filter_map(|w| rest.find(w))
    .min()
    .unwrap_or(rest.len());
    rest[..end].trim_matches([',', ' ', ')'])
}

fn toml_entry(line: &str) -> Option<Dependency<'_>> {
    let found = CARGO.captures(line)?;
    let name = found.get(1)?.as_str();
    let wanted = match (found.get(2), found.get(3)) {
        (Some(text), _) => text.as_str(),
        (None, Some(table)) => CARGO_VERSION.captures(table.as_str())?.get(1)?.as_str(),
        _ => return None,
    };
    (VERSION_LIKE.is_match(wanted) || wanted == "*").then_some(Dependency { name, wanted })
}

fn cargo<'l>(line: &'l str, section: &str) -> Option<Dependency<'l>> {
    let in_dependencies = section.contains("dependencies") || section.starts_with("patch");
    let found = toml_entry(line)?;
    let in_table = section
        .split('.')
        .next_back()
        .is_some_and(|last| in_dependencies && !last.ends_with("dependencies"));
    let is_own = matches!(
        found.name,
        "version"
            | "edition"
            | "rust-version"
            | "resolver"
            | "name"
            | "license"
            | "publish"
            | "links"
            | "opt-level"
            | "codegen-units"
            | "year"
    );
    let fits = if in_table {
        found.name == "version"
    } else {
        !is_own && (in_dependencies || section.is_empty())
    };
    (fits && !line.contains("path =") && !line.contains("path=")).then_some(found)
}

/// True if the diff shows what lies between two releases of a package: its own version changes,
/// or files are there that only a published archive has. Such archives have no lock file.
pub fn is_release(diff: &DiffView<'_>) -> bool {
    diff.files.iter().any(|file| {
        if matches!(
            file.name,
            "PKG-INFO" | "METADATA" | ".cargo_vcs_info.json" | "Cargo.toml.orig" | "RECORD"
        ) {
            return true;
        }
        let is_manifest = ECOSYSTEMS.iter().any(|e| e.manifests.contains(&file.name))
            || file.name.to_ascii_lowercase().contains("version")
            || matches!(file.name, "setup.py" | "setup.cfg" | "__init__.py");
        is_manifest
            && file.hunks.iter().any(|hunk| {
                let mut section = "";
                hunk.lines.iter().any(|line| {
                    let text = line.text.trim();
                    if text.starts_with('[') {
                        section = text;
                    }
                    line.kind == LineKind::Added
                        && !section.contains("dependencies")
                        && OWN_VERSION.is_match(line.text)
                })
            })
    })
}
