/**
 * A terminal's client without sockets and timers: counts output and input, resumes both, and says what is to be sent.
 * PROTOCOL.md, section 3.1.
 */
import { HubError } from './errors';
import { TERMINAL_WINDOW_BYTES } from './generated';
import {
  decodeTerminalFrame,
  encodeTerminalFrame,
  ISizeFields,
  IWelcome,
  TerminalServerFrame
} from './terminalFrames';
import { TerminalInput } from './terminalInput';

/** The past that a screen wants at most; it scrolls back 1,000 lines by default. */
export const HISTORY_BYTES = 1024 * 1024;
/** Output that a hidden page takes beyond what its screen has parsed: xterm.js drops everything from 50 MB on. */
export const HIDDEN_BYTES = 8 * 1024 * 1024;

/** What happened, for the owner of the client. */
export type TerminalEvent =
  | { type: 'welcome'; resumed: boolean }
  /** The screen is cleared; what follows is counted from here. */
  | { type: 'clear'; byteOffset: number }
  /** Output, up to and without `byteOffset`; `isPast`: all of it is history. */
  | {
      type: 'output';
      payload: Uint8Array;
      byteOffset: number;
      isPast: boolean;
    }
  /** So many characters that were typed may be lost. */
  | { type: 'lost'; characters: number }
  /** Input was taken. */
  | { type: 'accepted' }
  | { type: 'pong'; data: Uint8Array }
  | { type: 'exit'; code: number; signal: number }
  | { type: 'error'; code: number; message: string };

/** What became of what was typed. */
export type Typed = 'taken' | 'full' | 'read-only';

export class TerminalClient {
  /** `id`: random, 1 to 64 of `A-Z a-z 0-9 - _`, kept in memory only. */
  constructor(private readonly _id: string) {}

  /** The last size; zero rows or columns: none. */
  get size(): Readonly<ISizeFields> {
    return this._size;
  }

  /** Whether the server has said welcome on the connection that there is now. */
  get isWelcome(): boolean {
    return this._isWelcome;
  }

  /** Whether the screen has history to parse, in which it must not answer queries. */
  get isReplaying(): boolean {
    return this._parsed < this._replayUntil;
  }

  /** Whether input was sent and is not acknowledged. */
  get isInputAwaited(): boolean {
    return this._isWelcome && this._input.isAwaited;
  }

  /** Bytes of input that the terminal has not taken yet. */
  get pendingBytes(): number {
    return this._input.pendingBytes;
  }

  /** The counting that byte offsets belong to: it begins anew where the output does not go on. */
  get generation(): number {
    return this._generation;
  }

  /** What a connection that begins now tells in its address. */
  query(): Record<string, string> {
    const { rows, columns } = this._size;
    const past = { history: HISTORY_BYTES };
    return texts({
      client: this._id,
      ...(this._epoch === null
        ? past
        : { epoch: this._epoch, have: this._have }),
      sent: this._input.sent,
      rows,
      columns,
      visible: this._isVisible ? 1 : 0,
      window: TERMINAL_WINDOW_BYTES
    });
  }

  /**
   * A connection's first frame has come: from now on it is the one that counts.
   *
   * @throws HubError `bad_frame`: it is no welcome; `not_found`: it is another terminal.
   */
  begin(frame: ArrayBuffer): TerminalEvent[] {
    const welcome = decodeTerminalFrame(frame);
    if (welcome?.type !== 'welcome') {
      throw HubError.of('bad_frame', 'The terminal did not say welcome.');
    }
    if (this._epoch !== null && welcome.epoch !== this._epoch) {
      throw HubError.of('not_found', 'Another terminal has this name now.');
    }
    // A new client clears whatever its screen shows: "Refresh Terminal" gives us one that is full.
    const isBack = this._epoch !== null;
    this._epoch = welcome.epoch;
    this._isWelcome = true;
    this._isReadOnly = welcome.read_only;
    this._window = welcome.window;
    this._out.length = 0;
    const events = this._place(welcome, isBack);
    const { accepted, input_limit: limit, fresh } = welcome;
    const characters = this._input.resume(accepted, limit, fresh);
    if (characters > 0) {
      events.push({ type: 'lost', characters });
    }
    if (this._isReadOnly) {
      this._input.clear();
    }
    if (this._size.rows > 0 || !this._isVisible) {
      this._sendSize();
    }
    return events;
  }

  /** The connection is gone. */
  end(): void {
    this._isWelcome = false;
    this._out.length = 0;
    this._input.pause();
  }

  /**
   * A frame after the first one has come.
   *
   * @throws HubError `bad_frame` or `too_big`.
   */
  receive(frame: ArrayBuffer): TerminalEvent[] {
    const one = decodeTerminalFrame(frame);
    return one ? this._received(one) : [];
  }

  /** Something was typed. */
  type(text: string): Typed {
    if (this._isReadOnly) {
      return 'read-only';
    }
    return this._input.type(text) ? 'taken' : 'full';
  }

  /** The screen has another size. */
  resize(size: ISizeFields): void {
    this._size = size;
    this._sendSize();
  }

  /** Whether somebody sees the screen. A hidden one takes output before it has parsed it. */
  show(isVisible: boolean): void {
    if (isVisible !== this._isVisible) {
      this._isVisible = isVisible;
      this._sendSize();
    }
  }

  /** Ask whether the server is there. */
  ping(data: Uint8Array): void {
    if (this._isWelcome) {
      this._out.push(encodeTerminalFrame({ type: 'ping', data }));
    }
  }

  /** The screen has parsed output up to a byte offset of a generation. */
  parsed(generation: number, byteOffset: number): void {
    if (generation === this._generation) {
      this._parsed = Math.max(this._parsed, Math.min(byteOffset, this._have));
    }
  }

  /** Whether an ACK is due: now, soon (within 50 ms), or not at all. */
  get ackDue(): 'now' | 'soon' | null {
    const owed = this._consumed - this._acked;
    if (!this._isWelcome || owed <= 0) {
      return null;
    }
    return owed >= this._window / 8 ? 'now' : 'soon';
  }

  /** The frames that are to be sent now; an ACK that is not due yet goes with them where `withAck` says so. */
  take(withAck = false): Uint8Array[] {
    if (!this._isWelcome) {
      return [];
    }
    const frames = this._out.splice(0);
    const due = this.ackDue;
    if (due === 'now' || (due === 'soon' && withAck)) {
      this._acked = this._consumed;
      const ack = { type: 'ack', byte_offset: this._acked } as const;
      frames.push(encodeTerminalFrame(ack));
    }
    return [
      ...frames,
      ...this._input
        .take()
        .map(payload => encodeTerminalFrame({ type: 'data', payload }))
    ];
  }

  /** What may be acknowledged: never more than this connection has brought. */
  private get _consumed(): number {
    const consumed = this._isVisible
      ? this._parsed
      : Math.min(this._have, this._parsed + HIDDEN_BYTES);
    return Math.min(consumed, this._brought);
  }

  /** Where the output goes on. */
  private _place(welcome: IWelcome, isBack: boolean): TerminalEvent[] {
    const { start } = welcome;
    this._brought = this._acked = start;
    // A connection beside the first began before the first one's last output came: that is not shown twice.
    const resumed = isBack && welcome.resumed && start <= this._have;
    const events: TerminalEvent[] = [{ type: 'welcome', resumed }];
    if (!resumed) {
      this._generation += 1;
      this._have = this._parsed = start;
      this._replayUntil = 0;
      events.push({ type: 'clear', byteOffset: start });
    }
    return events;
  }

  private _received(frame: TerminalServerFrame): TerminalEvent[] {
    switch (frame.type) {
      case 'data':
        return this._output(frame.payload);
      case 'input_ack':
        return this._input.acknowledge(frame.accepted, frame.limit)
          ? [{ type: 'accepted' }]
          : [];
      case 'ping':
        this._out.push(encodeTerminalFrame({ type: 'pong', data: frame.data }));
        return [];
      case 'pong':
        return [{ type: 'pong', data: frame.data }];
      case 'replay':
        this._replayUntil = frame.until;
        return [];
      case 'gap':
        return this._gap(frame.until);
      case 'exit':
        return [{ type: 'exit', code: frame.code, signal: frame.signal }];
      case 'error':
        return [{ type: 'error', code: frame.code, message: frame.message }];
      case 'welcome':
        throw HubError.of('bad_frame', 'The terminal said welcome twice.');
      case 'size':
        return [];
    }
  }

  private _output(payload: Uint8Array): TerminalEvent[] {
    const begin = this._brought;
    this._brought += payload.length;
    const news = payload.subarray(Math.max(0, this._have - begin));
    // History ends with a piece of its own, so that the screen can tell when it has parsed just that.
    const past = this._replayUntil - this._have;
    const end = past > 0 ? Math.min(past, news.length) : news.length;
    return [news.subarray(0, end), news.subarray(end)]
      .filter(piece => piece.length > 0)
      .map(piece => this._piece(piece));
  }

  private _piece(payload: Uint8Array): TerminalEvent {
    this._have += payload.length;
    const isPast = this._have <= this._replayUntil;
    return { type: 'output', payload, byteOffset: this._have, isPast };
  }

  private _gap(until: number): TerminalEvent[] {
    this._brought = until;
    if (until <= this._have) {
      return [];
    }
    this._have = until;
    return [{ type: 'clear', byteOffset: until }];
  }

  private _sendSize(): void {
    if (this._isWelcome) {
      const frame = { ...this._size, visible: this._isVisible };
      this._out.push(encodeTerminalFrame({ type: 'resize', ...frame }));
    }
  }

  private readonly _input = new TerminalInput();
  /** Frames that wait to be sent. */
  private readonly _out: Uint8Array[] = [];
  private _epoch: string | null = null;
  private _generation = 0;
  /** Byte offsets of output: shown, parsed by the screen, brought by this connection, and acknowledged on it. */
  private _have = 0;
  private _parsed = 0;
  private _brought = 0;
  private _acked = 0;
  private _replayUntil = 0;
  private _window = TERMINAL_WINDOW_BYTES;
  private _size: ISizeFields = {
    rows: 0,
    columns: 0,
    width_px: 0,
    height_px: 0
  };
  private _isVisible = true;
  private _isWelcome = false;
  private _isReadOnly = false;
}

function texts(values: {
  [name: string]: string | number | undefined;
}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, String(value)])
  );
}
