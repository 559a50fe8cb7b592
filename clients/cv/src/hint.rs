//! Every way out that an error or an empty state offers. A test parses each command in them
//! with our own command line, so that no hint names a command that does not exist.

use std::{borrow::Cow, fmt};

/// What to do next, for a person; commands stand in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(Cow<'static, str>);

macro_rules! hints {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+) => {
        impl Hint {
            $($(#[doc = $doc])+ pub const $name: Self = Self(Cow::Borrowed($text));)+

            /// Every fixed hint.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

hints! {
    /// The state and its ways out in one command.
    DOCTOR = "`cv doctor`";
    /// How to put a cap on a program.
    GUARD_PLACE = "name it with its folder, for instance `cv guard --max 5 -- ./agent`";
    /// A file that is no program.
    GUARD_RUNS = "`chmod +x FILE`, or name what runs it: `cv guard --max 5 -- sh FILE`";
    /// What the daemon did.
    LOGS = "`cv logs -n 50`";
    /// The log as it grows, for a program.
    FOLLOW_LOGS = "`cv logs -f --format ndjson`";
    /// Checks and the log.
    DOCTOR_AND_LOGS = "`cv doctor`, then `cv logs -n 50`";
    /// No place for data, or a path that does not fit.
    DAEMON_HOME = "`CONVERGIO_HOME=$PWD/.c cv status` with a short, absolute folder of your own";
    /// Any verb that works starts it.
    START = "`cv status`";
    /// How to use the command line.
    HELP = "`cv --help`";
    /// What a launcher can choose.
    PICK_LIST = "`cv pick --format dmenu`";
    /// No terminal was found to read something in.
    PICK_TERMINAL = "set TERMINAL to your terminal's program, or do it in one: `cv today`";
    /// How to use review.
    REVIEW_HELP = "`cv review --help`";
    /// Outside of a repository.
    PIPE_A_DIFF = "pipe a diff, `diff -ru old new | cv review`, or go to a git repository";
    /// GIT_DIR leads nowhere.
    UNSET_GIT_DIR = "`unset GIT_DIR`, then `cv review`";
    /// A revision that git does not know.
    OTHER_REVISION = "`git log --oneline -n 5`, then for instance `cv review HEAD~1`";
    /// A repository without a working tree.
    BARE = "`cv review HEAD~1..HEAD`";
    /// A diff beyond the limit.
    NARROWER = "`cv review --staged`, `cv review HEAD~1..HEAD`, or `git diff -- FOLDER | cv review`";
    /// Where the last commit has nothing in front.
    FIRST_COMMIT = "`git log --oneline -n 5`; the last commit: `git show | cv review`";
    /// An empty diff on stdin, outside of a repository.
    EMPTY_STDIN = "Two folders: `diff -ru old new | cv review`";
    /// Neither a commit nor a file.
    EMPTY_OF_COMMITS = "There is no commit and no file yet; write one, then `cv review`";
    /// Nothing staged.
    EMPTY_STAGED = "Stage first: `git add -p`. Everything changed: `cv review`";
    /// Nothing between two revisions, without a working tree.
    OTHER_RANGE = "`git log --oneline -n 5` names others";
    /// A repository without a commit has no revisions.
    NO_COMMITS = "`cv review`";
    /// No earlier review to work on.
    REVIEW_FIRST = "`cv review`, then again";
    /// The numbers of the last review.
    REPLAY = "`cv review --replay` lists the findings with their numbers";
    /// The review does not match the file any more.
    REVIEW_AGAIN = "`cv review` anew, then `cv fix N` with its number";
    /// By hand, with the explanation.
    BY_HAND = "change it by hand; `cv review --replay -v` explains it";
    /// What can be taken back.
    UNDO_LIST = "`cv undo --list`";
    /// What is silenced.
    ALLOW_LIST = "`cv allow --list`";
    /// Commits without a diff.
    EMPTY_COMMITS = "A merge against its parents: `git show -m | cv review`";
    /// The file stays as it is.
    UNDO_CONFLICT = "look at the file; `cv undo --list` names what else can be taken back";
    /// Which runs there are.
    RUNS = "`cv runs list`";
    /// The output went nowhere.
    OTHER_OUTPUT = "write elsewhere or free some space; `cv doctor` says how much is left";
    /// More time.
    MORE_TIME = "give it more, for instance `--timeout 60s`";
    /// Interrupted.
    AGAIN = "`cv runs list` shows what ran";
    /// A run that lives on.
    ATTACH = "`cv runs list`, then `cv attach RUN`";
    /// The service needs systemd or launchd.
    NO_SERVICE = "nothing to do: `cv review` starts the daemon when it is needed";
    /// How a list of prices is taken.
    PRICES_HELP = "`cv models prices update --help`";
    /// Which keys there are.
    CONFIG_KEYS = "`cv config get`";
    /// The editor.
    EDITOR = "`EDITOR=nano cv config edit`, or `cv config set KEY VALUE`";
    /// git is missing.
    INSTALL_GIT = "install git, or pipe a diff: `diff -ru old new | cv review`";
    /// A repository of somebody else.
    SAFE_DIRECTORY = "if you trust it: `git config --global --add safe.directory \"$PWD\"`";
    /// The daemon's binary is missing.
    REINSTALL = "install Convergio again, so that `cv` and `convergiod` lie in one folder";
    /// Somebody else's hook before a commit.
    FOREIGN_PRE_COMMIT = "add to it: `cv review --staged --no-stdin --no-model --fail-on major --timeout 10s`";
    /// Somebody else's hook before a push.
    FOREIGN_PRE_PUSH = "add to it: `cv review --no-stdin --no-model --fail-on major --timeout 10s origin/main..HEAD`";
    /// A silence and its reason.
    ALLOW = "`cv allow N \"why\"`";
    /// core.hooksPath leads nowhere.
    HOOKS_OFF = "`git config --show-origin core.hooksPath` says who switched them off";
    /// Which hook is there.
    HOOK_HELP = "`cv hook --help`";
    /// The file is outside what we may write.
    NOT_OURS = "change the file by hand";
    /// How to ask.
    ASK_HELP = "`cv ask --help`";
    /// A question without words.
    ASK_SOMETHING = "`cv ask \"what is a monad?\"`, or `git diff | cv ask \"explain this\"`";
    /// Piped text that comes late.
    WAIT_FOR_STDIN = "`git log | cv ask \"what changed?\" -` waits for all of it; --no-stdin never reads";
    /// Only text can be asked about.
    TEXT_ONLY = "turn it into text first, for instance `file NAME | cv ask \"what is this?\"`";
    /// What is no file and may never end.
    PIPE_TEXT = "pipe it: `head -n 500 NAME | cv ask \"explain this\" -`";
    /// A question or a file beyond the limit.
    LESS_INPUT = "send less, for instance `head -n 500 FILE | cv ask \"explain this\"`";
    /// An answer that ended at its limit.
    MORE_OUTPUT = "`cv ask -c \"go on\"`, or ask again with `cv ask --max-output 16000 \"…\"`";
    /// A model that does not want to.
    OTHER_MODEL = "ask another: `cv models`, then `cv ask -m MODEL \"…\"`";
    /// The daily cap.
    SET_BUDGET = "`cv budget set daily 2.00`";
    /// What budgets allow.
    BUDGETS = "`cv budget list`";
    /// What was set up.
    SETUP = "`cv setup`";
    /// Where a setting of providers is looked up.
    PROVIDERS = "`cv provider list`";
    /// How to give a key.
    GIVE_KEY = "`cv provider set-key NAME` at a terminal, or pipe it: `pass show key | cv provider set-key NAME`";
    /// A saved prompt.
    TEMPLATES = "`cv template list`";
    /// A place for an answer.
    OTHER_FILE = "name a plain file in a folder that you may write: `cv ask -o answer.md \"…\"`";
    /// An answer that was not what was asked for, and is not kept.
    NOT_KEPT = "ask without --ephemeral, so that `cv attach RUN` can show such an answer";
    /// Who decided where answers may come from.
    POLICY = "`cv config explain models.policy` says who decided";
    /// The books are damaged.
    RESTORE = "`cv doctor`, then `cv restore --help`: a backup from before may be sound";
    /// Whether the books are sound.
    VERIFY = "`cv usage verify`, then export again";
    /// Another place for an export.
    EXPORT = "another place: `cv usage export -o usage.csv`";
    /// An export that is there.
    EXPORT_OVER = "another name, or over it: `cv usage export --force -o usage.csv`";
    /// Which exports are read.
    RECONCILE_HELP = "`cv usage reconcile --help`";
    /// A stretch of time the right way round.
    SINCE_UNTIL = "the earlier one first, for instance `cv usage --since 7d --until 1d`";
    /// Which tasks there are.
    TASKS = "`cv tasks`";
    /// How to remind.
    REMIND_HELP = "`cv remind --help`";
    /// A reminder without words.
    REMIND_SOMETHING = "`cv remind \"call Mario tomorrow at 9\"`";
    /// How something comes again.
    REMIND_EVERY = "`cv remind stand up at 9 --every \"2 weeks\"`";
    /// How to use tasks.
    TASK_HELP = "`cv task --help`";
    /// A task without words.
    TASK_SOMETHING = "`cv task add \"buy milk\"`, or a task a line: `printf 'milk\\nbread\\n' | cv task add -`";
    /// How to change one.
    TASK_EDIT_HELP = "`cv task edit --help`";
    /// Less at once.
    TASK_PIECES = "take them in pieces: `split -l 1000 list.txt`, then `cv task add - <FILE` with each";
    /// An export that is there.
    TASK_EXPORT = "another name, or over it: `cv task export --force -o tasks.ics`";
    /// A folder that does not exist.
    MAKE_FOLDER = "`cv man --out DIR` with a folder that you may write";
}

impl Hint {
    /// The daemon's own way out, as it sent it.
    pub fn from_daemon(text: String) -> Self {
        Self(Cow::Owned(text))
    }

    /// The usage line or tip that clap gave for a wrong command line.
    pub fn from_command_line(text: String) -> Self {
        Self(Cow::Owned(text))
    }

    /// A way out made for the folder at hand.
    pub fn of_this_place(text: String) -> Self {
        Self(Cow::Owned(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The `cv` command lines inside a text: those in backticks, the `cv` part of a pipe, without
/// variables in front.
pub fn commands(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|quoted| {
            let last = quoted.rsplit(" | ").next()?.trim();
            let start = if last == "cv" || last.starts_with("cv ") {
                0
            } else {
                last.find(" cv ")? + 1
            };
            Some(last[start..].to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_in_pipes_and_behind_variables() {
        assert_eq!(
            commands("pipe `git diff | cv review`, or `EDITOR=nano cv config edit` or `ls`"),
            ["cv review", "cv config edit"]
        );
    }
}
