import { Option } from 'commander';

/** `--compile`, as every command that predicts has it. */
export function compileOption(): Option {
  return new Option(
    '--compile <when>',
    'predict by whole graphs: auto where model and engine allow it and it is quicker',
  )
    .choices(['auto', 'on', 'off'])
    .default('auto');
}
