/**
 * Files and directories on this computer in memory, as the browser's handles give them.
 */

/** A handle to a file that is to be read; survives being stored, as the browser's do. */
export class FakeFileHandle {
  readonly kind = 'file';

  constructor(
    readonly name: string,
    private readonly _find: () => File | null
  ) {}

  permission: PermissionState = 'granted';
  /** What a person answers when asked. */
  answer: PermissionState = 'granted';
  asked = 0;

  async queryPermission(): Promise<PermissionState> {
    return this.permission;
  }

  async requestPermission(): Promise<PermissionState> {
    this.asked += 1;
    this.permission = this.answer;
    return this.permission;
  }

  async getFile(): Promise<File> {
    const file = this._find();
    if (!file) {
      throw new DOMException('It is gone.', 'NotFoundError');
    }
    return file;
  }

  get handle(): FileSystemFileHandle {
    return this as unknown as FileSystemFileHandle;
  }
}

/** A handle to a file that is to be written. */
export class FakeTarget {
  readonly kind = 'file';
  /** What is in the file; null before it was closed. */
  content: Uint8Array | null = null;
  aborted = 0;
  /** Writing fails so. */
  failure: Error | null = null;
  written = 0;

  constructor(readonly name = 'down.bin') {}

  async createWritable() {
    const parts: Uint8Array[] = [];
    return {
      write: async (blob: Blob) => {
        if (this.failure) {
          throw this.failure;
        }
        const data = await bytesOf(blob);
        parts.push(data);
        this.written += data.length;
      },
      close: async () => {
        this.content = new Uint8Array(Buffer.concat(parts));
      },
      abort: async () => {
        this.aborted += 1;
      }
    };
  }

  get handle(): FileSystemFileHandle {
    return this as unknown as FileSystemFileHandle;
  }
}

/** jsdom's blobs cannot be read as promises. */
function bytesOf(blob: Blob): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(new Uint8Array(reader.result as ArrayBuffer));
    reader.onerror = () => reject(reader.error);
    reader.readAsArrayBuffer(blob);
  });
}
