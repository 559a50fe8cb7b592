//! Secrets that were never issued, made when the corpus is read.
//!
//! A key format is only worth testing with text that a scanner takes for real, checksum included;
//! such text must not lie in a repository. So the corpus holds `{{mint:KIND:SEED}}` and the test
//! puts the text there. `{{mint:char:HEX}}` is one character, so that invisible ones stay visible
//! in the corpus.

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &[u8] = b"0123456789abcdef";
const DIGITS: &[u8] = b"123456789";

/// The text with every mark replaced.
pub(crate) fn expand(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{mint:") {
        out.push_str(&rest[..start]);
        let end = rest[start..].find("}}").expect("a mark ends with }}") + start;
        let (kind, seed) = rest[start + 7..end]
            .split_once(':')
            .expect("{{mint:KIND:SEED}}");
        out.push_str(&make(kind, seed));
        rest = &rest[end + 2..];
    }
    out.push_str(rest);
    out
}

fn make(kind: &str, seed: &str) -> String {
    if kind == "char" {
        let code = u32::from_str_radix(seed, 16).expect("hexadecimal");
        return char::from_u32(code).expect("a character").to_string();
    }
    let mut dice = Dice(
        seed.parse::<u64>()
            .expect("a number")
            .wrapping_mul(0x9e37_79b9),
    );
    let mut pick = |alphabet: &[u8], len: usize| dice.text(alphabet, len);
    match kind {
        "ghp" => checked("ghp_", &pick(BASE62, 30)),
        "npm" => checked("npm_", &pick(BASE62, 30)),
        "github_pat" => format!("github_pat_{}_{}", pick(BASE62, 22), pick(BASE62, 59)),
        "akia" => format!("AKIA{}", pick(BASE32, 16)),
        "aws_secret" => pick(BASE64, 40),
        "stripe" => format!("sk_live_{}", pick(BASE62, 24)),
        "xoxb" => format!(
            "xoxb-{}-{}-{}",
            pick(DIGITS, 12),
            pick(DIGITS, 13),
            pick(BASE62, 24)
        ),
        "slackhook" => {
            format!(
                "T{}/B{}/{}",
                pick(BASE32, 8),
                pick(BASE32, 10),
                pick(BASE62, 24)
            )
        }
        "glpat" => format!("glpat-{}", pick(BASE62, 20)),
        "aiza" => format!("AIzaSy{}", pick(BASE62, 33)),
        "sendgrid" => format!("SG.{}.{}", pick(URL_SAFE, 22), pick(URL_SAFE, 43)),
        "openai" => format!(
            "sk-proj-{}T3BlbkFJ{}",
            pick(URL_SAFE, 74),
            pick(URL_SAFE, 74)
        ),
        "anthropic" => format!("sk-ant-api03-{}AA", pick(URL_SAFE, 93)),
        "dop" => format!("dop_v1_{}", pick(HEX, 64)),
        "telegram" => format!("{}:AA{}", pick(DIGITS, 10), pick(URL_SAFE, 33)),
        "pypi" => format!("pypi-AgEIcHlwaS5vcmcC{}", pick(URL_SAFE, 140)),
        "hf" => format!("hf_{}", pick(LETTERS, 34)),
        "pem" => pick(BASE64, 64),
        "random" => pick(BASE62, 20),
        "random40" => pick(BASE62, 40),
        other => panic!("no such kind: {other}"),
    }
}

/// A token that ends in six base-62 digits of its random part's CRC-32.
fn checked(prefix: &str, body: &str) -> String {
    let mut sum = crc32(body.as_bytes());
    let mut tail = [b'0'; 6];
    for digit in tail.iter_mut().rev() {
        *digit = BASE62[(sum % 62) as usize];
        sum /= 62;
    }
    format!("{prefix}{body}{}", String::from_utf8_lossy(&tail))
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
        }
        crc
    })
}

/// Splitmix64: the same seed gives the same text on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn text(&mut self, alphabet: &[u8], len: usize) -> String {
        (0..len)
            .map(|_| char::from(alphabet[self.next() as usize % alphabet.len()]))
            .collect()
    }
}
