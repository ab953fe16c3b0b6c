/**
 * The binary frames of `/ws/terminal/<name>`: one type byte, a payload of fixed fields, big-endian. PROTOCOL.md, section
 * 3.1, says what they mean; the names of the fields are those of the Python half.
 */
import { HubError } from './errors';
import {
  TERMINAL_ACK,
  TERMINAL_BYE,
  TERMINAL_DATA,
  TERMINAL_ERROR,
  TERMINAL_EXIT,
  TERMINAL_GAP,
  TERMINAL_INPUT_ACK,
  TERMINAL_MAX_DATA_BYTES,
  TERMINAL_PING,
  TERMINAL_PONG,
  TERMINAL_REPLAY,
  TERMINAL_SIZE,
  TERMINAL_WELCOME
} from './generated';

/** Bytes of output or input; their byte offset is not told, both sides count. */
export interface IData {
  type: 'data';
  payload: Uint8Array;
}

/** The server's first frame. */
export interface IWelcome {
  type: 'welcome';
  /** 32 hexadecimal digits: this PTY, which no other has. */
  epoch: string;
  /** The byte offset of the first output that follows. */
  start: number;
  /** The byte offset of the output's end, now. */
  head: number;
  /** Input bytes of this client that the terminal has taken. */
  accepted: number;
  /** The byte offset up to which the client may send input. */
  input_limit: number;
  rows: number;
  columns: number;
  /** Output bytes that the server sends beyond what was acknowledged. */
  window: number;
  resumed: boolean;
  fresh: boolean;
  read_only: boolean;
}

/** A size in characters and pixels. */
export interface ISizeFields {
  rows: number;
  columns: number;
  width_px: number;
  height_px: number;
}

/** What a client sends. */
export type TerminalClientFrame =
  | IData
  | { type: 'ack'; byte_offset: number }
  | ({ type: 'resize'; visible: boolean } & ISizeFields)
  | { type: 'ping' | 'pong'; data: Uint8Array }
  | { type: 'bye' };

/** What a server sends. */
export type TerminalServerFrame =
  | IData
  | IWelcome
  | { type: 'input_ack'; accepted: number; limit: number }
  | ({ type: 'size' } & ISizeFields)
  | { type: 'ping' | 'pong'; data: Uint8Array }
  | { type: 'replay'; until: number }
  | { type: 'gap'; begin: number; until: number }
  | { type: 'exit'; code: number; signal: number; byte_offset: number }
  | { type: 'error'; code: number; message: string };

const PING_BYTES = 8;
const RESUMED = 1;
const FRESH = 2;
const READ_ONLY = 4;
const VISIBLE = 1;

/** Reads the fields of a frame one after the other. */
class Reader {
  constructor(private readonly _frame: Uint8Array) {
    this._view = new DataView(
      _frame.buffer,
      _frame.byteOffset,
      _frame.byteLength
    );
  }

  u8(): number {
    return this._view.getUint8(this._move(1));
  }

  u16(): number {
    return this._view.getUint16(this._move(2));
  }

  u32(): number {
    return this._view.getUint32(this._move(4));
  }

  i32(): number {
    return this._view.getInt32(this._move(4));
  }

  /** Exact up to 2 ** 53: 285 years of output at 1 MB/s. */
  u64(): number {
    return Number(this._view.getBigUint64(this._move(8)));
  }

  bytes(count: number): Uint8Array {
    const at = this._move(count);
    return this._frame.subarray(at, at + count);
  }

  rest(): Uint8Array {
    return this._frame.subarray(this._at);
  }

  private _move(count: number): number {
    const at = this._at;
    this._at += count;
    if (this._at > this._frame.length) {
      throw HubError.of('bad_frame', 'A frame of the terminal is too short.');
    }
    return at;
  }

  private readonly _view: DataView;
  private _at = 1;
}

function welcome(reader: Reader): IWelcome {
  const flags = reader.u8();
  const epoch = [...reader.bytes(16)]
    .map(byte => byte.toString(16).padStart(2, '0'))
    .join('');
  return {
    type: 'welcome',
    epoch,
    start: reader.u64(),
    head: reader.u64(),
    accepted: reader.u64(),
    input_limit: reader.u64(),
    rows: reader.u16(),
    columns: reader.u16(),
    window: reader.u32(),
    resumed: (flags & RESUMED) !== 0,
    fresh: (flags & FRESH) !== 0,
    read_only: (flags & READ_ONLY) !== 0
  };
}

function size(reader: Reader): TerminalServerFrame {
  return {
    type: 'size',
    rows: reader.u16(),
    columns: reader.u16(),
    width_px: reader.u16(),
    height_px: reader.u16()
  };
}

function data(reader: Reader): IData {
  const payload = reader.rest();
  if (payload.length > TERMINAL_MAX_DATA_BYTES) {
    throw HubError.of('too_big', 'The terminal sent too much in one frame.');
  }
  return { type: 'data', payload };
}

function error(reader: Reader): TerminalServerFrame {
  const code = reader.u16();
  const message = new TextDecoder().decode(reader.rest());
  return { type: 'error', code, message };
}

/**
 * Decode what the server has sent; a payload is a view into the frame. Null: a newer version's frame, to be ignored.
 *
 * @throws HubError `bad_frame` or `too_big`.
 */
export function decodeTerminalFrame(
  frame: ArrayBuffer | Uint8Array
): TerminalServerFrame | null {
  const bytes = frame instanceof Uint8Array ? frame : new Uint8Array(frame);
  const reader = new Reader(bytes);
  switch (bytes[0]) {
    case undefined:
      throw HubError.of('bad_frame', 'A frame has at least its type byte.');
    case TERMINAL_DATA:
      return data(reader);
    case TERMINAL_WELCOME:
      return welcome(reader);
    case TERMINAL_INPUT_ACK:
      return {
        type: 'input_ack',
        accepted: reader.u64(),
        limit: reader.u64()
      };
    case TERMINAL_SIZE:
      return size(reader);
    case TERMINAL_PING:
      return { type: 'ping', data: reader.bytes(PING_BYTES) };
    case TERMINAL_PONG:
      return { type: 'pong', data: reader.bytes(PING_BYTES) };
    case TERMINAL_REPLAY:
      return { type: 'replay', until: reader.u64() };
    case TERMINAL_GAP:
      return { type: 'gap', begin: reader.u64(), until: reader.u64() };
    case TERMINAL_EXIT:
      return {
        type: 'exit',
        code: reader.i32(),
        signal: reader.u8(),
        byte_offset: reader.u64()
      };
    case TERMINAL_ERROR:
      return error(reader);
    default:
      return null;
  }
}

function withPayload(type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(1 + payload.length);
  frame[0] = type;
  frame.set(payload, 1);
  return frame;
}

function resize(
  frame: Extract<TerminalClientFrame, { type: 'resize' }>
): Uint8Array {
  const bytes = new Uint8Array(10);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, TERMINAL_SIZE);
  const { rows, columns, width_px, height_px } = frame;
  [rows, columns, width_px, height_px].forEach((value, n) =>
    // What does not fit is no size of a terminal.
    view.setUint16(1 + 2 * n, Math.max(0, Math.min(0xffff, Math.floor(value))))
  );
  view.setUint8(9, frame.visible ? VISIBLE : 0);
  return bytes;
}

/**
 * Encode what a client sends.
 *
 * @throws RangeError: the data is too large for one frame.
 */
export function encodeTerminalFrame(frame: TerminalClientFrame): Uint8Array {
  switch (frame.type) {
    case 'data':
      if (frame.payload.length > TERMINAL_MAX_DATA_BYTES) {
        throw new RangeError('That is too much input for one frame.');
      }
      return withPayload(TERMINAL_DATA, frame.payload);
    case 'ack': {
      const offset = new Uint8Array(8);
      new DataView(offset.buffer).setBigUint64(0, BigInt(frame.byte_offset));
      return withPayload(TERMINAL_ACK, offset);
    }
    case 'resize':
      return resize(frame);
    case 'ping':
      return withPayload(TERMINAL_PING, frame.data);
    case 'pong':
      return withPayload(TERMINAL_PONG, frame.data);
    case 'bye':
      return Uint8Array.of(TERMINAL_BYE);
  }
}
