//! The words of each language for stopping and for printing.

use crate::{
    language::Language,
    matching::{Pattern, pattern},
};

pattern!(JS_STOP, r"\bdebugger\b");
pattern!(
    JS_PRINT,
    r"\bconsole\s*(?:\?\.|\.)\s*(?:log|debug|dir|dirxml|table|trace|time|timeEnd|count|profile)\b|\bconsole\[|\balert\s*\("
);
pattern!(
    PYTHON_STOP,
    r"\bbreakpoint\s*\(|\bset_trace\s*\(|\bpudb\.(?:set_trace|pm)|\bpu\.db\b|\b(?:IPython\.)?embed\s*\(\s*\)|\bcode\.interact\s*\(|\bdebugpy\.(?:listen|breakpoint|wait_for_client)\s*\(|\bpdb\.(?:post_mortem|run|pm)\s*\(|(?m)^[ \t]*(?:import|from)[ \t]+(?:pdb|ipdb|pudb|pdbpp)\b"
);
pattern!(
    PYTHON_PRINT,
    r"\bp?print\s*\(|(?m:^)[ \t]*print[ \t]+\S|\bic\s*\(|\bprint_stack\s*\(|\bsys\.std(?:out|err)\.write\s*\("
);
pattern!(RUST_PRINT, r"\bdbg!\s*[(\[{]|\be?println?!\s*[(\[{]");
pattern!(
    RUBY_STOP,
    r"\bbinding\.(?:pry|irb|break|remote_pry|b)\b|(?m:^)[ \t]*(?:byebug|debugger|remote_byebug)[ \t]*(?:\n|$|;|\}|if\b|unless\b|\#)|[;{|][ \t]*byebug\b[ \t]*[;}\n]|\bsave_and_open_(?:page|screenshot)\b|\bPry\.start\b"
);
pattern!(
    RUBY_PRINT,
    r"(?m)(?:^|;|\bdo|\{|\|)[ \t]*(?:\$stdout\.puts|STDOUT\.puts|puts|pp?|ap|print)(?:[ \t]+[^\s=.,|&)\]}+*/<>?%-]|\()"
);
pattern!(
    PHP_STOP,
    r"\bxdebug_break\s*\(|\bddd?\s*\(|\bdie\s*\(\s*(?:var_dump|print_r|var_export)|\bPsy\\sh\s*\("
);
pattern!(
    PHP_PRINT,
    r"\bvar_dump\s*\(|\bprint_r\s*\(|\bvar_export\s*\(|\bdump\s*\(|\bray\s*\(|\bdebug_(?:print_backtrace|zval_refcount)\s*\(|\berror_log\s*\(|\becho\b|\bprint\b"
);
pattern!(
    PERL_PRINT,
    r"\$DB::single\s*=\s*1|\b(?:print|warn|say)\b[^;\n]*\bDumper\b|\b(?:print|warn|say)\b"
);
pattern!(ELIXIR_STOP, r"\bIEx\.pry\b");
pattern!(
    ELIXIR_PRINT,
    r"\bIO\.(?:inspect|puts)\b|(?m)(?:\|>\s*|^[ \t]*)dbg\b"
);
pattern!(GO_STOP, r"\bruntime\.Breakpoint\s*\(");
pattern!(
    GO_PRINT,
    r"\bfmt\.(?:Print(?:ln|f)?|Fprint(?:ln|f)?)\s*\(|(?m:^)[ \t]*print(?:ln)?\s*\(|\bspew\.(?:Dump|Printf)\s*\(|\blitter\.Dump\s*\(|\bpp\.Print\w*\s*\(|\blog\.Print(?:f|ln)?\s*\(|\bdebug\.PrintStack\s*\("
);
pattern!(
    JVM_PRINT,
    r"\bSystem\.(?:out|err)\.print(?:ln|f)?\s*\(|\.printStackTrace\b|\bThread\.dumpStack\s*\(|(?:^|[^.\w:])println?\s*\(|::println\b"
);
pattern!(CSHARP_STOP, r"\bDebugger\.(?:Break|Launch)\s*\(");
pattern!(
    CSHARP_PRINT,
    r"\bConsole\.(?:Out\.|Error\.)?Write(?:Line)?\s*\(|\bDebug\.(?:Log|LogFormat|WriteLine)\s*\("
);
pattern!(
    SWIFT_PRINT,
    r"(?:^|[\s{;(])(?:print|debugPrint|dump|NSLog)\s*\("
);
pattern!(DART_STOP, r"(?:^|[\s{;])debugger\s*\(");
pattern!(DART_PRINT, r"(?:^|[\s{;>])(?:print|debugPrint)\s*\(");
pattern!(
    C_STOP,
    r#"\b__debugbreak\s*\(|\bDebugBreak\s*\(|\b__builtin_debugtrap\s*\(|\braise\s*\(\s*SIGTRAP|\b(?:__)?asm(?:__)?\b[^;\n]*"[^"\n]*int\s*\$?3"#
);
pattern!(
    C_PRINT,
    r"\b(?:f|w)?printf\s*\(|\bstd::c(?:out|err)\s*<<|\bc(?:out|err)\s*<<|\bqDebug\s*\(|\bOutputDebugString[AW]?\s*\(|\bputs\s*\("
);
pattern!(SHELL_PRINT, r"(?m)^set (?:-x|-o xtrace)[ \t]*(?:;|$)");
pattern!(
    POWERSHELL_STOP,
    r"(?i)\bWait-Debugger\b|\bSet-PSDebug\s+-Trace"
);
pattern!(
    LUA_STOP,
    r"\bdebug\.debug\s*\(|\bmobdebug\b[^\n]*\.start\s*\("
);
pattern!(LUA_PRINT, r"(?m)^[ \t]*print\s*\(");
pattern!(
    SQL_PRINT,
    r"(?i)\bRAISE\s+(?:NOTICE|INFO)\b|(?m:^)[ \t]*PRINT\s+N?'"
);

/// What is looked for in one language.
pub(super) struct Family {
    /// Breakpoints.
    pub(super) stop: Option<&'static Pattern>,
    /// Output.
    pub(super) print: Option<&'static Pattern>,
    /// The output counts only where its text says that it is for debugging.
    pub(super) wants_debug_text: bool,
}

/// What is looked for in `language`.
pub(super) fn family(language: Language) -> Option<Family> {
    use Language::*;
    let (stop, print, wants_debug_text): (
        Option<&'static Pattern>,
        Option<&'static Pattern>,
        bool,
    ) = match language {
        JavaScript | TypeScript | Vue => (Some(&JS_STOP), Some(&JS_PRINT), false),
        Python => (Some(&PYTHON_STOP), Some(&PYTHON_PRINT), false),
        Rust => (None, Some(&RUST_PRINT), true),
        Ruby => (Some(&RUBY_STOP), Some(&RUBY_PRINT), false),
        Php => (Some(&PHP_STOP), Some(&PHP_PRINT), false),
        Perl => (None, Some(&PERL_PRINT), true),
        Elixir => (Some(&ELIXIR_STOP), Some(&ELIXIR_PRINT), false),
        Go => (Some(&GO_STOP), Some(&GO_PRINT), false),
        Java | Kotlin | Scala => (None, Some(&JVM_PRINT), false),
        CSharp => (Some(&CSHARP_STOP), Some(&CSHARP_PRINT), false),
        Swift | ObjectiveC => (Some(&C_STOP), Some(&SWIFT_PRINT), false),
        Dart => (Some(&DART_STOP), Some(&DART_PRINT), false),
        C | Cpp => (Some(&C_STOP), Some(&C_PRINT), true),
        Shell => (None, Some(&SHELL_PRINT), false),
        PowerShell => (Some(&POWERSHELL_STOP), None, false),
        Lua => (Some(&LUA_STOP), Some(&LUA_PRINT), true),
        Sql => (None, Some(&SQL_PRINT), true),
        _ => return None,
    };
    Some(Family {
        stop,
        print,
        wants_debug_text,
    })
}
