//! `world-writable`: a file or folder that everyone may change.

use crate::{
    finding::Severity,
    matching::{
        pattern,
        rows::{self, Row, row},
        ships,
    },
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "world-writable",
    severity: Severity::Major,
    title: "Writable by everyone",
    reason: "Any account on the machine replaces what the program reads or runs.",
    explain: "\
Finds modes whose last digit lets others write (`0777`, `0666`, `o+w`, `a+rwx`) given to `chmod`, `mkdir`, \
`open`, `os.OpenFile`, `install -m`, `COPY --chmod`, Ansible's `mode:`, and `umask(0)`, in shell, Python, Go, C, Rust, \
Node, PHP, Ruby, Java and configuration.\n\n\
Leaves alone: folders with the sticky bit (`1777`), modes that the usual mask narrows (`open(…, 0666)`, `mkdir(…, 0777)`, the \
default of those calls), devices, tests.\n\n\
Do: 0755 for folders and programs, 0644 or 0600 for files; share through a group.",
    languages: &[],
    triggers: &[
        "777",
        "666",
        "776",
        "766",
        "757",
        "o+w",
        "a+w",
        "a+rw",
        "ugo+",
        "umask",
        "chmod",
        "0o002",
        "s_iwoth",
        "others_write",
        "setwritable",
        "+rwx",
        "o=rw",
        "a=rw",
        "rwxrwxrwx",
        "rw-rw-rw-",
        "mode",
        "setpermissions",
        "posixfilepermission",
        "perms::all",
        "unixfilemode",
        "s_irwxo",
        "o+rw",
        "fullcontrol",
        "everyone",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const TRIGGER: &str = "Another account on the machine writes its own code or data there, and this program runs or trusts it.";

static ROWS: [Row; 17] = [
    row!(
        Live,
        [
            Shell, Dockerfile, Makefile, Yaml, Terraform, Toml, Json, Unknown, Perl
        ],
        r#"\bchmod\s+(?:-[-\w]+\s+)*["']?(0?[0-7][0-7][2367]|[ugoa]*[oa][ugoa]*[+=]r?wx?X?|\+w|ugo\+rwx?|[ugoa,=+rwx]*\bo[+=]r?wx?|[ugo]=[rwx]+,(?:[ugo]=[rwx]+,)*o=r?wx?)["']?(?:\s|$)"#,
        TRIGGER
    ),
    row!(
        Live,
        [Shell, Dockerfile, Makefile],
        r"\b(?:mkdir|install)\s+(?:-\w+\s+)*(?:-m|--mode[= ])\s*=?(0?[0-7][0-7][2367])\b|--chmod=(0?[0-7][0-7][2367])\b|(?m)^\s*(umask\s+0{1,4})\s*(?:$|[;&#])",
        TRIGGER
    ),
    row!(
        Live,
        [Yaml, Terraform, Json, Toml],
        r#"(?m)\b(?:mode|defaultMode|file_mode|dir_mode|file_permission|directory_permission|permissions)["']?\s*[:=]\s*["']?(0?o?0?[0-7][0-7][2367]|[ugo=+,rwxX]*o[+=]r?wx?X?|a[+=]rwx?|511|438)["']?\s*(?:$|[,}#\n])"#,
        TRIGGER
    ),
    row!(
        Code,
        [Python],
        r"\bchmod\s*\([^()]*(?:\([^()]*\)[^()]*)*?,?\s*(?:mode\s*=\s*)?(0o?[0-7]?[0-7][0-7][2367]|0x1FF|511|438)\s*,?\s*\)|\bos\.(umask\s*\(\s*0(?:o0+)?\s*\))|\b(stat\.S_IWOTH|S_IRWXO)\b|\bumask\s*\(\s*(0o?0*)\s*\)",
        TRIGGER
    ),
    row!(
        Live,
        [
            Python, JavaScript, TypeScript, Ruby, Php, Go, Rust, Java, Kotlin, CSharp, C, Cpp,
            Perl, Lua, Dart, Swift
        ],
        r#"["'`\s;&]chmod\s+(?:-[-\w]+\s+)*(0?777|0?666|a\+rwx?|o\+w|ugo\+rwx)\s|["']chmod["']\s*,\s*(?:\[\s*)?(?:["']-\w+["']\s*,\s*)*["'](0?777|0?666|a\+rwx?|a\+w|o\+w|ugo\+rwx?)["']"#,
        TRIGGER
    ),
    row!(
        Live,
        [JavaScript, TypeScript, Vue],
        r#"\b[fl]?chmod(?:Sync)?\s*\([^;\n]*?,\s*["'`]?(0o[0-7]?[0-7][0-7][2367]|0?[0-7][0-7][2367]|511|438)["'`]?\s*[,)]|\bumask\s*\(\s*(0(?:o0+)?)\s*\)|\bmode\s*:\s*["'`]?(0o?777|0o?666|511|438)\b"#,
        TRIGGER
    ),
    row!(
        Code,
        [Go],
        r"\b(?:os\.Chmod|\w+\.Chmod)\s*\([^\n]*?(0o?[0-7]?[0-7][0-7][2367]|os\.ModePerm)\s*\)|\b(?:os\.(?:WriteFile|Mkdir|MkdirAll|OpenFile)|ioutil\.WriteFile)\s*\([^\n]*?,\s*(?:(?:os|fs)\.FileMode\s*\(\s*)?(0o?777|0o?666|os\.ModePerm)\s*\)|\b(?:syscall|unix)\.(Umask\s*\(\s*0\s*\))",
        TRIGGER
    ),
    row!(
        Code,
        [C, Cpp, ObjectiveC],
        r"\bf?chmod(?:at)?\s*\([^;]*?,\s*(0[0-7]?[0-7][0-7][2367]|ACCESSPERMS|DEFFILEMODE|[\w|\s]*S_IWOTH[\w|\s]*|[\w|\s]*S_IRWXO[\w|\s]*)\s*[,)]|\b(umask\s*\(\s*0+\s*\))|\bmkdir(?:at)?\s*\([^;]*?,\s*(0777|ACCESSPERMS|[\w|\s]*S_IRWXO[\w|\s]*)\s*\)|\b(?:open|creat)\s*\([^;]*?,\s*(0666|0777)\s*\)|\bperms::(others_write|others_all|all)\b",
        TRIGGER
    ),
    row!(
        Code,
        [Rust],
        r"\b(?:from_mode|set_mode|mode|from_bits_truncate)\s*\(\s*(0o[0-7]?[0-7][0-7][2367])\s*\)|\b(Mode::S_IWOTH|Mode::S_IRWXO)\b|\b(umask\s*\(\s*(?:Mode::empty\(\)|0)\s*\))",
        TRIGGER
    ),
    row!(
        Code,
        [Php],
        r"\b(?:chmod|mkdir)\s*\([^;]*?,\s*(0o?[0-7]?[0-7][0-7][2367])\s*[,)]|\b(umask\s*\(\s*0+\s*\))",
        TRIGGER
    ),
    row!(
        Live,
        [Ruby],
        r#"\bchmod(?:_R)?\s*\(?\s*(0o?[0-7]?[0-7][0-7][2367]|["'](?:a\+rwx?|a\+w|o\+w|ugo\+rwx?|a=rwx?)["'])\b?|\bmode:\s*(0o?777|0o?666)\b|\b(umask\s*\(?\s*0+\b\)?)"#,
        TRIGGER
    ),
    row!(
        Code,
        [Java, Kotlin, Scala],
        r"\bsetWritable\s*\(\s*true\s*,\s*(false)\s*\)|\bPosixFilePermission\.(OTHERS_WRITE)\b",
        TRIGGER
    ),
    row!(
        Live,
        [Java, Kotlin, Scala, CSharp, Swift],
        r#"\bPosixFilePermissions\s*\.\s*fromString\s*\(\s*"(.{6}.?w.)"|\bUnixFileMode\.(OtherWrite)\b|\.posixPermissions\s*:\s*(?:NSNumber\s*\(\s*value:\s*)?(0o?[0-7]?[0-7][0-7][2367])\b|\bMODE_WORLD_(WRITEABLE)\b"#,
        TRIGGER
    ),
    row!(
        Code,
        [Perl],
        r"\bchmod\s*\(?\s*(0[0-7]?[0-7][0-7][2367])\s*,|\b(umask\s*\(?\s*0+)\s*\)?\s*;",
        TRIGGER
    ),
    row!(
        Live,
        [PowerShell, CSharp, Shell],
        r#"(?i)\bicacls\b[^\n]*\b(Everyone:\(?(?:OI|CI|[()])*[FMW]\)?)|\bFileSystemAccessRule\s*\(\s*"(Everyone)"\s*,\s*(?:FileSystemRights\.)?"?(?:FullControl|Write|Modify)"#,
        TRIGGER
    ),
    row!(
        Code,
        [Python],
        r"\bos\.(?:mkdir|makedirs|open)\s*\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*?,\s*(?:mode\s*=\s*)?(0o?777|0o?666)\s*[,)]",
        TRIGGER
    ),
    row!(
        Code,
        [Java, Kotlin, Scala, Cpp, CSharp],
        r"\b(EnumSet\.allOf\s*\(\s*PosixFilePermission\.class)|\b(perms::all)\b|\(UnixFileMode\)\s*(511|0b111_?111_?111|438)",
        TRIGGER
    ),
];

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !ships(file) {
        return;
    }
    let mut last = None;
    let side = &hunk.new;
    for (row, range) in rows::matches(&ROWS, file, hunk) {
        let line = side.line_at(range.start);
        let text = &side.live[side.line_range(line)];
        let is_device = text.contains("/dev/") || text.contains("/tmp/.X11-unix");
        let is_import =
            text.trim_start().starts_with("import ") || text.trim_start().starts_with("from ");
        let is_test = (text.contains("& stat.S_IWOTH")
            || text.contains("& S_IWOTH")
            || text.contains("~stat.")
            || text.contains("& ~")
            || text.contains("=="))
            && side.live[range.clone()].contains("S_I");
        let head = side.live[side.line_range(line).start..range.start].trim_start();
        if rows::is_shown(head)
            || last == Some(line)
            || is_device
            || is_import
            || is_test
            || side.live[range.clone()].contains("S_I")
                && side.live[range.end..]
                    .trim_start_matches(' ')
                    .starts_with("= ")
            || is_masked(&side.live[range.clone()])
            || only_reads_umask(side, line, &side.live[range.clone()])
        {
            continue;
        }
        last = Some(line);
        sink.hit(Hit::at(range, row.trigger));
    }
}

/// `old = os.umask(0)` with `os.umask(old)` right behind it: the only way to ask for the mask.
fn only_reads_umask(side: &Side, line: usize, matched: &str) -> bool {
    pattern!(KEPT, r"\$?(\w+)\s*:?=\s*(?:[\w.]+\.)?\w*[uU]mask\b");
    if !matched.to_ascii_lowercase().contains("umask") {
        return false;
    }
    let Some(name) = KEPT
        .captures(&side.code[side.line_range(line)])
        .and_then(|c| c.get(1))
    else {
        return false;
    };
    let last = (line + 2).min(side.lines.len() - 1);
    let after = &side.code[side.line_range(line).end..side.line_range(last).end];
    after.to_ascii_lowercase().contains("umask")
        && after
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == name.as_str())
}

/// `1777` is the sticky bit of `/tmp`.
fn is_masked(mode: &str) -> bool {
    let digits = mode.trim_start_matches("0o").trim_start_matches('0');
    digits.len() == 4 && digits.starts_with('1')
}
