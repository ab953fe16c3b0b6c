/**
 * Downloads over a page that is loaded anew, from a real server.
 */
import 'fake-indexeddb/auto';
import { randomBytes } from 'crypto';
import { IDBFactory } from 'fake-indexeddb';
import { writeFileSync } from 'fs';
import { join } from 'path';

import {
  FakeDirectory,
  FakeTarget,
  giveStorage
} from '../../testing/fakeHandles';
import { eventually, RealServer } from '../../testing/realServer';
import { ITransfer } from '../../tokens';
import { DownloadParts, PART_BYTES } from '../downloadParts';
import { DownloadStore } from '../downloadStore';
import { ConnectionManager } from '../manager';
import { TransferManager } from '../transfers';

jest.setTimeout(60_000);

const SIZE = PART_BYTES + 20_000_000;

let server: RealServer;
let root: FakeDirectory;
let target: FakeTarget;
let open: Array<{ dispose(): void }> = [];
let number = 0;
let path: string;
let data: Buffer;

beforeAll(async () => {
  server = await RealServer.start();
});

afterAll(async () => {
  await server?.stop();
});

beforeEach(() => {
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  globalThis.indexedDB = new IDBFactory();
  // jsdom has none; the handle is put back below.
  globalThis.structuredClone ??= <T>(value: T) => value;
  giveStorage((root = new FakeDirectory()));
  target = new FakeTarget();
  keepHandle();
  path = `left${(number += 1)}.bin`;
  write(0);
});

afterEach(() => {
  open.forEach(one => one.dispose());
  open = [];
  Reflect.deleteProperty(navigator, 'storage');
  jest.restoreAllMocks();
});

function write(more: number): void {
  data = randomBytes(SIZE + more);
  writeFileSync(join(server.root, path), data);
}

/** Rows cannot hold functions here, as handles in a browser can. */
function keepHandle(): void {
  const { put, all } = DownloadStore.prototype;
  jest.spyOn(DownloadStore.prototype, 'put').mockImplementation(function (
    this: DownloadStore,
    row
  ) {
    const handle = {} as FileSystemFileHandle;
    return put.call(this, { ...row, handle });
  });
  jest.spyOn(DownloadStore.prototype, 'all').mockImplementation(async function (
    this: DownloadStore
  ) {
    const rows = await all.call(this);
    return rows && rows.map(row => ({ ...row, handle: target.handle }));
  });
}

function connect(): ConnectionManager {
  const settings = server.settings();
  const connections = new ConnectionManager({
    ...{ settings, version: '1', available: true }
  });
  open.push(connections);
  return connections;
}

async function load(): Promise<TransferManager> {
  const settings = server.settings();
  const connections = connect();
  const transfers = new TransferManager({
    ...{ connections, settings },
    spawn: () => {
      throw new Error('There are no workers here.');
    },
    page: { pick: async () => target.handle, fetch: () => undefined }
  });
  open.push(transfers);
  await transfers.start();
  return transfers;
}

const only = (page: TransferManager): ITransfer =>
  page.transfers.find(one => one.path === path)!;
const parts = () =>
  root.directories.get('jupyter-ws-hub-downloads')?.directories;

/** Let a download go no further than its first part. */
function holdAfterPart() {
  const { write } = DownloadParts.prototype;
  const gate = { isReached: false, open: () => undefined as void };
  const opened = new Promise<void>(resolve => (gate.open = resolve));
  jest
    .spyOn(DownloadParts.prototype, 'write')
    .mockImplementation(async function (this: DownloadParts, bytes) {
      await write.call(this, bytes);
      if (this.kept >= PART_BYTES) {
        gate.isReached = true;
        await opened;
      }
    });
  return gate;
}

/** A download whose page goes when a part of it is there. */
async function left(): Promise<void> {
  const page = await load();
  const unload = new Event('beforeunload', { cancelable: true });
  const gate = holdAfterPart();
  const end = page.download(path).catch(() => undefined);
  await eventually('a part is there', () => gate.isReached);
  window.dispatchEvent(unload);
  // The page may go: what is there is kept.
  expect(unload.defaultPrevented).toBe(false);
  page.dispose();
  gate.open();
  await end;
  expect(target.content).toBeNull();
}

async function whole(page: TransferManager): Promise<void> {
  await eventually('it is done', () => only(page).state === 'done', 20_000);
  expect(Buffer.compare(target.content!, data)).toBe(0);
  await eventually('its parts are gone', () => parts()?.size === 0);
  expect(await new DownloadStore('').all()).toEqual([]);
}

describe('A download whose page was loaded anew', () => {
  it('goes on by itself behind its parts, where the browser lets it write', async () => {
    await left();
    const page = await load();
    expect(only(page).written).toBeGreaterThanOrEqual(PART_BYTES);
    await whole(page);
  });

  it('waits for a person, where the browser wants to ask', async () => {
    await left();
    target.permission = 'prompt';
    target.answer = 'denied';
    const page = await load();
    // The server may not have noticed yet that the stream of the page before is gone.
    await eventually('it waits', () => only(page).state === 'paused');
    expect(only(page)).toMatchObject({
      ...{ state: 'paused', here: true, written: PART_BYTES, size: SIZE }
    });
    await expect(page.resume(only(page).id)).rejects.toMatchObject({
      code: 'forbidden'
    });
    target.answer = 'granted';
    await page.resume(only(page).id);
    await whole(page);
  });

  it('goes on behind its parts as another operation where the server knows it no more', async () => {
    await left();
    const { op } = (await new DownloadStore('').all())![0]!;
    const connections = connect();
    await connections.request('transfers.cancel', { op });
    await connections.request('transfers.forget', { op });
    const page = await load();
    expect(only(page).written).toBeGreaterThanOrEqual(PART_BYTES);
    await whole(page);
  });

  it('can be cancelled, and begun anew', async () => {
    await left();
    target.permission = 'prompt';
    const page = await load();
    await page.cancel(only(page).id);
    expect(only(page).state).toBe('cancelled');
    expect([parts()?.size, await new DownloadStore('').all()]).toEqual([0, []]);
    await page.retry(only(page).id);
    await whole(page);
  });

  it('is not mixed with another version of its source', async () => {
    await left();
    target.permission = 'prompt';
    const page = await load();
    write(5);
    await page.resume(only(page).id);
    await eventually('it has failed', () => only(page).state === 'failed');
    expect(only(page).error).toMatch(/changed/);
    await eventually('its parts are gone', () => parts()?.size === 0);
    expect(target.content).toBeNull();
    await page.retry(only(page).id);
    await whole(page);
  });
});
