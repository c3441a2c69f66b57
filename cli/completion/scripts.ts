/**
 * A script a shell. Each asks `mesh completion SHELL -- …` and reads lines: what kind of answer it is (`words`, `partial`
 * words that are no end yet, or `files`), then the words. What was typed goes there as arguments; nothing of it, and
 * nothing of the answer, is evaluated.
 */
export const COMPLETION_SCRIPTS = {
  // The daemon's keys hold colons, at which bash splits words, and quotes: so mesh gets the line itself.
  bash: `# Completion of mesh for bash.
_mesh_complete() {
  local kind='' line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ -z $kind ]]; then kind=$line; else COMPREPLY+=("$line"); fi
  done < <(mesh completion bash -- "$COMP_WORDBREAKS" "\${COMP_LINE:0:$COMP_POINT}" 2>/dev/null </dev/null)
  case $kind in
    files) compopt -o default 2>/dev/null ;;
    partial) compopt -o nospace 2>/dev/null ;;
  esac
  return 0
}
complete -F _mesh_complete mesh
`,
  // (Q) takes quotes away without expanding anything.
  zsh: `#compdef mesh
# Completion of mesh for zsh.
_mesh() {
  local kind='' line
  local -a found before
  (( CURRENT > 2 )) && before=("\${(@Q)words[2,CURRENT-1]}")
  while IFS= read -r line; do
    if [[ -z $kind ]]; then kind=$line; else found+=("$line"); fi
  done < <(mesh completion zsh -- "\${before[@]}" "\${(Q)PREFIX}" 2>/dev/null </dev/null)
  case $kind in
    files) _files ;;
    partial) compadd -S '' -- "\${found[@]}" ;;
    words) compadd -- "\${found[@]}" ;;
  esac
}
if [[ "\${funcstack[1]}" == _mesh ]]; then _mesh "$@"; else compdef _mesh mesh; fi
`,
  fish: `# Completion of mesh for fish.
function __mesh_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l plain (string unescape -- "$current" 2>/dev/null)
    or set plain (string trim --left --chars '"\\'' -- "$current")
    set -l found (mesh completion fish -- $before[2..] "$plain" 2>/dev/null </dev/null)
    if test "$found[1]" = files
        __fish_complete_path "$plain"
    else
        printf '%s\\n' $found[2..]
    end
end
complete -c mesh -f -a '(__mesh_complete)'
`,
} as const
