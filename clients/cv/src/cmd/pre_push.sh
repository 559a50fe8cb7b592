zero() { case $1 in *[!0]*) return 1 ;; esac; }
known=--remotes=${1:-origin}
[ -n "$(git for-each-ref --count=1 "refs/remotes/${1:-origin}")" ] || known=--remotes
# The commit that holds all of the given ones; with a git that cannot make it, the first.
joined() {
  base=$1
  shift
  for next; do
    tree=$(git merge-tree --write-tree "$base" "$next" 2>/dev/null </dev/null | head -n 1)
    [ -n "$tree" ] || break
    base=$(git -c user.name=cv -c user.email=cv@localhost \
      commit-tree "$tree" -p "$base" -p "$next" -m 'known to the remote' </dev/null) || break
  done
  echo "$base"
}
# What the diffs add, alone: what one commit adds and another removes would count as moved.
added() {
  LC_ALL=C awk '
    left > 0 && /^[+]/ { left--; print; next }
    gone > 0 && /^-/ { gone--; next }
    /^[\\]/ { next }
    /^@@ / {
      split($2, old, ","); split($3, new, ",")
      gone = (old[2] == "") ? 1 : old[2] + 0
      left = (new[2] == "") ? 1 : new[2] + 0
      if (left > 0) print "@@ " old[1] ",0 " $3 " @@"
      next
    }
    { print }'
}
while read -r _ local _ remote; do
  zero "$local" && continue
  if zero "$remote" || ! git cat-file -e "$remote^{commit}" 2>/dev/null; then
    remote=
  fi
  if ! new=$(git rev-list --count "$local" --not "$known" $remote); then
    echo 'Not reviewed: git cannot tell what is new' >&2
    [ "$strict" = 1 ] && exit 2
    continue
  fi
  [ "$new" = 0 ] && continue
  edge=$(git rev-list --boundary "$local" --not "$known" $remote | sed -n 's/^-//p')
  if [ -z "$edge" ]; then
    base=$(git hash-object -t tree /dev/null)
  else
    base=$(joined $(git merge-base --independent $edge))
  fi
  "$cv" review --no-model --fail-on major --timeout 10s "$base..$local" </dev/null
  verdict $?
  [ "$new" = 1 ] && continue
  code=0
  found=$(git log -p --unified=0 --reverse --no-merges --format= --no-ext-diff --no-textconv \
    --no-color --src-prefix=a/ --dst-prefix=b/ "$local" --not "$known" $remote | added |
    "$cv" review - -q --ephemeral --no-model --fail-on major --timeout 10s \
      --rules secret,secret-assignment,private-key,url-credentials) || code=$?
  if [ "$code" = 1 ]; then
    printf '%s\n' "$found" 'In a commit of this push, though its last one is without.' >&2
  fi
  verdict "$code"
done
exit 0
