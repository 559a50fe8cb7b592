//! `weak-cipher`: encryption that is broken, or used in a way that breaks it.

use crate::{
    finding::Severity,
    language::Language,
    matching::{
        imports::Imports,
        rows::{self, Row, row},
        ships,
    },
    rule::{Check, Hit, Rule, Sink},
    view::{FileView, HunkView, Side},
};

/// The rule.
pub static RULE: Rule = Rule {
    id: "weak-cipher",
    severity: Severity::Major,
    title: "Weak encryption",
    reason: "The text can be read, or changed unnoticed, without the key.",
    explain: "\
Finds DES, Triple DES, RC2, RC4 and Blowfish, ECB mode, fixed initialization vectors, RSA keys under 2048 bits, \
RSA with PKCS#1 v1.5 padding for encryption, `createCipher` without a vector, and SSL 2, 3, TLS 1.0, 1.1 as a version to speak.\n\n\
Leaves alone: names in comments and strings elsewhere, lists of what is refused, tests.\n\n\
Do: use AES-GCM or ChaCha20-Poly1305 with a fresh nonce, RSA-OAEP with 3072 bits, TLS 1.2 or later.",
    languages: &[],
    triggers: &[
        "des",
        "rc4",
        "rc2",
        "arc4",
        "blowfish",
        "ecb",
        "pkcs1",
        "rsa",
        "iv",
        "cipher",
        "tlsv1",
        "sslv",
        "tls10",
        "tls11",
        "versiontls1",
        "nonce",
        "tls_1_0",
        "tls1",
    ],
    strict_only: false,
    never_silenced_by_change: false,
    check: Check::Hunk(check),
};

const OLD: &str =
    "The cipher is broken: recorded traffic and stored data can be read without the key.";
const ECB: &str = "Equal blocks give equal ciphertext: patterns of the text show through.";
const IV: &str = "With the same vector every time, equal texts show, and in counter modes two ciphertexts give both texts away.";
const RSA: &str = "A key this short is factored with rented machines.";
const PADDING: &str =
    "Who can ask whether a padding is right decrypts the message (Bleichenbacher).";
const PROTOCOL: &str = "An attacker on the way picks the old protocol and reads the traffic.";

static ROWS: [Row; 20] = [
    row!(
        Code,
        [Python],
        r"\b((?:DES3?|ARC4|ARC2|Blowfish|CAST)\.new)\s*\(|\b(?:algorithms|ciphers)\.(TripleDES|ARC4|Blowfish|IDEA|SEED|CAST5)\s*\(",
        OLD
    ),
    row!(
        Code,
        [Python, Ruby, CSharp, Kotlin, Scala, Dart, Swift, Go],
        r"\b((?:\w+\.MODE_ECB|modes\.ECB\s*\(|CipherMode\.ECB|CryptoJS\.mode\.ECB|AESMode\.ecb|kCCOptionECBMode|NewECBEncrypter|NewECBDecrypter))",
        ECB
    ),
    row!(
        Code,
        [JavaScript, TypeScript, Vue],
        r"\b(CryptoJS\.mode\.ECB|CryptoJS\.(?:DES|TripleDES|RC4|Rabbit)\.encrypt|mode\.ECB)\b",
        ECB
    ),
    row!(
        Live,
        [JavaScript, TypeScript, Vue],
        r#"\bcreate(?:Cipher|Decipher)(?:iv)?\s*\(\s*["'`]((?i:des[-\w]*|rc4[-\w]*|rc2[-\w]*|bf[-\w]*|[\w-]*-ecb))["'`]"#,
        OLD
    ),
    row!(
        Code,
        [JavaScript, TypeScript],
        r"\bcrypto\.(create(?:Cipher|Decipher))\s*\(",
        IV
    ),
    row!(
        Live,
        [Java, Kotlin, Scala],
        r#"\b(?:Cipher|KeyGenerator|SecretKeyFactory)\s*\.\s*getInstance\s*\(\s*"((?i:DES(?:ede)?|RC4|RC2|ARCFOUR|Blowfish|TripleDES)(?:/[^"]*)?|(?i:AES/ECB)[^"]*)""#,
        ECB
    ),
    row!(
        Live,
        [Java, Kotlin, Scala],
        r#"\bCipher\s*\.\s*getInstance\s*\(\s*"(AES)""#,
        ECB
    ),
    row!(
        Live,
        [Java, Kotlin, Scala],
        r#"\bnew\s+SecretKeySpec\s*\([^)\n]*"((?i:DES(?:ede)?|RC4|RC2|Blowfish))"\s*\)|\b(?:SSLContext\s*\.\s*getInstance\s*\(\s*"((?i:SSLv?[23]?|TLSv1(?:\.[01])?))"\s*\))"#,
        OLD
    ),
    row!(
        Live,
        [Php],
        r#"(?i)\bopenssl_(?:en|de)crypt\s*\([^;]*?["']((?:des[-\w]*|rc4[-\w]*|bf[-\w]*|[\w-]*-ecb))["']|\b(mcrypt_encrypt|MCRYPT_(?:DES|3DES|RC2|RC4|BLOWFISH|MODE_ECB))\b"#,
        OLD
    ),
    row!(
        Live,
        [Ruby, Perl, Elixir, Lua],
        r#"(?i)\bCipher(?:::Cipher)?\s*(?:\.|::|->)?\s*(?:new)?\s*\(\s*["']((?:des[-\w]*|rc4[-\w]*|bf[-\w]*|[\w-]*-ecb))["']|:crypto\.crypto_one_time\s*\(\s*:(des_\w+|rc4|\w+_ecb)|\bCrypt::(DES|RC4|Blowfish)->new|\bCipher::(DES|RC4|BF|RC2)\b"#,
        OLD
    ),
    row!(
        Code,
        [Go],
        r"\b((?:des\.New(?:TripleDES)?Cipher|rc4\.NewCipher|blowfish\.NewCipher))\s*\(|\bMinVersion\s*:\s*(tls\.(?:VersionTLS10|VersionTLS11|VersionSSL30))\b",
        OLD
    ),
    row!(
        Code,
        [CSharp],
        r"\b(?:new\s+)?((?:DES|TripleDES|RC2)(?:CryptoServiceProvider|CryptoProvider|Cng)|(?:DES|TripleDES|RC2|RijndaelManaged)\.Create)\s*\(|\b(SslProtocols\.(?:Ssl2|Ssl3|Tls|Tls11)|SecurityProtocolType\.(?:Ssl3|Tls|Tls11))\b",
        OLD
    ),
    row!(
        Code,
        [C, Cpp, ObjectiveC],
        r"\b(EVP_(?:des|rc4|rc2|bf)_?\w*|EVP_aes_\d+_ecb|DES_(?:ecb_encrypt|ncbc_encrypt|set_key\w*)|RC4_set_key|kCCAlgorithm(?:DES|3DES|RC4|RC2|Blowfish)|kCCOptionECBMode|SSLv[23]_(?:client_|server_)?method|TLSv1(?:_1)?_(?:client_|server_)?method)\b",
        OLD
    ),
    row!(
        Code,
        [Rust],
        r"\b((?:Des|TdesEde3|TdesEde2|Rc4|Blowfish)::new(?:_from_slice)?|ecb::(?:Encryptor|Decryptor)|Cipher::(?:des_\w+|rc4|bf_\w+|aes_\d+_ecb)|Ecb::<)",
        OLD
    ),
    row!(
        Code,
        [Swift],
        r"\b(kCCAlgorithm(?:DES|3DES|RC4|Blowfish)|\.ecb\b|ECB\(\))",
        ECB
    ),
    row!(
        Code,
        [],
        r"(?i)\b(?:RSA\.generate\s*\(\s*|rsa\.GenerateKey\s*\(\s*rand\.Reader\s*,\s*|RSA(?:\.Create|CryptoServiceProvider)\s*\(\s*|key_size\s*=\s*|modulusLength\s*:\s*|RSA(?:::PKey::RSA)?\.(?:new|generate)\s*\(\s*|RsaPrivateKey::new\s*\(\s*&mut\s+\w+\s*,\s*|Rsa::generate\s*\(\s*|\bkpg\.initialize\s*\(\s*|keyGen\w*\.initialize\s*\(\s*|keyPairGen\w*\.initialize\s*\(\s*|RSA_generate_key_ex\s*\(\s*\w+\s*,\s*|NewKeyFromSize\s*\(\s*|rsa_bits\s*=\s*)(512|768|1024)\b",
        RSA
    ),
    row!(
        Code,
        [Python, Go, JavaScript, TypeScript, CSharp],
        r"\b(rsa\.EncryptPKCS1v15|rsa\.DecryptPKCS1v15|PKCS1_v1_5\.new|RSAEncryptionPadding\.Pkcs1)\s*\(?|\b(ssl\.PROTOCOL_(?:SSLv2|SSLv3|TLSv1|TLSv1_1)|ssl\.TLSVersion\.(?:SSLv3|TLSv1|TLSv1_1))\b",
        PADDING
    ),
    row!(
        Live,
        [JavaScript, TypeScript, Python, Ruby, Yaml, Ini, Terraform],
        r#"\b(?:secureProtocol|minVersion|min_version|minimum_protocol_version|ssl_version|ssl_protocols?|min_tls_version|minimum_tls_version|minimumTlsVersion)["']?\s*[:=]\s*[:"'`]?(SSLv[23]\w*|TLSv1(?:[._][01])?(?:_method)?|TLS1_[01]|TLS_1_[01]|1\.[01]|SSLv23_method)["'`]?\s*(?:[,;)}\n]|$)"#,
        PROTOCOL
    ),
    row!(
        Live,
        [Shell, Dockerfile, Makefile, Yaml],
        r"\bopenssl\s+(?:enc\b(?:[^\n|;&#]*?\s)-)?((?:des|des3|rc4|rc2|bf)(?:-[\w-]+)?|aes-?\d+-ecb)\b",
        OLD
    ),
    row!(
        Live,
        [Yaml, Ini, Unknown, Terraform, Json, Toml],
        r#"(?m)\b(?:ssl_protocols|SSLProtocol|ssl_min_version|tls_min_version|min_tls|tlsMinVersion|minTLSVersion|ssl_min_protocol_version|MinProtocol)["']?\s*[:=]?\s*["']?(?:[^\n;#]*?\s|all\s+)?[+]?(SSLv[23]|TLSv1(?:[._][01])?|TLS1[._][01]|VersionTLS1[01])(?:["'\s;,]|$)"#,
        PROTOCOL
    ),
];

static VECTORS: [Row; 5] = [
    row!(
        Live,
        [Python],
        r#"(?i)\b(?:iv|nonce|initialization_vector)\s*=\s*(b["'][^"'\n]*["'](?:\s*\*\s*\d+)?|bytes\s*\(\s*(?:16|12|8)\s*\)|["'][^"'\n]{8,}["']\s*\.encode\s*\()|\bmodes\.(?:CBC|CTR|GCM|OFB|CFB)\s*\(\s*(b["'][^"'\n]*["'](?:\s*\*\s*\d+)?|bytes\s*\(\s*\d+\s*\))|\bAES\.MODE_(?:CBC|CTR|GCM|CFB|OFB)\s*,\s*(?:iv\s*=\s*)?(b["'][^"'\n]*["'](?:\s*\*\s*\d+)?)"#,
        IV
    ),
    row!(
        Live,
        [JavaScript, TypeScript, Vue],
        r#"(?i)\b(?:iv|nonce)\s*[:=]\s*(Buffer\.alloc\s*\(\s*\d+\s*(?:,\s*0\s*)?\)|Buffer\.from\s*\(\s*["'`][^"'`$\n]+["'`]|new\s+Uint8Array\s*\(\s*\d+\s*\)\s*;|CryptoJS\.enc\.\w+\.parse\s*\(\s*["'`][^"'`\n]+["'`])|\bcreateCipheriv\s*\([^;]*?,\s*[^;,]+,\s*(Buffer\.alloc\s*\(\s*\d+\s*(?:,\s*0\s*)?\)|Buffer\.from\s*\(\s*["'`][^"'`$\n]+["'`]|["'`][^"'`$\n]{8,}["'`])"#,
        IV
    ),
    row!(
        Live,
        [Java, Kotlin, Scala],
        r#"\bIvParameterSpec\s*\(\s*(new\s+byte\s*\[\s*\d+\s*\]\s*\)|"[^"\n]+"\s*\.\s*(?:getBytes|toByteArray)|ByteArray\s*\(\s*\d+\s*\)\s*\))|\bGCMParameterSpec\s*\(\s*\d+\s*,\s*(new\s+byte\s*\[\s*\d+\s*\]\s*\)|"[^"\n]+"\s*\.\s*(?:getBytes|toByteArray)|ByteArray\s*\(\s*\d+\s*\)\s*\))"#,
        IV
    ),
    row!(
        Live,
        [Go, Rust],
        r#"\b(?:iv|nonce)\s*:?=\s*(\[\]byte\s*\(\s*"[^"\n]+"\s*\)|b"[^"\n]{8,}")|\bNewCBCEncrypter\s*\(\s*\w+\s*,\s*(\[\]byte\s*\(\s*"[^"\n]+"\s*\)|make\s*\(\[\]byte)|\bNonce::from_slice\s*\(\s*(b"[^"\n]+"|&\[0)|\bseal\s*\(\s*nil\s*,\s*(\[\]byte\s*\(\s*"[^"\n]+"\s*\))"#,
        IV
    ),
    row!(
        Live,
        [Ruby, Php, CSharp, Swift, Dart],
        r#"(?i)(?:\b\w+\.iv|\$iv|\bIV)\s*=\s*(["'][^"'\n$#]{8,}["']|new\s+byte\s*\[\s*16\s*\]\s*;|str_repeat\s*\(\s*["'][^"']*["']|Encoding\.\w+\.GetBytes\s*\(\s*"[^"\n]+"\s*\))|\bIV\.from(?:Utf8|Length|Base16|Base64)\s*\(\s*("[^"\n]+"|'[^'\n]+')"#,
        IV
    ),
];

fn check(file: &FileView<'_>, hunk: &HunkView<'_>, sink: &mut Sink) {
    if !ships(file) {
        return;
    }
    let mut found = rows::matches(&ROWS, file, hunk);
    found.extend(rows::matches(&VECTORS, file, hunk));
    found.sort_by_key(|(_, range)| range.start);
    let side = &hunk.new;
    if file.language == Language::Python && side.code.contains(".new") {
        for range in renamed(file, side) {
            sink.hit(Hit::at(range, OLD));
        }
    }
    let mut last = None;
    for (row, range) in found {
        let line = side.line_at(range.start);
        let text = &side.live[side.line_range(line)];
        if last == Some(line) || is_refusal(text) {
            continue;
        }
        last = Some(line);
        sink.hit(Hit::at(range, row.trigger));
    }
}

/// `from Crypto.Cipher import ARC4 as r`, then `r.new(key)`.
fn renamed(file: &FileView<'_>, side: &Side) -> Vec<std::ops::Range<usize>> {
    if !file.hunks.iter().any(|h| h.new.code.contains(" as ")) {
        return Vec::new();
    }
    const OLD_CIPHERS: [&str; 6] = ["DES", "DES3", "ARC2", "ARC4", "Blowfish", "CAST"];
    let imports = Imports::of(file);
    let mut found = Vec::new();
    for module in ["Crypto.Cipher", "Cryptodome.Cipher"] {
        for (member, alias) in imports.members(module) {
            if member == alias || !OLD_CIPHERS.contains(&member) {
                continue;
            }
            let call = format!("{alias}.new");
            found.extend(side.code.match_indices(&call).filter_map(|(at, text)| {
                let is_whole = !side.code[..at]
                    .ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.'));
                let is_call = side.code[at + text.len()..].trim_start().starts_with('(');
                (is_whole && is_call && !side.in_test(at)).then(|| at..at + text.len())
            }));
        }
    }
    found
}

/// Comparing with, refusing or disabling the old thing.
fn is_refusal(line: &str) -> bool {
    let head = line.trim_start();
    [
        "==",
        "!=",
        "NO_SSL",
        "OP_NO_",
        "disabled",
        "forbid",
        "deprecat",
        "unsupported",
        "raise ",
        "throw ",
        "decrypt_legacy",
        "legacy",
        "reject",
    ]
    .iter()
    .any(|w| line.contains(w))
        || head.starts_with("case ")
        || head.starts_with("import ")
        || head.starts_with("from ")
        || head.starts_with("use ")
}
