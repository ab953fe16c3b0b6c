/**
 * What JupyterLab's terminals get in place of a WebSocket: terminado's JSON messages in and out, a connection that comes
 * back by itself behind it. It speaks the binary protocol; where nobody answers in it, JSON at our endpoint; where that
 * cannot be reached, JSON at the stock one.
 */
import { requireText, SocketFace } from './socket';
import { BinaryTerminal } from './terminalBinary';
import { JsonTerminal } from './terminalJson';
import {
  ITerminalHolder,
  ITerminalMode,
  ITerminalOptions,
  SERVICE
} from './terminalMode';
import { socketUrl } from './transport';

export { ITerminalNotice, ITerminalOptions } from './terminalMode';

export class TerminalSocket extends SocketFace {
  /** `name` is the terminal's, `id` its id in the status book. */
  constructor(
    readonly name: string,
    readonly id: string,
    private readonly _options: ITerminalOptions
  ) {
    super(socketUrl(_options.settings, ['terminal', name]));
    this._mode = new BinaryTerminal(this._holder(() => this._fallBack()));
  }

  override get bufferedAmount(): number {
    return this._mode.bufferedAmount;
  }

  /** Send a message of terminado's protocol, now or when the connection is back. */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    this.requireOpen();
    const text = requireText(data);
    if (this.readyState === this.OPEN) {
      this._mode.send(text);
    }
  }

  /** Try again at once, or look whether the server is there. */
  hurry(): void {
    this._mode.hurry();
  }

  protected closing(code: number, reason: string): void {
    this._mode.close(code, reason);
  }

  protected override released(): void {
    const { book } = this._options;
    // Unless another socket has taken the name meanwhile.
    if (book.get(SERVICE, this.id).state === 'failed') {
      book.remove(SERVICE, this.id);
    }
  }

  /** The binary protocol is not understood: first our endpoint without it, then the stock one. */
  private _fallBack(): void {
    this._mode = new JsonTerminal(
      this._holder(() => {
        const last = this._holder(() => undefined);
        this._mode = new JsonTerminal(last, true);
      }),
      false
    );
  }

  private _holder(foreign: () => void): ITerminalHolder {
    const { name, id, _options: options } = this;
    return {
      name,
      id,
      options,
      socket: this,
      opened: () => this.readyState === this.CONNECTING && this.fireOpen(),
      message: text => this.fireMessage(text),
      ended: (code, reason) => this._ended(code, reason),
      foreign
    };
  }

  private _ended(code: number, reason: string): void {
    if (this.readyState === this.CONNECTING) {
      this.dispatchEvent(new Event('error'));
    }
    this.fireClose(code, reason, true);
  }

  private _mode: ITerminalMode;
}
