//! `html-injection`: a value written into a page as markup.

use crate::{
    finding::Severity,
    language::Language,
    matching::{
        calls,
        imports::Imports,
        pattern,
        rows::{self, CallRow, Row, call, row},
        ships, strings,
    },
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "html-injection",
    severity: Severity::Major,
    title: "Value written into the page as markup",
    reason: "A value with a tag in it runs script in the reader's session.",
    explain: "\
Finds `innerHTML`, `outerHTML`, `insertAdjacentHTML`, `document.write`, `dangerouslySetInnerHTML`, \
`v-html`, jQuery's `.html(x)`, `mark_safe`, `Markup`, `|safe`, `Html.Raw`, `html_safe`, `raw`, \
`template.HTML`, `bypassSecurityTrust…` with something that isn't constant.\n\n\
Leaves alone: constants, values that a sanitizer (DOMPurify, bleach, `escape`) returned, tests.\n\n\
Do: set `textContent`, let the template escape, or sanitize the value on the spot.",
    languages: &[],
    triggers: &[
        "innerhtml",
        "outerhtml",
        "insertadjacenthtml",
        "document.write",
        "v-html",
        ".html(",
        "safe",
        "markup",
        "render_template_string",
        "html.raw",
        "htmlstring",
        "raw",
        "template.html",
        "fprint",
        "setattribute",
        "template.js",
        "bypasssecuritytrust",
        "createcontextualfragment",
        "@html",
        "{!!",
        "srcdoc",
        ".append(",
        ".prepend(",
        "markupstring",
        "set:html",
        "$_",
        "getparameter",
        "res.send",
        "res.write",
        "request.",
        "param.",
        "autoescape",
        "<%==",
        "<%-",
        "{{{",
        "utext",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const TRIGGER: &str =
    "A name such as `<img src=x onerror=…>` runs script for everyone who sees the page.";

static CALLS: [CallRow; 10] = [
    call!(
        [JavaScript, TypeScript, Vue, Html],
        r"\bdocument\s*\.\s*write(?:ln)?\s*\(",
        NotConstant,
        9
    ),
    call!(
        [JavaScript, TypeScript, Vue, Html],
        r"\.\s*insertAdjacentHTML\s*\(",
        NotConstant,
        1
    ),
    call!(
        [JavaScript, TypeScript, Vue, Html],
        r"\.\s*createContextualFragment\s*\(",
        NotConstant,
        0
    ),
    call!(
        [TypeScript, JavaScript],
        r"\.\s*bypassSecurityTrust(?:Html|Script|Url|ResourceUrl|Style)\s*\(",
        NotConstant,
        0
    ),
    call!(
        [Python],
        r"\b(?:mark_safe|Markup|SafeString|SafeText)\s*\(",
        NotConstant,
        0
    ),
    call!(
        [CSharp, Html, Unknown],
        r"\bHtml\s*\.\s*Raw\s*\(|\bnew\s+(?:Mvc)?HtmlString\s*\(|\bnew\s+MarkupString\s*\(|\(MarkupString\)\s*\(",
        NotConstant,
        0
    ),
    call!([Ruby], r"\braw\s*\(", NotConstant, 0),
    call!([Python], r"\brender_template_string\s*\(", Built, 0),
    call!(
        [Go],
        r"\btemplate\.(?:HTML|JS|HTMLAttr|URL)\s*\(",
        NotConstant,
        0
    ),
    call!(
        [Java, Kotlin, Scala],
        r"\b(?:Html\.fromHtml|PreEscaped|Html|unescapedText)\s*\(",
        Built,
        0
    ),
];

static ECHOES: [Row; 9] = [
    row!(
        Live,
        [JavaScript, TypeScript, Vue],
        r#"\.\s*setAttribute\s*\(\s*["'`]on\w+["'`]\s*,\s*(?:["'][^\n]*?["']\s*\+\s*\w|`[^`\n]*\$\{)[^\n]*"#,
        TRIGGER
    ),
    row!(
        Live,
        [Python],
        r#"\b(?:HttpResponse|make_response|HTMLResponse)\s*\(\s*["'][^"'\n]*<\w[^"'\n]*["']\s*(?:\+|%)\s*\(?\s*request\.(?:args|form|GET|POST|values|query_params)[^\n]*"#,
        TRIGGER
    ),
    row!(
        Live,
        [Go],
        r#"\bfmt\.Fprint(?:f|ln)?\s*\(\s*(?:w|rw|res|resp|writer)\s*,\s*["`][^"`\n]*<\w[^"`\n]*["`]\s*[,+][^;\n]*\b(?:r|req|request)\.(?:URL\.Query\(|FormValue\(|PostFormValue\(|Form\b|PathValue\(|Header\b)[^;\n]*"#,
        TRIGGER
    ),
    row!(
        Code,
        [Php],
        r"(?:\b(?:echo|print)\b|<\?=)\s*[^;\n]*\$_(?:GET|POST|REQUEST|COOKIE|SERVER)\s*\[[^\]\n]*\][^;\n]*",
        TRIGGER
    ),
    row!(
        Live,
        [Html],
        r"<%=\s*request\.getParameter\s*\([^)\n]*\)\s*%>|\$\{\s*param\.\w+\s*\}",
        TRIGGER
    ),
    row!(
        Live,
        [JavaScript, TypeScript],
        r#"\bres\s*\.\s*(?:send|write|end)\s*\(\s*(?:["'][^"'\n]*<[^"'\n]*["']\s*\+\s*req\.\w+|`[^`]*<[^`]*\$\{\s*req\.(?:query|params|body)[^}]*\})"#,
        TRIGGER
    ),
    row!(
        Live,
        [Python],
        r#"\b(?:HttpResponse|make_response|Response|HTMLResponse|render_template_string|return)\s*\(?\s*f["'][^"'\n]*<[^"'\n]*\{\s*request\.(?:args|form|GET|POST|values|query_params)[^"\n]*"#,
        TRIGGER
    ),
    row!(
        Code,
        [Python],
        r"\b(?:Environment|SandboxedEnvironment|Template)\s*\([^;]*?\b(autoescape\s*=\s*False)\b",
        TRIGGER
    ),
    row!(
        Code,
        [Java, Kotlin],
        r"\b(?:getWriter\s*\(\s*\)|out|writer|pw)\s*\.\s*(?:print|println|write)\s*\([^;]*\bgetParameter\s*\([^;]*",
        TRIGGER
    ),
];
pattern!(
    ESCAPED,
    r"(?i)htmlspecialchars|htmlentities|strip_tags|esc_\w+|intval|\(int\)|json_encode|urlencode|filter_var|isset|escapehtml|\?\s*'|=="
);

pattern!(
    ASSIGN,
    r#"\.\s*(?:innerHTML|outerHTML|srcdoc)\s*(\+?=)[^=]|[{,]\s*innerHTML\s*(:)|\[\s*["'](?:innerHTML|outerHTML)["']\s*\]\s*(\+?=)[^=]"#
);
pattern!(REACT, r"\bdangerouslySetInnerHTML\s*(?:=\s*\{|:)\s*(\{)");
pattern!(HTML_KEY, r"__html\s*:\s*");
pattern!(
    JQUERY,
    r#"(\$\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)|\$\w+|\bjQuery\([^()\n]*\))(?:\s*\.\s*(?:find|children|parent|closest|first|last|eq|empty|show|next)\s*\([^()\n]*\))*\s*\.\s*(?:html|append|prepend|after|before|replaceWith)\s*\("#
);
pattern!(V_HTML, r#"\bv-html\s*=\s*["']([^"'\n]+)["']"#);
pattern!(
    TEMPLATE,
    r"\{\{-?[^{}\n]*\|\s*safe\b[^{}\n]*\}\}|\{%-?\s*autoescape\s+(?:off|false)\s*-?%\}|\{!!\s*[^\n]*?\$[^\n]*?!!\}|\{@html\s+[^}\n]+\}|<%==\s*[^%\n]+%>|\{\{\{\s*[A-Za-z_][^{}\n]*\}\}\}|<%-\s+(?:[a-z]\w*[.\[][^%\n]*|[a-z]\w*)\s*%>|@Html\.Raw\s*\([^)\n]+\)|\[(?:innerHTML|outerHTML)\]\s*=\s*[\x22'][^\x22'\n]+[\x22']|\bset:html=\{[^}\n]+\}|<%=\s*raw[ (][^%\n]+%>|<%=[^%\n]*\.html_safe\b[^%\n]*%>|\bth:utext\s*="
);
pattern!(RUBY, r#"([\w)\]"'}@.]+)\s*\.\s*html_safe\b"#);
pattern!(
    SANITIZED,
    r"(?i)sanitiz|dompurify|purify|escape|bleach|encode|trustedhtml|\bi18n|\bt\(|nonce|\.outerHTML|renderToString|highlight|\bmarked\b.*sanit|json_script|to_json|svg|icon|policy\.createHTML|format_html"
);

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !ships(file) {
        return;
    }
    let side = &hunk.new;
    for call in rows::called(&CALLS, file, hunk) {
        let text = &side.live[call.argument.clone()];
        if !is_clean(text)
            && !is_own_name(&side.code, call.name, file.language)
            && !is_empty_literal(text)
        {
            sink.hit(Hit::at(call.whole, TRIGGER));
        }
    }
    if file.language == Language::Python && side.code.contains('(') {
        renamed(file, hunk, sink);
    }
    if rows::is_javascript(file.language) {
        javascript(file, hunk, sink);
    }
    if file.language == Language::Ruby {
        for found in RUBY.captures_iter(&side.code) {
            let (Some(whole), Some(subject)) = (found.get(0), found.get(1)) else {
                continue;
            };
            let line = side.line_range(side.line_at(whole.start()));
            let start = line.start;
            let text = &side.live[start..whole.end()];
            let is_literal = subject.as_str().ends_with(['"', '\''])
                && !strings::splices(side, file.language, start..whole.end())
                && !text.contains('+');
            if !is_literal && !is_clean(text) && !side.in_test(whole.start()) {
                sink.hit(Hit::at(whole.range(), TRIGGER));
            }
        }
    }
    for (_, range) in rows::matches(&ECHOES, file, hunk) {
        if !is_clean(&side.live[range.clone()]) && !ESCAPED.is_match(&side.live[range.clone()]) {
            sink.hit(Hit::at(range, TRIGGER));
        }
    }
    let is_template = matches!(
        file.language,
        Language::Html
            | Language::Vue
            | Language::Php
            | Language::Unknown
            | Language::JavaScript
            | Language::TypeScript
            | Language::Text
            | Language::CSharp
    );
    if is_template && has_template_name(file.name) {
        for found in TEMPLATE.find_iter(&side.live) {
            let text = found.as_str();
            if !is_clean(text)
                && !text.contains("tojson")
                && !side.in_test(found.start())
                && !text.contains("include(")
                && !text.contains("yield")
            {
                sink.hit(Hit::at(found.range(), TRIGGER));
            }
        }
    }
}

/// Python's functions that vouch for a text, under another name.
fn renamed(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let mentions = |h: &HunkView<'_>| h.new.code.contains(" as ");
    if !file.hunks.iter().any(mentions) {
        return;
    }
    let imports = Imports::of(file);
    let side = &hunk.new;
    for module in ["django.utils.safestring", "markupsafe", "flask", "jinja2"] {
        for (_, alias) in imports.members(module).filter(|(member, alias)| {
            member != alias && matches!(*member, "mark_safe" | "Markup" | "SafeString")
        }) {
            let call = format!("{alias}(");
            for (at, text) in side.code.match_indices(&call) {
                let is_part = side.code[..at]
                    .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'));
                let open = at + text.len() - 1;
                if is_part || side.in_test(at) {
                    continue;
                }
                let wanted = rows::Argument::NotConstant;
                if let Some(call) = rows::judge(side, file.language, at, open, wanted, 0)
                    && !is_clean(&side.live[call.argument.clone()])
                {
                    sink.hit(Hit::at(call.whole, TRIGGER));
                }
            }
        }
    }
}

fn has_template_name(name: &str) -> bool {
    const ENDS: [&str; 19] = [
        ".html",
        ".htm",
        ".vue",
        ".svelte",
        ".blade.php",
        ".erb",
        ".ejs",
        ".hbs",
        ".handlebars",
        ".mustache",
        ".j2",
        ".jinja",
        ".jinja2",
        ".cshtml",
        ".razor",
        ".astro",
        ".twig",
        ".njk",
        ".liquid",
    ];
    ENDS.iter().any(|end| name.ends_with(end))
}

fn is_clean(text: &str) -> bool {
    // Turning the escaping off is no escaping.
    if let Some((before, after)) = text.split_once("autoescape") {
        return SANITIZED.is_match(before) || SANITIZED.is_match(after);
    }
    SANITIZED.is_match(text)
}

fn is_empty_literal(text: &str) -> bool {
    matches!(
        text.trim(),
        "\"\"" | "''" | "``" | "null" | "undefined" | "nil"
    )
}

fn is_own_name(code: &str, name: usize, language: Language) -> bool {
    language == Language::Python
        && matches!(
            calls::qualifier(code, name),
            calls::Qualifier::Word("rich" | "self")
        )
        || language == Language::Ruby
            && matches!(
                calls::qualifier(code, name),
                calls::Qualifier::Word(_) | calls::Qualifier::Other
            )
}

fn javascript(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    for found in ASSIGN.captures_iter(&side.live) {
        let (Some(whole), Some(sign)) = (found.get(0), found.iter().skip(1).flatten().next())
        else {
            continue;
        };
        if side.code.as_bytes()[whole.start()] == b' ' || side.in_test(whole.start()) {
            continue;
        }
        let end = calls::expression_end(&side.code, sign.end());
        value(file, side, whole.start()..end, sign.end()..end, sink);
    }
    for found in REACT.captures_iter(&side.code) {
        let (Some(whole), Some(open)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let inside = calls::inside(&side.code, open.start());
        let Some(key) = HTML_KEY.find(&side.code[inside.clone()]) else {
            continue;
        };
        let start = inside.start + key.end();
        let end = calls::expression_end(&side.code, start)
            .min(inside.end)
            .max(start);
        if !side.in_test(start) {
            value(
                file,
                side,
                whole.start()..(inside.end + 1).min(side.code.len()),
                start..end,
                sink,
            );
        }
    }
    for found in JQUERY.find_iter(&side.code) {
        let open = found.end() - 1;
        let inside = calls::inside(&side.code, open);
        let takes_markup = side.code[..open].trim_end().ends_with("html");
        let Some(first) = calls::split(&side.code, inside.clone()).into_iter().next() else {
            continue;
        };
        let built = strings::is_built(side, file.language, first.clone())
            && side.live[first.clone()].contains('<');
        if !(built || takes_markup)
            || side.in_test(found.start())
            || side.code[first.clone()].starts_with(['$', 'f']) && !built
        {
            continue;
        }
        value(
            file,
            side,
            found.start()..(inside.end + 1).min(side.code.len()),
            first,
            sink,
        );
    }
    for found in V_HTML.captures_iter(&side.live) {
        let (Some(whole), Some(bound)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let text = bound.as_str();
        let quoted = text.starts_with(['\'', '`']) && !text.contains("${");
        if !quoted && !is_clean(text) && !text.contains("$t(") {
            sink.hit(Hit::at(whole.range(), TRIGGER));
        }
    }
}

fn value(
    file: &FileView<'_>,
    side: &Side,
    whole: std::ops::Range<usize>,
    value: std::ops::Range<usize>,
    sink: &mut Sink,
) {
    let value = calls::trim(&side.code, value);
    let code = &side.code[value.clone()];
    let line = &side.live[side.line_range(side.line_at(whole.start))];
    let is_linked_data = line.contains("application/ld+json")
        || side.live[..whole.start]
            .trim_end()
            .ends_with("\"application/ld+json\"");
    if is_linked_data && code.starts_with("JSON.stringify(") {
        return;
    }
    let is_shouted = code.len() > 1
        && code
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if code.is_empty()
        || is_shouted
        || is_empty_literal(code)
        || strings::is_constant(side, file.language, value.clone())
        || is_clean(&side.live[value])
        || !side.touches_change(&whole)
    {
        return;
    }
    sink.hit(Hit::at(whole, TRIGGER));
}
