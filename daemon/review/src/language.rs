//! Which language a file is in, and what it is for.

/// A language that rules tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Language {
    Rust,
    Python,
    JavaScript,
    TypeScript,
    Go,
    Java,
    Kotlin,
    Scala,
    CSharp,
    C,
    Cpp,
    ObjectiveC,
    Swift,
    Ruby,
    Php,
    Perl,
    Lua,
    Dart,
    Elixir,
    Shell,
    PowerShell,
    Sql,
    Html,
    Vue,
    Css,
    Json,
    Yaml,
    Toml,
    Xml,
    Ini,
    Dockerfile,
    Makefile,
    Terraform,
    Markdown,
    Text,
    Unknown,
}

/// What a file is for, by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Product code: library or program.
    Source,
    /// Tests, specs, test helpers.
    Test,
    /// Examples, samples, demos, benches.
    Example,
    /// Test data, fixtures, snapshots, mocks, cassettes.
    Fixture,
    /// Documentation and prose.
    Docs,
    /// Build and deployment scripts, CI definitions, developer tools.
    Build,
}

/// The part of `path` after its last `/`.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The language of the file at `path`; `first_line` is its first line where the diff shows it,
/// for scripts that have no extension.
pub fn language_of(path: &str, first_line: Option<&str>) -> Language {
    let name = file_name(path).to_ascii_lowercase();
    by_name(&name)
        .or_else(|| by_extension(name.rsplit_once('.')?.1))
        .or_else(|| by_interpreter(first_line?))
        .unwrap_or(Language::Unknown)
}

fn by_name(name: &str) -> Option<Language> {
    use Language::*;
    Some(match name {
        "dockerfile" | "containerfile" => Dockerfile,
        "makefile" | "gnumakefile" | "justfile" | ".justfile" => Makefile,
        "gemfile" | "rakefile" | "vagrantfile" | "guardfile" | "podfile" | "fastfile"
        | "brewfile" | "capfile" | "dangerfile" => Ruby,
        "jenkinsfile" => Java,
        "cargo.lock" | "pipfile" | "poetry.lock" | "uv.lock" => Toml,
        "pipfile.lock" | "composer.lock" | ".babelrc" | ".eslintrc" | ".prettierrc" | ".swcrc"
        | "flake.lock" => Json,
        "yarn.lock" | ".clang-format" | ".clang-tidy" => Yaml,
        ".bashrc" | ".zshrc" | ".profile" | ".bash_profile" | ".zprofile" | ".bash_aliases"
        | "pkgbuild" | ".envrc" | "gradlew" => Shell,
        ".editorconfig" | ".gitconfig" | ".npmrc" | ".pypirc" | ".netrc" | ".pgpass"
        | ".flake8" | ".gitmodules" | ".s3cfg" => Ini,
        "build" | "workspace" | "build.bazel" | "sconstruct" | "wscript" | "snakefile" => Python,
        "readme" | "license" | "licence" | "copying" | "authors" | "changelog" | "news"
        | "notice" | "contributors" | "install" => Text,
        "cmakelists.txt" => Makefile,
        _ if name == ".env" || name.starts_with(".env.") || name.ends_with(".env") => Ini,
        _ if name.starts_with("dockerfile.") => Dockerfile,
        _ if name.starts_with("makefile.") => Makefile,
        _ => return None,
    })
}

fn by_extension(extension: &str) -> Option<Language> {
    use Language::*;
    Some(match extension {
        "rs" => Rust,
        "py" | "pyi" | "pyw" | "pyx" | "bzl" | "star" => Python,
        "js" | "jsx" | "mjs" | "cjs" | "es6" => JavaScript,
        "ts" | "tsx" | "mts" | "cts" => TypeScript,
        "go" => Go,
        "java" | "groovy" | "gradle" => Java,
        "kt" | "kts" => Kotlin,
        "scala" | "sc" | "sbt" => Scala,
        "cs" | "csx" => CSharp,
        "c" | "h" => C,
        "cc" | "cpp" | "cxx" | "c++" | "hh" | "hpp" | "hxx" | "h++" | "inl" | "ipp" | "tpp"
        | "cu" | "cuh" | "ino" => Cpp,
        "m" | "mm" => ObjectiveC,
        "swift" => Swift,
        "rb" | "rake" | "gemspec" | "ru" | "podspec" | "jbuilder" => Ruby,
        "php" | "phtml" | "php5" | "php7" | "inc" => Php,
        "pl" | "pm" | "t" | "psgi" => Perl,
        "lua" => Lua,
        "dart" => Dart,
        "ex" | "exs" => Elixir,
        "sh" | "bash" | "zsh" | "ksh" | "bats" | "fish" | "command" | "ebuild" => Shell,
        "ps1" | "psm1" | "psd1" => PowerShell,
        "sql" | "psql" | "pgsql" | "mysql" | "ddl" | "dml" => Sql,
        "html" | "htm" | "xhtml" | "hbs" | "handlebars" | "mustache" | "ejs" | "erb" | "jinja"
        | "jinja2" | "j2" | "njk" | "twig" | "cshtml" | "razor" | "jsp" | "haml" | "liquid" => Html,
        "vue" | "svelte" | "astro" => Vue,
        "css" | "scss" | "sass" | "less" | "styl" => Css,
        "json" | "json5" | "jsonc" | "ipynb" | "webmanifest" | "avsc" | "geojson" | "har" => Json,
        "yml" | "yaml" => Yaml,
        "toml" => Toml,
        "xml" | "xsd" | "xsl" | "xslt" | "plist" | "csproj" | "fsproj" | "vbproj" | "props"
        | "targets" | "config" | "resx" | "svg" | "pom" | "nuspec" | "storyboard" | "xib" => Xml,
        "ini" | "cfg" | "conf" | "properties" | "cnf" | "desktop" | "service" | "timer"
        | "socket" | "editorconfig" => Ini,
        "dockerfile" => Dockerfile,
        "mk" | "mak" | "cmake" | "just" => Makefile,
        "tf" | "tfvars" | "hcl" | "nomad" => Terraform,
        "md" | "markdown" | "mdx" | "rst" | "adoc" | "asciidoc" | "org" => Markdown,
        "txt" | "text" | "csv" | "tsv" | "log" | "po" | "pot" => Text,
        _ => return None,
    })
}

fn by_interpreter(line: &str) -> Option<Language> {
    use Language::*;
    let line = line.strip_prefix("#!")?;
    let mut words = line.split_whitespace();
    let mut program = file_name(words.next()?);
    if program == "env" {
        program = words.find(|w| !w.starts_with('-') && !w.contains('='))?;
    }
    let program = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    Some(match program {
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "ash" | "fish" => Shell,
        "python" | "pypy" => Python,
        "node" | "nodejs" | "bun" => JavaScript,
        "deno" | "ts-node" | "tsx" => TypeScript,
        "ruby" => Ruby,
        "perl" => Perl,
        "php" => Php,
        "lua" | "luajit" => Lua,
        "elixir" => Elixir,
        "make" => Makefile,
        "pwsh" => PowerShell,
        _ => return None,
    })
}

/// What the file at `path` is for. Folder names decide before the file's own name, because a
/// fixture that is called `test_x.py` is still data.
pub fn role_of(path: &str, language: Language) -> Role {
    let lower = path.to_ascii_lowercase();
    let (folders, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
    let any = |wanted: &[&str]| folders.split('/').any(|folder| wanted.contains(&folder));
    if any(FIXTURE_FOLDERS) || name.ends_with(".snap") || name.contains(".fixture.") {
        return Role::Fixture;
    }
    if any(TEST_FOLDERS)
        || folders.split('/').next() == Some("t")
        || folders.split('/').any(|f| {
            f.ends_with("-tests")
                || f.ends_with("_tests")
                || f.ends_with(".tests")
                || f.ends_with("-test")
        })
        || is_test_name(path, name)
    {
        return Role::Test;
    }
    if matches!(language, Language::Markdown) || any(DOCS_FOLDERS) || is_prose_name(name, language)
    {
        return Role::Docs;
    }
    if any(EXAMPLE_FOLDERS) || is_example_name(name) {
        return Role::Example;
    }
    if any(BUILD_FOLDERS) || is_build_name(name, language) {
        return Role::Build;
    }
    Role::Source
}

const FIXTURE_FOLDERS: &[&str] = &[
    "fixtures",
    "fixture",
    "__fixtures__",
    "testdata",
    "test_data",
    "test-data",
    "test-fixtures",
    "__snapshots__",
    "snapshots",
    "cassettes",
    "__mocks__",
    "golden",
    "goldens",
    "mocks",
    "mock_data",
    "mockdata",
    "vcr_cassettes",
    "testresources",
    "corpus",
    "corpora",
];
const TEST_FOLDERS: &[&str] = &[
    "test",
    "tests",
    "__tests__",
    "spec",
    "specs",
    "testing",
    "e2e",
    "integration_tests",
    "integration-tests",
    "unittests",
    "unit_tests",
    "cypress",
    "androidtest",
    "androidunittest",
    "testsuite",
    "test_suite",
    "__test__",
    "playwright",
    "features",
];
const DOCS_FOLDERS: &[&str] = &["docs", "doc", "documentation", "man", "website", "wiki"];
const EXAMPLE_FOLDERS: &[&str] = &[
    "examples",
    "example",
    "samples",
    "sample",
    "demo",
    "demos",
    "bench",
    "benches",
    "benchmark",
    "benchmarks",
    "tutorial",
    "tutorials",
    "playground",
    "cookbook",
    "_examples",
    "quickstart",
    "quickstarts",
    "storybook",
    ".storybook",
    "stories",
];
const BUILD_FOLDERS: &[&str] = &[
    ".github",
    ".gitlab",
    ".circleci",
    ".buildkite",
    ".ci",
    "ci",
    "scripts",
    "script",
    "build",
    "tools",
    "tooling",
    "deploy",
    "deployment",
    "packaging",
    "ansible",
    "terraform",
    "helm",
    "charts",
    "k8s",
    "kubernetes",
    "docker",
    ".docker",
    ".devcontainer",
    "hack",
    "contrib",
    ".azure-pipelines",
    ".woodpecker",
    "infra",
];

fn is_test_name(path: &str, name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    if matches!(
        stem,
        "test"
            | "tests"
            | "conftest"
            | "test_helper"
            | "spec_helper"
            | "rails_helper"
            | "test_utils"
            | "test-utils"
            | "testutil"
            | "testutils"
            | "testhelper"
            | "testing"
    ) || stem.starts_with("test_")
        || stem.starts_with("test-")
        || stem.ends_with("_test")
        || stem.ends_with("_tests")
        || stem.ends_with("_spec")
        || stem.ends_with("-test")
        || stem.ends_with("-spec")
    {
        return true;
    }
    if [
        ".test.",
        ".spec.",
        ".tests.",
        ".specs.",
        ".cy.",
        ".e2e.",
        ".e2e-spec.",
        ".test-d.",
    ]
    .iter()
    .any(|part| name.contains(part))
        || name.ends_with(".bats")
        || name.ends_with(".feature")
        || name.ends_with(".t")
        || name.starts_with("jest.setup")
        || name.starts_with("jest.config")
        || name.starts_with("vitest.config")
        || name.starts_with("setuptests.")
    {
        return true;
    }
    // `FooTest.java`, `FooTests.cs`, `FooSpec.scala`, `FooIT.java`: the capital matters.
    let original = file_name(path);
    let stem = original.split('.').next().unwrap_or(original);
    stem.len() > 4
        && (["Test", "Tests", "Spec", "Specs", "TestCase", "IT"]
            .iter()
            .any(|s| stem.ends_with(s))
            || stem.starts_with("Test") && stem.as_bytes()[4].is_ascii_uppercase())
}

fn is_prose_name(name: &str, language: Language) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    matches!(
        language,
        Language::Text | Language::Html | Language::Unknown
    ) && (matches!(
        stem,
        "readme"
            | "changelog"
            | "changes"
            | "history"
            | "license"
            | "licence"
            | "copying"
            | "authors"
            | "contributing"
            | "news"
            | "notice"
            | "contributors"
            | "security"
            | "code_of_conduct"
            | "install"
            | "upgrading"
            | "todo"
    ))
}

fn is_example_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    name.contains(".example")
        || name.contains(".sample")
        || name.contains(".stories.")
        || name.contains(".template")
        || name.ends_with(".dist")
        || name.contains(".bench.")
        || stem.starts_with("example_")
        || stem.ends_with("_example")
        || stem == "example"
        || stem.ends_with("_bench")
        || stem.ends_with("_benchmark")
        || stem.starts_with("bench_")
}

fn is_build_name(name: &str, language: Language) -> bool {
    matches!(
        language,
        Language::Dockerfile | Language::Makefile | Language::Terraform
    ) || matches!(
        name,
        "setup.py"
            | "build.rs"
            | "noxfile.py"
            | "tasks.py"
            | "fabfile.py"
            | "rakefile"
            | "gruntfile.js"
            | "gulpfile.js"
            | "jenkinsfile"
            | ".gitlab-ci.yml"
            | ".travis.yml"
            | "azure-pipelines.yml"
            | "bitbucket-pipelines.yml"
            | "docker-compose.yml"
            | "docker-compose.yaml"
            | "compose.yml"
            | "compose.yaml"
            | "appveyor.yml"
            | "install.sh"
            | "build.sh"
            | "configure"
            | "wscript"
            | "sconstruct"
            | "dangerfile"
            | "build.gradle"
            | "build.gradle.kts"
            | "settings.gradle"
            | "fastfile"
    ) || [
        ".config.js",
        ".config.ts",
        ".config.mjs",
        ".config.cjs",
        "rc.js",
        "rc.cjs",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests;
