/**
 * Frames to messages and back. The golden frames in tests/vectors pin this file to the Python codec.
 */
import { HubError } from './errors';
import {
  CHUNK_DATA,
  CHUNK_HEADER_BYTES,
  ClientMessage,
  INBOUND_CHUNK_FRAME_BYTES,
  MAX_CHUNK_PAYLOAD_BYTES,
  ServerMessage,
  StreamClientMessage,
  StreamServerMessage
} from './generated';

const SERVER_TYPES: ReadonlySet<string> = new Set<ServerMessage['type']>([
  'welcome',
  'subscribed',
  'event',
  'position',
  'live',
  'lagging',
  'reply',
  'item',
  'ping',
  'pong',
  'bye'
]);

const STREAM_TYPES: ReadonlySet<string> = new Set<StreamServerMessage['type']>([
  'welcome',
  'ack',
  'credit',
  'entries',
  'settled',
  'done',
  'pong',
  'error'
]);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw HubError.of('bad_frame', `The server's frame is no JSON: ${error}`);
  }
}

function typeOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !('type' in value)) {
    return null;
  }
  return typeof value.type === 'string' ? value.type : null;
}

/**
 * Decode a frame of the hub protocol. Types that this version does not know are left out: a newer server may send them.
 *
 * @throws HubError `bad_frame`: it is no JSON array of messages.
 */
export function decodeServerFrame(text: string): ServerMessage[] {
  const frame = parse(text);
  if (!Array.isArray(frame) || frame.some(one => typeOf(one) === null)) {
    throw HubError.of(
      'bad_frame',
      'A frame of the server is no array of messages.'
    );
  }
  return frame.filter(one => SERVER_TYPES.has(typeOf(one) ?? ''));
}

const LONE_SURROGATE =
  /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

/** Half a surrogate pair is no text: on the wire it is U+FFFD, as everywhere where text becomes UTF-8. */
function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === 'string'
    ? value.replace(LONE_SURROGATE, '\uFFFD')
    : value;
}

/** Encode one message; `joinFrame` makes frames of several. */
export function encodeClientMessage(message: ClientMessage): string {
  return JSON.stringify(message, wellFormed);
}

/** Make a frame out of encoded messages. */
export function joinFrame(messages: readonly string[]): string {
  return `[${messages.join(',')}]`;
}

/** The size of a text on the wire in bytes. */
export function wireBytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/**
 * Decode a text message of a file stream.
 *
 * @throws HubError `bad_frame`: it is no message of this protocol.
 */
export function decodeStreamMessage(text: string): StreamServerMessage {
  const message = parse(text);
  if (!STREAM_TYPES.has(typeOf(message) ?? '')) {
    throw HubError.of(
      'bad_frame',
      'A message of the file stream was not understood.'
    );
  }
  return message as StreamServerMessage;
}

/** Encode a text message of a file stream. */
export function encodeStreamMessage(message: StreamClientMessage): string {
  return JSON.stringify(message, wellFormed);
}

/** A piece of a file and its place. */
export interface IChunk {
  byteOffset: number;
  fileIndex: number;
  payload: Uint8Array;
}

/**
 * Encode a data frame.
 *
 * @throws RangeError: the payload is too large for one frame.
 */
export function encodeChunk(
  byteOffset: number,
  payload: Uint8Array,
  fileIndex = 0
): Uint8Array {
  if (payload.length > MAX_CHUNK_PAYLOAD_BYTES) {
    throw new RangeError(
      `A chunk carries at most ${MAX_CHUNK_PAYLOAD_BYTES} bytes, not ${payload.length}.`
    );
  }
  const frame = new Uint8Array(CHUNK_HEADER_BYTES + payload.length);
  const header = new DataView(frame.buffer);
  header.setUint8(0, CHUNK_DATA);
  header.setUint32(4, fileIndex);
  header.setBigUint64(8, BigInt(byteOffset));
  frame.set(payload, CHUNK_HEADER_BYTES);
  return frame;
}

/**
 * Decode a data frame; the payload is a view into it.
 *
 * @throws HubError `too_big`, `bad_frame` or `unknown_type`.
 */
export function decodeChunk(frame: ArrayBuffer): IChunk {
  if (frame.byteLength > INBOUND_CHUNK_FRAME_BYTES) {
    throw HubError.of('too_big', 'A data frame of the server is too big.');
  }
  if (frame.byteLength < CHUNK_HEADER_BYTES) {
    throw HubError.of(
      'bad_frame',
      'A data frame of the server has no whole header.'
    );
  }
  const header = new DataView(frame);
  if (header.getUint8(0) !== CHUNK_DATA) {
    throw HubError.of('unknown_type', 'A data frame has an unknown type.');
  }
  return {
    byteOffset: Number(header.getBigUint64(8)),
    fileIndex: header.getUint32(4),
    payload: new Uint8Array(frame, CHUNK_HEADER_BYTES)
  };
}
