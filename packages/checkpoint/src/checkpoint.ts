import { quoteName, RcnnError } from '@rcnn/core/errors';
import type { ByteSource } from './byte-source.ts';
import { type Hashing, sha256Of, webHashing } from './hashing.ts';
import { checkJson, isDeeperThan, type JsonValue } from './json.ts';
import { openTensors } from './open.ts';
import { checkProfile, type WeightsProfile } from './profile.ts';
import type { SafetensorsSource } from './safetensors/read.ts';
import { alignedOrder, type FileContents, safetensorsFile, safetensorsHeader } from './safetensors/write.ts';
import { memorySource, type TensorEntry, type TensorSource } from './tensor-source.ts';

/** What goes into a checkpoint of ours. */
export interface CheckpointContents {
  /** The model, by PyTorch's names and in its layouts: what `stateDict` gives. */
  readonly weights: Iterable<TensorEntry>;
  /** More tensors, by group: `{ optimizer: … }`. In the file they are called `optimizer/<name>`. */
  readonly groups?: Readonly<Record<string, Iterable<TensorEntry>>>;
  readonly profile?: WeightsProfile | undefined;
  /** Anything that JSON holds exactly: epoch, step, states of random generators, options. */
  readonly info?: JsonValue | undefined;
}

/** An open checkpoint. Tensors of files that we wrote are checked against their digests when they are read. */
export interface Checkpoint {
  /** The file, for errors. */
  readonly name: string;
  readonly weights: TensorSource;
  /** The groups beside the weights, empty for files of others. */
  readonly groups: ReadonlyMap<string, TensorSource>;
  readonly profile: WeightsProfile | undefined;
  readonly info: JsonValue | undefined;
  /** Whether the file carries digests, so that damage is found. */
  readonly verified: boolean;
  /** Reads every tensor once, and so checks every digest. @throws DIGEST_MISMATCH */
  verify(): Promise<void>;
  close(): Promise<void>;
}

const VERSION = '1';
const KEYS = {
  version: 'rcnn.version',
  profile: 'rcnn.profile',
  info: 'rcnn.info',
  digests: 'rcnn.digests',
  header: 'rcnn.header',
} as const;
/** Where the info of a checkpoint stands in its file, for errors about it. */
export const INFO_PLACE: string = `__metadata__.${KEYS.info}`;
/** Of profile and info in a file: they are walked by recursion later. */
const MAX_INFO_DEPTH = 64;
const NO_DIGEST = '0'.repeat(64);

/**
 * Lays a checkpoint out as a safetensors file that other programs can read too: weights under PyTorch's names and in
 * its layouts, further tensors under `group/name`; profile, info and a SHA-256 of every tensor and of the header in
 * the metadata. Reads every tensor once for the digests, and again when the chunks are written.
 * @throws INVALID_ARGUMENT
 */
export async function checkpointFile(
  contents: CheckpointContents,
  hashing: Hashing = webHashing,
): Promise<FileContents> {
  const tensors = alignedOrder(namedTensors(contents));
  const digests: [string, string][] = [];
  for (const tensor of tensors) digests.push([tensor.name, await sha256Of(tensor.chunks(), hashing)]);
  const metadata: Record<string, string> = { format: 'pt', [KEYS.version]: VERSION };
  if (contents.profile !== undefined) {
    metadata[KEYS.profile] = checkJson(contents.profile as unknown as JsonValue, 'checkpointFile', '/profile');
  }
  if (contents.info !== undefined) metadata[KEYS.info] = checkJson(contents.info, 'checkpointFile', '/info');
  metadata[KEYS.digests] = JSON.stringify(digests);
  const blank = safetensorsHeader(tensors, { ...metadata, [KEYS.header]: NO_DIGEST });
  return safetensorsFile(tensors, { ...metadata, [KEYS.header]: await sha256Of([blank.subarray(8)], hashing) });
}

/**
 * Opens a checkpoint of any format. In one of ours, the header is checked now and each tensor when it is read.
 * @throws FILE_MALFORMED, FILE_TRUNCATED, FILE_REFUSED, BUDGET_EXCEEDED, DIGEST_MISMATCH
 */
export async function openCheckpoint(source: ByteSource, hashing: Hashing = webHashing): Promise<Checkpoint> {
  const file = await openTensors(source, { hashing });
  try {
    const ours = file.format === 'safetensors' && [...file.metadata.keys()].some((key) => key.startsWith('rcnn.'));
    return ours ? await openOurs(file as SafetensorsSource, hashing) : checkpoint(file, [...file.tensors.values()]);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openOurs(file: SafetensorsSource, hashing: Hashing): Promise<Checkpoint> {
  await checkHeader(file, hashing);
  const digests = parseDigests(file);
  const tensors = [...file.tensors.values()].map((tensor) =>
    verifiedEntry(tensor, digests.get(tensor.name), file, hashing),
  );
  const profile = file.metadata.has(KEYS.profile)
    ? checkProfile(parseMetadata(file, KEYS.profile), file.name, `__metadata__.${KEYS.profile}`)
    : undefined;
  const info = file.metadata.has(KEYS.info) ? (parseMetadata(file, KEYS.info) as JsonValue) : undefined;
  return checkpoint(file, tensors, { verified: true, profile, info });
}

function checkpoint(
  file: TensorSource,
  tensors: readonly TensorEntry[],
  { verified, profile, info }: Pick<Checkpoint, 'verified' | 'profile' | 'info'> = {
    verified: false,
    profile: undefined,
    info: undefined,
  },
): Checkpoint {
  const weights: TensorEntry[] = [];
  const groups = new Map<string, TensorEntry[]>();
  for (const tensor of tensors) {
    const slash = verified ? tensor.name.indexOf('/') : -1;
    if (slash < 0) {
      weights.push(tensor);
      continue;
    }
    const group = tensor.name.slice(0, slash);
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group)!.push({ ...tensor, name: tensor.name.slice(slash + 1) });
  }
  const asSource = (entries: readonly TensorEntry[]): TensorSource => ({
    ...memorySource(entries, file.name),
    format: file.format,
    metadata: file.metadata,
    close: () => file.close(),
  });
  return {
    name: file.name,
    weights: asSource(weights),
    groups: new Map([...groups].map(([group, entries]) => [group, asSource(entries)])),
    profile,
    info,
    verified,
    async verify() {
      for (const tensor of tensors) await drain(tensor.chunks());
    },
    close: () => file.close(),
  };
}

async function drain(chunks: AsyncIterable<unknown>): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}

function* namedTensors({ weights, groups = {} }: CheckpointContents): Generator<TensorEntry> {
  for (const tensor of weights) {
    if (tensor.name.includes('/')) invalidName(tensor.name, "the name of a weight may not have '/' in it");
    yield tensor;
  }
  for (const [group, tensors] of Object.entries(groups)) {
    if (!/^[A-Za-z][\w-]*$/.test(group)) invalidName(group, 'a group is named by letters, digits, _ and -');
    for (const tensor of tensors) yield { ...tensor, name: `${group}/${tensor.name}` };
  }
}

function invalidName(place: string, problem: string): never {
  throw new RcnnError('INVALID_ARGUMENT', { where: 'checkpointFile', place, problem });
}

/** The digest of the header is taken with zeros in its own place. */
async function checkHeader(file: SafetensorsSource, hashing: Hashing): Promise<void> {
  for (const key of [KEYS.version, KEYS.digests, KEYS.header]) {
    if (!file.metadata.has(key)) {
      throw new RcnnError('DIGEST_MISMATCH', {
        where: file.name,
        place: `__metadata__.${key}`,
        problem: 'this part of the header is gone',
        hint: 'The file is damaged; take an older checkpoint.',
      });
    }
  }
  const stated = file.metadata.get(KEYS.header)!;
  const text = new TextDecoder().decode(file.headerBytes);
  const blank = new TextEncoder().encode(
    text.replace(`"${KEYS.header}":"${stated}"`, `"${KEYS.header}":"${NO_DIGEST}"`),
  );
  const found = await sha256Of([blank], hashing);
  if (found !== stated) mismatch(file.name, 'the header', found, stated);
  if (file.metadata.get(KEYS.version) !== VERSION) {
    throw new RcnnError('FILE_REFUSED', {
      where: file.name,
      place: `__metadata__.${KEYS.version}`,
      problem: 'the checkpoint was written by a later release',
      found: `version ${quoteName(file.metadata.get(KEYS.version)!)}`,
      expected: `version ${VERSION}`,
      hint: 'Update @rcnn/checkpoint.',
    });
  }
}

function parseDigests(file: TensorSource): Map<string, string> {
  const list = parseMetadata(file, KEYS.digests);
  const isPair = (pair: unknown): pair is [string, string] =>
    Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === 'string');
  if (Array.isArray(list) && list.every(isPair)) return new Map(list);
  throw new RcnnError('FILE_MALFORMED', {
    where: file.name,
    place: `__metadata__.${KEYS.digests}`,
    problem: 'not a list of names and digests',
  });
}

function parseMetadata(file: TensorSource, key: string): unknown {
  const text = file.metadata.get(key)!;
  const place = `__metadata__.${key}`;
  if (isDeeperThan(text, MAX_INFO_DEPTH)) {
    const problem = `nested deeper than ${MAX_INFO_DEPTH} levels`;
    throw new RcnnError('BUDGET_EXCEEDED', { where: file.name, place, problem });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new RcnnError('FILE_MALFORMED', { where: file.name, place, problem: 'not JSON', cause });
  }
}

function verifiedEntry(
  tensor: TensorEntry,
  digest: string | undefined,
  file: TensorSource,
  hashing: Hashing,
): TensorEntry {
  const compare = (found: string): void => {
    if (found !== digest)
      mismatch(file.name, `tensor ${quoteName(tensor.name)}`, found, digest ?? 'a digest in the header');
  };
  return {
    ...tensor,
    async read(into) {
      const bytes = await tensor.read(into);
      compare(await sha256Of([bytes], hashing));
      return bytes;
    },
    async *chunks() {
      const hash = hashing.sha256();
      for await (const chunk of tensor.chunks()) {
        hash.update(chunk);
        yield chunk;
      }
      compare(await hash.digest());
    },
  };
}

function mismatch(where: string, place: string, found: string, expected: string): never {
  throw new RcnnError('DIGEST_MISMATCH', {
    where,
    place,
    problem: 'the bytes are not those that were written',
    found: `SHA-256 ${found.slice(0, 16)}…`,
    expected: `${expected.slice(0, 16)}…`,
    hint: 'The file is damaged; take an older checkpoint or copy it again.',
  });
}
