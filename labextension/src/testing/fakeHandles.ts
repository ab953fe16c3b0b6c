/**
 * Files and directories on this computer in memory, as the browser's handles give them.
 */
import { Blob as NodeBlob } from 'buffer';

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

  /** Whether it may be written, and what a person answers when asked. */
  permission: PermissionState = 'granted';
  answer: PermissionState = 'granted';

  async queryPermission(): Promise<PermissionState> {
    return this.permission;
  }

  async requestPermission(): Promise<PermissionState> {
    this.permission = this.answer;
    return this.permission;
  }

  /** The file as it was when it was closed last. */
  async getFile(): Promise<File> {
    // jsdom's blobs cannot be read as promises.
    const content = this.content ?? new Uint8Array(0);
    return new NodeBlob([content]) as unknown as File;
  }

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
async function bytesOf(blob: Blob): Promise<Uint8Array> {
  if (blob instanceof NodeBlob) {
    return new Uint8Array(await blob.arrayBuffer());
  }
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(new Uint8Array(reader.result as ArrayBuffer));
    reader.onerror = () => reject(reader.error);
    reader.readAsArrayBuffer(blob);
  });
}

/** The browser's own file system for a page, in memory; a file has its bytes when it was closed. */
export class FakeDirectory {
  readonly kind = 'directory';
  readonly files = new Map<string, FakeTarget>();
  readonly directories = new Map<string, FakeDirectory>();

  async getDirectoryHandle(
    name: string,
    { create = false } = {}
  ): Promise<FakeDirectory> {
    const known = this.directories.get(name);
    if (!known && !create) {
      throw new DOMException('It is not there.', 'NotFoundError');
    }
    const directory = known ?? new FakeDirectory();
    this.directories.set(name, directory);
    return directory;
  }

  async getFileHandle(
    name: string,
    { create = false } = {}
  ): Promise<FakeTarget> {
    const known = this.files.get(name);
    if (!known && !create) {
      throw new DOMException('It is not there.', 'NotFoundError');
    }
    const file = known ?? new FakeTarget(name);
    this.files.set(name, file);
    return file;
  }

  async removeEntry(name: string): Promise<void> {
    if (!this.directories.delete(name) && !this.files.delete(name)) {
      throw new DOMException('It is not there.', 'NotFoundError');
    }
  }

  async *keys(): AsyncIterable<string> {
    yield* this.directories.keys();
    yield* this.files.keys();
  }
}

/** Give the page this file system, with room for so many bytes. */
export function giveStorage(root: FakeDirectory, quota = 1e12): void {
  const storage = {
    getDirectory: async () => root,
    estimate: async () => ({ quota, usage: 0 })
  };
  Object.defineProperty(navigator, 'storage', {
    ...{ value: storage, configurable: true }
  });
}
