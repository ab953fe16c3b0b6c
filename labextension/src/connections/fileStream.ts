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
import { Connect, ITransport, socketUrl } from './transport';

const SERVICE: Service = 'file-stream';

/** The states of a stream that has broken off. */
const OVER: ReadonlySet<ConnectionState> = new Set([
  'disconnected',
  'failed'
] as const);

/** What a file stream's socket needs. */
export interface IFileStreamOptions {
  settings: ServerConnection.ISettings;
  connect: Connect;
  book: StatusBook;
}

export class FileStreamSocket extends SocketFace {
  readonly protocol = FILE_STREAM_SUBPROTOCOL;

  constructor(
    private readonly _id: string,
    private readonly _options: IFileStreamOptions
  ) {
    super(socketUrl(_options.settings, ['file-stream', _id]));
    const { book } = _options;
    const before = book.get(SERVICE, _id);
    book.update(SERVICE, _id, {
      state: before.state === 'idle' ? 'connecting' : 'reconnecting',
      attempts: before.attempts + 1
    });
    this._transport = _options.connect(
      ['file-stream', _id],
      FILE_STREAM_SUBPROTOCOL,
      {
        onOpen: () => {
          book.update(SERVICE, _id, {
            state: 'connected',
            attempts: 0,
            lastError: null
          });
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
    this._options.book.remove(SERVICE, this._id);
    this._transport.close(code, reason);
  }

  protected override released(): void {
    // Unless a newer socket goes on with the operation.
    if (OVER.has(this._options.book.get(SERVICE, this._id).state)) {
      this._options.book.remove(SERVICE, this._id);
    }
  }

  private _closed(code: number, reason: string): void {
    const { book } = this._options;
    if (code === 1000) {
      book.remove(SERVICE, this._id);
    } else if (this.readyState < this.CLOSING) {
      book.update(SERVICE, this._id, {
        state: mayReconnect(code) ? 'disconnected' : 'failed',
        lastError: reason || 'The connection was lost.'
      });
    }
    this.fireClose(code, reason, code !== 1006);
  }

  private readonly _transport: ITransport;
}
