//! Diffs of any size in several languages, ordinary code with a fault now and then.

use std::fmt::Write;

const PYTHON: &[&str] = &[
    "def load_{i}(path, limit=10):",
    "    \"\"\"Reads at most `limit` rows from path.\"\"\"",
    "    rows = []",
    "    with open(path, encoding=\"utf-8\") as source:",
    "        for number, line in enumerate(source):",
    "            if number >= limit:  # enough",
    "                break",
    "            rows.append(line.strip().split(\",\"))",
    "    return {{\"path\": path, \"rows\": rows, \"count\": len(rows)}}",
    "",
];
const JAVASCRIPT: &[&str] = &[
    "export async function load{i}(url, {{ retries = 3 }} = {{}}) {{",
    "  const response = await fetch(url, {{ headers: {{ accept: 'application/json' }} }});",
    "  if (!response.ok) {{",
    "    throw new Error(`load{i}: ${{response.status}} from ${{url}}`);",
    "  }}",
    "  // the body may be large",
    "  return response.json();",
    "}}",
    "",
];
const RUST: &[&str] = &[
    "/// Sums what `items` hold, item {i}.",
    "pub fn total_{i}(items: &[Item]) -> Result<u64, Overflow> {{",
    "    let mut sum = 0u64;",
    "    for item in items {{",
    "        sum = sum.checked_add(item.amount).ok_or(Overflow)?;",
    "    }}",
    "    Ok(sum)",
    "}}",
    "",
];
const GO: &[&str] = &[
    "// Load{i} reads the file at path.",
    "func Load{i}(path string) ([]byte, error) {{",
    "\tdata, err := os.ReadFile(path)",
    "\tif err != nil {{",
    "\t\treturn nil, fmt.Errorf(\"load {i}: %w\", err)",
    "\t}}",
    "\treturn data, nil",
    "}}",
    "",
];

/// A diff with about `lines` added lines in files of 200 lines each; every tenth file has one
/// fault.
pub fn generate(lines: usize) -> String {
    let languages = [("py", PYTHON), ("js", JAVASCRIPT), ("rs", RUST), ("go", GO)];
    let mut diff = String::with_capacity(lines * 60);
    for file in 0..lines.div_ceil(200) {
        let (extension, code) = languages[file % languages.len()];
        let fault = file % 10 == 4;
        let path = format!("src/part{}/unit{file}.{extension}", file / 50);
        let count = 200 + usize::from(fault);
        let _ = write!(
            diff,
            "diff --git a/{path} b/{path}\nnew file mode 100644\nindex 0000000..1234567\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{count} @@\n"
        );
        for line in 0..200 {
            let text = code[line % code.len()];
            let number = (file * 1000 + line).to_string();
            let text = text
                .replace("{i}", &number)
                .replace("{{", "{")
                .replace("}}", "}");
            let _ = writeln!(diff, "+{text}");
        }
        if fault {
            let _ = writeln!(diff, "+{}", faulty(extension));
        }
    }
    diff
}

/// A diff with `files` files and exactly one finding in each.
pub fn one_finding_each(files: usize) -> String {
    let mut diff = String::with_capacity(files * 160);
    for file in 0..files {
        let path = format!("src/unit{file}.py");
        let fault = faulty("py");
        let _ = write!(
            diff,
            "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1,2 @@\n import requests\n+{fault}\n"
        );
    }
    diff
}

fn faulty(extension: &str) -> &'static str {
    match extension {
        "py" => "reply = requests.get(\"https://example.net/a\", verify=False)",
        "js" => "const agent = new https.Agent({ rejectUnauthorized: false });",
        "rs" => "let client = Client::builder().danger_accept_invalid_certs(true).build()?;",
        _ => "config := &tls.Config{InsecureSkipVerify: true}",
    }
}
