//! Which lines of a hunk lie in test code, as far as the hunk shows it.

use super::Side;
use crate::language::Language;

/// How a block of a language ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// At a closing bracket with the indentation of its first line.
    Bracket,
    /// Before a line that is not indented deeper than its first line.
    Dedent,
    /// At an `end` with the indentation of its first line.
    End,
}

/// Marks the lines of `side` that lie in test code. `section` is what git printed behind `@@`.
pub(super) fn mark(side: &mut Side, section: &str, language: Language) {
    let ends = match language {
        Language::Python => Ends::Dedent,
        Language::Ruby | Language::Elixir | Language::Lua => Ends::End,
        Language::Rust
        | Language::JavaScript
        | Language::TypeScript
        | Language::Vue
        | Language::Go
        | Language::Java
        | Language::Kotlin
        | Language::Scala
        | Language::CSharp
        | Language::Swift
        | Language::Php
        | Language::Dart
        | Language::Cpp
        | Language::C => Ends::Bracket,
        _ => return,
    };
    // Indentation of the test block's first line; git's section header has lost its own, but
    // what it shows stands in column 0 unless a language driver is set.
    let mut open = opens(section, language).then_some(0_usize);
    let mut body_seen = open.is_some();
    for index in 0..side.lines.len() {
        let range = side.line_range(index);
        let code = &side.code[range.clone()];
        let content = code.trim();
        if content.is_empty() {
            side.lines[index].in_test = open.is_some();
            continue;
        }
        let indent = code.len() - code.trim_start().len();
        if let Some(level) = open {
            let over = match ends {
                Ends::Bracket => body_seen && indent <= level && content.starts_with('}'),
                Ends::End => indent <= level && (content == "end" || content.starts_with("end ")),
                Ends::Dedent => {
                    indent <= level && body_seen && !content.starts_with([')', ']', '}', '@'])
                }
            };
            if over && ends != Ends::Dedent {
                side.lines[index].in_test = true;
                open = None;
                continue;
            }
            if over {
                open = None;
            } else {
                body_seen |= indent > level || content.ends_with('{');
                side.lines[index].in_test = true;
                continue;
            }
        }
        if opens(side.live[range].trim(), language) {
            open = Some(indent);
            body_seen = content.ends_with('{') || content.ends_with(':');
            // A whole block on one line opens nothing.
            if ends == Ends::Bracket && content.contains('{') && content.ends_with(['}', ';']) {
                open = None;
            }
            side.lines[index].in_test = true;
        }
    }
}

/// True if `line` starts a test.
fn opens(line: &str, language: Language) -> bool {
    let calls = |names: &[&str]| {
        names.iter().any(|name| {
            line.strip_prefix(name).is_some_and(|rest| {
                rest.starts_with('(')
                    || [
                        ".only(",
                        ".skip(",
                        ".each(",
                        ".concurrent(",
                        ".todo(",
                        ".each`",
                    ]
                    .iter()
                    .any(|m| rest.starts_with(m))
            })
        })
    };
    match language {
        Language::Rust => {
            line.starts_with("#[cfg(test)]")
                || line.starts_with("#[cfg(all(test")
                || line.starts_with("#[test]")
                || line.starts_with("#[bench]")
                || line.starts_with("#[rstest")
                || line.starts_with("#[test_case")
                || line.starts_with("#[") && line.contains("::test")
                || [
                    "mod tests",
                    "mod test ",
                    "mod test{",
                    "pub mod tests",
                    "pub(crate) mod tests",
                ]
                .iter()
                .any(|m| line.starts_with(m))
                || line.starts_with("mod ") && line.trim_end_matches([' ', '{']).ends_with("_tests")
        }
        Language::Python => {
            ["def test_", "async def test_", "class Test"]
                .iter()
                .any(|m| line.starts_with(m))
                || line.starts_with("class ") && line.contains("TestCase)")
        }
        Language::JavaScript | Language::TypeScript | Language::Vue => {
            calls(&[
                "describe",
                "it",
                "test",
                "context",
                "beforeEach",
                "afterEach",
                "beforeAll",
                "afterAll",
            ]) || line.starts_with("if (import.meta.vitest)")
        }
        Language::Go => ["func Test", "func Benchmark", "func Fuzz", "func Example"]
            .iter()
            .any(|m| line.starts_with(m)),
        Language::Java | Language::Kotlin | Language::Scala => [
            "@Test",
            "@ParameterizedTest",
            "@RepeatedTest",
            "@BeforeEach",
            "@AfterEach",
            "@BeforeAll",
        ]
        .iter()
        .any(|m| line.starts_with(m)),
        Language::CSharp => [
            "[Fact",
            "[Theory",
            "[Test",
            "[TestMethod",
            "[SetUp",
            "[TestFixture",
            "[TestClass",
        ]
        .iter()
        .any(|m| line.starts_with(m)),
        Language::Swift => line.starts_with("func test") || line.contains(": XCTestCase"),
        Language::Php => line.contains("function test") || line.contains("extends TestCase"),
        Language::Dart => calls(&["test", "testWidgets", "group"]),
        Language::C | Language::Cpp => [
            "TEST(",
            "TEST_F(",
            "TEST_P(",
            "TEST_CASE(",
            "BOOST_AUTO_TEST_CASE(",
        ]
        .iter()
        .any(|m| line.starts_with(m)),
        Language::Ruby => [
            "describe ",
            "RSpec.describe",
            "it ",
            "it(",
            "context ",
            "def test_",
            "test \"",
        ]
        .iter()
        .any(|m| line.starts_with(m)),
        Language::Elixir => ["test \"", "describe \"", "property \""]
            .iter()
            .any(|m| line.starts_with(m)),
        Language::Lua => ["describe(", "it("].iter().any(|m| line.starts_with(m)),
        _ => false,
    }
}
