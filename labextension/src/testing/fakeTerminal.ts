/**
 * A terminal in memory that speaks the binary protocol: output from a ring, input by client, as PROTOCOL.md says.
 */
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
} from '../protocol/generated';
import { FakeSocket, Frame } from './fakeSocket';

/** A frame: a type, then fields of so many bytes each. */
export function frameOf(
  type: number,
  ...fields: Array<[bytes: number, value: number] | Uint8Array>
): Uint8Array {
  const bytes = [type];
  for (const field of fields) {
    if (ArrayBuffer.isView(field)) {
      bytes.push(...field);
    } else {
      const [count, value] = field;
      for (let at = count - 1; at >= 0; at--) {
        bytes.push(Number((BigInt(value) >> BigInt(8 * at)) & 0xffn));
      }
    }
  }
  return Uint8Array.from(bytes);
}

const u64 = (value: number): [number, number] => [8, value];

/** What the terminal knows of a client, over its connections. */
interface IKnown {
  /** Everything that it has typed. */
  input: number[];
  socket: FakeSocket | null;
}

/** What the terminal knows of a connection. */
interface IAttached {
  client: string;
  /** Output bytes: sent, and acknowledged. */
  sent: number;
  acked: number;
  begin: number;
  window: number;
}

export class FakeTerminal {
  epoch = '0123456789abcdef0123456789abcdef';
  /** Everything that the program has written; the ring begins at `ringStart`. */
  readonly output: number[] = [];
  ringStart = 0;
  /** How much input the program lets wait. */
  inputRoom = 64 * 1024;
  /** Frames of output are at most so large. */
  frameBytes = TERMINAL_MAX_DATA_BYTES;
  /** Input is not acknowledged. */
  isDeaf = false;
  isSilentToPings = false;
  isReadOnly = false;
  isGone = false;
  /** Output up to here is history, for those who begin. */
  history = 0;
  /** The program reads nothing: the limit does not grow. */
  isStuck = false;
  readonly clients = new Map<string, IKnown>();
  readonly attached = new Map<FakeSocket, IAttached>();
  /** Every frame that came, by type, and the size frames with their fields. */
  readonly types: number[] = [];
  readonly payloads: Uint8Array[] = [];
  readonly sizes: Array<{ rows: number; columns: number; visible: boolean }> =
    [];
  readonly acks: number[] = [];
  readonly violations: string[] = [];
  /** The most output that was under way at once. */
  mostUnderWay = 0;

  /** A socket has opened. */
  open(socket: FakeSocket): void {
    const query = socket.address.query ?? {};
    const client = query['client'] ?? '';
    if (
      this.isGone ||
      (query['epoch'] !== undefined && query['epoch'] !== this.epoch)
    ) {
      socket.end(4503, 'gone');
      return;
    }
    const have = Number(query['have'] ?? 0);
    const known = this.clients.get(client);
    const isFresh = known === undefined;
    const sent = Number(query['sent'] ?? 0);
    const now = known ?? { input: Array<number>(sent).fill(0), socket: null };
    this.clients.set(client, now);
    if (now.socket && !now.socket.isOver) {
      this.attached.delete(now.socket);
      now.socket.end(4504, 'superseded');
    }
    now.socket = socket;
    const isResumed =
      query['epoch'] !== undefined &&
      have >= this.ringStart &&
      have <= this.output.length;
    const start = isResumed ? have : this.ringStart;
    const window = Number(query['window'] ?? 0);
    this.attached.set(socket, {
      ...{ client, window, sent: start, acked: start, begin: start }
    });
    this._welcome(socket, now, start, [isResumed, isFresh, this.isReadOnly]);
    if (!isResumed && this.history > start) {
      socket.give(frameOf(TERMINAL_REPLAY, u64(this.history)));
    }
    this._pump(socket);
  }

  /** A frame has come. */
  frame(socket: FakeSocket, frame: Frame): void {
    const attached = this.attached.get(socket);
    if (!attached) {
      return;
    }
    if (typeof frame === 'string') {
      this.violations.push('text');
      return;
    }
    const view = new DataView(frame.buffer, frame.byteOffset);
    const type = view.getUint8(0);
    this.types.push(type);
    if (type === TERMINAL_DATA) {
      this._input(socket, attached, frame.subarray(1));
    } else if (type === TERMINAL_ACK) {
      const acked = Number(view.getBigUint64(1));
      if (acked > attached.sent) {
        this.violations.push(`ack ${acked} beyond ${attached.sent}`);
        socket.end(4500, 'ack beyond what was sent');
      }
      this.acks.push(acked);
      attached.acked = Math.max(attached.acked, acked);
      this._pump(socket);
    } else if (type === TERMINAL_SIZE) {
      const [rows, columns] = [view.getUint16(1), view.getUint16(3)];
      this.sizes.push({ rows, columns, visible: view.getUint8(9) === 1 });
    } else if (type === TERMINAL_PING && !this.isSilentToPings) {
      socket.give(frameOf(TERMINAL_PONG, frame.subarray(1, 9)));
    } else if (type === TERMINAL_BYE) {
      this.attached.delete(socket);
    }
  }

  /** The program writes. */
  write(what: string | readonly number[]): void {
    const bytes =
      typeof what === 'string' ? [...new TextEncoder().encode(what)] : what;
    for (const byte of bytes) {
      this.output.push(byte);
    }
    [...this.attached.keys()].forEach(socket => this._pump(socket));
  }

  /** The one client's input so far, as text. */
  get typed(): string {
    const [only] = [...this.clients.values()];
    return new TextDecoder().decode(Uint8Array.from(only?.input ?? []));
  }

  /** Send something to all who are attached. */
  give(frame: Uint8Array): void {
    [...this.attached.keys()].forEach(socket => socket.give(frame));
  }

  /** What everybody missed; the output goes on at `until`. */
  gap(until: number): void {
    for (const [socket, attached] of this.attached) {
      socket.give(frameOf(TERMINAL_GAP, u64(attached.sent), u64(until)));
      attached.sent = attached.acked = until;
      this._pump(socket);
    }
  }

  /** The program ends. */
  exit(code: number, signal = 0): void {
    for (const socket of this.attached.keys()) {
      socket.give(
        frameOf(
          TERMINAL_EXIT,
          ...[[4, code] as [number, number], [1, signal] as [number, number]],
          u64(this.output.length)
        )
      );
      socket.end(1000);
    }
  }

  complain(number: number, text: string): void {
    const message = new TextEncoder().encode(text);
    this.give(frameOf(TERMINAL_ERROR, [2, number], message));
  }

  /** The program has read everything that waited. */
  read(): void {
    this.isStuck = false;
    for (const [socket, { client }] of this.attached) {
      this._acknowledge(socket, this.clients.get(client)!.input.length);
    }
  }

  private _welcome(
    socket: FakeSocket,
    known: IKnown,
    start: number,
    [isResumed, isFresh, isReadOnly]: boolean[]
  ): void {
    const flags =
      Number(isResumed) + 2 * Number(isFresh) + 4 * Number(isReadOnly);
    const epoch = (this.epoch.match(/../g) ?? []).map(two => parseInt(two, 16));
    const taken = known.input.length;
    socket.give(
      frameOf(
        TERMINAL_WELCOME,
        [1, flags],
        Uint8Array.from(epoch),
        ...[start, this.output.length, taken, this._limit(taken)].map(u64),
        ...([
          [2, 24],
          [2, 80],
          [4, this._window(socket)]
        ] as Array<[number, number]>)
      )
    );
  }

  private _input(
    socket: FakeSocket,
    { client }: IAttached,
    payload: Uint8Array
  ): void {
    const known = this.clients.get(client)!;
    this.payloads.push(payload);
    const isControl =
      payload.length === 1 && [3, 0x1c, 0x1a].includes(payload[0]!);
    if (known.input.length + payload.length > this._limit(known.input.length)) {
      this.violations.push('input beyond the limit');
    }
    if (this.isReadOnly) {
      this.violations.push('input of a reader');
    }
    known.input.push(...payload);
    if (isControl) {
      this._stuckAt = null;
      this.isStuck = false;
    }
    if (!this.isDeaf) {
      this._acknowledge(socket, known.input.length);
    }
  }

  private _acknowledge(socket: FakeSocket, accepted: number): void {
    const limit = u64(this._limit(accepted));
    socket.give(frameOf(TERMINAL_INPUT_ACK, u64(accepted), limit));
  }

  /** While the program reads nothing, the limit stays where it was. */
  private _limit(accepted: number): number {
    if (!this.isStuck) {
      this._stuckAt = null;
      return accepted + this.inputRoom;
    }
    this._stuckAt ??= accepted + this.inputRoom;
    return this._stuckAt;
  }

  private _window(socket: FakeSocket): number {
    return this.attached.get(socket)?.window ?? 0;
  }

  private _pump(socket: FakeSocket): void {
    const attached = this.attached.get(socket);
    if (!attached || socket.isOver) {
      return;
    }
    for (;;) {
      const room = attached.acked + attached.window - attached.sent;
      const most = Math.min(room, this.frameBytes);
      const bytes = this.output.slice(attached.sent, attached.sent + most);
      if (bytes.length === 0) {
        return;
      }
      attached.sent += bytes.length;
      const underWay = attached.sent - attached.acked;
      this.mostUnderWay = Math.max(this.mostUnderWay, underWay);
      socket.give(frameOf(TERMINAL_DATA, Uint8Array.from(bytes)));
    }
  }

  private _stuckAt: number | null = null;
}
