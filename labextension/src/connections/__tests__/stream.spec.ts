import { errorInfo } from '../../testing/fakeTopics';
import { MainRig } from '../../testing/mainRig';
import { pass, until, watch } from '../../testing/tools';
import { IRequestOptions } from '../../tokens';
import { WAITING_CHARACTERS } from '../stream';

const METHOD = 'example.count';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const texts = (count: number, size = 1) =>
  [...Array(count).keys()].map(n => `${n}`.padStart(size, 'x'));

/** A connection to a server that has one streamed method. */
async function rigWith(
  items: unknown[],
  more: { error?: ReturnType<typeof errorInfo>; stopAt?: number } = {}
) {
  const rig = await new MainRig().connected();
  rig.server.streams.methods.set(METHOD, () => ({ items, ...more }));
  const open = (options?: IRequestOptions) =>
    rig.main.streams.open(METHOD, {}, options)[Symbol.asyncIterator]();
  /** Read to the end, into a list. */
  const read = async (into: unknown[], options?: IRequestOptions) => {
    for await (const item of rig.main.streams.open(METHOD, {}, options)) {
      into.push(item);
    }
  };
  return { rig, open, read };
}

describe('A streamed reply', () => {
  it('gives its items in order, and then ends', async () => {
    const { rig, read } = await rigWith(texts(50));
    const got: unknown[] = [];
    const end = watch(read(got));
    await until('it has ended', () => end.settled);
    expect([end.error, got]).toEqual([undefined, texts(50)]);
    expect(rig.server.got('request')).toHaveLength(1);
    expect(rig.server.got('cancel')).toHaveLength(0);
  });

  it('may be empty', async () => {
    const { read } = await rigWith([]);
    const got: unknown[] = [];
    const end = watch(read(got));
    await until('it has ended', () => end.settled);
    expect([end.error, got]).toEqual([undefined, []]);
  });

  it('begins when it is read, each time anew', async () => {
    const { rig } = await rigWith(['a']);
    const stream = rig.main.streams.open(METHOD, {}, { timeoutMs: 70 });
    await pass(100);
    expect(rig.server.got('request')).toHaveLength(0);
    for (const times of [1, 2]) {
      const first = watch(stream[Symbol.asyncIterator]().next());
      await until('it is there', () => first.settled);
      expect(first.value).toEqual({ done: false, value: 'a' });
      expect(rig.server.got('request')).toHaveLength(times);
    }
    expect(rig.server.got('request')[0]).toMatchObject({ timeout_ms: 70 });
  });

  it('that fails gives the items before, then the error, once', async () => {
    const { open } = await rigWith(texts(3), { error: errorInfo('internal') });
    const stream = open();
    const first = watch(stream.next());
    await until('the first is there', () => first.settled);
    await pass(100);
    await expect(stream.next()).resolves.toEqual({ done: false, value: '1' });
    await expect(stream.next()).resolves.toEqual({ done: false, value: '2' });
    await expect(stream.next()).rejects.toMatchObject({ code: 'internal' });
    await expect(stream.next()).resolves.toEqual({
      done: true,
      value: undefined
    });
  });

  it('answers several that ask at once in their turn', async () => {
    const { open } = await rigWith(['a', 'b'], {
      error: errorInfo('internal')
    });
    const stream = open();
    const ends = [1, 2, 3, 4].map(() => watch(stream.next()));
    await until('all are answered', () => ends.every(end => end.settled));
    expect(ends.map(end => end.value?.value)).toEqual([
      'a',
      'b',
      undefined,
      undefined
    ]);
    expect(ends.map(end => end.error?.code)).toEqual([
      undefined,
      undefined,
      'internal',
      undefined
    ]);
  });

  it('that is too large to ask for fails at once', async () => {
    const { rig } = await rigWith([]);
    const params = { text: 'x'.repeat(2 ** 20) };
    const stream = rig.main.streams.open(METHOD, params);
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'too_big'
    });
  });

  it('that the server refuses for good, or that is closed, ends with an error', async () => {
    const { rig, read } = await rigWith([], { stopAt: 0 });
    const got: unknown[] = [];
    rig.server.streams.methods.set(METHOD, () => ({
      items: ['a', 'b'],
      stopAt: 1
    }));
    const end = watch(read(got));
    await pass(100);
    rig.server.last.end(4501, 'Logged out.');
    await until('it has ended', () => end.settled);
    expect([got, end.error?.code]).toEqual([['a'], 'unauthenticated']);
  });
});

describe('A streamed reply over a break', () => {
  it.each([[true], [false]])(
    'gives each item once (resumed: %s)',
    async resumed => {
      const { rig, read } = await rigWith(texts(60));
      const got: unknown[] = [];
      rig.server.streams.windowCharacters = 150;
      rig.server.latencyMs = 20;
      const end = watch(read(got));
      for (const enough of [5, 25]) {
        await until('some have come', () => {
          // Small items are acknowledged with a ping only: open the window.
          rig.server.last.ackedFrames = rig.server.last.given.length;
          rig.server.streams.pump();
          return got.length >= enough;
        });
        if (!resumed) {
          rig.server.sessions.clear();
        }
        rig.cut();
        await rig.back();
      }
      rig.server.streams.windowCharacters = 100_000;
      rig.server.streams.pump();
      await until('it has ended', () => end.settled);
      expect([end.error, got]).toEqual([undefined, texts(60)]);
      expect(rig.server.got('request').length).toBe(3);
    }
  );
});

describe('A streamed reply of a lost session', () => {
  it('is asked for again, also if nothing of it had come', async () => {
    const { rig, read } = await rigWith(['a']);
    const got: unknown[] = [];
    rig.server.streams.windowCharacters = 0;
    const end = watch(read(got));
    await pass(100);
    rig.server.streams.windowCharacters = 1000;
    rig.server.sessions.clear();
    rig.cut();
    await until('it has ended', () => end.settled);
    expect([end.error, got]).toEqual([undefined, ['a']]);
  });
});

describe('Leaving a stream', () => {
  it('cancels it on the server', async () => {
    const { rig } = await rigWith(texts(100), { stopAt: 50 });
    const leave = async () => {
      for await (const item of rig.main.streams.open(METHOD, {})) {
        return item;
      }
      return null;
    };
    const end = watch(leave());
    await until('it was left', () => end.settled);
    expect(end.value).toBe('0');
    await pass(100);
    expect(rig.server.got('cancel')).toEqual([{ type: 'cancel', ref: 1 }]);
  });

  it('while an item is awaited ends that wait', async () => {
    const { rig, open } = await rigWith(['a'], { stopAt: 0 });
    const stream = open();
    const end = watch(stream.next());
    await pass(100);
    await stream.return?.();
    await pass(0);
    expect(end.value).toEqual({ done: true, value: undefined });
    await pass(100);
    expect(rig.server.got('cancel')).toHaveLength(1);
  });

  it('before it has begun calls nothing', async () => {
    const { rig, open } = await rigWith(['a']);
    const stream = open();
    await stream.return?.();
    await expect(stream.next()).resolves.toMatchObject({ done: true });
    await pass(100);
    expect(rig.server.got('request')).toHaveLength(0);
  });

  it('by its signal throws cancelled, and gives nothing of what waits', async () => {
    const { rig, open } = await rigWith(texts(100), { stopAt: 5 });
    const abort = new AbortController();
    const stream = open({ signal: abort.signal });
    const first = watch(stream.next());
    await until('the first is there', () => first.settled);
    await pass(100);
    abort.abort();
    await expect(stream.next()).rejects.toMatchObject({ code: 'cancelled' });
    await expect(stream.next()).resolves.toMatchObject({ done: true });
    await pass(100);
    expect(rig.server.got('cancel')).toHaveLength(1);
  });

  it('by its signal while an item is awaited throws cancelled there', async () => {
    const { open } = await rigWith(['a'], { stopAt: 0 });
    const abort = new AbortController();
    const end = watch(open({ signal: abort.signal }).next());
    await pass(100);
    abort.abort();
    await pass(0);
    expect(end.error?.code).toBe('cancelled');
  });

  it('by its signal counts also when all has come, but was not taken', async () => {
    const { rig, open } = await rigWith(texts(5));
    const abort = new AbortController();
    const stream = open({ signal: abort.signal });
    const first = watch(stream.next());
    await until('the first is there', () => first.settled);
    await pass(100);
    abort.abort();
    await expect(stream.next()).rejects.toMatchObject({ code: 'cancelled' });
    expect(rig.server.got('cancel')).toHaveLength(0);
  });

  it('by a signal that was aborted before calls nothing', async () => {
    const { rig, open } = await rigWith(['a']);
    const end = watch(open({ signal: AbortSignal.abort() }).next());
    await pass(100);
    expect(end.error?.code).toBe('cancelled');
    expect(rig.server.got('request')).toHaveLength(0);
  });

  it.each([
    ['read to its end', false],
    ['left', true]
  ])('lets its signal go when it was %s', async (_, leaves) => {
    const { open } = await rigWith(['a', 'b']);
    const abort = new AbortController();
    const remove = jest.spyOn(abort.signal, 'removeEventListener');
    const stream = open({ signal: abort.signal });
    const first = watch(stream.next());
    await until('the first is there', () => first.settled);
    await pass(100);
    expect(remove).not.toHaveBeenCalled();
    if (leaves) {
      await stream.return?.();
    } else {
      await stream.next();
      await stream.next();
    }
    expect(remove).toHaveBeenCalled();
  });
});

describe('A stream whose consumer is slow', () => {
  const SIZE = 32 * 1024;
  const COUNT = 100;

  /** A stream of which the first item was taken, and no more. */
  async function slow() {
    const rigged = await rigWith(texts(COUNT, SIZE));
    const stream = rigged.open();
    const first = watch(stream.next());
    await until('the first is there', () => first.settled);
    await pass(5000);
    const given = () => rigged.rig.server.last.given.length;
    return { ...rigged, stream, given };
  }

  it('makes the server wait, and then all comes', async () => {
    const { stream, given } = await slow();
    const before = given();
    // Welcome, pong, the item that was taken, what may wait and one more, and what the window lets through.
    expect(before).toBeLessThanOrEqual(3 + WAITING_CHARACTERS / SIZE + 1 + 3);
    expect(before).toBeGreaterThan(WAITING_CHARACTERS / SIZE);
    const rest = watch(
      (async () => {
        const got: unknown[] = [];
        for await (const item of { [Symbol.asyncIterator]: () => stream }) {
          got.push(item);
        }
        return got;
      })()
    );
    await until('it has ended', () => rest.settled);
    expect(rest.value).toEqual(texts(COUNT, SIZE).slice(1));
  });

  it('keeps no answer to a request from coming', async () => {
    const { rig } = await slow();
    rig.server.methods.set('files.list', () => 'listed');
    const end = watch(rig.main.request('files.list', {}));
    await pass(100);
    expect(end.value).toBe('listed');
  });

  it('that is left lets the server go on', async () => {
    const { rig, stream, given } = await slow();
    const acked = rig.server.last.ackedFrames;
    await stream.return?.();
    await pass(100);
    expect(rig.server.last.ackedFrames).toBeGreaterThan(acked);
    expect(rig.server.last.ackedFrames).toBeLessThanOrEqual(given());
  });

  it('is given up when nothing at all is taken for a minute', async () => {
    const { rig, stream } = await slow();
    const acked = rig.server.last.ackedFrames;
    await pass(50_000);
    expect(rig.server.got('cancel')).toHaveLength(0);
    await pass(20_000);
    expect(rig.server.got('cancel')).toHaveLength(1);
    expect(rig.server.last.ackedFrames).toBeGreaterThan(acked);
    await expect(stream.next()).rejects.toMatchObject({
      code: 'slow_consumer',
      retryable: true
    });
    await expect(stream.next()).resolves.toMatchObject({ done: true });
    expect(jest.getTimerCount()).toBe(1);
  });

  it('that takes one item now and then is not given up', async () => {
    const { rig, stream } = await slow();
    for (let n = 1; n <= 5; n++) {
      await pass(45_000);
      await expect(stream.next()).resolves.toMatchObject({ done: false });
    }
    expect(rig.server.got('cancel')).toHaveLength(0);
  });

  it('in a tab that was asleep is not given up', async () => {
    const { rig, stream } = await slow();
    jest.setSystemTime(Date.now() + 3600_000);
    await pass(1000);
    expect(rig.server.got('cancel')).toHaveLength(0);
    await expect(stream.next()).resolves.toMatchObject({ done: false });
  });

  it('waits for another one that is full as well', async () => {
    const { rig, stream, open } = await slow();
    const other = open();
    const first = watch(other.next());
    // Its first item waits behind the window that the first stream keeps shut.
    await pass(5000);
    const acked = rig.server.last.ackedFrames;
    await stream.return?.();
    await until('the first is there', () => first.settled);
    await pass(5000);
    expect(rig.server.last.ackedFrames).toBeGreaterThan(acked);
    expect(rig.server.last.ackedFrames).toBeLessThan(COUNT);
  });
});
