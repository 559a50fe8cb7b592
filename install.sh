#!/bin/sh
# Builds Convergio from this checkout and installs it for the current user.
# Needs Rust (cargo) and a C compiler. Touches nothing outside the prefix.
set -eu

usage() {
    cat <<'HELP'
Usage: ./install.sh [--prefix DIR] [--uninstall]

  --prefix DIR   install under DIR (default: ~/.local)
  --uninstall    remove what an earlier run installed under the prefix;
                 your data and settings stay where they are
  --help         this text
HELP
}

fail() { # what, why, the way out
    printf 'error: %s\n  why: %s\n  try: %s\n' "$1" "$2" "$3" >&2
    exit 1
}

prefix=${HOME:+$HOME/.local}
uninstall=no
while [ $# -gt 0 ]; do
    case $1 in
        --prefix)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            prefix=$2
            shift
            ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --uninstall) uninstall=yes ;;
        -h | --help) usage; exit 0 ;;
        *) printf 'install.sh: unknown argument: %s\n' "$1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done
[ -n "$prefix" ] || fail "no place to install to" "HOME is not set" "./install.sh --prefix DIR"
case $prefix in /*) ;; *) prefix=$(pwd)/$prefix ;; esac

source_dir=$(cd "$(dirname "$0")" && pwd)
list=$prefix/share/convergio/installed-files

if [ "$uninstall" = yes ]; then
    [ -f "$list" ] || fail "nothing to uninstall" "there is no $list" "./install.sh --uninstall --prefix DIR"
    if [ -x "$prefix/bin/cv" ]; then
        # A service would point at a binary that is gone.
        "$prefix/bin/cv" service uninstall >/dev/null 2>&1 || true
        "$prefix/bin/cv" stop >/dev/null 2>&1 || true
    fi
    if [ -x "$prefix/bin/cv-menubar" ]; then
        # So would the entry that starts it at login.
        "$prefix/bin/cv-menubar" --remove >/dev/null 2>&1 || true
    fi
    while IFS= read -r file; do
        # Only what lies under the prefix, whatever the list says.
        case $file in "$prefix"/*) rm -f "$file" ;; esac
    done <"$list"
    rm -f "$list"
    rmdir "$prefix/share/convergio/completions" "$prefix/share/convergio" 2>/dev/null || true
    printf 'Removed Convergio from %s.\n' "$prefix"
    printf 'Kept: your settings and data (see `Files` in the README to remove them too).\n'
    exit 0
fi

command -v cargo >/dev/null 2>&1 || fail "Rust is missing" "there is no cargo on PATH" "install Rust, see https://rustup.rs"
compiler=${CC:-cc}
command -v "$compiler" >/dev/null 2>&1 || fail "a C compiler is missing" "SQLite is compiled from source, and there is no $compiler on PATH" "sudo apt install gcc (macOS: xcode-select --install)"

printf 'Building convergiod, cv and cv-menubar (a few minutes the first time) …\n'
cd "$source_dir"
cargo build --release --locked -p convergiod -p convergio-cv -p convergio-menubar || fail "the build failed" "see the compiler's message above" "cargo build --release --locked -p convergiod -p convergio-cv -p convergio-menubar"
built=${CARGO_TARGET_DIR:-$source_dir/target}/release

mkdir -p "$prefix/bin" "$prefix/share/convergio" || fail "cannot write to $prefix" "the folder could not be created" "./install.sh --prefix DIR"
new_list=$list.new
: >"$new_list"

install_file() { # mode, from, to
    mkdir -p "$(dirname "$3")"
    # Copy beside, then rename: a running program keeps its file, and a full disk leaves the old one.
    cp "$2" "$3.new"
    chmod "$1" "$3.new"
    mv -f "$3.new" "$3"
    printf '%s\n' "$3" >>"$new_list"
}

install_file 755 "$built/convergiod" "$prefix/bin/convergiod"
install_file 755 "$built/cv" "$prefix/bin/cv"
install_file 755 "$built/cv-menubar" "$prefix/bin/cv-menubar"
ln -sf cv "$prefix/bin/convergio"
printf '%s\n' "$prefix/bin/convergio" >>"$new_list"

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
cv=$prefix/bin/cv
for shell in bash zsh fish nushell powershell; do
    "$cv" completions "$shell" >"$made/$shell"
done
install_file 644 "$made/bash" "$prefix/share/bash-completion/completions/cv"
install_file 644 "$made/zsh" "$prefix/share/zsh/site-functions/_cv"
install_file 644 "$made/fish" "$prefix/share/fish/vendor_completions.d/cv.fish"
install_file 644 "$made/nushell" "$prefix/share/convergio/completions/cv.nu"
install_file 644 "$made/powershell" "$prefix/share/convergio/completions/cv.ps1"
mkdir "$made/man"
"$cv" man --out "$made/man" >/dev/null
for page in "$made"/man/*.1; do
    install_file 644 "$page" "$prefix/share/man/man1/$(basename "$page")"
done
mv -f "$new_list" "$list"

printf '\nInstalled in %s: cv, convergiod, cv-menubar, completions, man pages.\n' "$prefix"
printf 'Nothing was started and nothing starts at login. The first `cv` starts the daemon,\n'
printf 'which leaves by itself when idle; `cv service install` makes it a service.\n'

case :$PATH: in
    *:"$prefix/bin":*) ;;
    *) printf '\nNote: %s/bin is not on PATH. Add it:\n  export PATH="%s/bin:$PATH"\n' "$prefix" "$prefix" ;;
esac
old_ifs=$IFS
IFS=:
for folder in $PATH; do
    [ "$folder" != "$prefix/bin" ] || break
    if [ -x "$folder/cv" ]; then
        printf '\nWarning: another cv, %s/cv, comes first on PATH.\n' "$folder"
        printf 'Use `convergio` instead, or put %s/bin in front.\n' "$prefix"
        break
    fi
done
IFS=$old_ifs

# The sample is reviewed in a home of its own, so that nothing of it stays.
printf '\nA first review, of a sample (examples/sample.diff):\n\n  $ cv review < examples/sample.diff\n'
status=0
CONVERGIO_HOME=$made/home "$cv" review <"$source_dir/examples/sample.diff" || status=$?
CONVERGIO_HOME=$made/home "$cv" stop >/dev/null 2>&1 || true
[ "$status" = 0 ] || fail "the sample review failed" "cv ended with exit code $status" "$cv doctor"
printf '\nYour turn, in any repository:  git diff | cv review\n'
