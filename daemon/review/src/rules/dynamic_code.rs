//! `dynamic-code`: text that is run as code.

mod scripts;

use crate::{
    finding::Severity,
    language::Language,
    matching::{
        calls::{self, Qualifier},
        imports::Imports,
        pattern,
        rows::{self, Argument, CallRow, Called, call},
        ships,
    },
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "dynamic-code",
    severity: Severity::Major,
    title: "Text is run as code",
    reason: "Whoever has a say in the text runs code with the rights of the program.",
    explain: "\
Finds `eval`, `exec`, `Function()`, `setTimeout` with a text, `vm.runIn…`, \
`instance_eval`, `create_function`, `loadstring`, `Invoke-Expression`, `ScriptEngine.eval` and their \
like with an argument that is not a constant; renamed too (`const e = eval`). It is critical where the \
text comes from a request or another input.\n\n\
Leaves alone: methods of that name on other things (`model.eval()`, `regex.exec()`), constants, \
declarations, tests.\n\n\
Do: parse the data (`json.loads`, `ast.literal_eval`), or look the action up in a table.",
    languages: &[],
    triggers: &[
        "eval",
        "exec",
        "scriptblock",
        "function(",
        "settimeout",
        "setinterval",
        "runin",
        "vm.script",
        "loadstring",
        "load(",
        "invoke-expression",
        "iex",
        "create_function",
        "assert(",
        "evaluate",
        "parseexpression",
        "function (",
        "preg_replace",
        "include",
        "require",
        "loadurl",
        "csharpscript",
        "getengineby",
        "__import__",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

static CALLS: [CallRow; 14] = [
    call!([Php], r"\beval\s*\(", NotConstant, 0),
    call!([Php], r"\bcreate_function\s*\(", NotConstant, 1),
    call!(
        [JavaScript, TypeScript, Vue, Html],
        r"\b(?:new\s+)?Function\s*\(",
        NotConstant,
        9
    ),
    call!(
        [JavaScript, TypeScript, Vue, Html],
        r"\b(?:setTimeout|setInterval|setImmediate|execScript)\s*\(",
        Built,
        0
    ),
    call!(
        [JavaScript, TypeScript, Vue],
        r"\b(?:runInThisContext|runInNewContext|runInContext|compileFunction|vm\.Script)\s*\(",
        NotConstant,
        0
    ),
    call!(
        [JavaScript, TypeScript, Vue, Html],
        r"\(\s*0\s*,\s*eval\s*\)\s*\(|\beval\?\.\s*\(",
        NotConstant,
        0
    ),
    call!([Lua], r"\b(?:loadstring|load)\s*\(", NotConstant, 0),
    call!(
        [Ruby],
        r"\b(?:instance_eval|class_eval|module_eval)\s*\(",
        NotConstant,
        0
    ),
    call!(
        [Java, Kotlin, Scala],
        r"\b(?:engine|nashorn|js|jsEngine|scriptEngine|script_engine|graal\w*|toolbox|polyglot|\w*[sS]cript(?:Engine)?\w*|getEngineBy(?:Name|Extension|MimeType)\s*\([^()]*\))\s*\.\s*eval\s*\(|\b(?:groovy|groovyShell|GroovyShell\s*\([^()]*\))\s*\.\s*(?:evaluate|parse)\s*\(",
        NotConstant,
        0
    ),
    call!(
        [Java, Kotlin, Scala],
        r"\bparseExpression\s*\(|\bnew\s+GroovyShell\s*\([^()]*\)\s*\.\s*(?:evaluate|parse)\s*\(|\bMVEL\.(?:eval|executeExpression)\s*\(",
        NotConstant,
        0
    ),
    call!(
        [Java, Kotlin, Swift, ObjectiveC],
        r"\b(?:evaluateJavascript|evaluateJavaScript|evaluateScript)\s*\(",
        Built,
        0
    ),
    call!(
        [CSharp],
        r"\bCSharpScript\s*\.\s*(?:EvaluateAsync|RunAsync|Create)\s*(?:<[^<>()]*>)?\s*\(",
        NotConstant,
        0
    ),
    call!(
        [Elixir],
        r"\bCode\.(?:eval_string|eval_quoted|compile_string)\s*\(",
        NotConstant,
        0
    ),
    call!([Java, Kotlin], r"\bloadUrl\s*\(", Built, 0),
];

pattern!(EVAL, r"\b(eval|exec|execfile)\s*\(");
pattern!(
    OWN_FILE,
    r#"^(?:compile\s*\()?\s*(?:io\.)?(?:open|Path)\s*\(\s*["'][^"'{}]*["'][^()]*\)\s*\.read"#
);
pattern!(
    NAMED,
    r#"(?m)\b(\w+)\s*=\s*(?:builtins\.|window\.|globalThis\.|global\.|self\.)?(eval|exec|Function)\s*;?[ \t]*$|\b(\w+)\s*=\s*\(\s*0\s*,\s*(eval)\s*\)\s*;?[ \t]*$"#
);
pattern!(
    INDEXED,
    r#"\b(?:window|globalThis|global|self|__builtins__)\s*\[\s*["']eval["']\s*\]\s*\(|\bgetattr\s*\(\s*(?:__builtins__|builtins)\s*,\s*["'](?:eval|exec)["']\s*\)\s*\(|\b(?:__builtins__|builtins\.__dict__|vars\(builtins\))\s*\[\s*["'](?:eval|exec)["']\s*\]\s*\("#
);
pattern!(
    ENGINE,
    r"\bScriptEngine\s+(\w+)\s*[=;,)]|\bval\s+(\w+)\s*(?::\s*ScriptEngine\b|=\s*ScriptEngineManager)"
);
pattern!(
    FROM_VM,
    r#"\b(?:runInNewContext|runInThisContext|runInContext|compileFunction)\s*(?::|\bas\b)\s*(\w+)\b[^{};\n]*\}\s*(?:=\s*require\s*\(\s*|from\s+)["'](?:node:)?vm["']"#
);
pattern!(
    PERL_EVAL,
    r#"(?:^|[^>\w$@%&:-])eval\s*\(?\s*(\$\w+|"[^"\n]*[$@]\w[^"\n]*"|["'][^"'\n]*["']\s*\.\s*\$)"#
);
// In a page, code stands in scripts and in these attributes.
pattern!(
    ON_EVENT,
    r#"(?i)[\s"'](?:on\w+|href|@\w+|x-\w+|v-on:\w+)\s*=\s*["'](?:javascript:)?[^"'?]*$"#
);
// A module chosen at run time, and the number that every module of CPAN makes of its version.
pattern!(
    LOADS_MODULE,
    r#"^eval\s*\(?\s*(?:\$VERSION\b|["'](?:require|use|no)\s+[\$\w:]+(?:\s*\(\s*\))?\s*;?\s*(?:1;?)?["'])"#
);
pattern!(
    POWERSHELL,
    r"(?i)(?:^|[\s;|({=])((?:Invoke-Expression|iex)\s+(?:-Command\s+)?[\x22(]*\$\w)|\$[\w.:]+\s*\|\s*(?:Invoke-Expression|iex)\b|\[scriptblock\]::Create\s*\(\s*\$\w"
);
pattern!(
    PHP_INCLUDE,
    r"\b(?:include|require|assert)(?:_once)?\s*\(?[^;\n]*\$_(?:GET|POST|REQUEST|COOKIE)\b"
);
pattern!(
    PREG_E,
    r#"\bpreg_replace\s*\(\s*["']([/#~!]).*?[/#~!][a-z]*e[a-z]*["']\s*,"#
);
pattern!(
    PYTHON2,
    r"(?m)^[ \t]*exec[ \t]+([A-Za-z_][\w.\[\]]*)[ \t]*(?:in\b[^\n]*)?$"
);

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !ships(file) {
        return;
    }
    for call in rows::called(&CALLS, file, hunk) {
        if is_fine(file, hunk, &call) {
            continue;
        }
        report(hunk, &call, sink);
    }
    match file.language {
        Language::Python => python(file, hunk, sink),
        Language::JavaScript | Language::TypeScript | Language::Vue | Language::Html => {
            javascript(file, hunk, sink);
        }
        Language::Java | Language::Kotlin if hunk.new.code.contains("ScriptEngine") => {
            let engines = ENGINE.captures_iter(&hunk.new.code).filter_map(|c| {
                let name = c.get(1).or(c.get(2))?.as_str();
                (!name.to_ascii_lowercase().contains("script")).then(|| format!("{name}.eval"))
            });
            let names: Vec<String> = engines.take(8).collect();
            renamed(&names, hunk, file, sink);
        }
        Language::Ruby => scripts::ruby(file, hunk, sink),
        Language::Shell => scripts::shell(hunk, sink),
        Language::Perl => plain(&PERL_EVAL, hunk, sink),
        Language::PowerShell => plain(&POWERSHELL, hunk, sink),
        Language::Php => {
            plain(&PHP_INCLUDE, hunk, sink);
            plain(&PREG_E, hunk, sink);
        }
        _ => {}
    }
}

fn is_fine(file: &FileView<'_>, hunk: &HunkView<'_>, call: &Called) -> bool {
    let code = &hunk.new.code;
    let name = &code[call.whole.start..call.argument.start];
    let argument = hunk.new.code[call.argument.clone()].trim_start();
    match file.language {
        Language::JavaScript | Language::TypeScript | Language::Vue | Language::Html
            if name.contains("Function") =>
        {
            !calls::qualifier(code, call.name).is_none_or(&["window", "globalThis", "global"])
                || argument.starts_with("...") && code[..call.name].ends_with('.')
        }
        Language::JavaScript | Language::TypeScript | Language::Vue | Language::Html
            if name.contains("set") =>
        {
            // A function that is passed may well build texts; only a text itself is code.
            argument.contains("=>") || argument.contains("function") || argument.contains(".bind(")
        }
        Language::Lua => {
            !calls::qualifier(code, call.name).is_none_or(&["_G"])
                || argument.starts_with("function")
        }
        Language::Ruby => {
            argument.starts_with(['&', '<'])
                || argument.contains("File.read")
                || argument.contains("IO.read")
        }
        Language::Java | Language::Kotlin if name.contains("loadUrl") => {
            !hunk.new.live[call.argument.clone()].contains("javascript:")
        }
        Language::Php => {
            calls::qualifier(code, call.name) != Qualifier::None || code[..call.name].ends_with('$')
        }
        _ => argument.is_empty(),
    }
}

fn report(hunk: &HunkView<'_>, call: &Called, sink: &mut Sink) {
    let argument = &hunk.new.code[call.argument.clone()];
    let mut hit = Hit::at(
        call.whole.clone(),
        "Input that reaches this text is run with the rights of the program.",
    );
    if rows::is_input(argument) {
        hit.severity = Some(Severity::Critical);
    }
    sink.hit(hit);
}

fn plain(pattern: &regex::Regex, hunk: &HunkView<'_>, sink: &mut Sink) {
    for found in pattern.captures_iter(&hunk.new.live) {
        let Some(whole) = found.get(0) else { continue };
        let text = whole.as_str();
        let at = whole.start()
            + (text.len()
                - text
                    .trim_start_matches(|c: char| !c.is_alphanumeric())
                    .len());
        if LOADS_MODULE.is_match(&text[at - whole.start()..]) {
            continue;
        }
        if hunk.new.code.as_bytes()[at] != b' ' && !hunk.new.in_test(at) {
            sink.hit(Hit::at(
                at..whole.end(),
                "Input that reaches this text is run with the rights of the program.",
            ));
        }
    }
}

/// Calls by a name that is bound to `eval` and its like: imported, or assigned.
fn renamed(names: &[String], hunk: &HunkView<'_>, file: &FileView<'_>, sink: &mut Sink) {
    let code = &hunk.new.code;
    for name in names {
        let mut from = 0;
        while let Some(at) = code[from..].find(name.as_str()).map(|at| from + at) {
            from = at + name.len();
            let is_whole = !code[..at]
                .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$'));
            let rest = &code[from..];
            let open = from + (rest.len() - rest.trim_start_matches(' ').len());
            if is_whole
                && code[open..].starts_with('(')
                && let Some(call) =
                    rows::judge(&hunk.new, file.language, at, open, Argument::NotConstant, 0)
                && !calls::is_declaration(code, at, open)
                && !hunk.new.in_test(at)
            {
                report(hunk, &call, sink);
            }
        }
    }
}

fn assigned(hunk: &HunkView<'_>) -> Vec<String> {
    NAMED
        .captures_iter(&hunk.new.code)
        .filter_map(|c| Some((c.get(0)?.start(), c.get(1).or(c.get(3))?.as_str())))
        .filter(|(at, _)| !hunk.new.code[..*at].ends_with('.'))
        .map(|(_, name)| name.to_owned())
        .take(8)
        .collect()
}

fn python(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    let mut is_shadowed = None;
    for found in EVAL.captures_iter(&side.code) {
        let (Some(name), Some(whole)) = (found.get(1), found.get(0)) else {
            continue;
        };
        let open = whole.end() - 1;
        if side.code[..name.start()].ends_with('$')
            || !calls::qualifier(&side.code, name.start()).is_none_or(&[
                "builtins",
                "__builtins__",
                "__builtin__",
            ])
            || calls::is_declaration(&side.code, name.start(), open)
            || side.in_test(name.start())
        {
            continue;
        }
        let Some(call) = rows::judge(
            side,
            file.language,
            name.start(),
            open,
            Argument::NotConstant,
            0,
        ) else {
            continue;
        };
        let imports = is_shadowed.get_or_insert_with(|| Imports::of(file));
        let argument = &side.live[call.argument.clone()];
        let reads_own_file = argument.contains("read")
            && (matches!(file.name, "setup.py" | "conf.py") || OWN_FILE.is_match(argument));
        if reads_own_file {
            continue;
        }
        let own = format!("def {}(", name.as_str());
        let shadowed =
            imports.binds_elsewhere(name.as_str(), "builtins") || side.code.contains(&own);
        if !shadowed {
            report(hunk, &call, sink);
        }
    }
    let code = &side.code;
    if code.contains("builtins") || code.contains("= eval") || code.contains("= exec") {
        let imports = Imports::of(file);
        let mut names: Vec<String> = imports
            .members("builtins")
            .filter(|(member, alias)| matches!(*member, "eval" | "exec") && member != alias)
            .map(|(_, alias)| alias.to_owned())
            .collect();
        names.extend(assigned(hunk));
        for module in imports.modules("builtins").filter(|m| *m != "builtins") {
            names.push(format!("{module}.eval"));
            names.push(format!("{module}.exec"));
        }
        renamed(&names, hunk, file, sink);
    }
    plain(&INDEXED, hunk, sink);
    plain(&PYTHON2, hunk, sink);
}

fn javascript(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    for found in EVAL.captures_iter(&side.code) {
        let (Some(name), Some(whole)) = (found.get(1), found.get(0)) else {
            continue;
        };
        let open = whole.end() - 1;
        let before = &side.code[..name.start()];
        let line = before.rfind('\n').map_or(0, |at| at + 1);
        let in_page = matches!(file.language, Language::Html)
            && !before.contains("<script")
            && !ON_EVENT.is_match(&side.live[line..name.start()]);
        if name.as_str() != "eval"
            || in_page
            || rows::is_markup_text(before[line..].trim_start())
            || before.ends_with(['$', '#', '-', '@'])
            || !matches!(
                calls::qualifier(&side.code, name.start()),
                Qualifier::None | Qualifier::Word("window" | "globalThis" | "global" | "self")
            )
            || calls::is_declaration(&side.code, name.start(), open)
            || side.in_test(name.start())
        {
            continue;
        }
        if let Some(call) = rows::judge(
            side,
            file.language,
            name.start(),
            open,
            Argument::NotConstant,
            0,
        ) {
            report(hunk, &call, sink);
        }
    }
    if side.code.contains("= eval")
        || side.code.contains("= (0, eval)")
        || side.code.contains(".eval")
        || side.code.contains("= Function")
    {
        renamed(&assigned(hunk), hunk, file, sink);
    }
    let from_vm = FROM_VM.captures_iter(&side.live);
    let names: Vec<String> = from_vm.map(|c| c[1].to_owned()).take(8).collect();
    renamed(&names, hunk, file, sink);
    plain(&INDEXED, hunk, sink);
}
