/**
 * Uploads over a page that is loaded anew: rows in a database that outlives the page, on a server in memory.
 */
import 'fake-indexeddb/auto';
import { IDBFactory } from 'fake-indexeddb';

import { FakeFileHandle } from '../../testing/fakeHandles';
import { eventually } from '../../testing/realServer';
import { FakeFile, itemOf, statusOf, UploadRig } from '../../testing/uploadRig';
import { ITransfer } from '../../tokens';
import { TransferManager } from '../transfers';
import { IRow, TransferStore } from '../transferStore';

let rig: UploadRig;
let pages: TransferManager[];

beforeEach(() => {
  globalThis.indexedDB = new IDBFactory();
  // jsdom has none; rows of tests are plain enough.
  globalThis.structuredClone ??= <T>(value: T) => value;
  rig = new UploadRig();
  rig.server.topics.unlogged.set('transfers/me', []);
  pages = [];
});

afterEach(() => {
  pages.forEach(page => page.dispose());
  rig.dispose();
  jest.restoreAllMocks();
});

/** What the server knows goes into the snapshot of the topic. */
function known(): void {
  const values = rig.uploads.operations.map(one => ({
    ...{ kind: 'transfer', time: 0 },
    data: statusOf({
      ...{ op: one.op, path: one.params.path, size: one.content.length },
      kind: one.params.kind ?? 'file',
      state: one.state === 'running' ? 'waiting' : one.state,
      byte_offset: one.byteOffset
    })
  }));
  rig.server.topics.unlogged.set('transfers/me', values);
}

/** A page that is loaded now; the one before is gone without a word. */
async function load(): Promise<TransferManager> {
  known();
  const page = rig.newPage();
  pages.push(page);
  await page.start();
  return page;
}

/** An upload that has come to a half when its page goes. */
async function left(
  file: FakeFile,
  handle?: FakeFileHandle
): Promise<TransferManager> {
  const page = await load();
  rig.uploads.windowBytes = 500_000;
  rig.uploads.holdsCredit = true;
  const item = itemOf(file);
  void page.upload([handle ? { ...item, handle: handle.handle } : item], 'd');
  await eventually('half of it is there', () => {
    return rig.uploads.last?.byteOffset === 500_000;
  });
  page.dispose();
  rig.uploads.holdsCredit = false;
  await eventually(
    'its stream is gone',
    () => rig.uploads.streams.length === 0
  );
  return page;
}

const only = (page: TransferManager): ITransfer => {
  expect(page.transfers.length).toBe(1);
  return page.transfers[0]!;
};

const rows = () => new TransferStore('http://hub.test/base/').all();

async function whole(page: TransferManager, file: FakeFile): Promise<void> {
  await eventually('it has ended', () => only(page).state === 'done');
  expect(Buffer.compare(rig.uploads.last.content, file.data)).toBe(0);
  expect([rig.uploads.breaches, rig.uploads.operations.length]).toEqual([
    [],
    1
  ]);
  await eventually('it is told', () => rig.ended.length > 0);
  expect(await rows()).toEqual([]);
}

describe('An upload whose page was loaded anew', () => {
  it('waits for its file, and goes on where it was when that is chosen again', async () => {
    const file = new FakeFile(1_000_000);
    await left(file);
    const page = await load();
    expect(only(page)).toMatchObject({
      ...{ state: 'needs-file', here: true, path: 'd/data.bin' },
      ...{ size: 1_000_000, written: 500_000 }
    });
    await page.provide(only(page).id, file.file);
    await whole(page, file);
    expect(rig.uploads.last.starts).toEqual([0, 500_000]);
  });

  it.each([
    ['name', new FakeFile(1_000_000, 'other.bin')],
    ['size', new FakeFile(999_999)],
    ['content', new FakeFile(1_000_000, 'data.bin', 37)],
    [
      'time',
      Object.assign(new FakeFile(1_000_000), { lastModified: 1 }) as FakeFile
    ]
  ])('refuses a file of another %s, and stays', async (_, wrong) => {
    const file = new FakeFile(1_000_000);
    await left(file);
    const page = await load();
    const { id } = only(page);
    await expect(page.provide(id, wrong.file)).rejects.toMatchObject({
      code: 'source_changed'
    });
    expect(only(page).state).toBe('needs-file');
    expect(rig.uploads.last.byteOffset).toBe(500_000);
    expect(await rows()).toHaveLength(1);
    await page.provide(id, file.file);
    await whole(page, file);
  });

  it('can be cancelled', async () => {
    await left(new FakeFile(1_000_000));
    const page = await load();
    await page.cancel(only(page).id);
    expect(only(page).state).toBe('cancelled');
    expect([rig.uploads.last.state, await rows()]).toEqual(['cancelled', []]);
  });

  it('of which the server knows nothing any more is shown as failed, once', async () => {
    await left(new FakeFile(1_000_000));
    rig.uploads.operations.length = 0;
    const page = await load();
    expect(only(page).state).toBe('failed');
    expect(only(page).error).toMatch(/does not know/);
    page.dispose();
    expect((await load()).transfers).toEqual([]);
  });

  it('of which the server knows nothing any more begins anew when its file is chosen again', async () => {
    const file = new FakeFile(1_000_000);
    await left(file);
    rig.uploads.operations.length = 0;
    const page = await load();
    const { id } = only(page);
    expect(only(page)).toMatchObject({ state: 'failed', lacksFile: true });
    for (const steer of [page.retry(id), page.resume(id)]) {
      await expect(steer).rejects.toMatchObject({ code: 'unsupported' });
    }
    const other = new FakeFile(5, 'other.bin');
    await expect(page.provide(id, other.file)).rejects.toMatchObject({
      code: 'source_changed'
    });
    rig.ended.length = 0;
    const newer = new FakeFile(900_000, 'data.bin', 37);
    await page.provide(id, newer.file);
    expect(only(page).lacksFile).toBe(false);
    await whole(page, newer);
  });

  it('that was cancelled begins anew when its file is chosen again', async () => {
    const file = new FakeFile(1_000_000);
    await left(file);
    const page = await load();
    await page.cancel(only(page).id);
    rig.uploads.operations.length = 0;
    expect(only(page)).toMatchObject({ state: 'cancelled', lacksFile: true });
    await page.provide(only(page).id, file.file);
    await whole(page, file);
  });

  it('that ended meanwhile is shown as it ended', async () => {
    await left(new FakeFile(1_000_000));
    rig.uploads.last.state = 'done';
    const page = await load();
    expect([only(page).state, await rows()]).toEqual(['done', []]);
  });

  it('that another tab drives is left alone', async () => {
    await left(new FakeFile(1_000_000));
    const request = (_: string, __: unknown, use: (lock: null) => unknown) =>
      Promise.resolve(use(null));
    Object.defineProperty(navigator, 'locks', {
      ...{ value: { request }, configurable: true }
    });
    try {
      const page = await load();
      expect(only(page)).toMatchObject({ here: false, state: 'waiting' });
    } finally {
      Reflect.deleteProperty(navigator, 'locks');
    }
  });

  it('keeps nothing for other servers', async () => {
    await left(new FakeFile(1_000_000));
    expect(await new TransferStore('http://hub.test/other/').all()).toEqual([]);
  });
});

describe('With handles to its files', () => {
  /** Rows cannot hold functions here, as handles in a browser can. */
  function keeping(handle: FakeFileHandle): void {
    const { all } = TransferStore.prototype;
    const { put } = TransferStore.prototype;
    const bare = (row: IRow): IRow => ({
      ...row,
      entries: row.entries.map(({ handle: _, ...entry }) => entry)
    });
    jest.spyOn(TransferStore.prototype, 'put').mockImplementation(function (
      this: TransferStore,
      row
    ) {
      return put.call(this, bare(row));
    });
    jest
      .spyOn(TransferStore.prototype, 'all')
      .mockImplementation(async function (this: TransferStore) {
        return (await all.call(this)).map(({ row, op }) => ({
          op,
          row: {
            ...row,
            entries: row.entries.map(entry => ({
              ...entry,
              handle: handle.handle
            }))
          }
        }));
      });
  }

  const handleOf = (file: FakeFile) =>
    new FakeFileHandle(file.name, () => file.file);

  it('and the permission it goes on by itself', async () => {
    const file = new FakeFile(1_000_000);
    const handle = handleOf(file);
    keeping(handle);
    await left(file, handle);
    const page = await load();
    await whole(page, file);
    expect(handle.asked).toBe(0);
  });

  it('without the permission it asks when a person wants to go on', async () => {
    const file = new FakeFile(1_000_000);
    const handle = handleOf(file);
    keeping(handle);
    await left(file, handle);
    handle.permission = 'prompt';
    handle.answer = 'denied';
    const page = await load();
    expect(only(page).state).toBe('needs-file');
    await expect(page.resume(only(page).id)).rejects.toMatchObject({
      code: 'forbidden'
    });
    handle.answer = 'granted';
    await page.resume(only(page).id);
    await whole(page, file);
    expect(handle.asked).toBe(2);
  });

  it('it begins anew where the server knows it no more and a person tries again', async () => {
    const file = new FakeFile(1_000_000);
    const handle = handleOf(file);
    keeping(handle);
    await left(file, handle);
    rig.uploads.operations.length = 0;
    handle.permission = 'prompt';
    const page = await load();
    expect(only(page)).toMatchObject({ state: 'failed', lacksFile: false });
    rig.ended.length = 0;
    await page.retry(only(page).id);
    await whole(page, file);
    expect(handle.asked).toBe(1);
  });

  it('a file that is gone must be chosen again', async () => {
    const file = new FakeFile(1_000_000);
    let there: File | null = file.file;
    const handle = new FakeFileHandle('data.bin', () => there);
    keeping(handle);
    await left(file, handle);
    there = null;
    const page = await load();
    expect(only(page).state).toBe('needs-file');
    await expect(page.resume(only(page).id)).rejects.toMatchObject({
      code: 'unsupported'
    });
    await page.provide(only(page).id, file.file);
    await whole(page, file);
  });

  it('a file that has changed meanwhile is not sent', async () => {
    const file = new FakeFile(1_000_000);
    const other = new FakeFile(1_000_000, 'data.bin', 37);
    const handle = new FakeFileHandle('data.bin', () => other.file);
    keeping(handle);
    await left(file, handle);
    const page = await load();
    await eventually('it is noticed', () => only(page).error !== null);
    expect(only(page).state).toBe('needs-file');
    expect(rig.uploads.last.byteOffset).toBe(500_000);
  });
});
