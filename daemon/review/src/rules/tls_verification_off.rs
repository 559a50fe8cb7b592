//! `tls-verification-off`: a connection that accepts any certificate.

use std::ops::Range;

use crate::{
    finding::Severity,
    language::Language,
    matching::{
        calls, pattern,
        rows::{self, Row, row},
        ships,
    },
    rule::{Check, Fix, Hit, Rule, Sink},
    view::{FileView, HunkView},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "tls-verification-off",
    severity: Severity::Critical,
    title: "TLS verification turned off",
    reason: "Anyone on the way can answer in the server's place, read the traffic and change it.",
    explain: "\
Finds switched-off certificate or host name checks: `verify=False`, `CERT_NONE`, \
`rejectUnauthorized: false`, `InsecureSkipVerify: true`, `danger_accept_invalid_certs(true)`, \
`curl -k`, `CURLOPT_SSL_VERIFYPEER` set to 0, trust managers and host name verifiers that accept \
everything, and their like in twenty languages and in configuration.\n\n\
Leaves alone: tests, documentation, comments, comparisons with such a constant, `curl -k` to the \
machine itself.\n\n\
Do: keep the check on. For a private certificate authority, name its certificate \
(`verify=\"/etc/ssl/ca.pem\"`, `ca:`, `RootCAs`, `--cacert`).",
    languages: &[],
    triggers: &[
        "verify",
        "unverified",
        "cert",
        "hostname",
        "insecure",
        "rejectunauthorized",
        "strict-ssl",
        "strictssl",
        "tls_reject",
        "_unverified_context",
        "curl",
        "ssl=false",
        "ssl = false",
        "trustall",
        "trust_all",
        "sslcontext",
        "urlcredential(trust",
        "disabledtrustevaluator",
        "verifier",
        "checkserveridentity",
        "tls_reqcert",
        "validatesdomainname",
        "trustmanager",
        "ignorehostkey",
        "autoaddpolicy",
        "stricthostkeychecking",
        "trusted-host",
        "disableevaluation",
        ":insecure",
        "dangerous()",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const ANYONE: &str = "Whoever controls the network (open Wi-Fi, a proxy, DNS) presents a certificate of their own and is believed.";

static ROWS: [Row; 31] = [
    row!(
        Code,
        [Terraform],
        r"(?m)^[ \t]*(insecure\s*=\s*true)\b",
        ANYONE
    ),
    row!(
        Live,
        [Json, Shell, Dockerfile, Yaml, Makefile],
        r#"\bNODE_TLS_REJECT_UNAUTHORIZED=["']?0\b"#,
        ANYONE
    ),
    row!(
        Code,
        [Python],
        r"\b(?:verify_ssl|ssl_verify|verify_certs|verify_tls|verify_certificate|validate_certs?|check_hostname|assert_hostname|ssl_check_hostname)\s*=\s*False\b",
        ANYONE
    ),
    row!(
        Live,
        [Python],
        r#"["'](?:verify_ssl|ssl_verify|verify_certs|verify_tls|validate_certs|check_hostname|assert_hostname)["']\]?\s*[:=]\s*False\b"#,
        ANYONE
    ),
    row!(
        Live,
        [Python],
        r#"\b(?:disable_ssl_certificate_validation|tlsAllowInvalidCertificates|tlsInsecure)["']?\]?\s*[=:]\s*[tT]rue\b|\bssl_cert_reqs\s*=\s*None\b|\bcert_reqs\s*=\s*["']CERT_NONE["']"#,
        ANYONE
    ),
    row!(
        Code,
        [Python, Ruby, C, Cpp, Perl, Lua, Php],
        r"(?m)(?:[^=!<>]=>?|[(,|:]|\breturn)\s*((?:\w+(?:\.|::))*(?:SSL_)?(?:CERT_NONE|VERIFY_NONE|verify_none))\b",
        ANYONE
    ),
    row!(
        Code,
        [Python],
        r"\b(?:\w+\.)?_create_unverified_context\b",
        ANYONE
    ),
    row!(
        Code,
        [Python],
        r"\b(?:get|post|put|patch|delete|request|ws_connect|TCPConnector|head)\s*\(\s*(?:[^()]*(?:\([^()]*\)[^()]*)*?,\s*)?(ssl\s*=\s*False)\b",
        ANYONE
    ),
    row!(
        Entry,
        [JavaScript, TypeScript, Vue, Json],
        r#"\brejectUnauthorized["']?\]?\s*[:=]\s*(?:false\b|!1\b)"#,
        ANYONE
    ),
    row!(
        Code,
        [JavaScript, TypeScript, Vue],
        r"\bstrictSSL\s*[:=]\s*false\b|\bcheckServerIdentity\s*[:=]\s*(?:\([^)]*\)\s*=>\s*(?:undefined\b|null\b|true\b|\{\s*(?:return\s*(?:undefined|null)?;?\s*)?\})|function\s*\([^)]*\)\s*\{\s*(?:return\s*(?:undefined|null)?;?\s*)?\})",
        ANYONE
    ),
    row!(
        Entry,
        [],
        r#"\bNODE_TLS_REJECT_UNAUTHORIZED["'\])}]*\s*(?:=|:|,|=>)?\s*["'`]?0\b"#,
        ANYONE
    ),
    row!(
        Code,
        [Go],
        r"\bInsecureSkipVerify\s*(?::|=)\s*true\b",
        ANYONE
    ),
    row!(
        Code,
        [Rust],
        r"\b(?:danger_)?accept_invalid_(?:certs|hostnames)\s*\(\s*true\s*\)|\b(?:\w+::)*SslVerifyMode::NONE\b|\bServerCertVerified::assertion\s*\(\s*\)|\bset_verify_hostname\s*\(\s*false\s*\)|\bverify_hostname\s*\(\s*false\s*\)",
        ANYONE
    ),
    row!(
        Code,
        [],
        r#"(?i)\bCURLOPT_SSL_VERIFY(?:PEER|HOST)\s*(?:,|=>|\]\s*=|:)\s*(?:false|0L?)\b"#,
        ANYONE
    ),
    row!(
        Live,
        [Php],
        r#"(?i)["'](?:verify_peer|verify_peer_name|sslverify|verify)["']\s*=>\s*(?:false|0)\b|["']allow_self_signed["']\s*=>\s*true\b|->withoutVerifying\s*\(\s*\)"#,
        ANYONE
    ),
    row!(
        Code,
        [CSharp, PowerShell],
        r"\bServerCertificate(?:Custom)?ValidationCallback\s*\+?=[^;]*?(?:=>\s*true\b|return\s+true\b|\$true\b)|\bDangerousAcceptAnyServerCertificateValidator\b|\bRemoteCertificateValidationCallback\s*\([^;]*?(?:=>\s*true\b|return\s+true\b)|-SkipCertificateCheck\b|\bServerCertificate(?:Custom)?ValidationCallback\s*=>?\s*delegate[^;]*?return\s+true\b",
        ANYONE
    ),
    row!(
        Code,
        [Java, Kotlin, Scala],
        r"\bcheckServerTrusted\s*\((?:[^()]|\([^()]*\))*\)\s*(?:throws\s+[\w., ]+)?(?::\s*Unit\s*)?(?:=\s*(?:Unit\b|\(\s*\)|\{\s*\})|\{\s*(?:return;?\s*)?\})",
        ANYONE
    ),
    row!(
        Code,
        [Java, Kotlin, Scala],
        r"\b(?:TrustAllStrategy|NoopHostnameVerifier|ALLOW_ALL_HOSTNAME_VERIFIER|AllowAllHostnameVerifier|InsecureTrustManagerFactory)\s*(?:\.|\(|\)|,|;)|\b(?:setTrustAll|trustAll)\s*\(\s*true\s*\)|\b\w*[hH]ostnameVerifier\s*\(?\s*(?:\(?[^(){}]*\)?\s*->\s*true\b|\{[^{}]*\btrue\s*\})|\bloadTrustMaterial\s*\([^;\n]*?->\s*true\b",
        ANYONE
    ),
    row!(
        Code,
        [Java],
        r"\bboolean\s+verify\s*\(\s*(?:final\s+)?String\s+\w+\s*,\s*(?:final\s+)?SSLSession\s+\w+\s*\)\s*\{\s*return\s+true\s*;",
        ANYONE
    ),
    row!(
        Code,
        [Kotlin],
        r"\bfun\s+verify\s*\([^()]*SSLSession\??\s*\)\s*(?::\s*Boolean\s*)?(?:=\s*true\b|\{\s*return\s+true\b)",
        ANYONE
    ),
    row!(
        Code,
        [Ruby],
        r"\b(?:HTTParty|Faraday|HTTP|Excon)\.\w+\s*\([^()\n]*\bverify\s*:\s*false\b|\b(?:verify_ssl|verify_peer|ssl_verify)\s*(?::|=>|=)\s*false\b|\bssl\s*:\s*\{\s*verify\s*:\s*false\b|\bssl_options\s*:\s*\{[^{}]*\bverify\s*:\s*false\b|\bssl\.verify\s*=\s*false\b|\bverify\s*:\s*false\s*\}",
        ANYONE
    ),
    row!(
        Code,
        [Swift, ObjectiveC],
        r"\.disableEvaluation\b|\bDisabledTrustEvaluator\s*\(|\ballowInvalidCertificates\s*=\s*(?:true|YES)\b|\bvalidatesDomainName\s*=\s*(?:false|NO)\b|\ballowsAnyHTTPSCertificate\w*\s*[:=]\s*(?:true|YES)\b|\bcompletionHandler\s*\(\s*\.useCredential\s*,\s*(?:URLCredential\s*\(\s*trust:|\.init\s*\(\s*trust:)",
        ANYONE
    ),
    row!(
        Code,
        [Dart],
        r"\bbadCertificateCallback\s*[:=]\s*(?:\([^()]*\)|\(\([^)]*\)\))\s*(?:=>\s*true\b|\{\s*return\s+true\b)|\bonBadCertificate\s*:\s*\([^()]*\)\s*=>\s*true\b",
        ANYONE
    ),
    row!(
        Live,
        [Elixir, Perl, Lua],
        r#"\bhackney:\s*\[[^\]\n]*:insecure\b|\bverify:\s*:verify_none\b|\bSSL_verify_mode\s*=>\s*(?:0x00|0)\b|\bverify_hostname\s*=>\s*0\b|\bPERL_LWP_SSL_VERIFY_HOSTNAME["'}]*\s*=\s*0\b|\bverify\s*=\s*["']none["']|\bssl_verify\s*=\s*false\b"#,
        ANYONE
    ),
    row!(
        Live,
        [
            Shell, Dockerfile, Yaml, Makefile, PowerShell, Python, Ruby, JavaScript, TypeScript,
            Php, Go, Perl, Toml, Json, Ini, Unknown
        ],
        r#"\bcurl(?:\.exe)?\b(?:[^\n|;&#]|\\\n|&[^&\n])*?[ \t"'](--insecure|-[sSfLivIgOJN#]*k[sSfLivIgOJNoXHd]*)(?:["',\s\\]|$)|\bwget\b(?:[^\n|;&#]|\\\n)*?(--no-check-certificate)\b"#,
        ANYONE
    ),
    row!(
        Live,
        [],
        r#"(?i)\bhttp\.sslVerify["']?[ =,]+["']?(?:false|0)\b|(?m)^[ \t]*sslverify\s*=\s*(?:false|0)\b|\bGIT_SSL_NO_VERIFY["'\]]*\s*[=:]\s*["']?(?:1|true)\b|\bPYTHONHTTPSVERIFY["'\]]*\s*[=:]\s*["']?0\b|\bstrict-ssl(?:\s*=\s*|\s+|["']?\s*:\s*)["']?false\b|--insecure-skip-tls-verify(?:=true|\s|$)|--no-verify-ssl\b|--disable-ssl-validation\b|--tlsverify=false|\bTLS_REQCERT\s*[ =:]\s*["']?never\b|\bconda\s+config\b[^\n]*ssl_verify\s+(?:false|no)\b"#,
        ANYONE
    ),
    row!(
        Code,
        [Go, Python],
        r"\bssh\.InsecureIgnoreHostKey\s*\(|\bset_missing_host_key_policy\s*\(\s*(?:paramiko\.)?AutoAddPolicy\b",
        ANYONE
    ),
    row!(
        Live,
        [Shell, Dockerfile, Yaml, Makefile, Ini],
        r"\bpip3?\s+install\b(?:[^\n|;&#]|\\\n)*?(--trusted-host)\b|(?m)^[ \t]*(trusted-host)\s*=|\b(StrictHostKeyChecking[= ]no)\b",
        ANYONE
    ),
    row!(
        Live,
        [CSharp, Json, Xml, Yaml, Java, Ini, PowerShell],
        r"(?i)\bTrustServerCertificate\s*=\s*(?:true|yes)\b",
        ANYONE
    ),
    row!(
        Code,
        [Rust],
        r"\.dangerous\s*\(\s*\)\s*\.\s*(?:with_custom_certificate_verifier|set_certificate_verifier)\s*\(",
        ANYONE
    ),
    row!(
        Live,
        [Yaml, Toml, Json, Terraform, Ini],
        r#"(?i)\b(?:insecure[-_]?skip[-_]?(?:tls[-_]?)?verify|tls[-_]?skip[-_]?verify|skip[-_]tls[-_]verify|allow_unverified_ssl|allow_insecure_ssl|tlsInsecureSkipVerify|disable_ssl_verification)["']?\s*[:=]\s*["']?(?:true|yes)\b|\b(?:validate_certs|verify_ssl|ssl_verify|verify_certs|tls_verify|sslVerify|verify_tls)["']?\s*[:=]\s*["']?(?:false|no|off)\b"#,
        ANYONE
    ),
];

pattern!(VERIFY, r#"\bverify\s*=\s*(?:\(\s*)?(?:False|0)\b"#);
pattern!(
    VERIFY_ENTRY,
    r#"["']verify["']\]?\s*[:=]\s*False\b|\bsetdefault\(\s*["']verify["']\s*,\s*False\b"#
);
pattern!(
    HTTP,
    r"(?i)\b(?:requests|httpx|urllib3?|aiohttp|niquests|curl_cffi|https?://|boto3?|hvac|kubernetes)\b|session"
);

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !ships(file) {
        return;
    }
    let side = &hunk.new;
    let mut found = rows::matches(&ROWS, file, hunk);
    found.retain(|(_, range)| !is_harmless(hunk, range));
    let kept = rows::merge(found, hunk, 2);
    let mut last = None;
    for (row, range) in kept {
        last = Some(side.line_at(range.start));
        sink.hit(Hit::at(range, row.trigger));
    }
    if file.language == Language::Python {
        requests(hunk, last, sink);
    }
}

/// Imports, conditions and the machine itself.
fn is_harmless(hunk: &HunkView<'_>, range: &Range<usize>) -> bool {
    let side = &hunk.new;
    let line = &side.live[side.line_range(side.line_at(range.start))];
    let head = line.trim_start();
    if head.starts_with("import ") || head.starts_with("from ") || head.starts_with("use ") {
        return true;
    }
    let matched = &side.live[range.clone()];
    let is_default = matched.ends_with("CERT_NONE") || matched.ends_with("_unverified_context");
    if is_default && in_signature(&side.code, range.start) {
        return true;
    }
    let is_curl = side.live[range.clone()].starts_with('-') || line.contains("curl");
    let end = calls::expression_end(&side.code, range.end);
    let around = &side.live[side.line_range(side.line_at(range.start)).start..end.max(range.end)];
    if is_curl && rows::is_shown(head) {
        return true;
    }
    is_curl
        && ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"]
            .iter()
            .any(|h| around.contains(h))
}

/// `verify=False` as an argument, an attribute or an entry, where it is about HTTP.
fn requests(hunk: &HunkView<'_>, last: Option<usize>, sink: &mut Sink) {
    let side = &hunk.new;
    let _ = last;
    for found in VERIFY.find_iter(&side.code) {
        let range = found.range();
        if side.in_test(range.start) {
            continue;
        }
        if side.code[..range.start].ends_with('.') {
            let owner = calls::last_word(&side.code[..range.start - 1]);
            if is_http_owner(owner) || HTTP.is_match(&side.live) {
                sink.hit(Hit::at(range, ANYONE));
            }
            continue;
        }
        let Some(open) = enclosing_bracket(&side.code, range.start) else {
            continue;
        };
        let name = calls::last_word(side.code[..open].trim_end());
        let name_at = side.code[..open].trim_end().len() - name.len();
        let owner = match calls::qualifier(&side.code, name_at) {
            calls::Qualifier::Word(word) => word,
            _ => "",
        };
        if calls::word_before(&side.code, name_at) == "def" || !is_http_call(owner, name, hunk) {
            continue;
        }
        let in_brackets = side.code[range.clone()].contains('(');
        let fix = (!in_brackets)
            .then_some(())
            .and_then(|()| removal(&side.code, open, &range));
        let hit = Hit::at(range, ANYONE);
        sink.hit(match fix {
            Some(fix) => hit.fix(fix),
            None => hit,
        });
    }
    for found in VERIFY_ENTRY.find_iter(&side.live) {
        let is_text = side.code.as_bytes()[found.start()] == b' ';
        if !is_text && HTTP.is_match(&side.live) && !side.in_test(found.start()) {
            sink.hit(Hit::at(found.range(), ANYONE));
        }
    }
}

fn is_http_owner(owner: &str) -> bool {
    let owner = owner.to_ascii_lowercase();
    matches!(owner.as_str(), "s" | "sess" | "r")
        || ["session", "client", "http", "request", "conn"]
            .iter()
            .any(|w| owner.contains(w))
}

fn is_http_call(owner: &str, name: &str, hunk: &HunkView<'_>) -> bool {
    if ["jwt", "jws", "jose"].contains(&owner)
        || ["decode", "encode", "loads", "load"].contains(&name)
    {
        return false;
    }
    const METHODS: [&str; 16] = [
        "get",
        "post",
        "put",
        "patch",
        "delete",
        "head",
        "options",
        "request",
        "send",
        "stream",
        "Session",
        "Client",
        "AsyncClient",
        "HTTPTransport",
        "AsyncHTTPTransport",
        "download",
    ];
    METHODS.contains(&name) || is_http_owner(owner) || HTTP.is_match(&hunk.new.live)
}

/// The name or a default of a function of Python that is being defined.
fn in_signature(code: &str, offset: usize) -> bool {
    let defines = |at: usize| calls::word_before(code, at) == "def";
    defines(offset)
        || enclosing_bracket(code, offset).is_some_and(|open| {
            let head = code[..open].trim_end();
            defines(head.len() - calls::last_word(head).len())
        })
}

/// The bracket `(` that the offset lies in.
fn enclosing_bracket(code: &str, offset: usize) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, byte) in code.as_bytes()[..offset]
        .iter()
        .enumerate()
        .rev()
        .take(4096)
    {
        match byte {
            b')' | b']' | b'}' => depth += 1,
            b'(' | b'[' | b'{' if depth == 0 => return (*byte == b'(').then_some(at),
            b'(' | b'[' | b'{' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Takes the argument out of its call, with the comma that goes with it.
fn removal(code: &str, open: usize, argument: &Range<usize>) -> Option<Fix> {
    let bytes = code.as_bytes();
    let inside = calls::inside(code, open);
    if bytes.get(inside.end) != Some(&b')') {
        return None;
    }
    let line_start = code[..argument.start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = code[argument.end..]
        .find('\n')
        .map_or(code.len(), |at| argument.end + at);
    let before = code[line_start..argument.start].trim();
    let after = code[argument.end..line_end].trim();
    if before.is_empty() && (after == "," || after.is_empty()) {
        let follows_comma = code[open + 1..argument.start].trim_end().ends_with(',');
        let is_first = code[open + 1..argument.start].trim().is_empty();
        return (follows_comma || is_first).then(|| Fix::RemoveLines(argument.clone()));
    }
    let head = code[line_start.max(open + 1)..argument.start].trim_end_matches([' ', '\t']);
    if head.ends_with(',') {
        let start = line_start.max(open + 1) + head.len() - 1;
        return Some(Fix::Replace(start..argument.end, String::new()));
    }
    if !head.trim().is_empty() {
        return None;
    }
    let tail = &code[argument.end..line_end];
    let skipped = tail.strip_prefix(',').map_or(0, |rest| {
        1 + (rest.len() - rest.trim_start_matches([' ', '\t']).len())
    });
    Some(Fix::Replace(
        argument.start..argument.end + skipped,
        String::new(),
    ))
}
