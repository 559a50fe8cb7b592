//! Our gateway before a scripted upstream, with the books on.

use std::{fmt::Write as _, net::SocketAddr, path::Path};

use crate::{Home, load::Target, upstream::Upstream};

const KEY: (&str, &str) = ("MOCK_KEY", "sk-bench");

/// A daemon of its own whose gateway listens.
pub struct Gateway {
    home: Home,
    addr: SocketAddr,
    token: String,
}

/// What the books say in the end.
#[derive(Debug)]
pub struct InTheBooks {
    /// Calls.
    pub attempts: u64,
    /// Those that are not settled.
    pub open: u64,
    /// What budgets still hold.
    pub pending_nano_usd: i64,
}

impl Gateway {
    /// Starts it; says why it cannot.
    ///
    /// # Errors
    /// What `cv` said.
    pub fn start(binaries: &Path, upstream: &Upstream) -> Result<Self, String> {
        let home = Home::new(binaries);
        let mut text = format!(
            "[models]\ndefault = \"mock/gpt-test\"\n[budget]\ndaily_usd = \"1000000.00\"\n\
             [gateway]\nenabled = true\n\
             [provider.mock]\nkind = \"openai\"\nbase_url = \"http://{}/v1\"\nkey_env = \"{}\"\n",
            upstream.addr, KEY.0
        );
        let _ = writeln!(
            text,
            "local = false\n[provider.mock.model.\"gpt-test\"]\n\
             price = {{ input = \"3.00\", output = \"15.00\" }}\ncontext = 128000"
        );
        let folder = home.path().join("config");
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        std::fs::write(folder.join("config.toml"), text).map_err(|error| error.to_string())?;
        home.start();
        let mut gateway = Self {
            home,
            addr: ([127, 0, 0, 1], 0).into(),
            token: String::new(),
        };
        let arguments = [
            "token", "create", "bench", "--max", "1000000", "--format", "json",
        ];
        let made = gateway.cv(&arguments)?;
        let of = |value: &serde_json::Value| {
            let text = value.as_str().map(str::to_owned);
            text.ok_or_else(|| format!("cv token create said {made}"))
        };
        gateway.token = of(&made["secret"])?;
        let url = of(&made["gateway"]["url"])?;
        let authority = url.trim_start_matches("http://");
        let authority = authority.split('/').next().unwrap_or_default();
        gateway.addr = authority
            .parse()
            .map_err(|error| format!("{authority}: {error}"))?;
        Ok(gateway)
    }

    fn cv(&self, arguments: &[&str]) -> Result<serde_json::Value, String> {
        let mut command = self.home.cv(arguments);
        let ran = command.env(KEY.0, KEY.1).output();
        let ran = ran.map_err(|error| error.to_string())?;
        if !ran.status.success() {
            return Err(String::from_utf8_lossy(&ran.stderr).into_owned());
        }
        serde_json::from_slice(&ran.stdout).map_err(|error| error.to_string())
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// The daemon's process; 0 where it does not say.
    pub fn pid(&self) -> u32 {
        let status = self.cv(&["status", "--format", "json"]).unwrap_or_default();
        let pid = status["pid"]
            .as_u64()
            .and_then(|pid| u32::try_from(pid).ok());
        pid.unwrap_or(0)
    }

    /// How it is asked.
    pub fn target(&self) -> Target {
        Target {
            name: "ours".into(),
            addr: self.addr,
            path: "/v1/chat/completions".into(),
            model: "mock/gpt-test".into(),
            headers: format!("authorization: Bearer {}\r\n", self.token),
        }
    }

    /// What the books say.
    ///
    /// # Errors
    /// What `cv` said.
    pub fn in_the_books(&self) -> Result<InTheBooks, String> {
        let usage = self.cv(&["usage", "--format", "json"])?;
        let total = &usage["total"];
        let budgets = usage["budgets"].as_array();
        let pending = budgets.into_iter().flatten();
        let pending = pending.filter_map(|budget| budget["pending_nano_usd"].as_i64());
        Ok(InTheBooks {
            attempts: total["attempts"].as_u64().unwrap_or(0),
            open: total["open"].as_u64().unwrap_or(0),
            pending_nano_usd: pending.sum(),
        })
    }
}
