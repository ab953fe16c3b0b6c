/**
 * The socket of one file stream: a plain pass-through with a status. It does not reconnect by itself, because only its
 * user knows where to go on.
 */
import { ServerConnection } from '@jupyterlab/services';

import { mayReconnect } from '../protocol/errors';
import { FILE_STREAM_SUBPROTOCOL } from '../protocol/generated';
import { ConnectionState, Service } from '../tokens';
import { SocketFace } from './socket';
import { StatusBook } from './status';
import { Ask, Connect, ITransport, socketUrl } from './transport';

const SERVICE: Service = 'file-stream';

/** The states of a stream that has broken off. */
const OVER: ReadonlySet<ConnectionState> = new Set([
  'disconnected',
  'failed'
] as const);

/** Keeps a file stream's place in the status book, whoever holds its socket. */
export class StreamStatus {
  constructor(
    private readonly _id: string,
    private readonly _book: StatusBook
  ) {}

  /** A socket is being opened. */
  opening(): void {
    const before = this._book.get(SERVICE, this._id);
    this._book.update(SERVICE, this._id, {
      state: before.state === 'idle' ? 'connecting' : 'reconnecting',
      attempts: before.attempts + 1
    });
  }

  /** It is open. */
  opened(): void {
    this._book.update(SERVICE, this._id, {
      state: 'connected',
      attempts: 0,
      lastError: null
    });
  }

  /** It was lost; `final`: it will not come back. */
  lost(final: boolean, reason: string): void {
    this._book.update(SERVICE, this._id, {
      state: final ? 'failed' : 'disconnected',
      lastError: reason || 'The connection was lost.'
    });
  }

  /** It is not needed any more. */
  remove(): void {
    this._book.remove(SERVICE, this._id);
  }

  /** Forget one that has broken off, unless a newer socket goes on with the operation. */
  removeIfOver(): void {
    if (OVER.has(this._book.get(SERVICE, this._id).state)) {
      this.remove();
    }
  }
}

/** What somebody needs who opens the stream's socket elsewhere, in a worker for example. */
export interface IFileStreamLink {
  readonly url: string;
  readonly status: StreamStatus;
  /** What the server thinks of this user, where an upgrade was refused. */
  readonly ask: Ask;
}

/** What a file stream's socket needs. */
export interface IFileStreamOptions {
  settings: ServerConnection.ISettings;
  connect: Connect;
  book: StatusBook;
}

export class FileStreamSocket extends SocketFace {
  readonly protocol = FILE_STREAM_SUBPROTOCOL;

  constructor(id: string, options: IFileStreamOptions) {
    super(socketUrl(options.settings, ['file-stream', id]));
    this._status = new StreamStatus(id, options.book);
    this._status.opening();
    this._transport = options.connect(
      ['file-stream', id],
      FILE_STREAM_SUBPROTOCOL,
      {
        onOpen: () => {
          this._status.opened();
          this.fireOpen();
        },
        onMessage: data => this.fireMessage(data),
        onClose: (code, reason) => this._closed(code, reason)
      }
    );
  }

  override get bufferedAmount(): number {
    return this._transport.bufferedAmount;
  }

  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    this.requireOpen();
    if (this.readyState === this.OPEN) {
      this._transport.send(data as string | ArrayBufferView);
    }
  }

  protected closing(code: number, reason: string): void {
    this._status.remove();
    this._transport.close(code, reason);
  }

  protected override released(): void {
    this._status.removeIfOver();
  }

  private _closed(code: number, reason: string): void {
    if (code === 1000) {
      this._status.remove();
    } else if (this.readyState < this.CLOSING) {
      this._status.lost(!mayReconnect(code), reason);
    }
    this.fireClose(code, reason, code !== 1006);
  }

  private readonly _status: StreamStatus;
  private readonly _transport: ITransport;
}
