/**
 * A terminal over terminado's JSON messages, for servers that do not speak the binary protocol, and for the stock
 * endpoint where ours cannot be reached.
 *
 * After a reconnect the server writes the terminal's history anew, so the screen is cleared first; the size is told
 * again, and what was typed meanwhile is sent in order.
 */
import { IKept, Keeper } from './keeper';
import {
  CLEAR,
  DISCONNECT,
  ITerminalHolder,
  ITerminalMode,
  SERVICE,
  stdout
} from './terminalMode';
import { Refusals } from './terminalRefusals';
import { Ask } from './transport';

const SETUP_BEGIN = '["setup"';
const DISCONNECT_BEGIN = '["disconnect"';
const SET_SIZE_BEGIN = '["set_size"';
/** What may be typed while the connection is away. */
const MAX_TYPED_CHARACTERS = 256 * 1024;
/** Where the stock endpoint is. */
const STOCK = ['terminals', 'websocket'] as const;

export class JsonTerminal implements ITerminalMode, IKept {
  /** `isStock`: at the stock endpoint. */
  constructor(
    private readonly _holder: ITerminalHolder,
    private readonly _isStock: boolean
  ) {
    this._refusals = new Refusals(_holder);
    const { connect, book } = _holder.options;
    const [root, path] = STOCK;
    this._keeper = new Keeper(
      {
        service: SERVICE,
        id: _holder.id,
        path: [_isStock ? path : SERVICE, _holder.name],
        address: _isStock ? { root } : {},
        subprotocol: null,
        connect,
        ask: () => this._ask(),
        book
      },
      this
    );
    this._keeper.endsNormally();
  }

  get bufferedAmount(): number {
    return this._typedCharacters + this._keeper.bufferedAmount;
  }

  send(text: string): void {
    if (text.startsWith(SET_SIZE_BEGIN)) {
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
      const { options, id } = this._holder;
      options.book.update(SERVICE, id, { lastError });
    }
  }

  hurry(): void {
    this._keeper.hurry();
  }

  close(code: number, reason: string): void {
    this._keeper.close(code, reason);
  }

  opened(): boolean {
    this._wasOpened = true;
    this._holder.opened();
    return true;
  }

  received(data: string | ArrayBuffer): void {
    const text = data as string;
    if (text.startsWith(SETUP_BEGIN)) {
      this._setUp(text);
    } else {
      this._over = this._over || text.startsWith(DISCONNECT_BEGIN);
      this._holder.message(text);
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
      this._holder.message(DISCONNECT);
    }
    this._holder.ended(code, reason);
  }

  private _setUp(text: string): void {
    this._ready = true;
    this._holder.message(this._isSetUp ? stdout(CLEAR) : text);
    this._isSetUp = true;
    if (this._size !== null) {
      this._keeper.send(this._size);
    }
    this._typedCharacters = 0;
    this._typed.splice(0).forEach(typed => this._keeper.send(typed));
  }

  /** An upgrade was refused: is it the user, is the terminal gone, or is our endpoint out of reach? */
  private async _ask(): ReturnType<Ask> {
    const verdict = await this._refusals.ask(false);
    if (verdict !== 'foreign') {
      return verdict;
    }
    if (!this._wasOpened && !this._isStock) {
      this._keeper.close();
      this._holder.foreign();
    }
    return 'retry';
  }

  private readonly _refusals: Refusals;
  private readonly _keeper: Keeper;
  private readonly _typed: string[] = [];
  private _typedCharacters = 0;
  private _size: string | null = null;
  private _wasOpened = false;
  private _ready = false;
  /** The holder has had its setup. */
  private _isSetUp = false;
  private _over = false;
}
