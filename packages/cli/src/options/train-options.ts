import type { PartialConfig } from '@rcnn/train';
import type { Command } from 'commander';
import { addProperty, schemaProperties, valueOf } from './schema.ts';

/**
 * Adds every training option to a command, from the schema that YAML files are checked with: the names cannot drift
 * apart. `learningRate` is spelt `--learning-rate`.
 */
export function addTrainOptions(command: Command): Command {
  for (const [name, property] of Object.entries(schemaProperties())) {
    if (name !== 'data') addProperty(command, name, property); // the data are the argument
  }
  return command;
}

/** What was given on the command line, with the types that the schema asks for. @throws CONFIG_INVALID */
export function readTrainOptions(given: Readonly<Record<string, unknown>>): PartialConfig {
  const config: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(schemaProperties())) {
    const value = given[name];
    if (typeof value === 'string') config[name] = valueOf(value, property, name);
    else if (typeof value === 'boolean') config[name] = value;
  }
  return config as PartialConfig;
}
