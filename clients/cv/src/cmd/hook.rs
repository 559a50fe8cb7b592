//! `cv hook`

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use crate::{
    context::Context,
    error::{Failure, Kind, describe},
    exit::Exit,
    git::{Git, discover::repository, run::refused},
    hint::Hint,
    output::escape,
};

/// The line that says that a hook is ours.
const MARK: &str = "# convergio hook";

/// What is new to the remote is what its branches do not hold, neither as last fetched nor as
/// this push replaces them. Compared are the trees: that of the pushed commit, and that of all
/// it grew from that the remote knows, so that neither a merge from there nor a rebase shows up
/// as new. A secret stays in history though, so it is also looked for in each commit.
const PRE_PUSH: &str = include_str!("pre_push.sh");

/// Reviews at every commit or push, by the rules alone: free, and soon done.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do with a hook.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Installs it. Stops on findings of major or worse; `CV_SKIP=1` skips it once.
    Install {
        /// When to review.
        #[arg(value_enum)]
        hook: Hook,
        /// Also stop where the review itself cannot be done.
        #[arg(long)]
        strict: bool,
    },
    /// Removes it, if it is ours.
    Uninstall {
        /// Which one.
        #[arg(value_enum)]
        hook: Hook,
    },
}

/// When to review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Hook {
    /// What is staged, before each commit.
    PreCommit,
    /// What is new to the remote, before each push.
    PrePush,
}

impl Hook {
    const fn name(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PrePush => "pre-push",
        }
    }
}

/// Installs or removes.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    let folder = context.folder()?;
    match args.verb {
        Verb::Install { hook, strict } => {
            let file = hooks_folder(&folder)?.join(hook.name());
            install(&file, hook, strict)?;
            context.answer.say(&format!(
                "Installed {} · back: cv hook uninstall {}",
                escape::line(&file.display().to_string()),
                hook.name()
            ))?;
            context
                .notes
                .note("Skip it once: CV_SKIP=1 in front of the git command");
        }
        Verb::Uninstall { hook } => {
            let file = hooks_folder(&folder)?.join(hook.name());
            uninstall(&file, hook)?;
            context.answer.say(&format!(
                "Removed {} · back: cv hook install {}",
                escape::line(&file.display().to_string()),
                hook.name()
            ))?;
        }
    }
    Ok(Exit::Ok)
}

/// Where git looks for hooks here: core.hooksPath and worktrees included.
fn hooks_folder(folder: &Path) -> Result<PathBuf, Failure> {
    let repository = repository(folder)?;
    let git = Git::new(&repository.root).with_the_users_hooks();
    let output = git.run(["rev-parse", "--git-path", "hooks"], 64 * 1024)?;
    let path = String::from_utf8_lossy(&output.stdout);
    let path = path.trim_end_matches('\n');
    if !output.ok || path.is_empty() {
        return Err(refused("git does not say where its hooks are", &output));
    }
    let hooks = repository.root.join(path);
    if hooks.symlink_metadata().is_ok() && !hooks.is_dir() {
        return Err(Failure::new(
            Kind::Conflict,
            "Hooks are switched off here",
            format!("core.hooksPath is {}, which is no folder", hooks.display()),
            Hint::HOOKS_OFF,
        ));
    }
    Ok(hooks)
}

fn failed(activity: &str, file: &Path, error: &std::io::Error) -> Failure {
    Failure::io(activity, file, error, Hint::HOOK_HELP)
}

/// The hook that stands there.
fn present(file: &Path) -> Result<Option<String>, Failure> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // A link to nowhere is somebody's too.
            if file.symlink_metadata().is_ok() {
                Ok(Some(String::new()))
            } else {
                Ok(None)
            }
        }
        Err(error) => Err(failed("read", file, &error)),
    }
}

fn foreign(file: &Path, hook: Hook) -> Failure {
    let way_out = match hook {
        Hook::PreCommit => Hint::FOREIGN_PRE_COMMIT,
        Hook::PrePush => Hint::FOREIGN_PRE_PUSH,
    };
    Failure::new(
        Kind::Conflict,
        format!("{} stays as it is", file.display()),
        format!("there is a {} hook that is not ours", hook.name()),
        way_out,
    )
}

fn install(file: &Path, hook: Hook, strict: bool) -> Result<(), Failure> {
    let own = std::env::current_exe().map_err(|error| {
        Failure::new(
            Kind::Io,
            "The hook cannot name its program",
            describe(&error),
            Hint::REINSTALL,
        )
    })?;
    install_as(file, hook, strict, &own)
}

/// Installs a hook that calls `own`.
fn install_as(file: &Path, hook: Hook, strict: bool, own: &Path) -> Result<(), Failure> {
    if present(file)?.is_some_and(|text| !text.contains(MARK)) {
        return Err(foreign(file, hook));
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| failed("create the folder of", file, &error))?;
    let beside = folder.join(format!(".cv-{}.tmp", uuid::Uuid::now_v7().simple()));
    let write = || -> std::io::Result<()> {
        let mut script = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(&beside)?;
        script.write_all(text(hook, strict, own).as_bytes())?;
        script.sync_all()?;
        fs::rename(&beside, file)
    };
    write().map_err(|error| {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
        failed("write", file, &error)
    })
}

fn uninstall(file: &Path, hook: Hook) -> Result<(), Failure> {
    match present(file)? {
        None => Err(Failure::new(
            Kind::NotFound,
            format!("There is no {} hook", hook.name()),
            format!("{} does not exist", file.display()),
            Hint::HOOK_HELP,
        )),
        Some(text) if !text.contains(MARK) => Err(foreign(file, hook)),
        Some(_) => fs::remove_file(file).map_err(|error| failed("remove", file, &error)),
    }
}

/// A path inside single quotes of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// The script. It never stands in the way: without `cv`, without a daemon, or out of time the
/// commit goes on, unless strict.
fn text(hook: Hook, strict: bool, own: &Path) -> String {
    let head = format!(
        "#!/bin/sh\n{MARK}, from: cv hook install {name}{flag}\n\
         # Skip it once: CV_SKIP=1 git …   Remove it: cv hook uninstall {name}\n\
         [ -n \"${{CV_SKIP:-}}\" ] && [ \"$CV_SKIP\" != 0 ] && exit 0\n\
         strict={strict}\n\
         cv={own}\n\
         [ -x \"$cv\" ] || cv=$(command -v cv) || cv=\n\
         if [ -z \"$cv\" ]; then\n\
         \x20 echo 'cv is not installed any more: nothing was reviewed' >&2\n\
         \x20 exit \"$strict\"\n\
         fi\n\
         # 0: go on. 1: findings. 130: interrupted. All else: the review could not be done.\n\
         verdict() {{\n\
         \x20 case $1 in\n\
         \x20   0) ;;\n\
         \x20   1) echo 'Stopped by cv. Go on without it: CV_SKIP=1' >&2; exit 1 ;;\n\
         \x20   130) exit 130 ;;\n\
         \x20   6) echo 'Only a part was reviewed' >&2; [ \"$strict\" = 1 ] && exit 6; : ;;\n\
         \x20   *) [ \"$strict\" = 1 ] && exit \"$1\"; echo \"Not reviewed (cv ended with $1)\" >&2 ;;\n\
         \x20 esac\n\
         }}\n",
        name = hook.name(),
        flag = if strict { " --strict" } else { "" },
        strict = u8::from(strict),
        own = quoted(own),
    );
    let body = match hook {
        Hook::PreCommit => {
            "\"$cv\" review --staged --no-stdin --no-model --fail-on major --timeout 10s\n\
             verdict $?\nexit 0\n"
        }
        Hook::PrePush => PRE_PUSH,
    };
    format!("{head}{body}")
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_foreign_hook_is_never_touched_and_ours_comes_and_goes() {
        let temp = tempfile::tempdir().expect("a folder");
        let file = temp.path().join("hooks/pre-commit");
        install(&file, Hook::PreCommit, false).expect("installs");
        install(&file, Hook::PreCommit, true).expect("renews");
        assert!(
            fs::read_to_string(&file)
                .expect("reads")
                .contains("strict=1")
        );
        uninstall(&file, Hook::PreCommit).expect("removes");
        assert!(!file.exists());
        assert!(uninstall(&file, Hook::PreCommit).is_err());

        fs::write(&file, "#!/bin/sh\necho mine\n").expect("writes");
        let error = install(&file, Hook::PreCommit, false).expect_err("foreign");
        assert_eq!(error.kind, Kind::Conflict);
        assert!(uninstall(&file, Hook::PreCommit).is_err());
        assert_eq!(
            fs::read_to_string(&file).expect("reads"),
            "#!/bin/sh\necho mine\n"
        );
    }

    /// Runs a hook with a `cv` that ends with a given code.
    fn ends(strict: bool, code: u8, skip: Option<&str>) -> i32 {
        let temp = tempfile::tempdir().expect("a folder");
        let cv = temp.path().join("it's cv");
        fs::write(&cv, format!("#!/bin/sh\nexit {code}\n")).expect("writes");
        let mut mode = fs::metadata(&cv).expect("is there").permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
        fs::set_permissions(&cv, mode).expect("mode");
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(text(Hook::PreCommit, strict, &cv))
            .stderr(Stdio::null())
            .env_remove("CV_SKIP");
        if let Some(skip) = skip {
            command.env("CV_SKIP", skip);
        }
        command.status().expect("runs").code().expect("a code")
    }

    #[test]
    fn only_findings_and_an_interrupt_stop_a_commit_unless_strict() {
        assert_eq!(ends(false, 0, None), 0);
        assert_eq!(ends(false, 1, None), 1);
        assert_eq!(ends(false, 7, None), 0);
        assert_eq!(ends(false, 124, None), 0);
        assert_eq!(ends(false, 130, None), 130);
        assert_eq!(ends(false, 6, None), 0);
        assert_eq!(ends(true, 6, None), 6);
        assert_eq!(ends(true, 7, None), 7);
        assert_eq!(ends(true, 1, Some("1")), 0);
        assert_eq!(ends(true, 1, Some("0")), 1);
    }

    struct Pushes {
        temp: tempfile::TempDir,
        work: PathBuf,
    }

    impl Pushes {
        /// A clone of an empty remote, with a hook whose `cv` writes down what it was to review.
        fn new() -> Self {
            let temp = tempfile::tempdir().expect("a folder");
            let work = temp.path().join("work");
            let pushes = Self { work, temp };
            let folder = pushes.temp.path().display().to_string();
            let git = |args: &[&str]| {
                let status = Command::new("git").current_dir(&folder).args(args).status();
                assert!(status.expect("git runs").success());
            };
            git(&["init", "-q", "--bare", "-b", "main", "far.git"]);
            git(&["init", "-q", "-b", "main", "work"]);
            pushes.git(&["remote", "add", "origin", "../far.git"]);
            let cv = pushes.temp.path().join("cv");
            let script = format!(
                "#!/bin/sh\nfor last; do :; done\ncase $2 in -) cat >>{folder}/log ;; *)\n\
                 git diff \"${{last%..*}}\" \"${{last##*..}}\" >>{folder}/sum ;; esac\n"
            );
            fs::write(&cv, script).expect("writes");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&cv, mode).expect("mode");
            install_as(
                &pushes.work.join(".git/hooks/pre-push"),
                Hook::PrePush,
                true,
                &cv,
            )
            .expect("installs");
            pushes
        }

        fn git(&self, args: &[&str]) -> String {
            let output = Command::new("git")
                .current_dir(&self.work)
                .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
                .args(args)
                .env_remove("CV_SKIP")
                .output()
                .expect("git runs");
            assert!(output.status.success(), "git {args:?}: {output:?}");
            String::from_utf8_lossy(&output.stdout).into_owned()
        }

        fn commit(&self, name: &str, text: &str) {
            fs::write(self.work.join(name), text).expect("writes");
            self.git(&["add", "-A"]);
            self.git(&["commit", "-q", "-m", name]);
        }

        /// Pushes; what was reviewed: the sum of the push, and its commits one by one.
        fn push(&self, args: &[&str]) -> (String, String) {
            self.git(&[&["push", "-q", "origin"], args].concat());
            let take = |name: &str| {
                let file = self.temp.path().join(name);
                let text = fs::read_to_string(&file).unwrap_or_default();
                let _ = fs::remove_file(file);
                text
            };
            (take("sum"), take("log"))
        }
    }

    #[test]
    fn a_push_is_reviewed_for_what_is_new_to_the_remote() {
        let pushes = Pushes::new();
        pushes.commit("a", "a\n");
        let (sum, log) = pushes.push(&["main"]);
        assert!(sum.contains("+a\n") && log.is_empty(), "{sum} {log}");

        // What was merged in from there is known there.
        pushes.git(&["checkout", "-q", "-b", "feature"]);
        pushes.commit("f1", "f1\n");
        pushes.push(&["feature"]);
        pushes.git(&["checkout", "-q", "main"]);
        pushes.commit("m", "m\n");
        pushes.push(&["main"]);
        pushes.git(&["checkout", "-q", "feature"]);
        pushes.git(&["merge", "-q", "--no-edit", "main"]);
        pushes.commit("f2", "secret\n");
        pushes.commit("f2", "clean\n");
        let (sum, log) = pushes.push(&["feature"]);
        assert!(sum.contains("+clean\n"), "{sum}");
        assert!(!sum.contains("+m\n") && !sum.contains("f1"), "{sum}");
        // A commit's own text is pushed, whatever a later one makes of it.
        assert!(log.contains("+secret\n") && !log.contains("+m\n"), "{log}");
        assert!(
            log.contains("+clean\n") && !log.contains("-secret"),
            "{log}"
        );

        // Going back pushes nothing new; going back and on, only what is new.
        let (sum, log) = pushes.push(&["-f", "feature~1:feature"]);
        assert!(sum.is_empty() && log.is_empty(), "{sum} {log}");
        pushes.git(&["reset", "-q", "--hard", "feature~3"]);
        pushes.commit("f3", "f3\n");
        let (sum, _) = pushes.push(&["-f", "feature"]);
        assert!(sum.contains("+f3\n") && !sum.contains("-clean"), "{sum}");
        assert!(!sum.contains("-secret") && !sum.contains("-m\n"), "{sum}");

        let (sum, log) = pushes.push(&["--delete", "feature"]);
        assert!(sum.is_empty() && log.is_empty(), "{sum} {log}");
    }

    #[test]
    fn both_scripts_parse() {
        for hook in [Hook::PreCommit, Hook::PrePush] {
            let status = Command::new("sh")
                .args(["-n", "-c", &text(hook, true, Path::new("/a b/cv"))])
                .status()
                .expect("runs");
            assert!(status.success(), "{hook:?}");
        }
    }
}
