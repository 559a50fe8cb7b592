//! In these tables `§` in the expectation stands for a blanked byte.

use super::*;
use crate::language::Language::*;

fn shown(masked: &str, text: &str) -> String {
    assert_eq!(masked.len(), text.len());
    masked
        .bytes()
        .zip(text.bytes())
        .map(|(m, t)| if m == t { char::from(m) } else { '§' })
        .collect()
}

/// Compares the two maskings of a whole file.
#[track_caller]
fn check(language: Language, text: &str, code: &str, live: &str) {
    let masked = mask(language, text, true);
    assert_eq!(shown(&masked.code, text), code, "code of {text}");
    assert_eq!(shown(&masked.live, text), live, "live of {text}");
}

/// Compares the code that is left, blanks collapsed.
#[track_caller]
fn code(language: Language, text: &str, expected: &str) {
    let masked = mask(language, text, true);
    let words: Vec<&str> = masked.code.split_whitespace().collect();
    assert_eq!(words.join(" "), expected, "code of {text}");
}

/// As `code`, with comments gone and strings kept, from the middle of a file.
#[track_caller]
fn live_middle(language: Language, text: &str, expected: &str) {
    let masked = mask(language, text, false);
    let words: Vec<&str> = masked.live.split_whitespace().collect();
    assert_eq!(words.join(" "), expected, "live of {text}");
}

#[test]
fn rust() {
    check(
        Rust,
        "let x = \"a\"; // b",
        "let x = \"§\"; §§ §",
        "let x = \"a\"; §§ §",
    );
    code(Rust, "a /* x /* y */ z */ b", "a b");
    code(
        Rust,
        "let c = '\"'; let d = '\\''; eval()",
        "let c = ' '; let d = ' '; eval()",
    );
    code(
        Rust,
        "fn f<'a>(x: &'a str) { g('x') }",
        "fn f<'a>(x: &'a str) { g(' ') }",
    );
    code(Rust, "r#\"a \" b\"# + x", "r#\" \"# + x");
    code(Rust, "br\"\\\" + x", "br\" \" + x");
    code(Rust, "\"a \\\" b\" + x", "\" \" + x");
    code(Rust, "\"two\nlines\" + x", "\" \" + x");
    code(Rust, "for'x' b'é' 'é' y", "for' ' b' ' ' ' y");
}

#[test]
fn python() {
    code(Python, "x = 1  # eval(\n", "x = 1");
    code(
        Python,
        "def f():\n    \"\"\"eval(x)\"\"\"\n    y",
        "def f(): y",
    );
    check(
        Python,
        "f(\"\"\"eval\"\"\")",
        "f(\"\"\"§§§§\"\"\")",
        "f(\"\"\"eval\"\"\")",
    );
    check(
        Python,
        "f\"a{eval(b)}c\"",
        "f\"§{eval(b)}§\"",
        "f\"a{eval(b)}c\"",
    );
    check(
        Python,
        "f\"{{a}} {b!r:>{w}}\" + c",
        "f\"§§§§§ {b!r:>{w}}\" + c",
        "f\"{{a}} {b!r:>{w}}\" + c",
    );
    code(Python, "r\"\\\" # \" + x", "r\" \" + x");
    code(Python, "x = 'it''s # no' # yes", "x = ' '' '");
    check(
        Python,
        "x = (\n  \"\"\"a\"\"\"\n)",
        "x = (\n  \"\"\"§\"\"\"\n)",
        "x = (\n  \"\"\"a\"\"\"\n)",
    );
    code(Python, "'unclosed\neval(x)", "' eval(x)");
}

#[test]
fn python_from_the_middle_of_a_docstring() {
    live_middle(
        Python,
        "    eval(x) is bad.\n    \"\"\"\n    return y\n",
        "return y",
    );
    live_middle(
        Python,
        "    never call eval(x).\"\"\"\n    return y\n",
        "return y",
    );
    live_middle(
        Python,
        "    Calls pickle, of course.\n\n    Args:\n        x: a thing\n    \"\"\"\n    z = 1\n",
        "z = 1",
    );
    live_middle(
        Python,
        "    def f(self):\n        \"\"\"\n        eval(x)\n",
        "def f(self):",
    );
    live_middle(Python, "x = \"\"\"\n  select\n", "x = \"\"\" select");
    live_middle(
        Python,
        "def f():\n    \"\"\"Doc.\n\n    More.\n",
        "def f():",
    );
    live_middle(
        Python,
        "    words end.\"\"\"\n    eval(x)\n\ndef g():\n    \"\"\"Doc.\n    more\n",
        "eval(x) def g():",
    );
}

#[test]
fn from_the_middle_of_prose() {
    live_middle(
        Python,
        "    Never call eval(x) on what others wrote, of course.\n    It runs as code there.\n",
        "",
    );
    live_middle(Python, "    Examples\n    --------\n    eval(x)\n", "");
    live_middle(Python, "    >>> eval(x)\n    4\n", "");
    live_middle(
        Python,
        "    a = b if c else d\n    return eval(x)\n",
        "a = b if c else d return eval(x)",
    );
    live_middle(Python, "def f():\n    r\"\"\"\n    eval(x)\n", "def f(): r");
    live_middle(Python, "  <a/>\n  \"\"\"\n  f(eval)\n", "f(eval)");
    live_middle(
        C,
        "   This is never called by eval() in a loop.\n   See the other one for more.\n",
        "",
    );
    live_middle(
        Perl,
        "Call eval in no case.\n\n=back\n\n=cut\n\nf();\n",
        "f();",
    );
    live_middle(
        Sql,
        "select a from b where c\norder by d desc nulls last\n",
        "select a from b where c order by d desc nulls last",
    );
}

#[test]
fn javascript() {
    check(
        JavaScript,
        "a = `x ${eval(`y ${z}`)} w`",
        "a = `§ ${eval(`§ ${z}`)} §`",
        "a = `x ${eval(`y ${z}`)} w`",
    );
    code(JavaScript, "x.match(/\"[/'\"]/g) + y", "x.match(/ /g) + y");
    code(
        JavaScript,
        "a = b / c; d = e / f; // g",
        "a = b / c; d = e / f;",
    );
    code(JavaScript, "return /eval\\(/.test(x)", "return / /.test(x)");
    code(JavaScript, "f(); /* eval( */ g()", "f(); g()");
    code(
        JavaScript,
        "<a href={x}>it's</a>\ng()",
        "<a href={x}>it' g()",
    );
    code(
        JavaScript,
        "<B x={y} /><C z={w} />; eval(q)",
        "<B x={y} /><C z={w} />; eval(q)",
    );
    code(TypeScript, "const u = 'http://x' // y", "const u = ' '");
    code(
        JavaScript,
        "<p>see http://x.org/y</p>",
        "<p>see http://x.org/y</p>",
    );
    code(JavaScript, "`a\nb` + c", "` ` + c");
    code(JavaScript, "`${a}${{b:`c`}}` + d", "`${a}${{b:` `}}` + d");
}

#[test]
fn from_the_middle_of_a_block_comment() {
    live_middle(
        JavaScript,
        " * eval(x)\n * @param y don't\n */\nf()\n",
        "f()",
    );
    live_middle(Java, " * eval(x)\n * more\n", "");
    live_middle(C, "   eval(x) isn't good */\nf();\n", "f();");
    live_middle(C, "*p = 1;\n*q = 2;\n", "*p = 1; *q = 2;");
    live_middle(Go, "x := \"*/\"\nf()\n", "x := \"*/\" f()");
    live_middle(Rust, "/* a */ f()\n", "f()");
}

#[test]
fn from_the_middle_of_a_string() {
    let masked = mask(
        Rust,
        "        SELECT eval(x)\n    \", arg)?;\n    f();\n",
        false,
    );
    assert!(!masked.code.contains("eval"));
    assert!(masked.code.contains("f();"));
    let masked = mask(TypeScript, "  query eval(x)\n`;\nf();\n", false);
    assert!(!masked.code.contains("eval"));
    assert!(masked.code.contains("f();"));
}

#[test]
fn other_languages() {
    code(Go, "s := `raw \" // x\n` + y // z", "s := ` ` + y");
    code(Go, "r := '\"' // x", "r := ' '");
    code(
        Java,
        "s = \"\"\"\n text \" \n\"\"\" + x; // y",
        "s = \"\"\" \"\"\" + x;",
    );
    code(Kotlin, "\"a ${b(\"c\")} d\" + e", "\" ${b(\" \")} \" + e");
    code(CSharp, "@\"c:\\\" + $\"a{b}c\" // d", "@\" \" + $\" {b} \"");
    code(
        Cpp,
        "R\"x(a \" )y\" )x\" + 1'000 // c",
        "R\"x( )x\" + 1'000",
    );
    code(
        Swift,
        "\"a \\(b) c\" + #\"d \" e\"#",
        "\" \\(b) \" + #\" \"#",
    );
    code(
        Ruby,
        "x = <<~SQL\n  eval it's\nSQL\ny # z",
        "x = <<~SQL SQL y",
    );
    code(
        Ruby,
        "=begin\neval\n=end\n%w[it's b] + \"a #{b} c\"",
        "%w[ ] + \" #{b} \"",
    );
    code(Ruby, "x =~ /it's/ && y", "x =~ / / && y");
    code(
        Ruby,
        "class << self; a << b; end",
        "class << self; a << b; end",
    );
    code(Ruby, "foo[?'] + ?\"", "foo[?'] + ?\"");
    code(
        Php,
        "<?php $a = 'b'; # c\n#[Attr]\n// d\n/* e */ f();",
        "<?php $a = ' '; #[Attr] f();",
    );
    code(
        Php,
        "<p>it's</p>\n<?php f('x') ?>\n<p>don't</p>",
        "<p>it's</p> <?php f(' ') ?> <p>don't</p>",
    );
    code(
        Php,
        "<?php $a = <<<EOT\n it's\nEOT;\nf();",
        "<?php $a = <<<EOT EOT; f();",
    );
    code(
        Perl,
        "=pod\n\neval it\n\n=cut\n\nprint 'x'; # y",
        "print ' ';",
    );
    code(
        Lua,
        "--[[ a\nb ]] c -- d\ne = [==[ f ]] ]==] .. 'g'",
        "c e = [==[ ]==] .. ' '",
    );
    code(
        Elixir,
        "@doc \"\"\"\neval(x)\n\"\"\"\ndef f, do: \"a#{b}\" # c",
        "@doc def f, do: \" #{b}\"",
    );
    code(Elixir, "x = ~r/it's \"/ <> y", "x = ~r/ / <> y");
    code(
        Shell,
        "echo \"a $(b \"c\") d\" 'e' # f\ng=${#h}",
        "echo \" $(b \" \") \" ' ' g=${#h}",
    );
    code(
        Shell,
        "cat <<'EOF' | x\nit's eval\nEOF\ny",
        "cat <<'EOF' | x EOF y",
    );
    code(Shell, "echo it\\'s fine; z # c", "echo it\\'s fine; z");
    code(
        PowerShell,
        "<# a\nb #> c # d\n\"e`\"f\" + @'\ng's\n'@ + h",
        "c \" \" + @' '@ + h",
    );
    code(
        Sql,
        "select 'it''s' -- x\n/* y */ from z",
        "select ' '' ' from z",
    );
    code(
        Yaml,
        "a: 'b # c' # d\ne: don't # f\ng: \"h\"",
        "a: ' ' e: don't g: \" \"",
    );
    code(
        Toml,
        "a = \"\"\"\n# b\n\"\"\" # c\nd = 'e#f'",
        "a = \"\"\" \"\"\" d = ' '",
    );
    code(Ini, "# a\n; b\nc = d # e", "c = d # e");
    code(
        Html,
        "<!-- eval --><p>it's</p><script>f('a') // b\n</script> c",
        "<p>it's</p><script>f(' ') </script> c",
    );
    code(
        Css,
        "a { b: url(http://x) } /* c */",
        "a { b: url(http://x) }",
    );
    code(Terraform, "a = \"b ${c} d\" # e\n// f", "a = \" ${c} \"");
    code(Dart, "'a ${b} c' + r'd' // e", "' ${b} ' + r' '");
    code(Json, "{\"a\": \"it's // no\"}", "{\" \": \" \"}");
    code(Makefile, "a: b # c\n\td", "a: b d");
    code(Text, "it's # all \"text", "it's # all \"text");
}

#[test]
fn single_file_components() {
    let text = "  const a = 'b'; // eval(\n  f(a);\n  g();\n";
    assert!(!mask(Vue, text, false).code.contains("eval"));
    let text = "  f(a);\n</script>\n<p>it's</p>\n";
    assert!(mask(Vue, text, false).code.contains("it's</p>"));
}

#[test]
fn deep_nesting_uses_no_stack() {
    for language in [JavaScript, Python, Kotlin, Ruby, Shell, Swift] {
        for unit in [
            "`${", "f\"{", "\"${", "\"#{", "\"$(", "\"\\(", "/*", "(/[", "<script", "<<A\n",
        ] {
            let text = unit.repeat(20_000);
            let masked = mask(language, &text, true);
            assert_eq!(masked.code.len(), text.len());
        }
    }
}
