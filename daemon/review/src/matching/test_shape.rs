//! Tests and assertions, told by their first words in each language.

use crate::{
    language::{Language, Role},
    matching::pattern,
    view::{FileView, Side},
};

pattern!(
    ASSERTION,
    r"\bassert\w*!?\s*[(\[{.]|(?m:^)[ \t]*(?:assert|refute|ensure)\b|\bexpect(?:That|_any_instance_of|Later|Error|Throws?)?\s*[({]|\bassertThat\b|\bAssert(?:ions)?\s*\.|\bAssert(?:ions)?::|\bXCT\w+\s*\(|#(?:expect|require)\s*\(|\b(?:EXPECT|ASSERT|REQUIRE|CHECK|BOOST_CHECK|BOOST_REQUIRE|BOOST_TEST|CU_ASSERT|TEST_ASSERT|ck_assert|CPPUNIT_ASSERT|QCOMPARE|QVERIFY|STATIC_REQUIRE)\w*\s*\(|\b(?:self|this)(?:\.|->)(?:assert|fail|expect)\w*\s*\(|\bt\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow|is|deepEqual|equal|same|ok|true|false|throws|like|not|notOk|match|regex|truthy|falsy|plan|rejects|assert)\s*\(|\brequire\.\w+\s*\(|\bassert\.\w+\s*\(|\.should(?:\b|_)|\.to(?:Be|Equal|Have|Throw|Match|Contain|Strict)\w*\s*\(|\.must_\w+|\bmust_\w+\s|\bverify\w*\s*\(|\bshould\w*\s*\(|\bpytest\.(?:raises|warns|approx)\s*\(|\b(?:is|ok|isnt|like|is_deeply|cmp_ok|isa_ok|can_ok|dies_ok|lives_ok)\s*[( ]\s*[$@%\\]|\bcheck\w*\s*\(|\bvalidate\w*\s*\(|\bdo_?check\w*|\b\w*\.Should\(\)|\bMust\s*\(|\bcmp\.Diff\s*\(|\bassert_\w+|\brefute_\w+|\bwont_\w+"
);
pattern!(
    TRIVIAL,
    r"^\s*(?:assert!?\s*\(?\s*(?:True|true|1|not False|1\s*==\s*1)\s*\)?\s*;?\s*$|self\.assertTrue\(\s*True\s*\)|expect\(\s*(true|1)\s*\)\.to(?:Be|Equal|StrictEqual)\(\s*(?:true|1)\s*\)|expect\(\s*true\s*\)\.to\.(?:be\.true|equal\(\s*true\s*\))|assertTrue\(\s*true\s*\)|Assert\.(?:True|IsTrue|That)\(\s*true\s*\)|assert\.(?:True|ok|Equal)\(\s*(?:t,\s*)?true\s*\)|\$this->assertTrue\(\s*true\s*\)|XCTAssert(?:True)?\(\s*true\s*\)|EXPECT_TRUE\(\s*true\s*\)|ASSERT_TRUE\(\s*true\s*\)|REQUIRE\(\s*true\s*\)|expect\(\s*(?:\w+)\s*\)\.toBeDefined\(\))"
);
pattern!(
    HEADER,
    r#"\bdef\s+(test\w*)|\bfn\s+(\w+)\s*\(\s*\)|\bfunc\s+((?:Test|Fuzz)\w*)\s*\(|\bfunc\s+(test\w*)\s*\(|\bfunction\s+(test\w*)\s*\(|\b(?:it|test|specify|scenario|testWidgets|example|property|Deno\.test|subtest|should)(?:\.(?:each|concurrent|only|serial)(?:\([^()]*\)|`[^`]*`)?)*\s*[( ]\s*(?:name:\s*)?["'`]((?:[^"'`\\]|\\.)+)["'`]|\b(?:TEST(?:_F|_P|_CASE|_CASE_METHOD)?|BOOST_AUTO_TEST_CASE|TYPED_TEST|SCENARIO)\s*\(\s*([^)]+)\)|@test\s+"([^"]+)"|\b(?:void|Task|fun|suspend fun)\s+(`[^`]+`|\w+)\s*\("#
);

pattern!(
    FUNCTION,
    r"\b(?:fn|def|func|fun|function)\s+\w+|\bmod\s+\w+\s*\{|\bclass\s+\w+"
);

/// A test or assertion on a removed or added line.
pub struct Mark<'d> {
    /// The line's text without white space at its ends.
    pub text: &'d str,
    /// Index of its hunk.
    pub hunk: usize,
    /// A removed line above it in the same block starts a removed test.
    pub in_lost_test: bool,
}

/// True if the file is a test, or shows inline tests.
pub fn holds_tests(file: &FileView<'_>) -> bool {
    file.role == Role::Test
        || file
            .hunks
            .iter()
            .any(|h| h.old.lines.iter().chain(&h.new.lines).any(|l| l.in_test))
}

/// True if the code of a line asserts something that can fail.
pub fn is_assertion(code: &str) -> bool {
    ASSERTION.is_match(code) && !TRIVIAL.is_match(code)
}

/// The name of the test that a line starts. `live` is the line with its strings; `before` the
/// line above it (attributes and annotations).
pub fn test_name<'l>(language: Language, live: &'l str, before: &str) -> Option<&'l str> {
    let found = HEADER.captures(live)?;
    let (group, name) = (1..found.len()).find_map(|i| found.get(i).map(|m| (i, m)))?;
    let is_marked = [
        "#[test]",
        "#[tokio::test",
        "::test]",
        "#[rstest",
        "@Test",
        "@ParameterizedTest",
        "[Fact",
        "[Test",
        "[Theory",
        "[TestMethod",
        "@RepeatedTest",
        "@Property",
        "#[test_case",
        "#[case",
    ]
    .iter()
    .any(|m| before.contains(m) || live[..name.start()].contains(m));
    let fits = match group {
        1 => matches!(language, Language::Python | Language::Ruby),
        2 => language == Language::Rust && is_marked,
        3 => language == Language::Go,
        4 => language == Language::Swift,
        5 => language == Language::Php || language == Language::JavaScript,
        9 => is_marked || name.as_str().starts_with("test"),
        _ => true,
    };
    fits.then(|| name.as_str())
}

/// The tests that a side's changed lines start, with the hunk's index.
pub fn tests_of<'d>(file: &FileView<'_>, side: &'d Side) -> Vec<&'d str> {
    let mut names = Vec::new();
    let mut before = String::new();
    for (index, line) in side.lines.iter().enumerate() {
        let range = side.line_range(index);
        let live = &side.live[range];
        if line.changed
            && let Some(name) = test_name(file.language, live, &before)
        {
            names.push(name);
        }
        let is_mark = live.trim_start().starts_with(['#', '@', '[']);
        if is_mark {
            before.push_str(live);
        } else if !live.trim().is_empty() {
            before.clear();
        }
    }
    names
}

/// The assertions on a side's changed lines. Those below the header of a test that is itself
/// changed are marked as part of it.
pub fn assertions_of<'d>(file: &FileView<'_>, hunk_index: usize, side: &'d Side) -> Vec<Mark<'d>> {
    let mut marks = Vec::new();
    let mut in_lost_test = false;
    let mut before = String::new();
    for (index, line) in side.lines.iter().enumerate() {
        let range = side.line_range(index);
        let code = &side.code[range.clone()];
        let live = &side.live[range.clone()];
        if test_name(file.language, live, &before).is_some() || FUNCTION.is_match(code) {
            in_lost_test = line.changed;
        }
        let is_mark = live.trim_start().starts_with(['#', '@', '[']);
        if is_mark {
            before.push_str(live);
        } else if !live.trim().is_empty() {
            before.clear();
        }
        if line.changed
            && (file.role == Role::Test || line.in_test)
            && is_assertion(code)
            && !TRIVIAL.is_match(live)
        {
            marks.push(Mark {
                text: side.text[range].trim(),
                hunk: hunk_index,
                in_lost_test,
            });
        }
    }
    marks
}

/// The identifiers of a text that could be names of the project.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|w| w.len() >= 3 && w.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}
