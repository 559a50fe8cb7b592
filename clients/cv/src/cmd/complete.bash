
# What only the running daemon knows: numbers of tasks, tags, projects. Asks it without starting it.
_cv_known() {
    local program=$1 what=$2 cur=$3 mark=$4 word title
    COMPREPLY=()
    while IFS=$'\t' read -r word title; do
        word=$mark$word
        [[ $word == "$cur"* ]] || continue
        # Titles only where a list is shown: what is inserted is the word alone.
        case ${COMP_TYPE:-9} in
            33 | 63 | 64) [[ -n $title ]] && word="$word  $title" ;;
        esac
        COMPREPLY+=("$word")
    done < <("$program" complete "$what" 2>/dev/null)
}

_cv_and_known() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=$3 verb='' sub='' i word
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --color | --timeout) ((i++)) ;;
            -*) ;;
            *) if [[ -z $verb ]]; then verb=$word; elif [[ -z $sub ]]; then sub=$word; fi ;;
        esac
    done
    case $verb in
        remind | task | tasks)
            case $prev in
                --tag | --untag) _cv_known "$1" tags "$cur" ''; return ;;
                --project) _cv_known "$1" projects "$cur" ''; return ;;
                --parent) _cv_known "$1" tasks "$cur" ''; return ;;
            esac
            ;;
    esac
    case $verb,$sub in
        task,done | task,snooze | task,edit | task,rm | task,show)
            if [[ $cur != -* && $prev != --* ]]; then
                _cv_known "$1" tasks "$cur" ''
                return
            fi
            ;;
        tasks,* | task,list | task,export)
            if [[ $cur == +* ]]; then
                _cv_known "$1" tags "$cur" +
                return
            fi
            ;;
    esac
    _cv "$@"
}
