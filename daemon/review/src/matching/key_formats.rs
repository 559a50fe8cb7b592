//! The published formats of keys: one row each.

use crate::finding::Severity;

/// A format of keys.
pub struct Format {
    /// What it is called.
    pub name: &'static str,
    /// What it starts with.
    pub prefix: &'static str,
    /// Which bytes follow.
    pub class: fn(u8) -> bool,
    /// How many of them, at least.
    pub min: usize,
    /// How many of them, at most.
    pub max: usize,
    /// Longer runs of the class count too, cut at `max`.
    pub open_ended: bool,
    /// No letter, digit, `_` or `-` may stand before it.
    pub bounded: bool,
    /// What else holds of a real one.
    pub proof: Proof,
    /// Only a secret with its other half near.
    pub needs_partner: bool,
    /// Replaces the rule's severity.
    pub severity: Option<Severity>,
}

/// What else holds of a real key.
#[derive(Clone, Copy)]
pub enum Proof {
    /// Nothing.
    None,
    /// Letters and digits are mixed, and it isn't words.
    Mixed,
    /// The last six of 36 are the CRC-32 of the others in base 62.
    Crc,
    /// Parts between dots have at least these lengths.
    Parts(&'static [usize]),
    /// A JSON web token.
    Jwt,
    /// Digits stand before the prefix.
    Telegram,
    /// `T…/B…/…`.
    SlackWebhook,
}

fn alnum(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}
fn upper(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}
fn hex(b: u8) -> bool {
    matches!(b, b'0'..=b'9' | b'a'..=b'f')
}
fn any_hex(b: u8) -> bool {
    b.is_ascii_hexdigit()
}
fn url(b: u8) -> bool {
    alnum(b) || matches!(b, b'_' | b'-')
}
fn word(b: u8) -> bool {
    alnum(b) || b == b'_'
}
fn dash(b: u8) -> bool {
    alnum(b) || b == b'-'
}
fn dotted(b: u8) -> bool {
    url(b) || b == b'.'
}
fn base64(b: u8) -> bool {
    alnum(b) || matches!(b, b'+' | b'/' | b'=')
}
fn path(b: u8) -> bool {
    url(b) || b == b'/'
}

const fn key(
    name: &'static str,
    prefix: &'static str,
    class: fn(u8) -> bool,
    min: usize,
    max: usize,
) -> Format {
    Format {
        name,
        prefix,
        class,
        min,
        max,
        open_ended: false,
        bounded: true,
        proof: Proof::None,
        needs_partner: false,
        severity: None,
    }
}

impl Format {
    const fn proof(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }
    const fn open_ended(mut self) -> Self {
        self.open_ended = true;
        self
    }
    const fn unbounded(mut self) -> Self {
        self.bounded = false;
        self
    }
    const fn needs_partner(mut self) -> Self {
        self.needs_partner = true;
        self
    }
    const fn severity(mut self, severity: Severity) -> Self {
        self.severity = Some(severity);
        self
    }
}

/// Every format.
pub static FORMATS: &[Format] = &[
    key("AWS access key", "AKIA", upper, 16, 16),
    key("AWS access key", "ASIA", upper, 16, 16),
    key("AWS access key", "ABIA", upper, 16, 16),
    key("AWS access key", "ACCA", upper, 16, 16),
    key("GitHub token", "ghp_", alnum, 36, 36).proof(Proof::Crc),
    key("GitHub token", "gho_", alnum, 36, 36).proof(Proof::Crc),
    key("GitHub token", "ghu_", alnum, 36, 36).proof(Proof::Crc),
    key("GitHub token", "ghs_", alnum, 36, 251).proof(Proof::Crc),
    key("GitHub token", "ghr_", alnum, 36, 76).proof(Proof::Crc),
    key("GitHub token", "github_pat_", word, 60, 90),
    key("GitLab token", "glpat-", dotted, 20, 60).proof(Proof::Mixed),
    key("GitLab token", "gldt-", url, 20, 40).proof(Proof::Mixed),
    key("GitLab token", "glptt-", url, 20, 60).proof(Proof::Mixed),
    key("GitLab token", "glrt-", dotted, 20, 60).proof(Proof::Mixed),
    key("GitLab token", "glcbt-", url, 20, 60).proof(Proof::Mixed),
    key("Slack token", "xoxb-", dash, 20, 120).proof(Proof::Mixed),
    key("Slack token", "xoxp-", dash, 20, 120).proof(Proof::Mixed),
    key("Slack token", "xoxa-", dash, 20, 120).proof(Proof::Mixed),
    key("Slack token", "xoxr-", dash, 20, 120).proof(Proof::Mixed),
    key("Slack token", "xoxs-", dash, 20, 120).proof(Proof::Mixed),
    key("Slack token", "xoxe.xoxp-", dash, 20, 200).proof(Proof::Mixed),
    key("Slack app token", "xapp-1-", dash, 40, 160).proof(Proof::Mixed),
    key("Slack webhook", "hooks.slack.com/services/", path, 30, 80)
        .unbounded()
        .proof(Proof::SlackWebhook),
    key(
        "Discord webhook",
        "discord.com/api/webhooks/",
        path,
        70,
        110,
    )
    .unbounded(),
    key(
        "Discord webhook",
        "discordapp.com/api/webhooks/",
        path,
        70,
        110,
    )
    .unbounded(),
    key("Stripe live key", "sk_live_", alnum, 16, 250).proof(Proof::Mixed),
    key("Stripe live key", "rk_live_", alnum, 16, 250).proof(Proof::Mixed),
    key("Stripe webhook secret", "whsec_", alnum, 24, 64).proof(Proof::Mixed),
    key("Google API key", "AIza", url, 35, 35),
    key("Google client secret", "GOCSPX-", url, 24, 40),
    key("Google access token", "ya29.", url, 60, 400).open_ended(),
    key("OpenAI key", "sk-proj-", url, 30, 250).proof(Proof::Mixed),
    key("OpenAI key", "sk-svcacct-", url, 30, 250).proof(Proof::Mixed),
    key("OpenAI key", "sk-admin-", url, 30, 250).proof(Proof::Mixed),
    key("Anthropic key", "sk-ant-", url, 24, 250).proof(Proof::Mixed),
    key("OpenRouter key", "sk-or-v1-", hex, 64, 64),
    key("OpenAI key", "sk-", alnum, 32, 64).proof(Proof::Mixed),
    key("npm token", "npm_", alnum, 36, 36).proof(Proof::Crc),
    key("PyPI token", "pypi-AgE", url, 50, 400),
    key("SendGrid key", "SG.", dotted, 60, 80).proof(Proof::Parts(&[16, 32])),
    key("Twilio API key", "SK", hex, 32, 32),
    key("Twilio account with its token", "AC", hex, 32, 32).needs_partner(),
    key("Azure storage key", "AccountKey=", base64, 60, 100).unbounded(),
    key(
        "Azure shared access key",
        "SharedAccessKey=",
        base64,
        40,
        60,
    )
    .unbounded(),
    key("DigitalOcean token", "dop_v1_", hex, 64, 64),
    key("DigitalOcean token", "doo_v1_", hex, 64, 64),
    key("DigitalOcean token", "dor_v1_", hex, 64, 64),
    key("Hugging Face token", "hf_", alnum, 30, 40).proof(Proof::None),
    key("Telegram bot token", ":AA", url, 33, 33).proof(Proof::Telegram),
    key("Shopify token", "shpat_", any_hex, 32, 32),
    key("Shopify token", "shpca_", any_hex, 32, 32),
    key("Shopify token", "shppa_", any_hex, 32, 32),
    key("Shopify token", "shpss_", any_hex, 32, 32),
    key("Databricks token", "dapi", hex, 32, 32),
    key("Mailgun key", "key-", hex, 32, 32),
    key("Square token", "sq0atp-", url, 22, 22),
    key("Square secret", "sq0csp-", url, 43, 43),
    key("Square token", "EAAAE", url, 50, 70).proof(Proof::Mixed),
    key("Vault token", "hvs.", url, 24, 200).proof(Proof::Mixed),
    key("Vault token", "hvb.", url, 24, 300).proof(Proof::Mixed),
    key("age secret key", "AGE-SECRET-KEY-1", upper, 58, 58),
    key("JSON web token", "eyJ", dotted, 80, 4000)
        .proof(Proof::Jwt)
        .severity(Severity::Major),
    key("Linear key", "lin_api_", alnum, 40, 40),
    key("Notion token", "ntn_", alnum, 40, 60).proof(Proof::Mixed),
    key("Notion token", "secret_", alnum, 43, 43).proof(Proof::Mixed),
    key("Postman key", "PMAK-", dash, 50, 70),
    key("Atlassian token", "ATATT3xFfGF0", dotted_equals, 60, 250),
    key("Doppler token", "dp.pt.", alnum, 40, 48),
    key("Figma token", "figd_", url, 38, 60).proof(Proof::Mixed),
    key("Grafana token", "glsa_", word, 36, 60).proof(Proof::Mixed),
    key("Grafana token", "glc_", base64, 32, 400).proof(Proof::Mixed),
    key("New Relic key", "NRAK-", upper, 27, 27),
    key("PlanetScale token", "pscale_tkn_", dotted, 30, 64).proof(Proof::Mixed),
    key("PlanetScale password", "pscale_pw_", dotted, 30, 64).proof(Proof::Mixed),
    key("Pulumi token", "pul-", hex, 40, 40),
    key("RubyGems key", "rubygems_", hex, 48, 48),
    key("Sentry token", "sntrys_", base64_url, 60, 400),
    key("Docker token", "dckr_pat_", url, 24, 40).proof(Proof::Mixed),
    key("Tailscale key", "tskey-", dash, 24, 80).proof(Proof::Mixed),
    key("Groq key", "gsk_", alnum, 48, 60).proof(Proof::Mixed),
    key("Replicate token", "r8_", alnum, 36, 40).proof(Proof::Mixed),
    key("xAI key", "xai-", alnum, 70, 90),
    key("Perplexity key", "pplx-", alnum, 40, 60).proof(Proof::Mixed),
    key("Supabase token", "sbp_", hex, 40, 40),
    key("Alibaba Cloud key", "LTAI", alnum, 16, 24).proof(Proof::Mixed),
    key("crates token", "cio", alnum, 32, 32).proof(Proof::Mixed),
    key("Brevo key", "xkeysib-", dash, 70, 90),
    key("Razorpay live key", "rzp_live_", alnum, 14, 24).proof(Proof::Mixed),
    key("Mapbox secret token", "sk.eyJ", dotted, 60, 200),
    key("Facebook token", "EAACEdEose0cBA", alnum, 20, 300),
    key("Airtable token", "pat", dotted, 79, 82).proof(Proof::Parts(&[14, 64])),
    key("HubSpot token", "pat-na1-", dash, 36, 36),
    key("Fly.io token", "fo1_", url, 40, 60).proof(Proof::Mixed),
    key("Cloudinary address", "cloudinary://", cloudinary, 30, 100)
        .unbounded()
        .proof(Proof::Mixed),
    key("Infracost key", "ico-", alnum, 32, 32).proof(Proof::Mixed),
    key("EasyPost key", "EZAK", alnum, 54, 54),
    key("Flutterwave key", "FLWSECK-", dash, 32, 48).proof(Proof::Mixed),
    key("Shippo live token", "shippo_live_", hex, 40, 40),
    key("Contentful token", "CFPAT-", url, 43, 43),
    key("Dynatrace token", "dt0c01.", dotted, 80, 100),
    key("Adafruit key", "aio_", alnum, 28, 28).proof(Proof::Mixed),
    key("Heroku key", "HRKU-", url, 36, 64).proof(Proof::Mixed),
];

fn dotted_equals(b: u8) -> bool {
    dotted(b) || b == b'='
}
fn base64_url(b: u8) -> bool {
    base64(b) || matches!(b, b'_' | b'-')
}
fn cloudinary(b: u8) -> bool {
    url(b) || matches!(b, b':' | b'@')
}

/// What selects a hunk: each prefix, and pieces of the commonest that a split may leave.
pub static PREFIXES: &[&str] = &[
    "AKIA",
    "ASIA",
    "ABIA",
    "ACCA",
    "ghp",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat",
    "gldt-",
    "glptt-",
    "glrt-",
    "glcbt-",
    "xox",
    "xapp-",
    "hooks.slack",
    "discord",
    "sk_live",
    "rk_live",
    "whsec_",
    "AIza",
    "GOCSPX-",
    "ya29.",
    "sk-",
    "npm_",
    "pypi-AgE",
    "SG.",
    "SK0",
    "SK1",
    "SK2",
    "SK3",
    "SK4",
    "SK5",
    "SK6",
    "SK7",
    "SK8",
    "SK9",
    "SKa",
    "SKb",
    "SKc",
    "SKd",
    "SKe",
    "SKf",
    "AC0",
    "AC1",
    "AC2",
    "AC3",
    "AC4",
    "AC5",
    "AC6",
    "AC7",
    "AC8",
    "AC9",
    "twilio",
    "AccountKey=",
    "SharedAccessKey=",
    "dop_v1_",
    "doo_v1_",
    "dor_v1_",
    "hf_",
    ":AA",
    "shpat_",
    "shpca_",
    "shppa_",
    "shpss_",
    "dapi",
    "key-",
    "sq0",
    "EAAAE",
    "hvs.",
    "hvb.",
    "AGE-SECRET",
    "eyJ",
    "lin_api_",
    "ntn_",
    "secret_",
    "PMAK-",
    "ATATT3",
    "dp.pt.",
    "figd_",
    "glsa_",
    "glc_",
    "NRAK-",
    "pscale_",
    "pul-",
    "rubygems_",
    "sntrys_",
    "dckr_pat_",
    "tskey-",
    "gsk_",
    "r8_",
    "xai-",
    "pplx-",
    "sbp_",
    "LTAI",
    "cio",
    "xkeysib-",
    "rzp_live_",
    "sk.eyJ",
    "EAACEdEose0cBA",
    "pat-na1-",
    "fo1_",
    "cloudinary://",
    "ico-",
    "EZAK",
    "FLWSECK-",
    "shippo_live_",
    "CFPAT-",
    "dt0c01.",
    "aio_",
    "HRKU-",
    "bot_token",
    "bottoken",
    "sk_",
    "\"AK",
    "airtable",
];
