import type { Problems } from '../../doctor/problems.ts';
import type { AnnotationSet } from '../../records.ts';
import type { OpenOptions } from './open.ts';

/** One split of a dataset on disk, before anything is read. */
export interface DatasetSource {
  /** The {@link DatasetReader.format} of the reader that found it. */
  readonly format: string;
  readonly split: string;
  /** The file or folder of annotations. */
  readonly annotations: string;
  /** The folder of images. */
  readonly images: string;
}

/**
 * Reads one format. Readers are asked in the order of their list; one of your own goes in front of them by the option
 * `readers` of {@link openDataset}.
 */
export interface DatasetReader {
  /** The name of the format, as users write it. */
  readonly format: string;
  /**
   * The splits at `path`, a file or folder that exists. None where the files are of another format; a reader never throws
   * for files that are not its own. With `options.format` naming this reader, the user has said what the files are.
   */
  find(path: string, options: OpenOptions): Promise<readonly DatasetSource[]>;
  /**
   * What one split says, as it says it: nothing is judged. A record that cannot be read is a problem of that record.
   * @throws an RcnnError where the split as a whole cannot be read
   */
  read(source: DatasetSource, problems: Problems, options: OpenOptions): Promise<AnnotationSet>;
}
