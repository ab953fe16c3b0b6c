/**
 * A transfer manager on a server in memory that takes uploads, and files to upload.
 */
import { BlockDigest } from '../connections/digest';
import { ConnectionManager } from '../connections/manager';
import { StreamStatus } from '../connections/fileStream';
import { OpenSocket } from '../connections/streamLine';
import { IDownloadPage } from '../connections/downloads';
import { TransferManager } from '../connections/transfers';
import { TransferStatus } from '../protocol/generated';
import { ITransfer, IUploadItem } from '../tokens';
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
    readonly name = 'data.bin',
    seed = 31
  ) {
    this.data = Uint8Array.from({ length: size }, (_, n) => (n * seed) % 251);
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

/** A file as an item of an upload. */
export function itemOf(file: FakeFile, path = file.name): IUploadItem {
  return { path, file: file.file };
}

/** A page that asks nobody. */
const NO_PAGE: IDownloadPage = {
  pick: async () => null,
  fetch: () => undefined
};

export class UploadRig {
  readonly server = new FakeServer();
  readonly uploads = new FakeUploads(this.server);
  readonly manager: ConnectionManager;
  readonly transfers: TransferManager;
  /** Every state that a transfer was seen in, in order. */
  readonly states = new Map<string, string[]>();
  readonly ended: ITransfer[] = [];
  /** Bytes that went through the digest of the client, and of the server at the end. */
  hashed = 0;

  constructor(page: IDownloadPage = NO_PAGE) {
    jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    this.manager = new ConnectionManager({
      settings: settingsWith(),
      version: '1',
      available: true,
      connect: this.server.connect,
      ask: async () => this.verdict
    });
    this.transfers = this.newPage(page);
  }

  /** What the server thinks of the user. */
  verdict: 'retry' | 'unauthenticated' = 'retry';

  /** A transfer manager as a page has that was just loaded. */
  newPage(page: IDownloadPage = NO_PAGE): TransferManager {
    const transfers = new TransferManager({
      connections: this.manager,
      settings: settingsWith(),
      spawn: () => {
        throw new Error('There are no workers here.');
      },
      open: this.open,
      page
    });
    transfers.changed.connect(() => this._note(transfers));
    transfers.ended.connect((_, one) => this.ended.push(one));
    return transfers;
  }

  /** Opens sockets to the server in memory by their addresses. */
  readonly open: OpenSocket = (url, subprotocol, events) => {
    const path = new URL(url).pathname.split('/ws/')[1]!.split('/');
    return this.server.connect(path, subprotocol, events);
  };

  /** The server tells of a transfer. */
  tell(more: Partial<TransferStatus> & { op: string }): void {
    this.server.publish('transfers/me', statusOf(more), 'transfer');
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

  dispose(): void {
    this.transfers.dispose();
    this.manager.dispose();
  }

  private _note(transfers: TransferManager): void {
    for (const { id, state } of transfers.transfers) {
      const seen = this.states.get(id) ?? [];
      const isNew = seen[seen.length - 1] !== state;
      this.states.set(id, isNew ? [...seen, state] : seen);
    }
  }
}

/** What the server tells of a transfer. */
export function statusOf(
  more: Partial<TransferStatus> & { op: string }
): TransferStatus {
  return {
    ...{ direction: 'upload', path: 'a', size: 0, byte_offset: 0 },
    ...{ state: 'waiting', error: null, gone: false, kind: 'file' },
    ...{ entries: 0, settled: 0, failed: 0, warning: null, created_ms: 1 },
    ...more
  };
}

const { lost } = StreamStatus.prototype;

/** An upload that has begun. */
export function startUpload(rig: UploadRig, file: FakeFile) {
  const progress: number[] = [];
  const pauses: string[] = [];
  const end = watch(rig.transfers.upload([itemOf(file)], 'd'));
  const transfer = rig.transfers.transfers[rig.transfers.transfers.length - 1]!;
  rig.transfers.changed.connect(() => progress.push(transfer.written));
  jest.spyOn(StreamStatus.prototype, 'lost').mockImplementation(function (
    this: StreamStatus,
    final,
    reason
  ) {
    pauses.push(reason);
    lost.call(this, final, reason);
  });
  return { progress, pauses, end, transfer };
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
