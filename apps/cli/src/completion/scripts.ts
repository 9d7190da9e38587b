// Builds completion scripts from the command's tree, one function per shell. The scripts start no program.

import type { CompletedCommand, CompletedOption } from "./tree.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** Returns the script that the shell reads at its start. */
export function completionScript(shell: Shell, commands: readonly CompletedCommand[]): string {
  switch (shell) {
    case "bash":
      return bashScript(commands);
    case "zsh":
      return zshScript(commands);
    case "fish":
      return fishScript(commands);
  }
}

/** `session list`; a leading space makes the command itself a pattern as well. */
const placeOf = (path: readonly string[]): string => path.map((word) => ` ${word}`).join("");

/** Patterns of every subcommand, to recognize words that belong to a path. */
function deeper(commands: readonly CompletedCommand[]): string {
  return commands
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => `"${placeOf(path)}"`)
    .join("|");
}

/** `case` branches for values of options with a fixed list, by command and option. */
function choiceBranches(commands: readonly CompletedCommand[], render: (words: readonly string[]) => string): string {
  const branches = commands.flatMap(({ path, options }) =>
    options
      .filter(({ choices }) => choices.length > 0)
      .map(({ flags, choices }) => {
        const patterns = flags.map((flag) => `"${placeOf(path)} ${flag}"`).join("|");
        return `    ${patterns}) ${render(choices)} ;;`;
      }),
  );
  return branches.join("\n");
}

/** `case` patterns of options with free values, for which files are offered. */
function freeValues(commands: readonly CompletedCommand[]): string {
  const flags = commands.flatMap(({ options }) => options.filter(isFree).flatMap((option) => option.flags));
  return [...new Set(flags)].join("|");
}

const isFree = ({ takesValue, choices }: CompletedOption): boolean => takesValue && choices.length === 0;

/** Offers those of the words that begin with the typed text. */
const bashOffer = (words: string): string => `COMPREPLY=($(compgen -W "${words}" -- "$current"))`;

function bashScript(commands: readonly CompletedCommand[]): string {
  const branches = commands.map(({ path, subcommands, options, words }) => {
    const names = [...subcommands.map(({ name }) => name), ...words].join(" ");
    return `    "${placeOf(path)}") words="${names}" flags="${options.flatMap(({ flags }) => flags).join(" ")}" ;;`;
  });
  return `# bash completion for dari. Read it at the start of a shell: source <(dari completion bash)
_dari() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} place="" word words="" flags=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$place $word" in
    ${deeper(commands)}) place="$place $word" ;;
    esac
  done
  COMPREPLY=()
  case "$place $previous" in
${choiceBranches(commands, (words) => `${bashOffer(words.join(" "))}; return`)}
  esac
  case "$previous" in
    ${freeValues(commands)}) return ;;
  esac
  case "$place" in
${branches.join("\n")}
  esac
  case "$current" in
    -*) ${bashOffer("$flags")} ;;
    *) ${bashOffer("$words")} ;;
  esac
}
complete -o default -F _dari dari
`;
}

/** Inside single quotes of a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function zshScript(commands: readonly CompletedCommand[]): string {
  const branches = commands.map(({ path, subcommands, options, words }) => {
    const described = subcommands.map(({ name, description }) =>
      quoted(`${name}:${description.replaceAll(":", "\\:")}`),
    );
    const offered = [...described, ...words.map(quoted)].join(" ");
    const flags = options.flatMap((option) =>
      option.flags.map((flag) => quoted(`${flag}:${option.description.replaceAll(":", "\\:")}`)),
    );
    return `    "${placeOf(path)}") offered=(${offered}); flags=(${flags.join(" ")}) ;;`;
  });
  return `#compdef dari
# zsh completion for dari. Put it on the path of functions: dari completion zsh > "\${fpath[1]}/_dari"
_dari() {
  local place="" word
  local -a offered flags
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$place $word" in
    ${deeper(commands)}) place="$place $word" ;;
    esac
  done
  case "$place \${words[CURRENT-1]}" in
${choiceBranches(commands, (words) => `compadd -- ${words.join(" ")}; return`)}
  esac
  case "\${words[CURRENT-1]}" in
    ${freeValues(commands)}) _files; return ;;
  esac
  case "$place" in
${branches.join("\n")}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe option flags
  elif (( \${#offered} )); then
    _describe command offered
  else
    _files
  fi
}
if [[ "\${funcstack[1]}" == _dari ]]; then _dari "$@"; else compdef _dari dari; fi
`;
}

function fishScript(commands: readonly CompletedCommand[]): string {
  const text = (value: string): string => `'${value.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = commands.flatMap(({ path, subcommands, options, words }) => {
    const at = `-n ${text(`test (__dari_place) = '${path.join(" ")}'`)}`;
    return [
      ...subcommands.map(({ name, description }) => `complete -c dari -f ${at} -a ${name} -d ${text(description)}`),
      ...words.map((word) => `complete -c dari -f ${at} -a ${word}`),
      ...options.map((option) => `complete -c dari ${at} ${fishOption(option)} -d ${text(option.description)}`),
    ];
  });
  const places = commands.map(({ path }) => text(path.join(" "))).join(" ");
  return `# fish completion for dari. Put it where fish looks:
# dari completion fish > ~/.config/fish/completions/dari.fish
function __dari_place
    set -l place
    for word in (commandline -opc)[2..-1]
        if contains -- (string join -- ' ' $place $word) ${places}
            set place $place $word
        end
    end
    string join -- ' ' '' $place | string trim
end
${lines.join("\n")}
`;
}

function fishOption({ flags, takesValue, choices }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith("--") ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  if (choices.length > 0) return `${names.join(" ")} -x -a '${choices.join(" ")}'`;
  return takesValue ? `${names.join(" ")} -r` : names.join(" ");
}
