import { pick, seeded } from '../../testing/random';
import { decodeChunk, encodeChunk } from '../codec';
import {
  Done,
  ENTRIES_AHEAD,
  StreamServerMessage,
  StreamWelcome,
  WINDOW_BYTES
} from '../generated';
import { TreeSender, UploadSender } from '../transfer';
import { DownloadReceiver } from '../transferDownload';

const say = (message: StreamServerMessage) => JSON.stringify(message);

function welcome(more: Partial<StreamWelcome> = {}): string {
  return say({
    ...{ type: 'welcome', direction: 'upload', path: 'a', byte_offset: 0 },
    ...{ durable: 0, size: 1000, limit: 1000, block_bytes: 100 },
    ...{ digest: 'xxh3-128', kind: 'file', frame_bytes: 65_536, entry: 0 },
    ...{ digests: null, ...more }
  });
}

const done: Done = {
  ...{ type: 'done', path: 'a', size: 1000, root: 'r', etag: 'e' },
  ...{ warning: null, entries: 0, failed: 0 }
};
const ack = (received: number, written: number): string =>
  say({ type: 'ack', received, written, durable: 0 });
const bad = expect.objectContaining({ code: 'bad_frame' });
const bytes = (length: number) => new Uint8Array(length).fill(7);
const placeOf = (frame: Uint8Array) =>
  decodeChunk(frame.slice().buffer).byteOffset;

function opened(more: Partial<StreamWelcome> = {}): UploadSender {
  const sender = new UploadSender(1000);
  sender.hello();
  sender.take(welcome(more));
  return sender;
}

describe('The sender of a file', () => {
  it('sends from where the server says to where it says', () => {
    const sender = opened({ byte_offset: 300, limit: 450 });
    expect([sender.sent, sender.room, sender.isSent]).toEqual([
      300,
      150,
      false
    ]);
    expect(sender.data(bytes(150)).map(placeOf)).toEqual([300]);
    expect(sender.room).toBe(0);
    expect(() => sender.data(bytes(1))).toThrow(RangeError);
    sender.take(say({ type: 'credit', limit: 5000 }));
    sender.take(say({ type: 'credit', limit: 460 }));
    expect(sender.room).toBe(550);
    sender.data(bytes(550));
    expect([sender.isSent, sender.isFinished]).toEqual([true, false]);
    expect(JSON.parse(sender.finish('r'))).toEqual({
      ...{ type: 'finish', size: 1000, root: 'r' }
    });
    sender.take(say(done));
    expect(sender.done).toEqual(done);
  });

  it('sends nothing before the welcome, and asks for digests only if it is to', () => {
    const sender = new UploadSender(10);
    expect(sender.room).toBe(0);
    expect(JSON.parse(sender.hello())).toEqual({ type: 'hello' });
    expect(JSON.parse(sender.hello(true))).toEqual({
      ...{ type: 'hello', digests: true }
    });
    expect([sender.room, sender.isSent]).toEqual([0, false]);
  });

  it('forgets on a new stream what the last one was told', () => {
    const sender = opened();
    sender.data(bytes(1000));
    sender.finish('r');
    sender.take(
      say({
        type: 'error',
        error: { code: 'internal', message: 'x', retryable: true },
        expected: null
      })
    );
    expect(sender.failure?.code).toBe('internal');
    sender.hello();
    expect([sender.failure, sender.welcome, sender.isFinished]).toEqual([
      null,
      null,
      false
    ]);
    sender.take(welcome({ byte_offset: 100, limit: 200 }));
    expect([sender.sent, sender.room]).toEqual([100, 100]);
  });

  it.each([
    ['a second welcome', welcome()],
    ['an ack of what was not sent', ack(1, 0)],
    ['more written than received', ack(0, 1)],
    ['entries', say({ type: 'entries', first: 0, entries: [] })],
    ['no message', '{"type":"teleport"}']
  ])('does not go on after %s', (_, frame) => {
    const sender = opened();
    expect(() => sender.take(frame)).toThrow(bad);
  });

  it.each([
    ['before the welcome', ack(0, 0)],
    ['of another direction', welcome({ direction: 'download' })],
    ['beyond the end', welcome({ byte_offset: 1001 })]
  ])('does not go on after a word %s', (_, frame) => {
    const sender = new UploadSender(1000);
    sender.hello();
    expect(() => sender.take(frame)).toThrow(bad);
  });

  it('says where the file is another one', () => {
    const sender = new UploadSender(999);
    sender.hello();
    expect(() => sender.take(welcome())).toThrow(
      expect.objectContaining({ code: 'source_changed' })
    );
  });
});

describe('The sender of a tree', () => {
  const tree = (more: Partial<StreamWelcome> = {}) => {
    const sender = new TreeSender();
    sender.hello();
    sender.take(welcome({ kind: 'tree', size: 0, limit: 1e9, ...more }));
    return sender;
  };
  const entries = (count: number, size = 2) =>
    Array.from({ length: count }, (_, n) => ({ path: `f${n}`, size }));

  it('announces entries before their bytes, and not too many', () => {
    const sender = tree();
    expect([sender.room, sender.entriesRoom]).toEqual([0, ENTRIES_AHEAD]);
    expect(JSON.parse(sender.announce(entries(3)))).toMatchObject({
      ...{ type: 'entries', first: 0 }
    });
    expect(sender.room).toBe(6);
    sender.announce(entries(ENTRIES_AHEAD - 3));
    expect(sender.entriesRoom).toBe(0);
    expect(() => sender.announce(entries(1))).toThrow(RangeError);
    sender.take(say({ type: 'settled', entry: 10, results: [] }));
    expect(sender.entriesRoom).toBe(10);
  });

  it('goes on with the entry and the byte that the server names', () => {
    const sender = tree({ entry: 7, byte_offset: 40 });
    expect([sender.announced, sender.settled, sender.sent]).toEqual([7, 7, 40]);
    expect(JSON.parse(sender.announce(entries(1)))).toMatchObject({ first: 7 });
    expect(sender.data(bytes(2)).map(placeOf)).toEqual([40]);
    expect(JSON.parse(sender.finish())).toEqual({
      ...{ type: 'finish', size: 42, root: '', entries: 8 }
    });
  });

  it('gives each result once', () => {
    const sender = tree();
    sender.announce(entries(2));
    const error = { code: 'exists', message: 'x', retryable: false };
    const result = { entry: 1, state: 'failed' as const, path: null, error };
    sender.take(say({ type: 'settled', entry: 2, results: [result] }));
    expect(sender.takeResults()).toEqual([result]);
    expect(sender.takeResults()).toEqual([]);
  });

  it('does not believe that what it has not announced is settled', () => {
    const sender = tree();
    expect(() =>
      sender.take(say({ type: 'settled', entry: 1, results: [] }))
    ).toThrow(bad);
  });
});

describe('The receiver of a download', () => {
  const SIZE = 40 * 1024 * 1024;
  const open = (receiver: DownloadReceiver, have = 0) => {
    expect(JSON.parse(receiver.hello())).toEqual({ type: 'hello', have });
    const direction = 'download' as const;
    receiver.take(welcome({ direction, byte_offset: have, size: SIZE }));
  };
  const frame = (at: number, length: number) =>
    encodeChunk(at, bytes(length)).buffer as ArrayBuffer;

  it('gives credit behind what is written, and never for more than the window', () => {
    const random = seeded(5);
    const window = 2 * WINDOW_BYTES;
    const receiver = new DownloadReceiver(window);
    open(receiver);
    let [limit, sent, written] = [WINDOW_BYTES, 0, 0];
    for (let n = 0; n < 4000 && sent < SIZE; n++) {
      const length = Math.min(60_000, limit - sent, SIZE - sent);
      if (length > 0) {
        expect(receiver.data(frame(sent, length)).length).toBe(length);
        sent += length;
      }
      written += pick(random, sent - written + 1);
      const credit = receiver.credit(written);
      if (credit !== null) {
        const told = (JSON.parse(credit) as { limit: number }).limit;
        expect(told).toBeGreaterThan(limit);
        expect(told - written).toBeLessThanOrEqual(window);
        limit = told;
      }
    }
    expect([sent, receiver.have]).toEqual([SIZE, SIZE]);
  });

  it('goes on behind what it has', () => {
    const receiver = new DownloadReceiver();
    open(receiver);
    receiver.data(frame(0, 1000));
    open(receiver, 1000);
    expect(receiver.data(frame(1000, 5)).length).toBe(5);
  });

  it.each([
    ['before what is next', 0, 'wrong_offset'],
    ['behind what is next', 2000, 'wrong_offset']
  ])('refuses data %s', (_, at, code) => {
    const receiver = new DownloadReceiver();
    open(receiver);
    receiver.data(frame(0, 1000));
    expect(() => receiver.data(frame(at, 5))).toThrow(
      expect.objectContaining({ code })
    );
  });

  it('refuses data without credit', () => {
    const receiver = new DownloadReceiver();
    open(receiver);
    for (let at = 0; at < WINDOW_BYTES; at += 32_768) {
      receiver.data(frame(at, 32_768));
    }
    expect(() => receiver.data(frame(WINDOW_BYTES, 1))).toThrow(bad);
  });

  it('says where the source is another one than before the break', () => {
    const receiver = new DownloadReceiver();
    open(receiver);
    receiver.hello();
    const direction = 'download' as const;
    expect(() => receiver.take(welcome({ direction, size: 5 }))).toThrow(
      expect.objectContaining({ code: 'source_changed' })
    );
  });
});
