import { pass, until, watch } from '../../testing/tools';
import {
  cutEvery,
  FakeFile,
  startUpload,
  UploadRig,
  wholeUpload
} from '../../testing/uploadRig';
import { BlockDigest } from '../digest';

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

describe('An upload whose stream breaks', () => {
  it('goes on where the server says, and hashes nothing twice', async () => {
    rig.countHashed();
    cutEvery(rig, 400_000);
    const file = new FakeFile(3_000_000);
    const { end, pauses } = await wholeUpload(rig, file);
    expect(end.error).toBeUndefined();
    const { starts, content } = rig.uploads.last;
    expect(starts.length).toBeGreaterThan(5);
    expect(starts[1]).toBeGreaterThanOrEqual(400_000);
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(pauses).toHaveLength(starts.length - 1);
    expect(Buffer.compare(content, file.data)).toBe(0);
    expect(rig.uploads.breaches).toEqual([]);
    // The client and, at the end, the server: each once.
    expect(rig.hashed).toBe(2 * file.size);
  });

  it('goes on at once when a person wants it, and only where they want it', async () => {
    rig.uploads.windowBytes = 100_000;
    rig.uploads.holdsCredit = true;
    const { end } = startUpload(rig, new FakeFile(1_000_000));
    await until('it waits', () => rig.uploads.last?.byteOffset === 100_000);
    // The longest pause.
    jest.spyOn(Math, 'random').mockReturnValue(0.999);
    rig.uploads.holdsCredit = false;
    rig.uploads.streams[0]?.cut();
    await pass(10);
    const starts = () => rig.uploads.last.starts.length;
    rig.transfers.hurry('another');
    await pass(10);
    expect(starts()).toBe(1);
    rig.transfers.hurry('op1');
    await pass(10);
    expect(starts()).toBe(2);
    await until('it has ended', () => end.settled);
  });

  it('is shown as connected again when it goes on', async () => {
    rig.uploads.windowBytes = 100_000;
    rig.uploads.holdsCredit = true;
    const { end } = startUpload(rig, new FakeFile(1_000_000));
    await until('it waits', () => rig.uploads.last?.byteOffset === 100_000);
    rig.uploads.streams[0]?.cut();
    await until('it goes on', () => rig.uploads.last.byteOffset === 200_000);
    const status = () => rig.manager.getConnectionStatus('file-stream', 'op1');
    expect(status().state).toBe('connected');
    rig.uploads.holdsCredit = false;
    rig.uploads.grant(rig.uploads.last, rig.uploads.streams[0]!);
    await until('it has ended', () => end.settled);
    expect(status().state).toBe('idle');
  });

  it('after all was sent asks again, and gets the same answer', async () => {
    const { end } = startUpload(rig, new FakeFile(100_000));
    rig.uploads.onFrame = (operation, socket, frame) => {
      if (typeof frame === 'string' && frame.includes('finish')) {
        operation.state = 'done';
        socket.cut();
      }
      return operation.state === 'done' && socket.isOver;
    };
    await until('it has ended', () => end.settled);
    expect(end.value?.paths).toEqual(['d/data.bin (published)']);
    expect(rig.server.sockets.filter(one => one.path.length > 0).length).toBe(
      2
    );
  });

  it('after all was sent, of which a part was lost, sends that part again', async () => {
    let lost = false;
    rig.uploads.onFrame = (operation, socket, frame) => {
      if (!lost && typeof frame === 'string' && frame.includes('finish')) {
        lost = true;
        operation.byteOffset = 70_000;
        socket.cut();
      }
      return socket.isOver;
    };
    const { end } = await wholeUpload(rig, new FakeFile(200_000));
    expect([end.error, rig.uploads.breaches]).toEqual([undefined, []]);
    expect(rig.uploads.last.starts).toEqual([0, 70_000]);
  });

  it('tries again while the upgrade is refused, without a limit', async () => {
    const { end, pauses } = startUpload(rig, new FakeFile(100_000));
    await until('it has begun', () => rig.uploads.streams.length > 0);
    rig.server.refusing = true;
    rig.uploads.streams[0]?.cut();
    await pass(1_000_000);
    expect([end.settled, pauses.length > 40]).toEqual([false, true]);
    rig.server.refusing = false;
    await until('it has ended', () => end.settled);
    expect(end.error).toBeUndefined();
  });

  it('while a slow read is under way is not disturbed by what that read brings', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    rig.uploads.windowBytes = 100_000;
    rig.uploads.holdsCredit = true;
    const file = new FakeFile(500_000);
    const { end } = startUpload(rig, file);
    await until('it waits', () => rig.uploads.last?.byteOffset === 100_000);
    file.readMs = 5000;
    rig.uploads.streams[0]?.cut();
    await until('a read has begun', () => file.reading === 1);
    file.readMs = 0;
    rig.uploads.streams[0]?.cut();
    // Now the old read ends, on whose stream nobody listens any more.
    await until('it has ended', () => file.reading === 0);
    await pass(10);
    rig.uploads.holdsCredit = false;
    await until('it goes on', () => rig.uploads.streams.length === 1);
    rig.uploads.grant(rig.uploads.last, rig.uploads.streams[0]!);
    await until('it has ended', () => end.settled);
    expect([rig.uploads.breaches, end.error]).toEqual([[], undefined]);
  });
});

describe('An upload that cannot succeed', () => {
  it.each(['digest_mismatch', 'forbidden', 'not_found', 'exists'] as const)(
    'because the server says %s ends with that',
    async code => {
      rig.uploads.onFrame = (_, socket) => {
        rig.uploads.fail(socket, code);
        return true;
      };
      const { transfer, pauses } = await wholeUpload(rig, new FakeFile(10));
      expect([transfer.state, transfer.error]).toEqual([
        'failed',
        `It is ${code}.`
      ]);
      expect(pauses).toEqual([]);
      expect(rig.server.sockets.length).toBe(2);
    }
  );

  it('because the server closes with a final code ends, also where nothing was said before', async () => {
    rig.uploads.onFrame = (_, socket) => {
      socket.end(4506, 'No common version.');
      return true;
    };
    const { end, transfer } = startUpload(rig, new FakeFile(10));
    await pass(300_000);
    expect([end.settled, transfer.state]).toEqual([true, 'failed']);
    expect(transfer.error).toBe('No common version.');
  });

  it('because its file cannot be read any more says so, and does not try again', async () => {
    rig.uploads.windowBytes = 100_000;
    const file = new FakeFile(9_000_000);
    const { end, transfer, pauses } = startUpload(rig, file);
    await until('it has begun', () => rig.uploads.last?.byteOffset > 0);
    file.isGone = true;
    await until('it has ended', () => end.settled);
    expect(transfer.state).toBe('failed');
    expect(end.value?.failures).toEqual([
      { path: 'data.bin', message: transfer.error }
    ]);
    expect(transfer.error).toMatch(/data\.bin/);
    expect([pauses, rig.uploads.streams]).toEqual([[], []]);
    // Nobody can go on with it: it is not left on the server.
    expect(rig.uploads.last.state).toBe('cancelled');
  });

  it('because it does not understand the server does not wait for ever', async () => {
    rig.uploads.onFrame = (_, socket) => {
      socket.give('{"type":"teleport"}');
      return true;
    };
    const { end, transfer } = startUpload(rig, new FakeFile(10));
    await pass(1000);
    expect([end.settled, transfer.state]).toEqual([true, 'failed']);
  });
});

describe('An upload that the server stops for a while', () => {
  it('goes on after the time that the server names', async () => {
    let refusals = 0;
    rig.uploads.onFrame = (_, socket) => {
      if (refusals++ === 0) {
        rig.uploads.fail(socket, 'no_space', { retry_after_ms: 30_000 });
      }
      return socket.isOver || refusals === 1;
    };
    const { end, pauses } = startUpload(rig, new FakeFile(10));
    await pass(29_000);
    expect([pauses, rig.server.sockets.length]).toEqual([
      ['It is no_space.'],
      2
    ]);
    await pass(3000);
    await until('it has ended', () => end.settled);
    expect(end.error).toBeUndefined();
  });
});

describe('An upload that is cancelled', () => {
  const running = async () => {
    rig.uploads.windowBytes = 200_000;
    rig.uploads.holdsCredit = true;
    const run = startUpload(rig, new FakeFile(1_000_000));
    await until('it has begun', () => rig.uploads.last?.byteOffset === 200_000);
    return run;
  };

  it('ends on the server and here', async () => {
    const { end, transfer } = await running();
    const cancelled = watch(rig.transfers.cancel(transfer.id));
    await until('it has ended', () => end.settled && cancelled.settled);
    expect(transfer.state).toBe('cancelled');
    expect([rig.uploads.last.state, rig.uploads.streams]).toEqual([
      'cancelled',
      []
    ]);
  });

  it('ends as cancelled also when the answer comes before the end of the stream', async () => {
    rig.uploads.tellsCancel = false;
    const { end, transfer } = await running();
    const cancelled = watch(rig.transfers.cancel(transfer.id));
    await until('it has ended', () => end.settled && cancelled.settled);
    expect(transfer.state).toBe('cancelled');
  });

  it('between two attempts ends at once, and opens no other stream', async () => {
    const { end, transfer, pauses } = await running();
    rig.uploads.streams[0]?.cut();
    await until('it waits', () => pauses.length === 1);
    const before = rig.server.sockets.length;
    void rig.transfers.cancel(transfer.id);
    await pass(60_000);
    expect([end.settled, transfer.state]).toEqual([true, 'cancelled']);
    expect(rig.server.sockets.length).toBe(before);
  });

  it('while it is being made sends nothing, and leaves nothing on the server', async () => {
    const { end, transfer } = startUpload(rig, new FakeFile(100_000));
    void rig.transfers.cancel(transfer.id);
    await until('it has ended', () => end.settled);
    expect(transfer.state).toBe('cancelled');
    await pass(1000);
    expect(rig.uploads.operations.map(one => one.state)).not.toContain(
      'running'
    );
    expect(rig.uploads.operations.map(one => one.state)).not.toContain('done');
  });
});
