import { readFileSync } from 'fs';
import { join } from 'path';

import {
  decodeTerminalFrame,
  encodeTerminalFrame,
  TerminalClientFrame
} from '../terminalFrames';

/** The golden frames, which the Python tests read too. */
const FILE = join(
  ...[__dirname, '..', '..', '..', '..', 'tests', 'vectors', 'terminal.json']
);

interface IVector {
  name: string;
  direction: 'client' | 'server';
  hex: string;
  frame: { [field: string]: unknown };
  code: string;
}

const VECTORS = JSON.parse(readFileSync(FILE, 'utf-8')) as {
  valid: IVector[];
  invalid: IVector[];
};

const of = (all: IVector[], direction: string): Array<[string, IVector]> =>
  all
    .filter(one => one.direction === direction)
    .map((one): [string, IVector] => [one.name, one]);

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(
    (hex.match(/../g) ?? []).map(pair => parseInt(pair, 16))
  );
}

const hex = (data: Uint8Array) =>
  [...data].map(byte => byte.toString(16).padStart(2, '0')).join('');

/** As the vectors have it: bytes as hexadecimal digits. */
const plain = (frame: object | null) =>
  frame &&
  Object.fromEntries(
    Object.entries(frame).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? hex(value) : (value as unknown)
    ])
  );

const BINARY = new Set(['payload', 'data']);

const frameOf = (vector: IVector) =>
  Object.fromEntries(
    Object.entries(vector.frame).map(([name, value]) => [
      name,
      BINARY.has(name) ? bytes(String(value)) : value
    ])
  ) as unknown as TerminalClientFrame;

/** Byte offsets from 2 ** 53 on are not counted exactly; no terminal gets so far. */
const isExact = ({ frame }: IVector) =>
  Object.values(frame).every(
    value => typeof value !== 'number' || Number.isSafeInteger(value)
  );

describe("A terminal's frames from the server", () => {
  it.each(of(VECTORS.valid, 'server'))('are read: %s', (_, vector) => {
    const frame = plain(decodeTerminalFrame(bytes(vector.hex)));
    expect(frame ?? { type: 'unknown' }).toEqual(vector.frame);
  });

  it.each(of(VECTORS.invalid, 'server'))('are refused: %s', (_, vector) => {
    expect(() => decodeTerminalFrame(bytes(vector.hex))).toThrow(
      expect.objectContaining({ code: vector.code })
    );
  });

  it('are read from the middle of a buffer, and without copying output', () => {
    const buffer = bytes('ffff00616263').subarray(2);
    const frame = decodeTerminalFrame(buffer);
    expect(plain(frame)).toEqual({ type: 'data', payload: '616263' });
    expect(
      frame?.type === 'data' && frame.payload.buffer === buffer.buffer
    ).toBe(true);
  });

  it('of a newer version are ignored', () => {
    expect(decodeTerminalFrame(bytes('7f00'))).toBeNull();
  });

  it('that are too big are refused', () => {
    const most = new Uint8Array(65_537);
    expect(decodeTerminalFrame(most)).toMatchObject({ type: 'data' });
    expect(() => decodeTerminalFrame(new Uint8Array(65_538))).toThrow(
      expect.objectContaining({ code: 'too_big' })
    );
  });
});

describe("A terminal's frames from the client", () => {
  const exact = of(VECTORS.valid.filter(isExact), 'client');

  it.each(exact)('are written as Python reads them: %s', (_, vector) => {
    const written = encodeTerminalFrame(frameOf(vector));
    // A vector may have more behind it than is known, and flags that nobody knows.
    const known = bytes(vector.hex).slice(0, written.length);
    if (vector.frame.type === 'resize') {
      known[9] = (known[9] ?? 0) & 1;
    }
    expect(hex(written)).toBe(hex(known));
  });

  it('cover every type', () => {
    expect(new Set(exact.map(([, { frame }]) => frame.type))).toEqual(
      new Set(['data', 'ack', 'resize', 'ping', 'pong', 'bye'])
    );
  });

  it('carry no size that a terminal cannot have', () => {
    const frame = encodeTerminalFrame({
      ...{ type: 'resize', visible: true },
      ...{ rows: -3, columns: 1e9, width_px: 10.7, height_px: 0 }
    });
    expect(hex(frame)).toBe('040000ffff000a000001');
  });

  it('carry no more than fits', () => {
    const payload = new Uint8Array(65_537);
    expect(() => encodeTerminalFrame({ type: 'data', payload })).toThrow(
      RangeError
    );
  });
});
