/**
 * What has come of a large download, in files of the browser's own file system for this page. The file that a person has
 * chosen is written when all is there: the browser writes to a copy of it, which is lost with the page.
 */

/** The bytes of one part: so many come again at most after the page was loaded anew. */
export const PART_BYTES = 64 * 1024 * 1024;
const ROOT = 'jupyter-ws-hub-downloads';

/** The newer parts of the File System API. */
interface IListable {
  keys(): AsyncIterable<string>;
}

export class DownloadParts {
  /** Open the parts that a name has; `size`: bytes of the download in all. */
  static async open(
    name: string,
    size: number,
    partBytes = PART_BYTES
  ): Promise<DownloadParts> {
    const root = await rootDirectory();
    const directory = await root.getDirectoryHandle(name, { create: true });
    const parts = new DownloadParts(directory, size, partBytes);
    await parts._find();
    return parts;
  }

  private constructor(
    private readonly _directory: FileSystemDirectoryHandle,
    private readonly _size: number,
    private readonly _partBytes: number
  ) {}

  /** Bytes that are kept when the page goes now. */
  get kept(): number {
    return Math.min(this._whole * this._partBytes, this._size);
  }

  /** Write the bytes that follow. */
  async write(bytes: Blob): Promise<void> {
    for (let at = 0; at < bytes.size;) {
      const room = Math.min(this._partBytes, this._size - this.kept);
      const piece = bytes.slice(at, at + room - this._inPart);
      this._sink ??= await this._open();
      await this._sink.write(piece);
      at += piece.size;
      this._inPart += piece.size;
      if (this._inPart === room) {
        await this._sink.close();
        this._sink = null;
        this._inPart = 0;
        this._whole += 1;
      }
    }
  }

  /** What is kept, from a byte offset on, up to the end of its part. */
  async from(byteOffset: number): Promise<Blob> {
    const part = Math.floor(byteOffset / this._partBytes);
    const file = await this._file(part);
    return file.slice(byteOffset - part * this._partBytes);
  }

  /** Let go of the part that is not whole. */
  async close(): Promise<void> {
    const sink = this._sink;
    this._sink = null;
    this._inPart = 0;
    await sink?.abort().catch(() => undefined);
  }

  /** Find the parts that are whole: a browser shows a file as it was when it was closed last. */
  private async _find(): Promise<void> {
    while (this.kept < this._size) {
      const file = await this._file(this._whole).catch(() => null);
      const whole = Math.min(this._partBytes, this._size - this.kept);
      if (file?.size !== whole) {
        return;
      }
      this._whole += 1;
    }
  }

  private async _file(part: number): Promise<File> {
    return (await this._directory.getFileHandle(`${part}`)).getFile();
  }

  private async _open(): Promise<FileSystemWritableFileStream> {
    const name = `${this._whole}`;
    const options = { create: true };
    const handle = await this._directory.getFileHandle(name, options);
    return handle.createWritable();
  }

  private _whole = 0;
  private _inPart = 0;
  private _sink: FileSystemWritableFileStream | null = null;
}

/** Whether a download of this size can be kept in parts, and is worth it. */
export async function canKeep(size: number): Promise<boolean> {
  if (size <= PART_BYTES) {
    return false;
  }
  try {
    await rootDirectory();
    const { quota = 0, usage = 0 } = await navigator.storage.estimate();
    return quota - usage > size;
  } catch (error) {
    console.warn('The browser has no room of its own for downloads.', error);
    return false;
  }
}

/** Bytes that are kept of a download; 0 where nothing can be found. */
export async function keptBytes(name: string, size: number): Promise<number> {
  return (await DownloadParts.open(name, size)).kept;
}

/** Remove what has come of a download, if there is something. */
export async function removeParts(name: string): Promise<void> {
  const root = await rootDirectory();
  try {
    await root.removeEntry(name, { recursive: true });
  } catch (error) {
    if ((error as DOMException).name !== 'NotFoundError') {
      throw error;
    }
  }
}

/** Remove all of which nobody knows any more. */
export async function sweepParts(
  known: () => Promise<ReadonlySet<string> | null>
): Promise<void> {
  const root = await rootDirectory();
  const names: string[] = [];
  for await (const name of (root as unknown as IListable).keys()) {
    names.push(name);
  }
  // Asked for now: who makes parts has made them known before.
  const needed = names.length > 0 ? await known() : null;
  for (const name of names) {
    if (needed && !needed.has(name)) {
      await removeParts(name);
    }
  }
}

async function rootDirectory(): Promise<FileSystemDirectoryHandle> {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle(ROOT, { create: true });
}
