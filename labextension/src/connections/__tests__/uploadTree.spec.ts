import { pick, seeded } from '../../testing/random';
import { errorInfo } from '../../testing/fakeTopics';
import { until, watch } from '../../testing/tools';
import { FakeFile, itemOf, UploadRig } from '../../testing/uploadRig';
import { BlockDigest } from '../digest';

jest.setTimeout(60_000);

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

const filesOf = (count: number, size: (n: number) => number) =>
  Array.from({ length: count }, (_, n) => new FakeFile(size(n), `f${n}`));

async function uploaded(files: readonly FakeFile[], paths?: string[]) {
  const items = files.map((file, n) => itemOf(file, paths?.[n] ?? file.name));
  const end = watch(rig.transfers.upload(items, 'd'));
  await until('it has ended', () => end.settled, 600_000);
  return end;
}

function check(files: readonly FakeFile[]): void {
  for (const { name, data } of files) {
    expect(Buffer.compare(rig.uploads.files.get(name)!, data)).toBe(0);
  }
  expect(rig.uploads.breaches).toEqual([]);
}

describe('Small files', () => {
  it('go together, more of them than may be announced ahead', async () => {
    const files = filesOf(2500, n => n % 40);
    const end = await uploaded(files);
    expect(end.value?.failures).toEqual([]);
    expect(end.value?.paths.length).toBe(2500);
    check(files);
    expect(rig.uploads.operations.length).toBe(1);
    expect(rig.uploads.last.params).toMatchObject({
      ...{ kind: 'tree', path: 'd', entries: 2500, if_exists: 'rename' }
    });
  });

  it.each([1, 2, 3, 4, 5])(
    'come over whole however the stream breaks (seed %d)',
    async seed => {
      const random = seeded(seed);
      let next = pick(random, 6);
      rig.uploads.windowBytes = 50_000;
      rig.uploads.onFrame = (_, socket) => {
        next -= 1;
        if (next < 0 && rig.uploads.last.starts.length < 12) {
          next = 1 + pick(random, 8);
          socket.cut();
          return true;
        }
        return socket.isOver;
      };
      const files = filesOf(150, n => (n * 611) % 9000);
      const end = await uploaded(files);
      expect(end.value?.failures).toEqual([]);
      expect(rig.uploads.last.starts.length).toBeGreaterThan(2);
      check(files);
    }
  );

  it('that cannot be read are told, and the others are there', async () => {
    const files = filesOf(10, () => 100);
    files[3]!.isGone = true;
    const end = await uploaded(files);
    expect(end.value?.failures).toEqual([
      { path: 'f3', message: expect.stringMatching(/f3 cannot be read/) }
    ]);
    expect(end.value?.paths).not.toContain('d/f3');
    check(files.filter(({ isGone }) => !isGone));
  });

  it('are shown under the names that the server gave, or as failed or skipped', async () => {
    rig.uploads.onEntry = ({ path }) =>
      ({
        f1: { state: 'renamed' as const, path: 'f1-1' },
        f2: { state: 'skipped' as const },
        f3: {
          state: 'failed' as const,
          error: errorInfo('exists', { message: 'It is there.' })
        }
      })[path] ?? null;
    const end = await uploaded(filesOf(5, () => 9));
    expect(end.value).toEqual({
      paths: ['d/f0', 'd/f1-1', 'd/f4'],
      failures: [{ path: 'f3', message: 'It is there.' }]
    });
    const [transfer] = rig.transfers.transfers;
    expect(transfer?.failures).toEqual(end.value?.failures);
    // Again only what failed.
    rig.uploads.onEntry = () => null;
    await rig.transfers.retry(transfer!.id);
    await until('it has ended again', () => rig.ended.length === 2);
    expect(rig.uploads.last.settled).toBe(1);
    expect(rig.uploads.files.has('f3')).toBe(true);
  });

  it('come with the directories of large ones first, which wait for those', async () => {
    const large = new FakeFile(1_100_000, 'large');
    const small = filesOf(600, () => 10);
    const paths = [...small.map(({ name }) => name), 'x/y/large'];
    const end = await uploaded([...small, large], paths);
    expect(end.value?.failures).toEqual([]);
    expect(rig.uploads.directories).toEqual(['x', 'x/y']);
    const [tree, file] = rig.uploads.operations;
    expect([tree?.params.kind, file?.params.path]).toEqual([
      'tree',
      'd/x/y/large'
    ]);
    expect(Buffer.compare(file!.content, large.data)).toBe(0);
  });
});
