//! The files that make the daemon a service: pure functions of where things are.

use std::path::{Path, PathBuf};

/// What the files depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installation {
    /// The user's home, absolute.
    pub home: PathBuf,
    /// `convergiod`, absolute.
    pub binary: PathBuf,
    /// Variables that the service gets because its manager does not know them: `PATH`, and the
    /// `XDG_*` folders where they are not the usual ones.
    pub variables: Vec<(String, String)>,
}

/// The name of the units, without their ending.
pub const UNIT: &str = "convergio";
/// launchd's name for the job.
pub const LABEL: &str = "com.convergio.daemon";

/// `convergio.socket`: systemd listens, and starts the daemon on the first connection.
pub fn systemd_socket() -> String {
    "\
# Written by `cv service install`; removed by `cv service uninstall`.
[Unit]
Description=Convergio: the socket that starts the daemon

[Socket]
ListenStream=%t/convergio/cv.sock
SocketMode=0600
DirectoryMode=0700

[Install]
WantedBy=sockets.target
"
    .to_owned()
}

/// `convergio.service`.
pub fn systemd_service(installation: &Installation) -> String {
    let environment: String = installation
        .variables
        .iter()
        .map(|(name, value)| {
            format!(
                "Environment={}\n",
                systemd_quoted(&format!("{name}={value}"))
            )
        })
        .collect();
    format!(
        "\
# Written by `cv service install`; removed by `cv service uninstall`.
[Unit]
Description=Convergio: the daemon
Requires=convergio.socket
After=convergio.socket

[Service]
Type=notify
ExecStart={binary} serve
{environment}WatchdogSec=120
TimeoutStopSec=20
Restart=on-failure
RestartSec=1
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX
SystemCallArchitectures=native
",
        // In a command line a dollar sign would name a variable.
        binary = systemd_quoted(&installation.binary.to_string_lossy()).replace('$', "$$"),
    )
}

/// A word as systemd reads it back: quoted, `%` not a specifier.
fn systemd_quoted(word: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            '%' => quoted.push_str("%%"),
            '\n' => quoted.push_str("\\n"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// `com.convergio.daemon.plist`: launchd listens, and starts the daemon on the first connection.
pub fn launchd_plist(installation: &Installation) -> String {
    let socket = installation
        .home
        .join("Library/Application Support/convergio/cv.sock");
    let variables: String = installation
        .variables
        .iter()
        .map(|(name, value)| {
            format!(
                "\t\t<key>{}</key>\n\t\t<string>{}</string>\n",
                xml(name),
                xml(value)
            )
        })
        .collect();
    format!(
        "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">
<plist version=\"1.0\">
<dict>
\t<key>Label</key>
\t<string>{LABEL}</string>
\t<key>ProgramArguments</key>
\t<array>
\t\t<string>{binary}</string>
\t\t<string>serve</string>
\t</array>
\t<key>EnvironmentVariables</key>
\t<dict>
{variables}\t</dict>
\t<key>Sockets</key>
\t<dict>
\t\t<key>Listeners</key>
\t\t<dict>
\t\t\t<key>SockPathName</key>
\t\t\t<string>{socket}</string>
\t\t\t<key>SockPathMode</key>
\t\t\t<integer>384</integer>
\t\t</dict>
\t</dict>
\t<key>KeepAlive</key>
\t<dict>
\t\t<key>SuccessfulExit</key>
\t\t<false/>
\t</dict>
\t<key>Umask</key>
\t<integer>63</integer>
\t<key>ProcessType</key>
\t<string>Adaptive</string>
</dict>
</plist>
",
        binary = xml(&installation.binary.to_string_lossy()),
        socket = xml(&socket.to_string_lossy()),
    )
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Where systemd looks for the user's units.
pub fn systemd_folder(home: &Path, xdg_config_home: Option<&Path>) -> PathBuf {
    xdg_config_home
        .map_or_else(|| home.join(".config"), Path::to_owned)
        .join("systemd/user")
}

/// Where launchd looks for the user's jobs.
pub fn launchd_file(home: &Path) -> PathBuf {
    home.join(format!("Library/LaunchAgents/{LABEL}.plist"))
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    fn sample(home: &str) -> Installation {
        Installation {
            home: home.into(),
            binary: Path::new(home).join(".local/bin/convergiod"),
            variables: vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())],
        }
    }

    /// `UPDATE_GENERATED=1 cargo test -p convergiod` rewrites the committed files.
    #[test]
    fn the_committed_files_are_the_generated_ones() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (path, text) in [
            ("systemd/convergio.socket", systemd_socket()),
            (
                "systemd/convergio.service",
                systemd_service(&sample("/home/ada")),
            ),
            (
                "launchd/com.convergio.daemon.plist",
                launchd_plist(&sample("/Users/ada")),
            ),
        ] {
            let path = root.join(path);
            if std::env::var_os("UPDATE_GENERATED").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &text).unwrap();
            }
            let committed = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == text,
                "{} differs: run `just generate`",
                path.display()
            );
        }
    }

    #[test]
    fn paths_with_odd_letters_stay_whole() {
        let mut odd = sample("/home/a \"b\" 100% $x");
        odd.variables = vec![("PATH".into(), "/a b:/c%d".into())];
        let unit = systemd_service(&odd);
        assert!(
            unit.contains(r#"ExecStart="/home/a \"b\" 100%% $$x/.local/bin/convergiod" serve"#),
            "{unit}"
        );
        assert!(unit.contains(r#"Environment="PATH=/a b:/c%%d""#), "{unit}");
        let plist = launchd_plist(&sample("/Users/a<b>&c"));
        assert!(plist.contains("/Users/a&lt;b&gt;&amp;c/.local/bin/convergiod"));
        assert!(!plist.contains('~'));
    }

    #[test]
    fn systemd_has_nothing_to_say_about_the_units() {
        let temp = tempfile::tempdir().unwrap();
        let binary = temp.path().join("convergiod");
        fs::write(&binary, "#!/bin/sh\n").unwrap();
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        let installation = Installation {
            binary,
            ..sample("/home/ada")
        };
        let socket = temp.path().join("convergio.socket");
        let service = temp.path().join("convergio.service");
        fs::write(&socket, systemd_socket()).unwrap();
        fs::write(&service, systemd_service(&installation)).unwrap();
        let verified = Command::new("systemd-analyze")
            .args(["--user", "verify"])
            .args([&socket, &service])
            .env("XDG_RUNTIME_DIR", temp.path())
            .output();
        let Ok(output) = verified else {
            skipped("systemd-analyze");
            return;
        };
        // It exits 0 on an unknown key; what it prints counts.
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.is_empty() && output.stdout.is_empty(), "{said}");
    }

    /// Says so where nobody looks away, and fails where the program was promised.
    fn skipped(program: &str) {
        let required = std::env::var("CONVERGIO_REQUIRE_SERVICES").is_ok_and(|set| set == "1");
        assert!(!required, "{program} was to be here");
        // Not `eprintln!`, which is kept from sight where a test passes.
        let line = format!("SKIPPED a check of the units: this machine has no {program}\n");
        let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
    }

    #[test]
    fn the_property_list_can_be_read() {
        let script = "import plistlib, sys\n\
                      job = plistlib.loads(sys.stdin.buffer.read())\n\
                      assert job['Sockets']['Listeners']['SockPathMode'] == 0o600\n\
                      assert job['Umask'] == 0o077\n\
                      assert all(p.startswith('/') for p in [job['ProgramArguments'][0], job['Sockets']['Listeners']['SockPathName']])\n";
        let child = Command::new("python3")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            skipped("python3");
            return;
        };
        use std::io::Write;
        let text = launchd_plist(&sample("/Users/a & b"));
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success());
    }
}
