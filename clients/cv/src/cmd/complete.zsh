
# What only the running daemon knows: numbers of tasks, tags, projects. Asks it without starting it.
_cv_known() {
    local what=$1 mark=$2 line
    local -a words
    for line in "${(@f)$("${_cv_program:-cv}" complete $what 2>/dev/null)}"; do
        [[ -n $line ]] || continue
        # A word, and behind a colon what it means.
        if [[ $line == *$'\t'* ]]; then
            words+=("$mark${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        else
            words+=("$mark${line//:/\\:}")
        fi
    done
    (( $#words )) || return 1
    _describe -V -t "cv-$what" $what words
}

_cv() {
    local verb='' sub='' word i _cv_program=${(Q)words[1]}
    for (( i = 2; i < CURRENT; i++ )); do
        word=$words[i]
        case $word in
            (--color|--timeout) (( i++ )) ;;
            (-*) ;;
            (*) if [[ -z $verb ]]; then verb=$word; elif [[ -z $sub ]]; then sub=$word; fi ;;
        esac
    done
    case $verb in
        (remind|task|tasks)
            case $words[CURRENT-1] in
                (--tag|--untag) _cv_known tags && return ;;
                (--project) _cv_known projects && return ;;
                (--parent) _cv_known tasks && return ;;
            esac
            ;;
    esac
    case $verb,$sub in
        (task,done|task,snooze|task,edit|task,rm|task,show)
            [[ $words[CURRENT] != -* && $words[CURRENT-1] != --* ]] && _cv_known tasks && return
            ;;
        (tasks,*|task,list|task,export)
            [[ $words[CURRENT] == +* ]] && _cv_known tags + && return
            ;;
    esac
    _cv_rest "$@"
}

