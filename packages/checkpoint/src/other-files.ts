import { counted, quoteName, RcnnError } from '@rcnn/core/errors';

/** What a file is that holds no weights for us, and what to do about it. */
interface OtherFile {
  readonly problem: string;
  readonly hint: string;
}

const DOWNLOAD_AGAIN =
  'The address gave this in place of the file: open it in a browser, then download the file itself.';
const UNPACK = 'Unpack it, and name the file that was inside.';
const TAKE_PYTORCH = 'Take the same weights for PyTorch (.pth or .safetensors), where there are any.';

/** Files that people have in place of weights, by their first bytes. */
const BY_BYTES: readonly (readonly [bytes: readonly number[], file: OtherFile])[] = [
  [[0x1f, 0x8b], { problem: 'the file is packed with gzip', hint: UNPACK }],
  [[0x42, 0x5a, 0x68], { problem: 'the file is packed with bzip2', hint: UNPACK }],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], { problem: 'the file is packed with xz', hint: UNPACK }],
  [[0x28, 0xb5, 0x2f, 0xfd], { problem: 'the file is packed with zstd', hint: UNPACK }],
  [[0x37, 0x7a, 0xbc, 0xaf], { problem: 'this is a 7z archive', hint: UNPACK }],
  [[0x52, 0x61, 0x72, 0x21], { problem: 'this is a RAR archive', hint: UNPACK }],
  [
    [0x89, 0x48, 0x44, 0x46],
    { problem: 'this is an HDF5 file, as TensorFlow and Keras write weights (.h5)', hint: TAKE_PYTORCH },
  ],
  [
    [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59],
    { problem: 'this is one array of numpy (.npy)', hint: 'Weights have a name for each array: save a state dict.' },
  ],
  [[0x47, 0x47, 0x55, 0x46], { problem: 'this is a GGUF file, for language models', hint: TAKE_PYTORCH }],
  [[0xff, 0xd8, 0xff], { problem: 'this is a JPEG image', hint: 'Name the weights.' }],
  [[0x89, 0x50, 0x4e, 0x47], { problem: 'this is a PNG image', hint: 'Name the weights.' }],
  [[0x25, 0x50, 0x44, 0x46], { problem: 'this is a PDF document', hint: DOWNLOAD_AGAIN }],
];

/** The same by the first words of a text. */
const BY_TEXT: readonly (readonly [start: RegExp, file: OtherFile])[] = [
  [
    /^version https:\/\/git-lfs/,
    { problem: 'this is a pointer of Git LFS, not the file itself', hint: "Fetch the file: 'git lfs pull'." },
  ],
  [/^<(?:!doctype html|html|head|body|script)\b/i, { problem: 'this is a web page', hint: DOWNLOAD_AGAIN }],
  [/^<(?:\?xml|error)\b/i, { problem: 'this is an XML document', hint: DOWNLOAD_AGAIN }],
  [
    /^\{[^]*"(?:weight_map|total_size)"/,
    {
      problem: 'this is the index of weights that lie in several files',
      hint: 'Only one file is read: load all of them in Python, and save them as one state dict.',
    },
  ],
  [/^[{[]/, { problem: 'this is a JSON text', hint: DOWNLOAD_AGAIN }],
];

const ONNX: OtherFile = {
  problem: 'this is an ONNX model',
  hint: "What 'mask-rcnn export' wrote is predicted with under a name that ends with .onnx; training, converting and exporting need the weights that it was made from.",
};

/** No checkpoint of any form has fewer bytes. */
const SHORTEST = 16;

/**
 * Refuses a file that is no checkpoint, and says what it is where that is known.
 *
 * @param head its first bytes
 * @param where its name
 * @throws FILE_MALFORMED always; FILE_TRUNCATED where it has but a few bytes
 */
export function refuseOtherFile(head: Uint8Array, where: string): never {
  const file = fileOf(head, where);
  if (file === undefined && head.length < SHORTEST) {
    const [found, expected] = [`${head.length} bytes`, `at least ${SHORTEST}`];
    const hint = 'Copy or download it again.';
    throw new RcnnError('FILE_TRUNCATED', {
      where,
      place: 'byte 0',
      problem: 'the file ends too early',
      found,
      expected,
      hint,
    });
  }
  const start = [...head.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  throw new RcnnError('FILE_MALFORMED', {
    where,
    place: 'byte 0',
    problem: file?.problem ?? 'not a checkpoint that we know',
    ...(file === undefined && { found: `a file that begins with ${start}` }),
    expected: 'safetensors, or a .pth of PyTorch',
    ...(file !== undefined && { hint: file.hint }),
  });
}

function fileOf(head: Uint8Array, where: string): OtherFile | undefined {
  const known = BY_BYTES.find(([bytes]) => bytes.every((byte, i) => head[i] === byte));
  if (known !== undefined) return known[1];
  if (ascii(head, 4, 8) === 'TFL3') return { problem: 'this is a model of TensorFlow Lite', hint: TAKE_PYTORCH };
  // Its first field is the version of the format, its second a text or the graph.
  if (head[0] === 8 && head[1]! < 32 && [0x12, 0x1a, 0x22, 0x3a, 0x42].includes(head[2]!)) return ONNX;
  if (/\.weights$/i.test(where)) return { problem: 'these are weights of Darknet (YOLO)', hint: TAKE_PYTORCH };
  const text = new TextDecoder()
    .decode(head)
    .replace(/^\uFEFF/, '')
    .trimStart();
  const ofText = BY_TEXT.find(([start]) => start.test(text))?.[1];
  if (ofText !== undefined || !isText(head)) return ofText;
  return {
    problem: `not a checkpoint, but a text: ${quoteName(text.split('\n')[0]!.trim(), 60)}`,
    hint: DOWNLOAD_AGAIN,
  };
}

/** Whether there are nothing but printable characters and spaces of ASCII. */
function isText(bytes: Uint8Array): boolean {
  return bytes.every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d));
}

function ascii(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/** Entries of tar archives of PyTorch 0.1, in any order. */
const OLD_PYTORCH = /^(?:\.\/)?(?:sys_info|pickle|storages|tensors)$/;

/** Refuses a tar archive: PyTorch's own of long ago, or one around something. @throws FILE_REFUSED always */
export function refuseTar(head: Uint8Array, where: string): never {
  const first = ascii(head, 0, 100).split('\0')[0]!;
  const isOld = OLD_PYTORCH.test(first);
  throw new RcnnError('FILE_REFUSED', {
    where,
    place: 'byte 0',
    problem: isOld ? 'a tar archive, as PyTorch 0.1 wrote them' : 'this is a tar archive',
    hint: isOld ? 'Load it in PyTorch and save it again.' : UNPACK,
  });
}

/** Zip archives that are no checkpoint, by the names of their entries. */
const BY_ENTRIES: readonly (readonly [isOne: (names: readonly string[]) => boolean, file: OtherFile])[] = [
  [
    (names) => names.some((name) => name.endsWith('/constants.pkl')),
    {
      problem: 'this is a TorchScript program, not a checkpoint',
      hint: 'Load it with torch.jit.load and save its state_dict().',
    },
  ],
  [
    (names) =>
      names.some((name) => /(?:^|\/)(?:archive_version|archive_format|serialized_exported_program\.json)$/.test(name)),
    {
      problem: 'this is a program of torch.export, not a checkpoint',
      hint: 'Load it with torch.export.load and save its state_dict.',
    },
  ],
  [
    (names) => names.length > 0 && names.every((name) => name.endsWith('.npy')),
    {
      problem: 'this is an archive of numpy (.npz)',
      hint: 'Save the arrays as a state dict: torch.save of a dict of tensors, or safetensors.',
    },
  ],
  [(names) => names.includes('model.weights.h5'), { problem: 'this is a model of Keras', hint: TAKE_PYTORCH }],
  [
    (names) => names.some((name) => /\.(?:pth|pt|ckpt|safetensors|bin|pkl|tar)$/i.test(name)),
    { problem: 'this is a zip archive with a file of weights inside', hint: UNPACK },
  ],
];

/**
 * Refuses a zip archive that has no `data.pkl` of PyTorch's, or one of a program; passes over others.
 *
 * @param names of its entries
 * @param where its name
 * @throws FILE_REFUSED, FILE_MALFORMED
 */
export function refuseOtherZip(names: readonly string[], where: string): void {
  const isCheckpoint = names.some((name) => /^[^/]+\/data\.pkl$/.test(name));
  const file = BY_ENTRIES.find(([isOne], i) => (i === 0 || !isCheckpoint) && isOne(names))?.[1];
  if (file === undefined && isCheckpoint) return;
  const shown = names.slice(0, 3).join(', ');
  const listed = `${counted(names.length, 'entry', 'entries')}${shown === '' ? '' : `: ${shown}`}${names.length > 3 ? ', …' : ''}`;
  throw new RcnnError(file === undefined ? 'FILE_MALFORMED' : 'FILE_REFUSED', {
    where,
    problem: file?.problem ?? 'not a checkpoint of PyTorch',
    found: file === undefined ? `a zip archive with 0 data.pkl: ${listed}` : listed,
    ...(file === undefined
      ? { expected: 'an archive as torch.save writes it, with one data.pkl' }
      : { hint: file.hint }),
  });
}
