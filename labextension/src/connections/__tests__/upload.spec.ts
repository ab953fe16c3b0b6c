import { errorInfo, Refusal } from '../../testing/fakeTopics';
import { pass, until } from '../../testing/tools';
import {
  FakeFile,
  startUpload,
  UploadRig,
  wholeUpload
} from '../../testing/uploadRig';
import { BlockDigest } from '../digest';

const CHUNK = 65_520;

let rig: UploadRig;

beforeAll(async () => {
  // Loading the WebAssembly takes real time.
  await BlockDigest.create();
});

beforeEach(() => {
  jest.useFakeTimers();
  rig = new UploadRig();
});

afterEach(() => {
  rig.dispose();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('An upload', () => {
  it.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 8 * CHUNK + 1, 3_000_000])(
    'brings a file of %d bytes over whole',
    async size => {
      const file = new FakeFile(size);
      const { end, pauses } = await wholeUpload(rig, file);
      expect([end.value, end.error]).toEqual([
        { paths: ['d/data.bin (published)'], failures: [] },
        undefined
      ]);
      expect(Buffer.compare(rig.uploads.last.content, file.data)).toBe(0);
      expect([rig.uploads.breaches, pauses]).toEqual([[], []]);
    }
  );

  it('tells the server what it brings, and never overwrites', async () => {
    await wholeUpload(rig, new FakeFile(10));
    expect(rig.uploads.last.params).toEqual({
      direction: 'upload',
      kind: 'file',
      path: 'd/data.bin',
      size: 10,
      mtime_ms: 1_760_000_000_123,
      if_exists: 'rename'
    });
  });

  it('tells how much the server has written, from nothing to all', async () => {
    const { progress } = await wholeUpload(rig, new FakeFile(300_000));
    expect(progress[0]).toBe(0);
    expect(progress[progress.length - 1]).toBe(300_000);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });

  it('that may not be made opens no stream', async () => {
    rig.server.methods.set('transfers.create', () => {
      throw new Refusal(errorInfo('forbidden'));
    });
    const { end } = await wholeUpload(rig, new FakeFile(10));
    expect(end.error?.code).toBe('forbidden');
    expect(rig.server.sockets.length).toBe(1);
  });

  it('keeps its status while it runs, and leaves none behind', async () => {
    const { end } = startUpload(rig, new FakeFile(300_000));
    await until('it has begun', () => rig.uploads.streams.length > 0);
    await pass(1);
    expect(rig.manager.getConnectionStatus('file-stream', 'op1').state).toBe(
      'connected'
    );
    await until('it has ended', () => end.settled);
    expect(rig.manager.getConnectionStatus('file-stream').state).toBe('idle');
  });
});

describe('The credit of an upload', () => {
  it('is never exceeded, also where it is no whole number of chunks', async () => {
    rig.uploads.windowBytes = 100_001;
    const { end } = await wholeUpload(rig, new FakeFile(1_000_000));
    expect([rig.uploads.breaches, end.error]).toEqual([[], undefined]);
  });

  it('used up, the sender waits until there is more', async () => {
    rig.uploads.windowBytes = 100_000;
    rig.uploads.holdsCredit = true;
    const { end } = startUpload(rig, new FakeFile(250_000));
    await pass(5000);
    const { last, streams } = rig.uploads;
    expect(last.byteOffset).toBe(100_000);
    rig.uploads.grant(last, streams[0]!);
    await pass(5000);
    expect(last.byteOffset).toBe(200_000);
    rig.uploads.grant(last, streams[0]!);
    await until('it has ended', () => end.settled);
    expect([end.error, rig.uploads.breaches]).toEqual([undefined, []]);
  });

  it('never falls: an older, smaller one changes nothing', async () => {
    rig.uploads.holdsCredit = true;
    const file = new FakeFile(2_000_000);
    file.readMs = 50;
    const { end } = startUpload(rig, file);
    await until('it has begun', () => rig.uploads.last?.byteOffset > 0);
    rig.uploads.tell(rig.uploads.streams[0]!, { type: 'credit', limit: 1 });
    await until('it has ended', () => end.settled);
    expect([end.error, rig.uploads.breaches]).toEqual([undefined, []]);
  });

  it('is not waited for on a stream that is gone', async () => {
    rig.uploads.windowBytes = 100_000;
    rig.uploads.holdsCredit = true;
    const { end } = startUpload(rig, new FakeFile(250_000));
    await pass(5000);
    rig.uploads.streams[0]?.cut();
    rig.uploads.holdsCredit = false;
    await until('it has ended', () => end.settled);
    expect([end.error, rig.uploads.breaches]).toEqual([undefined, []]);
  });

  it('leaves no more than a megabyte or two in the socket', async () => {
    rig.uploads.windowBytes = 1e9;
    const { end } = startUpload(rig, new FakeFile(4_000_000));
    await until('it has begun', () => rig.uploads.streams.length > 0);
    const [socket] = rig.uploads.streams;
    socket!.bufferedAmount = 2 ** 21;
    await pass(5000);
    expect(rig.uploads.last.byteOffset).toBeLessThan(2 ** 21);
    socket!.bufferedAmount = 0;
    await until('it has ended', () => end.settled);
    expect(end.error).toBeUndefined();
  });
});
