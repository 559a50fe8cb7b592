//! The repositories that tests review.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::home::Home;

/// What `pay/client.py` was.
pub const CLIENT_BEFORE: &str = "\
from shop import URL, session

def send(order):
    return session.post(URL, json=order)
";

/// What the change makes of it: line 5 is critical, line 6 major.
pub const CLIENT_AFTER: &str = "\
from shop import URL, session

def send(order):
    try:
        return session.post(URL, json=order, verify=False)
    except Exception:
        pass
";

/// An empty repository with one commit.
pub fn empty(home: &Home, name: &str) -> PathBuf {
    let folder = home.folder(name);
    home.git(&folder, &["init", "-q"]);
    home.git(&folder, &["commit", "-q", "--allow-empty", "-m", "Begin"]);
    folder
}

/// Writes a file and the folders above it.
pub fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
    fs::write(path, text).expect("a file");
}

/// The repository of the golden session: three files changed since HEAD, one of them staged.
pub fn shop(home: &Home) -> PathBuf {
    let folder = home.folder("shop");
    home.git(&folder, &["init", "-q"]);
    write(&folder, "pay/client.py", CLIENT_BEFORE);
    write(
        &folder,
        "pay/money.py",
        "def cents(amount):\n    return amount * 100\n",
    );
    write(&folder, "README.md", "# Shop\n\nSells things.\n");
    home.git(&folder, &["add", "-A"]);
    home.git(&folder, &["commit", "-q", "-m", "Sell things"]);
    write(
        &folder,
        "README.md",
        "# Shop\n\nSells things, and ships them.\n",
    );
    home.git(&folder, &["add", "README.md"]);
    write(
        &folder,
        "pay/money.py",
        "def cents(amount):\n    return round(amount * 100)\n",
    );
    write(&folder, "pay/client.py", CLIENT_AFTER);
    folder
}
