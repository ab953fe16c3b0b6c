/**
 * The server's side of transfers in memory: operations, their streams with credit, and every breach of the protocol.
 */
import { BlockDigest } from '../connections/digest';
import { decodeChunk } from '../protocol/codec';
import {
  CodeName,
  CODES,
  CreateTransfer,
  ENTRIES_AHEAD,
  EntryResult,
  ErrorInfo,
  StreamClientMessage,
  StreamServerMessage,
  TreeEntries,
  TreeEntry
} from '../protocol/generated';
import { FakeServer } from './fakeServer';
import { FakeSocket, Frame } from './fakeSocket';
import { errorInfo } from './fakeTopics';

const BLOCK_BYTES = 100_000;

/** One upload. */
export interface IFakeOperation {
  op: string;
  params: CreateTransfer;
  content: Uint8Array;
  /** How much has arrived: the content up to here. */
  byteOffset: number;
  limit: number;
  state: 'waiting' | 'running' | 'paused' | 'done' | 'cancelled' | 'failed';
  /** Where each of its streams began. */
  starts: number[];
  /** Of a tree: what is announced and not settled, and how many are settled. */
  pending: TreeEntry[];
  settled: number;
  /** Where the first pending entry begins. */
  settledBytes: number;
  failed: number;
}

export class FakeUploads {
  windowBytes = 4 * 1024 * 1024;
  /** No credit is given beyond the welcome's. */
  holdsCredit = false;
  /** Whether the stream of a cancelled operation is told. */
  tellsCancel = true;
  readonly operations: IFakeOperation[] = [];
  /** The files of trees that were published, by path. */
  readonly files = new Map<string, Uint8Array>();
  readonly directories: string[] = [];
  /** What a correct client never does. */
  readonly breaches: string[] = [];
  /** Sees a frame first; true means that it was dealt with. */
  onFrame: (
    operation: IFakeOperation,
    socket: FakeSocket,
    frame: Frame
  ) => boolean = () => false;
  /** What becomes of an entry that is not simply put there. */
  onEntry: (entry: TreeEntry) => Partial<EntryResult> | null = () => null;

  constructor(private readonly _server: FakeServer) {
    const steer = (state: IFakeOperation['state'], code: CodeName | null) => {
      return (params: unknown) => this._steer(params, state, code);
    };
    _server.methods.set('transfers.create', params => this._create(params));
    _server.methods.set('transfers.cancel', steer('cancelled', 'cancelled'));
    _server.methods.set('transfers.pause', steer('paused', 'paused'));
    _server.methods.set('transfers.resume', steer('waiting', null));
    _server.onFrame = (socket, frame) => this._frame(socket, frame);
  }

  /** The newest operation. */
  get last(): IFakeOperation {
    return this.operations[this.operations.length - 1]!;
  }

  /** The open streams. */
  get streams(): FakeSocket[] {
    return this._server.sockets.filter(
      one => one.path[0] === 'file-stream' && one.isOpen && !one.isOver
    );
  }

  tell(socket: FakeSocket, message: StreamServerMessage): void {
    socket.give(JSON.stringify(message));
  }

  /** Tell why, then close. */
  fail(socket: FakeSocket, code: CodeName, more: Partial<ErrorInfo> = {}) {
    const { number, retryable } = CODES[code];
    const error = errorInfo(code, { retryable, ...more });
    this.tell(socket, { type: 'error', error, expected: null });
    socket.end(number, error.message);
  }

  /** Let the sender go on. */
  grant(operation: IFakeOperation, socket: FakeSocket): void {
    operation.limit = operation.byteOffset + this.windowBytes;
    this.tell(socket, { type: 'credit', limit: operation.limit });
  }

  private _create(params: unknown): unknown {
    const create = params as CreateTransfer;
    const size = create.size ?? 0;
    const op = `op${this.operations.length + 1}`;
    this.operations.push({
      ...{ op, params: create, content: new Uint8Array(size) },
      ...{ byteOffset: 0, limit: 0, state: 'waiting', starts: [] },
      ...{ pending: [], settled: 0, settledBytes: 0, failed: 0 }
    });
    const limits = { frame_bytes: 65_536, block_bytes: BLOCK_BYTES };
    return { op, path: create.path, size, limits };
  }

  private _steer(
    params: unknown,
    state: IFakeOperation['state'],
    code: CodeName | null
  ): unknown {
    const { op } = params as { op: string };
    const operation = this.operations.find(one => one.op === op);
    if (operation && !['done', 'cancelled'].includes(operation.state)) {
      operation.state = state;
      this.streams
        .filter(one => code && this.tellsCancel && one.path[1] === op)
        .forEach(socket => this.fail(socket, code!));
    }
    return {};
  }

  private _frame(socket: FakeSocket, frame: Frame): void {
    const operation = this.operations.find(one => one.op === socket.path[1]);
    if (!operation) {
      this.fail(socket, 'not_found');
    } else if (this.onFrame(operation, socket, frame)) {
      return;
    } else if (typeof frame === 'string') {
      void this._message(operation, socket, frame);
    } else {
      this._data(operation, socket, frame);
    }
  }

  private async _message(
    operation: IFakeOperation,
    socket: FakeSocket,
    frame: string
  ): Promise<void> {
    const message = JSON.parse(frame) as StreamClientMessage;
    if (message.type === 'hello') {
      await this._hello(operation, socket, message.digests ?? false);
    } else if (message.type === 'entries') {
      this._announce(operation, socket, message);
    } else if (message.type === 'finish' && operation.params.kind === 'tree') {
      this._finishTree(operation, socket, message.size, message.entries ?? -1);
    } else if (message.type === 'finish') {
      await this._finish(operation, socket, message.size, message.root ?? '');
    } else if (message.type === 'ping') {
      this.tell(socket, { type: 'pong' });
    }
  }

  private async _hello(
    operation: IFakeOperation,
    socket: FakeSocket,
    wantsDigests: boolean
  ): Promise<void> {
    const { params, state, content } = operation;
    if (state === 'done') {
      this._done(operation, socket);
    } else if (state === 'cancelled') {
      this.fail(socket, 'not_found');
    } else if (state === 'paused') {
      this.fail(socket, 'paused');
    } else {
      const isTree = params.kind === 'tree';
      if (isTree) {
        operation.pending = [];
        operation.byteOffset = operation.settledBytes;
      }
      const { byteOffset } = operation;
      operation.state = 'running';
      operation.starts.push(byteOffset);
      const digest = await BlockDigest.create(BLOCK_BYTES);
      if (wantsDigests) {
        digest.update(content.subarray(0, byteOffset));
      }
      const limit = (operation.limit = byteOffset + this.windowBytes);
      this.tell(socket, {
        ...{ type: 'welcome', direction: 'upload', path: params.path },
        ...{ byte_offset: byteOffset, durable: 0, size: content.length, limit },
        ...{ block_bytes: BLOCK_BYTES, digest: 'xxh3-128' },
        ...{ kind: params.kind ?? 'file', frame_bytes: 1024 * 1024 },
        ...{ entry: operation.settled },
        digests: wantsDigests ? [...digest.blocks] : null
      });
    }
  }

  private _announce(
    operation: IFakeOperation,
    socket: FakeSocket,
    { first, entries }: TreeEntries
  ): void {
    const next = operation.settled + operation.pending.length;
    if (first !== next) {
      this.breaches.push(`entry ${first}, not ${next}`);
    }
    operation.pending.push(...entries);
    if (operation.pending.length > ENTRIES_AHEAD) {
      this.breaches.push(`${operation.pending.length} entries ahead`);
    }
    this._settle(operation, socket);
  }

  /** Publish what is whole. */
  private _settle(operation: IFakeOperation, socket: FakeSocket): void {
    const results: EntryResult[] = [];
    const before = operation.settled;
    for (
      let entry = operation.pending[0];
      entry;
      entry = operation.pending[0]
    ) {
      const end = operation.settledBytes + (entry.size ?? 0);
      if (end > operation.byteOffset) {
        break;
      }
      const data = operation.content.slice(operation.settledBytes, end);
      const special = entry.missing
        ? { state: 'failed' as const }
        : this.onEntry(entry);
      if (special) {
        operation.failed += special.state === 'failed' ? 1 : 0;
        const nothing = { path: null, error: null };
        const n = operation.settled;
        results.push({ entry: n, state: 'failed', ...nothing, ...special });
      }
      if (special?.state !== 'failed') {
        void this._publish(entry, special?.path ?? entry.path, data);
      }
      operation.settledBytes = end;
      operation.settled += 1;
      operation.pending.shift();
    }
    if (operation.settled > before) {
      const { settled: entry } = operation;
      this.tell(socket, { type: 'settled', entry, results });
    }
  }

  private async _publish(
    entry: TreeEntry,
    path: string,
    data: Uint8Array
  ): Promise<void> {
    if (entry.type === 'directory') {
      this.directories.push(path);
      return;
    }
    this.files.set(path, data);
    const digest = await BlockDigest.create(BLOCK_BYTES);
    digest.update(data);
    if (digest.root() !== entry.root) {
      this.breaches.push(`the digest of ${path} is wrong`);
    }
  }

  private _data(
    operation: IFakeOperation,
    socket: FakeSocket,
    frame: Uint8Array
  ): void {
    const { byteOffset, payload } = decodeChunk(frame.slice().buffer);
    const end = byteOffset + payload.length;
    if (byteOffset !== operation.byteOffset) {
      this.breaches.push(`byte ${byteOffset}, not ${operation.byteOffset}`);
      this.fail(socket, 'wrong_offset');
      return;
    }
    if (end > operation.limit) {
      this.breaches.push(`up to ${end}, not ${operation.limit}`);
    }
    operation.content.set(payload, byteOffset);
    operation.byteOffset = end;
    const at = { received: end, written: end, durable: 0 };
    this.tell(socket, { type: 'ack', ...at });
    if (!this.holdsCredit) {
      this.grant(operation, socket);
    }
    this._settle(operation, socket);
  }

  private async _finish(
    operation: IFakeOperation,
    socket: FakeSocket,
    size: number,
    root: string
  ): Promise<void> {
    const digest = await BlockDigest.create(BLOCK_BYTES);
    digest.update(operation.content);
    if (operation.byteOffset !== size || digest.root() !== root) {
      this.breaches.push('the digest is wrong');
      operation.state = 'failed';
      this.fail(socket, 'digest_mismatch');
    } else {
      operation.state = 'done';
      this._done(operation, socket);
    }
  }

  private _finishTree(
    operation: IFakeOperation,
    socket: FakeSocket,
    size: number,
    entries: number
  ): void {
    const { byteOffset, settled, pending } = operation;
    if (size !== byteOffset || entries !== settled || pending.length > 0) {
      this.breaches.push(`finished with ${entries} entries, ${size} bytes`);
    }
    operation.state = 'done';
    this._done(operation, socket);
  }

  private _done(operation: IFakeOperation, socket: FakeSocket): void {
    const { params, content, settled: entries, failed } = operation;
    const isTree = params.kind === 'tree';
    const path = isTree ? params.path : `${params.path} (published)`;
    const done = { root: '', etag: '', warning: null, entries, failed };
    this.tell(socket, { type: 'done', path, size: content.length, ...done });
    socket.end(1000, 'done');
  }
}
