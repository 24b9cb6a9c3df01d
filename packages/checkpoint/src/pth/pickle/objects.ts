import { quoteName } from '@rcnn/core/errors';
import { ALLOWED, GETATTR } from './globals.ts';
import { BYTES } from './meter.ts';
import { setNumpyState } from './numpy.ts';
import { isOfTraining, whatNames } from './programs.ts';
import {
  type Budget,
  Global,
  OpaqueGlobal,
  PickleDict,
  PickleList,
  PickleOpaque,
  PickleProblem,
  PickleRecord,
  PickleTuple,
  type PickleValue,
} from './values.ts';

function notListed(name: string): PickleProblem {
  const what = whatNames(name);
  return new PickleProblem(
    `it names ${quoteName(name)}, which is not on the list of what a checkpoint may use${what === undefined ? '' : `: ${what}`}`,
    'FILE_REFUSED',
  );
}

/** Makes the containers of a pickle and does its calls, all of which are on the allow-list and give data. */
export class PickleObjects {
  readonly #budget: Budget;
  /** `getattr` as the file calls it, until it is used as it may be; then null. */
  #unused: string | null | undefined;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  // ---- containers

  tuple(items: readonly PickleValue[]): PickleTuple {
    this.#budget.hold(BYTES.sequence + BYTES.item * items.length);
    return new PickleTuple(items);
  }

  list(items: readonly PickleValue[] = []): PickleValue {
    this.#budget.hold(BYTES.sequence);
    return this.append(new PickleList(), items);
  }

  append(list: PickleValue, items: readonly PickleValue[]): PickleValue {
    if (list instanceof PickleOpaque) return list;
    if (!(list instanceof PickleList)) throw new PickleProblem('items for something that is not a list');
    this.#budget.hold(BYTES.item * items.length);
    for (const item of items) list.items.push(item);
    return list;
  }

  /** @param items keys and values in turn */
  dict(items: readonly PickleValue[] = []): PickleValue {
    this.#budget.hold(BYTES.dict);
    return this.setItems(new PickleDict(), items);
  }

  setItems(dict: PickleValue, items: readonly PickleValue[]): PickleValue {
    if (dict instanceof PickleOpaque) return dict;
    if (!(dict instanceof PickleDict) || items.length % 2 !== 0) {
      throw new PickleProblem('keys and values for something that is not a dict');
    }
    this.#budget.hold((BYTES.entry * items.length) / 2);
    for (let i = 0; i < items.length; i += 2) dict.entries.set(items[i]!, items[i + 1]!);
    return dict;
  }

  // ---- names and calls

  /** A name that is allowed for one use has to have had it. @throws FILE_REFUSED */
  finish(): void {
    if (typeof this.#unused === 'string') throw notListed(this.#unused);
  }

  global(module: PickleValue, name: PickleValue): Global {
    if (typeof module !== 'string' || typeof name !== 'string') throw new PickleProblem('a global without a name');
    const full = `${module}.${name}`;
    if (GETATTR.includes(full) && this.#unused === undefined) this.#unused = full;
    const found = ALLOWED.get(full);
    if (found !== undefined) return found;
    if (isOfTraining(full)) {
      this.#budget.hold(BYTES.dict + 2 * full.length);
      return new OpaqueGlobal(full);
    }
    throw notListed(full);
  }

  call(callable: PickleValue | undefined, args: readonly PickleValue[]): PickleValue {
    if (callable === undefined) throw new PickleProblem('an object without a class');
    if (!(callable instanceof Global) || callable.call === undefined) {
      const name = callable instanceof Global ? callable.name : typeof callable;
      throw new PickleProblem(`a call of ${name}, which cannot be called`, 'FILE_REFUSED');
    }
    this.#budget.hold(BYTES.dict); // whatever it makes, a tensor being the largest
    if (!GETATTR.includes(callable.name)) return callable.call(args, this.#budget);
    if (!(args[0] instanceof OpaqueGlobal)) throw notListed(callable.name);
    this.#unused = null;
    return callable.call(args, this.#budget);
  }

  /** A call of `func(*args)`. */
  reduce(callable: PickleValue, args: PickleValue): PickleValue {
    if (!(args instanceof PickleTuple)) throw new PickleProblem('a call without a tuple of arguments');
    return this.call(callable, args.items);
  }

  /** A call of `func(*args, **keywords)`, where there are no keywords. */
  reduceWithKeywords(callable: PickleValue, args: PickleValue, keywords: PickleValue): PickleValue {
    if (callable instanceof OpaqueGlobal) return this.call(callable, []);
    if (!(args instanceof PickleTuple) || !(keywords instanceof PickleDict) || keywords.entries.size > 0) {
      throw new PickleProblem('a call with keywords', 'FILE_REFUSED');
    }
    return this.call(callable, args.items);
  }

  /** State for an object: fields of a record; attributes of a dict (`_metadata`), which nobody here reads. */
  build(object: PickleValue, state: PickleValue): void {
    if (object instanceof PickleOpaque) return;
    if (object instanceof PickleRecord && state instanceof PickleDict) {
      this.#budget.spend(state.entries.size);
      this.#budget.hold(BYTES.entry * state.entries.size);
      for (const [key, value] of state.entries) object.entries.set(key, value);
    } else if (!setNumpyState(object, state) && !(object instanceof PickleDict)) {
      throw new PickleProblem('state for something that has none', 'FILE_REFUSED');
    }
  }
}
