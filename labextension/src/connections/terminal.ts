/**
 * A terminal's socket that comes back by itself, with terminado's JSON messages.
 *
 * After a reconnect the server writes the terminal's history anew, so the screen is cleared first; the size is told
 * again, and what was typed meanwhile is sent in order.
 */
import { Service } from '../tokens';
import { closeError, IKept, Keeper } from './keeper';
import { requireText, SocketFace } from './socket';
import { StatusBook } from './status';
import { Ask, Connect, socketUrl } from './transport';
import { ServerConnection } from '@jupyterlab/services';

const SERVICE: Service = 'terminal';
/** ESC c, "reset to initial state": ECMA-48 8.3.105. */
const CLEAR = JSON.stringify(['stdout', '\u001bc']);
const SETUP = '["setup"';
const DISCONNECT = '["disconnect"';
const SET_SIZE = '["set_size"';
/** What may be typed while the connection is away. */
const MAX_TYPED_CHARACTERS = 256 * 1024;

/** What a terminal's socket needs. */
export interface ITerminalOptions {
  settings: ServerConnection.ISettings;
  connect: Connect;
  ask: Ask;
  /** Whether the terminal is still there; null if that cannot be told now. */
  exists(name: string): Promise<boolean | null>;
  book: StatusBook;
}

export class TerminalSocket extends SocketFace implements IKept {
  constructor(
    private readonly _name: string,
    private readonly _id: string,
    private readonly _options: ITerminalOptions
  ) {
    super(socketUrl(_options.settings, ['terminal', _name]));
    const { connect, book } = _options;
    this._keeper = new Keeper(
      {
        service: SERVICE,
        id: _id,
        path: ['terminal', _name],
        subprotocol: null,
        connect,
        ask: () => this._ask(),
        book
      },
      this
    );
    this._keeper.endsNormally();
  }

  override get bufferedAmount(): number {
    return this._typedCharacters + this._keeper.bufferedAmount;
  }

  /** Send a message of terminado's protocol, now or when the connection is back. */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    this.requireOpen();
    const text = requireText(data);
    if (text.startsWith(SET_SIZE)) {
      this._size = text;
      if (!this._ready) {
        return;
      }
    }
    if (this._ready) {
      this._keeper.send(text);
    } else if (this._typedCharacters + text.length <= MAX_TYPED_CHARACTERS) {
      this._typed.push(text);
      this._typedCharacters += text.length;
    } else {
      const lastError = 'Some of what you typed while away was dropped.';
      this._options.book.update(SERVICE, this._id, { lastError });
    }
  }

  /** Try again at once. */
  hurry(): void {
    this._keeper.hurry();
  }

  opened(again: boolean): boolean {
    if (!again) {
      this.fireOpen();
    }
    return true;
  }

  received(data: string | ArrayBuffer): void {
    const text = data as string;
    if (text.startsWith(SETUP)) {
      this._setUp(text);
    } else {
      this._over = this._over || text.startsWith(DISCONNECT);
      this.fireMessage(text);
    }
  }

  dropped(): void {
    this._ready = false;
  }

  ended(code: number, reason: string): void {
    this._ready = false;
    if (!this._over && code === 1000) {
      // Without this JupyterLab would take the end for a lost connection and try again for minutes.
      this._over = true;
      this.fireMessage(JSON.stringify(['disconnect', 1]));
    }
    if (this.readyState === this.CONNECTING) {
      this.dispatchEvent(new Event('error'));
    }
    this.fireClose(code, closeError(code, reason).message, true);
  }

  protected closing(code: number, reason: string): void {
    this._keeper.close(code, reason);
  }

  protected override released(): void {
    // Unless another socket has taken the name meanwhile.
    if (this._options.book.get(SERVICE, this._id).state === 'failed') {
      this._options.book.remove(SERVICE, this._id);
    }
  }

  private _setUp(text: string): void {
    this._ready = true;
    this.fireMessage(this._isSetUp ? CLEAR : text);
    this._isSetUp = true;
    if (this._size !== null) {
      this._keeper.send(this._size);
    }
    this._typedCharacters = 0;
    this._typed.splice(0).forEach(typed => this._keeper.send(typed));
  }

  /** An upgrade was refused: is it the user, or is the terminal gone? */
  private async _ask(): ReturnType<Ask> {
    const verdict = await this._options.ask();
    if (verdict !== 'retry') {
      return verdict;
    }
    const exists = await this._options.exists(this._name);
    return exists === false ? 'gone' : 'retry';
  }

  private readonly _keeper: Keeper;
  private readonly _typed: string[] = [];
  private _typedCharacters = 0;
  private _size: string | null = null;
  private _ready = false;
  /** The holder has had its setup. */
  private _isSetUp = false;
  private _over = false;
}
