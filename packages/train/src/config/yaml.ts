import { readYaml } from '@rcnn/coco-data/node';
import { RcnnError } from '@rcnn/core/errors';
import { isAlias, isScalar, LineCounter, type Node, visit } from 'yaml';

/** A YAML file as values, and a way to say where each of them stands. */
export interface ParsedYaml {
  readonly value: unknown;
  /** `line:column` of the value at a path, or of the key when there is no such value. */
  placeOf(path: readonly (string | number)[]): string;
}

/** Faults that one error names; the rest are counted. */
const MOST_TRAPS = 20;

/**
 * Reads YAML 1.2 strictly: no duplicate keys, tags or aliases, and no value that PyYAML would read as something else
 * without saying so.
 * @throws CONFIG_INVALID with line and column
 */
export function parseYaml(text: string, where: string): ParsedYaml {
  const lines = new LineCounter();
  const { document, fault } = readYaml(text, { lineCounter: lines });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  if (fault !== undefined) {
    throw new RcnnError('CONFIG_INVALID', { where, place: at(fault.offset), problem: fault.problem });
  }
  const traps: string[] = [];
  visit(document, {
    Node: (_, node) => {
      const trap = trapIn(node);
      if (trap !== undefined) traps.push(`${at(node.range?.[0] ?? 0)}: ${trap}`);
    },
  });
  if (traps.length > 0) {
    const more = traps.length > MOST_TRAPS ? `; and ${traps.length - MOST_TRAPS} more` : '';
    throw new RcnnError('CONFIG_INVALID', {
      where,
      place: traps[0]!.slice(0, traps[0]!.indexOf(': ')),
      problem: `the file does not say clearly what is meant: ${traps.slice(0, MOST_TRAPS).join('; ')}${more}`,
    });
  }
  return {
    value: document.toJS({ maxAliasCount: 0 }) as unknown,
    placeOf: (path) => {
      for (let length = path.length; length > 0; length--) {
        const node = document.getIn(path.slice(0, length), true);
        if (isScalar(node) || (node !== null && typeof node === 'object' && 'range' in node)) {
          return at((node as { range?: [number, number, number] }).range?.[0] ?? 0);
        }
      }
      return '1:1';
    },
  };
}

/** What is unclear or not allowed about a node. */
function trapIn(node: Node): string | undefined {
  if (isAlias(node)) return 'aliases are not allowed; write the value out';
  if (node.tag !== undefined) return `the tag ${node.tag} is not allowed; write a plain value`;
  return isScalar(node) && node.type === 'PLAIN' && node.source !== undefined ? trapOf(node.source) : undefined;
}

/** Words that two YAML readers understand differently: what each makes of it. */
function trapOf(source: string): string | undefined {
  if (/^(y|n|yes|no|on|off)$/i.test(source)) {
    const meant = /^(y|yes|on)$/i.test(source);
    return `'${source}' is text here and ${meant} in PyYAML; write ${meant} or '"${source}"'`;
  }
  if (/^[-+]?0[0-7]+$/.test(source)) {
    const octal = Number.parseInt(source, 8);
    return `'${source}' is ${Number(source)} here and ${octal} in PyYAML; write ${Number(source)} or ${octal}`;
  }
  if (/^\d+(:[0-5]?\d)+$/.test(source)) {
    const seconds = source.split(':').reduce((total, part) => total * 60 + Number(part), 0);
    return `'${source}' is text here and ${seconds} in PyYAML; put it in quotes`;
  }
  return undefined;
}
