/**
 * A connection manager on a server in memory that takes uploads, and files to upload.
 */
import { ConnectionManager } from '../connections/manager';
import { BlockDigest } from '../connections/digest';
import { Upload } from '../connections/upload';
import { FakeServer } from './fakeServer';
import { FakeUploads } from './fakeUploads';
import { settingsWith, until, watch } from './tools';

/** A file whose reading can be slow or fail. */
export class FakeFile {
  readonly lastModified = 1_760_000_000_123;
  readonly type = '';
  readonly data: Uint8Array;
  /** Milliseconds that the next reads take. */
  readMs = 0;
  isGone = false;
  /** Reads that are under way. */
  reading = 0;

  constructor(
    readonly size: number,
    readonly name = 'data.bin'
  ) {
    this.data = Uint8Array.from({ length: size }, (_, n) => (n * 31) % 251);
  }

  /** As what the browser gives. */
  get file(): File {
    return this as unknown as File;
  }

  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> } {
    return { arrayBuffer: () => this._read(start, end) };
  }

  private async _read(start: number, end: number): Promise<ArrayBuffer> {
    if (this.readMs > 0) {
      this.reading += 1;
      await new Promise(resolve => setTimeout(resolve, this.readMs));
      this.reading -= 1;
    }
    if (this.isGone) {
      throw new DOMException('It cannot be read.', 'NotReadableError');
    }
    return this.data.slice(start, end).buffer as ArrayBuffer;
  }
}

export class UploadRig {
  readonly server = new FakeServer();
  readonly uploads = new FakeUploads(this.server);
  readonly manager: ConnectionManager;
  /** Bytes that went through the digest of the client, and of the server at the end. */
  hashed = 0;

  constructor() {
    this.manager = new ConnectionManager({
      settings: settingsWith(),
      version: '1',
      available: true,
      connect: this.server.connect,
      ask: async () => 'retry'
    });
  }

  /** Count what is hashed from now on. */
  countHashed(): void {
    const update = BlockDigest.prototype.update;
    const count = (bytes: number) => (this.hashed += bytes);
    jest.spyOn(BlockDigest.prototype, 'update').mockImplementation(function (
      this: BlockDigest,
      data: Uint8Array
    ) {
      count(data.length);
      update.call(this, data);
    });
  }
}

/** An upload that has begun. */
export function startUpload(rig: UploadRig, file: FakeFile) {
  const progress: number[] = [];
  const pauses: string[] = [];
  const upload = new Upload(rig.manager, file.file, `d/${file.name}`, {
    onProgress: written => progress.push(written),
    onPause: reason => pauses.push(reason)
  });
  return { upload, progress, pauses, end: watch(upload.run()) };
}

/** An upload whose end is waited for. */
export async function wholeUpload(rig: UploadRig, file: FakeFile) {
  const run = startUpload(rig, file);
  await until('the upload has ended', () => run.end.settled, 600_000);
  return run;
}

/** Break the stream whenever so many more bytes have arrived; a chunk that is on its way is lost. */
export function cutEvery(rig: UploadRig, bytes: number): void {
  let next = bytes;
  rig.uploads.onFrame = (operation, socket) => {
    if (operation.byteOffset >= next && operation.state === 'running') {
      next = operation.byteOffset + bytes;
      socket.cut();
      return true;
    }
    return false;
  };
}
