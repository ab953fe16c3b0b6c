import { readFileSync } from 'fs';
import { join } from 'path';

import {
  decodeChunk,
  decodeServerFrame,
  decodeStreamMessage,
  encodeChunk,
  encodeClientMessage,
  encodeStreamMessage,
  joinFrame,
  wireBytes
} from '../codec';
import {
  ClientMessage,
  INBOUND_CHUNK_FRAME_BYTES,
  MAX_CHUNK_PAYLOAD_BYTES,
  StreamClientMessage
} from '../generated';

/** The golden frames, which the Python tests read too. */
const VECTORS = join(__dirname, '..', '..', '..', '..', 'tests', 'vectors');

interface IVector {
  name: string;
  direction?: 'client' | 'server';
  frame: string;
  hex: string;
  messages: object[];
  code: string;
  byte_offset: number;
  file_index: number;
  payload: string;
}

function vectors(file: string, part: 'valid' | 'invalid'): IVector[] {
  const text = readFileSync(join(VECTORS, file), 'utf-8');
  return (JSON.parse(text) as { [part: string]: IVector[] })[part] ?? [];
}

const named = (all: IVector[]): Array<[string, IVector]> =>
  all.map(one => [one.name, one]);

function bytes(hex: string): ArrayBuffer {
  const buffer = new ArrayBuffer(hex.length / 2);
  new Uint8Array(buffer).set(
    (hex.match(/../g) ?? []).map(pair => parseInt(pair, 16))
  );
  return buffer;
}

const hex = (data: Uint8Array) =>
  [...data].map(byte => byte.toString(16).padStart(2, '0')).join('');

describe('Frames of the hub server', () => {
  it.each(named(vectors('hub_server_frames.json', 'valid')))(
    'are read as Python writes them: %s',
    (_, { frame, messages }) => {
      expect(decodeServerFrame(frame)).toMatchObject(messages);
    }
  );

  it.each(named(vectors('hub_server_frames.json', 'invalid')))(
    'are refused: %s',
    (_, { frame, code }) => {
      expect(() => decodeServerFrame(frame)).toThrow(
        expect.objectContaining({ code })
      );
    }
  );

  it('may have messages of a newer version, which are left out', () => {
    const frame = '[{"type":"teleport","to":1},{"type":"live","topic":"t"}]';
    expect(decodeServerFrame(frame)).toEqual([{ type: 'live', topic: 't' }]);
  });
});

describe('Frames of the client', () => {
  it.each(named(vectors('hub_client_frames.json', 'valid')))(
    'say what Python understands: %s',
    (_, { messages }) => {
      const encoded = (messages as ClientMessage[]).map(encodeClientMessage);
      expect(JSON.parse(joinFrame(encoded))).toEqual(messages);
    }
  );

  it('are measured in bytes, not in characters', () => {
    expect(wireBytes('aä日👋')).toBe(1 + 2 + 3 + 4);
  });
});

describe('Text messages of a file stream', () => {
  const of = (part: 'valid' | 'invalid', direction: 'client' | 'server') =>
    named(
      vectors('file_stream_text.json', part).filter(
        one => one.direction === direction
      )
    );

  it.each(of('valid', 'server'))(
    'of the server are read as Python writes them: %s',
    (_, { frame, messages }) => {
      expect(decodeStreamMessage(frame)).toMatchObject(messages[0] ?? {});
    }
  );

  it.each(of('invalid', 'server'))(
    'of the server are refused: %s',
    (_, { frame, code }) => {
      expect(() => decodeStreamMessage(frame)).toThrow(
        expect.objectContaining({ code })
      );
    }
  );

  it.each(of('valid', 'client'))(
    'of the client say what Python understands: %s',
    (_, { messages }) => {
      const [message] = messages as StreamClientMessage[];
      expect(JSON.parse(encodeStreamMessage(message!))).toEqual(message);
    }
  );
});

describe('Data frames', () => {
  it.each(named(vectors('chunks.json', 'valid')))(
    'are read as Python writes them: %s',
    (_, vector) => {
      const chunk = decodeChunk(bytes(vector.hex));
      expect(chunk.byteOffset).toBe(vector.byte_offset);
      expect(chunk.fileIndex).toBe(vector.file_index);
      expect(hex(chunk.payload)).toBe(vector.payload);
    }
  );

  const plain = vectors('chunks.json', 'valid').filter(
    one => !one.name.includes('ignored')
  );
  it.each(named(plain))(
    'are written as Python writes them: %s',
    (_, vector) => {
      const payload = new Uint8Array(bytes(vector.payload));
      const frame = encodeChunk(vector.byte_offset, payload, vector.file_index);
      expect(hex(frame)).toBe(vector.hex);
    }
  );

  it.each(named(vectors('chunks.json', 'invalid')))(
    'are refused: %s',
    (_, vector) => {
      expect(() => decodeChunk(bytes(vector.hex))).toThrow(
        expect.objectContaining({ code: vector.code })
      );
    }
  );

  it('carry the largest payload and not a byte more', () => {
    const payload = new Uint8Array(MAX_CHUNK_PAYLOAD_BYTES).fill(7);
    const frame = encodeChunk(3, payload);
    expect(decodeChunk(frame.buffer as ArrayBuffer).payload).toEqual(payload);
    const more = new Uint8Array(MAX_CHUNK_PAYLOAD_BYTES + 1);
    expect(() => encodeChunk(3, more)).toThrow(RangeError);
    expect(() =>
      decodeChunk(new ArrayBuffer(INBOUND_CHUNK_FRAME_BYTES + 1))
    ).toThrow(expect.objectContaining({ code: 'too_big' }));
  });

  it('of a part of a larger buffer carry that part only', () => {
    const part = new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 3);
    const { payload } = decodeChunk(encodeChunk(0, part).buffer as ArrayBuffer);
    expect([...payload]).toEqual([2, 3]);
  });
});
