/**
 * Reads a file in order, one slice ahead of what is asked for.
 */
import { HubError } from '../protocol/errors';
import { MAX_CHUNK_PAYLOAD_BYTES } from '../protocol/generated';

/** Bytes read at a time: a whole number of data frames. Each read is a way to another process and back. */
export const SLICE_BYTES = 64 * MAX_CHUNK_PAYLOAD_BYTES;

export class SliceReader {
  constructor(
    private readonly _file: File,
    private readonly _size: number
  ) {}

  /**
   * The slice that begins at a byte; the one behind it is read meanwhile.
   *
   * @throws HubError `source_changed`: the file is not there any more, or not the same.
   */
  async read(start: number): Promise<Uint8Array> {
    const ahead = this._ahead;
    const slice = ahead?.start === start ? ahead.data : this._begin(start);
    this._ahead = null;
    const data = await slice;
    const next = start + data.length;
    if (next < this._size) {
      this._ahead = { start: next, data: this._begin(next) };
      // Who asks for it hears of the failure; nobody may.
      this._ahead.data.catch(() => undefined);
    }
    return data;
  }

  private async _begin(start: number): Promise<Uint8Array> {
    const end = Math.min(this._size, start + SLICE_BYTES);
    return readPart(this._file, start, end);
  }

  private _ahead: { start: number; data: Promise<Uint8Array> } | null = null;
}

/** Read a part of a file. */
export async function readPart(
  file: File,
  start: number,
  end: number
): Promise<Uint8Array> {
  let buffer: ArrayBuffer;
  try {
    buffer = await file.slice(start, end).arrayBuffer();
  } catch (error) {
    throw changed(file);
  }
  if (buffer.byteLength !== end - start) {
    throw changed(file);
  }
  return new Uint8Array(buffer);
}

function changed(file: File): HubError {
  return HubError.of(
    'source_changed',
    `${file.name} cannot be read any more; it was changed or removed.`
  );
}
