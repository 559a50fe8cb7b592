
# What only the running daemon knows: numbers of tasks, tags, projects. Asks it without starting it.
function __fish_cv_known
    set -l program (commandline -opc)[1]
    command $program complete $argv[1] 2>/dev/null
end

complete -c cv -n "__fish_cv_using_subcommand task; and __fish_seen_subcommand_from done snooze edit rm show" -k -f -a "(__fish_cv_known tasks)"
complete -c cv -n "__fish_cv_using_subcommand task; and __fish_seen_subcommand_from list export" -f -a "(__fish_cv_known tags | string replace -r '^' +)"
complete -c cv -n "__fish_cv_using_subcommand tasks" -f -a "(__fish_cv_known tags | string replace -r '^' +)"
complete -c cv -n "__fish_cv_using_subcommand remind task tasks" -l tag -x -a "(__fish_cv_known tags)"
complete -c cv -n "__fish_cv_using_subcommand task; and __fish_seen_subcommand_from edit" -l untag -x -a "(__fish_cv_known tags)"
complete -c cv -n "__fish_cv_using_subcommand remind task" -l project -x -a "(__fish_cv_known projects)"
complete -c cv -n "__fish_cv_using_subcommand remind task" -l parent -x -k -a "(__fish_cv_known tasks)"
