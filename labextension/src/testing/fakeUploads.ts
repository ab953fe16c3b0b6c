/**
 * The server's side of uploads in memory: operations, their streams with credit, and every breach of the protocol.
 */
import { BlockDigest } from '../connections/digest';
import { decodeChunk } from '../protocol/codec';
import {
  CodeName,
  CODES,
  CreateTransfer,
  ErrorInfo,
  StreamClientMessage,
  StreamServerMessage
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
  state: 'running' | 'done' | 'cancelled';
  /** Where each of its streams began. */
  starts: number[];
}

export class FakeUploads {
  windowBytes = 4 * 1024 * 1024;
  /** No credit is given beyond the welcome's. */
  holdsCredit = false;
  /** Whether the stream of a cancelled operation is told. */
  tellsCancel = true;
  readonly operations: IFakeOperation[] = [];
  /** What a correct client never does. */
  readonly breaches: string[] = [];
  /** Sees a frame first; true means that it was dealt with. */
  onFrame: (
    operation: IFakeOperation,
    socket: FakeSocket,
    frame: Frame
  ) => boolean = () => false;

  constructor(private readonly _server: FakeServer) {
    _server.methods.set('transfers.create', params => this._create(params));
    _server.methods.set('transfers.cancel', params => this._cancel(params));
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
      ...{ byteOffset: 0, limit: 0, state: 'running', starts: [] }
    });
    const limits = { frame_bytes: 65_536, block_bytes: BLOCK_BYTES };
    return { op, path: create.path, size, limits };
  }

  private _cancel(params: unknown): unknown {
    const { op } = params as { op: string };
    const operation = this.operations.find(one => one.op === op);
    if (operation?.state === 'running') {
      operation.state = 'cancelled';
      this.streams
        .filter(socket => this.tellsCancel && socket.path[1] === op)
        .forEach(socket => this.fail(socket, 'cancelled'));
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
      const message = JSON.parse(frame) as StreamClientMessage;
      if (message.type === 'hello') {
        this._hello(operation, socket);
      } else if (message.type === 'finish') {
        void this._finish(operation, socket, message.size, message.root);
      }
    } else {
      this._data(operation, socket, frame);
    }
  }

  private _hello(operation: IFakeOperation, socket: FakeSocket): void {
    const { byteOffset, params, state } = operation;
    if (state === 'done') {
      this._done(operation, socket);
    } else if (state === 'cancelled') {
      this.fail(socket, 'not_found');
    } else {
      operation.starts.push(byteOffset);
      const limit = (operation.limit = byteOffset + this.windowBytes);
      const size = operation.content.length;
      this.tell(socket, {
        ...{ type: 'welcome', direction: 'upload', path: params.path },
        ...{ byte_offset: byteOffset, durable: 0, size, limit },
        ...{ block_bytes: BLOCK_BYTES, digest: 'xxh3-128' }
      });
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
      this.fail(socket, 'digest_mismatch');
    } else {
      operation.state = 'done';
      this._done(operation, socket);
    }
  }

  private _done(operation: IFakeOperation, socket: FakeSocket): void {
    const path = `${operation.params.path} (published)`;
    const size = operation.content.length;
    const done = { root: '', etag: '', warning: null };
    this.tell(socket, { type: 'done', path, size, ...done });
    socket.end(1000, 'done');
  }
}
