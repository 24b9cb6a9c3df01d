import type { Command, Option } from 'commander';

/** A script for a shell, made from the program itself: it cannot drift from what there is. */
export function completionScript(program: Command, shell: 'bash' | 'zsh' | 'fish'): string {
  if (shell === 'fish') return fishScript(program);
  const bash = bashScript(program);
  return shell === 'bash' ? bash : `autoload -U +X bashcompinit && bashcompinit\n${bash}`;
}

const shown = ({ options }: Command): readonly Option[] => options.filter(({ hidden }) => !hidden);

/** Names are those of our own options: letters, digits and dashes, which no shell reads as anything else. */
function bashScript(program: Command): string {
  const name = program.name();
  const commands = program.commands.map((command) => command.name());
  const cases = program.commands.map((command) => {
    const flags = [...shown(command), ...shown(program)].map(({ long }) => long).join(' ');
    return `    ${command.name()}) words='${flags} --help' ;;`;
  });
  const values = program.commands.flatMap((command) =>
    shown(command)
      .filter(({ argChoices }) => argChoices !== undefined)
      .map(({ long, argChoices }) => `    ${command.name()}:${long}) words='${argChoices!.join(' ')}' ;;`),
  );
  return `# Completion of ${name}, printed by: ${name} completion bash
_${name.replaceAll('-', '_')}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=''
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.join(' ')} --help --version' -- "$current"))
    return
  fi
  case "$command:$previous" in
${values.join('\n')}
  esac
  if [ -n "$words" ]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  case "$current" in
    -*) ;;
    *) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "$command" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o filenames -F _${name.replaceAll('-', '_')} ${name}
`;
}

function fishScript(program: Command): string {
  const name = program.name();
  const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = [`# Completion of ${name}, printed by: ${name} completion fish`];
  for (const command of program.commands) {
    const summary = quoted(command.description());
    lines.push(`complete -c ${name} -n __fish_use_subcommand -a ${command.name()} -d ${summary}`);
    for (const { long, description, argChoices, required, optional } of shown(command)) {
      const parts = [`complete -c ${name}`, `-n ${quoted(`__fish_seen_subcommand_from ${command.name()}`)}`];
      parts.push(`-l ${long!.replace(/^--/, '')}`, `-d ${quoted(description)}`);
      if (required || optional) parts.push('-r');
      if (argChoices !== undefined) parts.push(`-f -a ${quoted(argChoices.join(' '))}`);
      lines.push(parts.join(' '));
    }
  }
  return `${lines.join('\n')}\n`;
}
