import { pass, watch } from '../../testing/tools';
import { EngineClient } from '../engineClient';
import { contentUrl } from '../downloads';
import { settingsWith } from '../../testing/tools';
import { FromEngine, ToEngine } from '../transferJob';

/** A worker whose program a test plays. */
class FakeWorker {
  onmessage: ((event: { data: FromEngine }) => void) | null = null;
  onerror: ((event: { message: string }) => void) | null = null;
  readonly got: ToEngine[] = [];
  isTerminated = false;

  postMessage(message: ToEngine): void {
    this.got.push(message);
  }

  terminate(): void {
    this.isTerminated = true;
  }
}

const nothing = {
  onOpened: () => undefined,
  onProgress: () => undefined,
  onResults: () => undefined,
  onVerified: () => undefined
};
const spec = { kind: 'tree' as const, items: [] };

let worker: FakeWorker;
let opened: string[];
let warned: jest.SpyInstance;

function client(): EngineClient {
  return new EngineClient(
    () => worker as unknown as Worker,
    (url, _, events) => {
      opened.push(url);
      setTimeout(() => events.onClose(1006, '', false), 1);
      return {
        send: () => undefined,
        close: () => undefined,
        bufferedAmount: 0,
        protocol: ''
      };
    }
  );
}

beforeEach(() => {
  jest.useFakeTimers();
  worker = new FakeWorker();
  opened = [];
  warned = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('Jobs', () => {
  it('go to the worker once it has begun', async () => {
    const engine = client();
    const started = watch(engine.start(spec, nothing));
    await pass(10);
    expect([started.settled, worker.got]).toEqual([false, []]);
    worker.onmessage?.({ data: { type: 'ready' } });
    await pass(0);
    const end = watch(started.value!.open('ws://x/a'));
    expect(worker.got.map(({ type }) => type)).toEqual(['start', 'open']);
    const error = { code: 'no_space', message: 'Full.', retryable: true };
    worker.onmessage?.({
      data: { type: 'closed', id: 1, error, wasOpened: true }
    });
    await pass(0);
    expect(end.value).toMatchObject({
      wasOpened: true,
      error: { code: 'no_space', retryable: true }
    });
    expect([opened, warned.mock.calls.length]).toEqual([[], 0]);
  });

  it.each([
    ['cannot be loaded', () => worker.onerror?.({ message: 'CSP' })],
    ['says nothing', () => undefined]
  ])(
    'run in the page where the worker %s, which is said once',
    async (_, go) => {
      const engine = client();
      const started = watch(engine.start(spec, nothing));
      await pass(0);
      go();
      await pass(10_000);
      expect([started.settled, worker.isTerminated]).toEqual([true, true]);
      const end = watch(started.value!.open('ws://x/a'));
      await pass(10);
      expect(opened).toEqual(['ws://x/a']);
      expect(end.value).toMatchObject({ wasOpened: false });
      await engine.start(spec, nothing);
      expect(warned).toHaveBeenCalledTimes(1);
    }
  );
});

describe("A download's address", () => {
  it('lies under the base URL, with the token only where the page uses one', () => {
    expect(contentUrl(settingsWith(), 'a b')).toBe(
      'http://hub.test/base/ws/file-stream/a%20b/content'
    );
    const token = settingsWith(undefined, { token: 't&', appendToken: true });
    expect(contentUrl(token, 'x')).toMatch(/content\?token=t%26$/);
    const cookie = settingsWith(undefined, { token: 't', appendToken: false });
    expect(contentUrl(cookie, 'x')).toMatch(/content$/);
  });
});
