//! `unsafe-deserialization`: data that may build any object or run code while it is read.

use crate::{
    finding::Severity,
    language::Language,
    matching::{
        calls::{self, Qualifier},
        imports::Imports,
        pattern,
        rows::{self, CallRow, call},
        ships, strings,
    },
    rule::{Check, Fix, Hit, Rule, Sink},
    view::{FileView, HunkView},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "unsafe-deserialization",
    severity: Severity::Critical,
    title: "Untrusted data can build any object",
    reason: "Reading the data runs code that its author chose.",
    explain: "\
Finds `pickle`, `marshal`, `shelve`, `dill`, `joblib` loads, `yaml.load` without a safe loader, \
`torch.load` with `weights_only=False`, Java `readObject`, SnakeYAML without `SafeConstructor`, PHP `unserialize`, \
Ruby `Marshal.load` and `YAML.load` of input, .NET `BinaryFormatter`, `node-serialize`; renamed imports too.\n\n\
Leaves alone: `yaml.safe_load`, `json`, restricted loaders, tests.\n\n\
Do: use a format that only carries data (JSON, `yaml.safe_load`, protocol buffers), or verify a \
signature before reading.",
    languages: &[],
    triggers: &[
        "load",
        "jsonpickle",
        "storable",
        "thaw",
        "binary_to_term",
        "unpickle",
        "shelve",
        "read_pickle",
        "readobject",
        "readunshared",
        "unserialize",
        "deserialize",
        "binaryformatter",
        "netdatacontractserializer",
        "soapformatter",
        "losformatter",
        "objectstateformatter",
        "typenamehandling",
        "xmldecoder",
        "xstream",
        "enabledefaulttyping",
        "objectinputstream",
        "activatedefaulttyping",
        "restore(",
        "new yaml",
        "yaml(",
        "unarchiveobject",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const TRIGGER: &str = "A crafted payload names a class or function, and reading it runs a command.";

/// Python modules and those of their functions that build any object.
const PYTHON: [(&str, &[&str]); 16] = [
    ("pickle", &["load", "loads", "Unpickler"]),
    ("cPickle", &["load", "loads", "Unpickler"]),
    ("_pickle", &["load", "loads", "Unpickler"]),
    ("pickle5", &["load", "loads", "Unpickler"]),
    ("dill", &["load", "loads"]),
    ("cloudpickle", &["load", "loads"]),
    ("marshal", &["load", "loads"]),
    ("shelve", &["open"]),
    ("joblib", &["load"]),
    ("jsonpickle", &["decode", "loads"]),
    ("six.moves.cPickle", &["load", "loads"]),
    ("pandas", &["read_pickle"]),
    (
        "yaml",
        &[
            "load",
            "load_all",
            "unsafe_load",
            "unsafe_load_all",
            "full_load",
            "full_load_all",
        ],
    ),
    ("ruamel.yaml", &["load", "load_all", "unsafe_load"]),
    ("torch", &["load"]),
    ("numpy", &["load"]),
];

static CALLS: [CallRow; 9] = [
    call!([Php], r"\bunserialize\s*\(", NotConstant, 0),
    call!([Ruby], r"\bMarshal\.(?:load|restore)\s*\(", NotConstant, 0),
    call!(
        [Ruby],
        r"\b(?:YAML|Psych)\.(?:unsafe_load|load|load_stream)\s*\(",
        NotConstant,
        0
    ),
    call!(
        [Java, Kotlin, Scala],
        r"\b(?:XMLDecoder|ObjectInputStream)\s*\(",
        Any,
        0
    ),
    call!(
        [Java, Kotlin, Scala],
        r"\b(?:activateDefaultTyping|enableDefaultTyping)\s*\(",
        Any,
        0
    ),
    call!(
        [JavaScript, TypeScript],
        r"(?:\b(?:serialize|nodeSerialize|serializer|node_serialize)|\brequire\s*\([^()\n]*\))\.unserialize\s*\(|\bfuncster\.deepDeserialize\s*\(",
        Any,
        0
    ),
    call!(
        [Perl],
        r"\b(?:thaw|Storable::thaw|Storable::retrieve)\s*\(",
        NotConstant,
        0
    ),
    call!([Elixir], r":erlang\.binary_to_term\s*\(", NotConstant, 0),
    call!(
        [Swift, ObjectiveC],
        r"\bNSKeyedUnarchiver\.unarchiveObject\s*\(",
        Any,
        0
    ),
];

pattern!(CALL, r"(?:\b([A-Za-z_][\w.]*)\.)?\b(\w+)\s*\(");
pattern!(
    READ_OBJECT,
    r"\b(\w+)\s*(?:\(\s*\))?\.\s*(?:readObject|readUnshared)\s*\(\s*\)"
);
pattern!(
    DOTNET,
    r"\bnew\s+(?:BinaryFormatter|NetDataContractSerializer|SoapFormatter|LosFormatter|ObjectStateFormatter)\s*\(|\bBinaryFormatter\s+\w+\s*=\s*new\s*\(\s*\)|\bTypeNameHandling\s*=\s*TypeNameHandling\.(?:All|Auto|Objects|Arrays)\b"
);
pattern!(
    SNAKE,
    r"\bnew\s+Yaml\s*\(\s*(?:\)|new\s+Constructor\s*\()|[=(,]\s*Yaml\s*\(\s*(?:\)|Constructor\s*\()"
);
pattern!(XSTREAM, r"\b(?:new\s+)?XStream\s*\(");
pattern!(
    RUBY_BARE,
    r"\b(?:Marshal\.(?:load|restore)|YAML\.unsafe_load)[ ]+[a-z@]"
);
pattern!(
    SAFE_LOADER,
    r"\bC?(?:Safe|Base)Loader\b|\b[sS]afe\w*\b|_safe\w*\b"
);

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !ships(file) {
        return;
    }
    let side = &hunk.new;
    for call in rows::called(&CALLS, file, hunk) {
        let text = &side.live[call.whole.clone()];
        let is_safe = match file.language {
            Language::Php => text.contains("allowed_classes"),
            Language::Ruby => ruby_is_safe(text, &side.code[call.argument.clone()]),
            Language::Java | Language::Kotlin | Language::Scala => java_is_safe(hunk, text),
            Language::Elixir => text.contains(":safe"),
            _ => false,
        };
        if !is_safe {
            sink.hit(Hit::at(call.whole, TRIGGER));
        }
    }
    match file.language {
        Language::Python => python(file, hunk, sink),
        Language::CSharp => plain(&DOTNET, hunk, sink),
        Language::Ruby => plain(&RUBY_BARE, hunk, sink),
        Language::Java | Language::Kotlin | Language::Scala => java(file, hunk, sink),
        Language::JavaScript | Language::TypeScript => javascript(file, hunk, sink),
        _ => {}
    }
}

/// Ruby's `YAML.load` is safe since Psych 4 unless the data comes from outside and classes are let in.
fn ruby_is_safe(text: &str, argument: &str) -> bool {
    if text.starts_with("Marshal") {
        return argument.contains("Marshal.dump") || argument.contains("Marshal::dump");
    }
    if text.contains("unsafe_load") {
        return argument.contains("File.") || argument.contains("IO.read");
    }
    text.contains("permitted_classes")
        || text.contains("safe: true")
        || argument.contains("File.")
        || argument.contains("IO.read")
        || argument.contains("ERB")
        || argument.contains("read")
}

fn java_is_safe(hunk: &HunkView<'_>, text: &str) -> bool {
    let code = &hunk.new.code;
    code.contains("ObjectInputFilter")
        || code.contains("setObjectInputFilter")
        || code.contains("ValidatingObjectInputStream")
        || text.contains("PolymorphicTypeValidator")
        || text.contains("ptv")
        || text.contains("alidator")
        || text.contains("protected")
        || text.contains("super")
}

fn plain(pattern: &regex::Regex, hunk: &HunkView<'_>, sink: &mut Sink) {
    for found in pattern.find_iter(&hunk.new.code) {
        if !hunk.new.in_test(found.start()) {
            sink.hit(Hit::at(found.range(), TRIGGER));
        }
    }
}

fn java(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    let side = &hunk.new;
    let opens_here =
        side.code.contains("new ObjectInputStream") || side.code.contains("ObjectInputStream(");
    for found in READ_OBJECT.captures_iter(&side.code) {
        let (Some(whole), Some(owner)) = (found.get(0), found.get(1)) else {
            continue;
        };
        let owner = owner.as_str();
        let reads_objects = owner.ends_with("ois")
            || owner.to_ascii_lowercase().contains("objectin")
            || side.code.contains("ObjectInputStream");
        // The stream's own opening is already reported.
        let is_reported = opens_here
            && side.lines.iter().any(|l| {
                l.changed
                    && side.code[l.start..]
                        .split('\n')
                        .next()
                        .is_some_and(|t| t.contains("ObjectInputStream("))
            });
        if reads_objects
            && !is_reported
            && !side.in_test(whole.start())
            && !java_is_safe(hunk, "")
            && !side.code.contains("void readObject")
        {
            sink.hit(Hit::at(whole.range(), TRIGGER));
        }
    }
    let is_safe = side.code.contains("SafeConstructor");
    if !is_safe {
        plain(&SNAKE, hunk, sink);
    }
    if !side.code.contains("allowTypes")
        && !side.code.contains("addPermission")
        && !side.code.contains("setupDefaultSecurity")
    {
        plain(&XSTREAM, hunk, sink);
    }
    let _ = file;
}

fn javascript(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !hunk.new.code.contains("unserialize") && !hunk.new.code.contains('(') {
        return;
    }
    let imports = Imports::of(file);
    let side = &hunk.new;
    for found in CALL.captures_iter(&side.code) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(2)) else {
            continue;
        };
        let hit = match found.get(1) {
            Some(owner) => {
                name.as_str() == "unserialize"
                    && imports.is_module(owner.as_str(), "node-serialize")
                    && !matches!(
                        owner.as_str(),
                        "serialize" | "nodeSerialize" | "serializer" | "node_serialize"
                    )
            }
            None => imports.is_member(name.as_str(), "node-serialize", "unserialize"),
        };
        if hit {
            sink.hit(Hit::at(whole.start()..whole.end() - 1, TRIGGER));
        }
    }
}

fn python(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    pattern!(
        ASSIGNED,
        r"(?m)^[ \t]*(?:\w+[ \t]*=[ \t]*)+(?:pickle|cPickle|dill|marshal)\.loads?[ \t]*$"
    );
    let side = &hunk.new;
    let imports = Imports::of(file);
    // The name is all that is needed: every call through it is as bad.
    for found in ASSIGNED.find_iter(&side.code) {
        let range = calls::trim(&side.code, found.range());
        if !side.in_test(range.start) && side.touches_change(&range) {
            sink.hit(Hit::at(range, TRIGGER));
        }
    }
    for found in CALL.captures_iter(&side.code) {
        let (Some(whole), Some(name)) = (found.get(0), found.get(2)) else {
            continue;
        };
        let open = whole.end() - 1;
        let owner = found.get(1).map(|o| o.as_str());
        let Some((module, function)) = resolve(&imports, owner, name.as_str()) else {
            continue;
        };
        if owner.is_none() && !matches!(calls::qualifier(&side.code, name.start()), Qualifier::None)
            || calls::is_declaration(&side.code, whole.start(), open)
            || side.in_test(whole.start())
            || owner.is_some_and(|owner| side.code.contains(&format!("{owner} = ")))
        {
            continue;
        }
        let inside = calls::inside(&side.code, open);
        let text = &side.code[inside.clone()];
        if text.trim().is_empty() && module != "shelve" {
            continue;
        }
        let range = whole.start()..(inside.end + 1).min(side.code.len());
        if !side.touches_change(&range) {
            continue;
        }
        let mut hit = Hit::at(whole.start()..range.end, TRIGGER);
        match module {
            "yaml" | "ruamel.yaml" if matches!(function, "load" | "load_all") => {
                if SAFE_LOADER.is_match(text) {
                    continue;
                }
                let arguments = calls::split(&side.code, inside);
                if module == "yaml" && function == "load" && arguments.len() == 1 && owner.is_some()
                {
                    hit = hit.fix(Fix::Replace(name.range(), "safe_load".to_owned()));
                }
            }
            "yaml" if function.starts_with("full_") => hit.severity = Some(Severity::Major),
            "torch" => {
                // Since PyTorch 2.6 only `weights_only=False` reads any object.
                if text.replace(' ', "").contains("weights_only=True") {
                    continue;
                }
                hit.severity = Some(Severity::Major);
            }
            "joblib" | "shelve" | "pandas"
                if strings::is_constant(
                    side,
                    file.language,
                    calls::split(&side.code, inside.clone())
                        .into_iter()
                        .next()
                        .unwrap_or(inside.clone()),
                ) =>
            {
                continue;
            }
            "numpy" => {
                if !text.replace(' ', "").contains("allow_pickle=True") {
                    continue;
                }
                hit.severity = Some(Severity::Major);
            }
            "joblib" | "shelve" | "pandas" => hit.severity = Some(Severity::Major),
            "pickle" if text.replace(' ', "").starts_with("pickle.dumps(") => continue,
            _ => {}
        }
        sink.hit(hit);
    }
}

/// Which dangerous function a call names, through the imports that the diff shows.
fn resolve(
    imports: &Imports,
    owner: Option<&str>,
    name: &str,
) -> Option<(&'static str, &'static str)> {
    for (module, functions) in PYTHON {
        for function in functions {
            let is_it = match owner {
                Some(owner) => {
                    *function == name && (owner == module || imports.is_module(owner, module))
                        || (owner == "pd" && module == "pandas" && *function == name)
                        || (owner == "np" && module == "numpy" && *function == name)
                }
                None => imports.is_member(name, module, function),
            };
            if is_it {
                return Some((module, function));
            }
        }
    }
    None
}
