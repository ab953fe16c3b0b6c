import { errorInfo, Refusal } from '../../testing/fakeTopics';
import { pass, until, watch } from '../../testing/tools';
import { FakeFile, itemOf, UploadRig } from '../../testing/uploadRig';
import { ITransfer } from '../../tokens';
import { BlockDigest } from '../digest';
import type { TransferManager } from '../transfers';

let rig: UploadRig;
let transfers: TransferManager;

/** The n-th transfer, from 1. */
const one = (n: number): ITransfer => transfers.transfers[n - 1]!;
const statesOf = (n: number) => rig.states.get(one(n).id);

const upload = (name: string, size = 300_000) =>
  watch(transfers.upload([itemOf(new FakeFile(size, name))], 'd'));

/** Make all uploads stop at a tenth of a megabyte. */
function hold(): void {
  rig.uploads.windowBytes = 100_000;
  rig.uploads.holdsCredit = true;
}

/** Wait until so many uploads have stopped there. */
const held = (count: number) =>
  until('they run', () => {
    const { operations } = rig.uploads;
    return (
      operations.filter(({ byteOffset }) => byteOffset === 100_000).length ===
      count
    );
  });

/** Let them go on. */
function release(): void {
  rig.uploads.holdsCredit = false;
  for (const stream of rig.uploads.streams) {
    const operation = rig.uploads.operations.find(
      ({ op }) => op === stream.path[1]
    )!;
    rig.uploads.grant(operation, stream);
  }
}

beforeAll(async () => {
  await BlockDigest.create();
});

beforeEach(() => {
  jest.useFakeTimers();
  rig = new UploadRig();
  transfers = rig.transfers;
});

afterEach(() => {
  rig.dispose();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('The transfers of a tab', () => {
  it('show an upload from its start to its end', async () => {
    const end = upload('a.bin');
    expect(one(1)).toMatchObject({
      path: 'd/a.bin',
      size: 300_000,
      written: 0,
      error: null
    });
    await until('it has ended', () => end.settled);
    expect(end.value).toEqual({
      paths: ['d/a.bin (published)'],
      failures: []
    });
    expect(one(1)).toMatchObject({
      path: 'd/a.bin (published)',
      state: 'done',
      written: 300_000
    });
    expect(statesOf(1)).toEqual(['waiting', 'running', 'committing', 'done']);
  });

  it('may go to the root, and have the same name', async () => {
    const files = [new FakeFile(5), new FakeFile(5)];
    const ends = files.map(file => watch(transfers.upload([itemOf(file)], '')));
    await until('both have ended', () => ends.every(end => end.settled));
    expect(rig.uploads.operations.map(({ params }) => params.path)).toEqual([
      'data.bin',
      'data.bin'
    ]);
    expect(new Set(transfers.transfers.map(({ id }) => id)).size).toBe(2);
  });

  it('run three at a time, in the order in which they were asked for', async () => {
    hold();
    const ends = [...'abcdefg'].map(name => upload(name));
    await held(3);
    await pass(5000);
    expect(transfers.transfers.map(({ state }) => state)).toEqual([
      ...Array<string>(3).fill('running'),
      ...Array<string>(4).fill('waiting')
    ]);
    expect(rig.uploads.operations.length).toBe(3);
    let most = 0;
    transfers.changed.connect(() => {
      most = Math.max(most, rig.uploads.streams.length);
    });
    release();
    await until('all have ended', () => ends.every(end => end.settled));
    expect(most).toBe(3);
    expect(rig.uploads.operations.map(({ params }) => params.path)).toEqual(
      [...'abcdefg'].map(name => `d/${name}`)
    );
    expect(ends.map(end => end.error)).toEqual(Array(7).fill(undefined));
  });

  it('stay three at a time when somebody starts one as another ends', async () => {
    let more = 5;
    let most = 0;
    const ends = [...'abcd'].map(name => upload(name));
    transfers.changed.connect(() => {
      const running = rig.uploads.operations.filter(
        ({ state }) => state === 'running'
      );
      most = Math.max(most, running.length);
      const done = transfers.transfers.filter(({ state }) => state === 'done');
      if (done.length > 0 && more > 0) {
        more -= 1;
        ends.push(upload(`more${more}`));
      }
    });
    await until(
      'all have ended',
      () => ends.length === 9 && ends.every(end => end.settled),
      600_000
    );
    expect(most).toBe(3);
  });

  it('show the rate of the last seconds', async () => {
    rig.uploads.windowBytes = 100_000;
    rig.server.latencyMs = 50;
    const end = upload('a', 5_000_000);
    await pass(4000);
    // A window per round trip, and the round trip takes 100 ms.
    expect(one(1).rate).toBeGreaterThan(400_000);
    expect(one(1).rate).toBeLessThan(1_100_000);
    rig.server.latencyMs = 1;
    await until('it has ended', () => end.settled);
  });

  it('show a break with its reason, and that it goes on', async () => {
    hold();
    const end = upload('a');
    await held(1);
    rig.uploads.streams[0]?.cut();
    await pass(1);
    expect(one(1)).toMatchObject({
      state: 'waiting',
      rate: 0,
      error: expect.any(String)
    });
    rig.uploads.holdsCredit = false;
    await until('it has ended', () => end.settled);
    expect(one(1)).toMatchObject({ state: 'done', error: null });
    expect(statesOf(1)).toEqual([
      'waiting',
      'running',
      'waiting',
      'running',
      'committing',
      'done'
    ]);
  });

  it('that fail say why, and make room for the next', async () => {
    let refusals = 3;
    const create = rig.server.methods.get('transfers.create')!;
    rig.server.methods.set('transfers.create', params => {
      if (refusals-- > 0) {
        throw new Refusal(errorInfo('too_big', { message: 'It is too big.' }));
      }
      return create(params);
    });
    const ends = [...'abcd'].map(name => upload(name));
    await until('all have ended', () => ends.every(end => end.settled));
    expect(transfers.transfers.map(({ state }) => state)).toEqual([
      'failed',
      'failed',
      'failed',
      'done'
    ]);
    expect(one(1).error).toBe('It is too big.');
    expect(ends[0]?.error?.code).toBe('too_big');
  });
});

describe('Cancelling a transfer', () => {
  it('that runs ends it on the server, and makes room', async () => {
    hold();
    const ends = [...'abcd'].map(name => upload(name));
    await held(3);
    await Promise.all([transfers.cancel(one(1).id), pass(100)]);
    await until('it has ended', () => ends[0]!.settled);
    expect(ends[0]?.value?.paths).toEqual([]);
    await held(4);
    expect([one(1).state, one(4).state]).toEqual(['cancelled', 'running']);
    expect(rig.uploads.operations[0]?.state).toBe('cancelled');
    release();
    await until('all have ended', () => ends.every(end => end.settled));
  });

  it('that waits never begins it', async () => {
    hold();
    const ends = [...'abcd'].map(name => upload(name));
    await held(3);
    await transfers.cancel(one(4).id);
    expect(one(4).state).toBe('cancelled');
    release();
    await until('all have ended', () => ends.every(end => end.settled));
    expect(ends[3]?.error?.code).toBe('cancelled');
    expect(rig.uploads.operations.length).toBe(3);
  });

  it('that has just begun holds', async () => {
    const end = upload('a');
    void transfers.cancel(one(1).id);
    await until('it has ended', () => end.settled);
    await pass(1000);
    expect([one(1).state, end.settled]).toEqual(['cancelled', true]);
    expect(rig.uploads.operations.map(({ state }) => state)).not.toContain(
      'done'
    );
  });

  it('that is just being made holds', async () => {
    const end = upload('a');
    await until('it is made', () => rig.uploads.operations.length === 1);
    void transfers.cancel(one(1).id);
    await until('it has ended', () => end.settled);
    await pass(1000);
    expect([one(1).state, end.settled]).toEqual(['cancelled', true]);
    expect(rig.uploads.last.state).toBe('cancelled');
  });

  it('whose answer is faster than the end of its stream shows it as cancelled', async () => {
    hold();
    rig.uploads.tellsCancel = false;
    const end = upload('a');
    await held(1);
    const cancelled = watch(transfers.cancel(one(1).id));
    await until('it has ended', () => end.settled && cancelled.settled);
    expect(one(1).state).toBe('cancelled');
  });

  it('that broke off leaves nothing in the status of connections', async () => {
    hold();
    const end = upload('a');
    await held(1);
    rig.uploads.streams[0]?.cut();
    await pass(1);
    expect(rig.manager.getConnectionStatus('file-stream').state).toBe(
      'disconnected'
    );
    void transfers.cancel(one(1).id);
    await until('it has ended', () => end.settled);
    await pass(1000);
    expect(rig.manager.getConnectionStatus('file-stream').state).toBe('idle');
  });

  it('that is over, or that nobody knows, does nothing', async () => {
    const end = upload('a');
    await until('it has ended', () => end.settled);
    await transfers.cancel(one(1).id);
    await transfers.cancel('99');
    expect(one(1).state).toBe('done');
  });
});
