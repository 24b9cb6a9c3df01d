import type { Architecture } from '@rcnn/models';
import type { PartialConfig } from '@rcnn/train';
import type { Command } from 'commander';
import { addProperty, flagOf, type Properties, schemaProperties, valueOf } from './schema.ts';

/**
 * Adds every training option to a command, from the schema that YAML files are checked with: the names cannot drift
 * apart. `learningRate` is spelt `--learning-rate`, an option of the model `--model.trainable-stages`; former names still
 * work and are not shown.
 */
export function addTrainOptions(command: Command, architectures?: readonly Architecture[]): Command {
  for (const [name, property] of Object.entries(trainProperties(architectures))) {
    if (name !== 'data') addProperty(command, name, property); // the data are the argument
  }
  return command;
}

/** What was given on the command line, with the types that the schema asks for. @throws CONFIG_INVALID */
export function readTrainOptions(
  given: Readonly<Record<string, unknown>>,
  architectures?: readonly Architecture[],
): PartialConfig {
  const config: Record<string, unknown> = {};
  const model: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(trainProperties(architectures))) {
    const text = given[name];
    if (typeof text !== 'string' && typeof text !== 'boolean') continue;
    const value = typeof text === 'string' ? valueOf(text, property, name) : text;
    if (name.startsWith(MODEL)) model[name.slice(MODEL.length)] = value;
    else config[name] = value;
  }
  return (Object.keys(model).length > 0 ? { ...config, model } : config) as PartialConfig;
}

/** How the option of a config is written on the command line. */
export function placeOnLine([name, part]: readonly (string | number)[]): string {
  return flagOf(name === 'model' && part !== undefined ? `${MODEL}${part}` : String(name));
}

const MODEL = 'model.';

/** Every option by the name of its flag; those of the model as `model.proposals`, where the model's would stand. */
function trainProperties(architectures: readonly Architecture[] = []): Properties {
  const own = architectures.map(({ optionSchema }) => optionSchema.toJSONSchema({ io: 'input' }).properties);
  return Object.fromEntries(
    Object.entries(schemaProperties()).flatMap(([name, property]) => {
      if (name !== 'model') return [[name, property] as const];
      const options = Object.assign({}, ...own, property.properties) as Properties;
      const plain = Object.entries(options).filter(([, { type, anyOf, enum: choices }]) => {
        return type !== 'object' && (type ?? anyOf?.every((part) => part.type !== 'object') ?? choices !== undefined);
      });
      return plain.map(([key, option]) => [`${MODEL}${key}`, { ...option, 'x-group': 'Model' }] as const);
    }),
  );
}
