import { createHash, randomBytes } from 'crypto';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync
} from 'fs';
import { join } from 'path';

import { FakeTarget } from '../../testing/fakeHandles';
import { eventually, RealServer, sockets } from '../../testing/realServer';
import { ITransfer, IUploadItem } from '../../tokens';
import { IDownloadPage } from '../downloads';
import { ConnectionManager } from '../manager';
import { TransferManager } from '../transfers';

jest.setTimeout(60_000);

let server: RealServer;
let open: Array<{ dispose(): void }> = [];

const sha256 = (data: Uint8Array) =>
  createHash('sha256').update(data).digest('hex');
const onServer = (...path: string[]) => join(server.root, ...path);

/** A page's transfers. */
async function page(downloads?: IDownloadPage) {
  const settings = server.settings();
  const connections = new ConnectionManager({
    ...{ settings, version: '1', available: true }
  });
  const transfers = new TransferManager({
    ...{ connections, settings },
    spawn: () => {
      throw new Error('There are no workers here.');
    },
    ...(downloads && { page: downloads })
  });
  open.push(transfers, connections);
  await transfers.start();
  return { connections, transfers };
}

const itemOf = (path: string, data: Uint8Array): IUploadItem => ({
  path,
  file: new File([data], path.split('/').pop()!, { lastModified: 1.7e12 })
});

/** Break the streams whenever so many more bytes are there. */
function cutEvery(bytes: number): () => number {
  const before = sockets.length;
  let [next, cuts] = [bytes, 0];
  const timer = setInterval(() => {
    const streams = sockets
      .slice(before)
      .filter(one => one.url.includes('/file-stream/'));
    const open = streams.filter(one => one.readyState === 1);
    const moved = streams.map(movedBy).reduce((sum, one) => sum + one, 0);
    if (moved >= next && open.length > 0) {
      next = moved + bytes;
      cuts += 1;
      open.forEach(one => one.terminate());
    }
  }, 1);
  return () => {
    clearInterval(timer);
    return cuts;
  };
}

type AnySocket = (typeof sockets)[number];
const movedBytes = new Map<AnySocket, number>();

/** Bytes that have gone over a socket, either way: progress is told too seldom for a fast transfer. */
function movedBy(one: AnySocket): number {
  const { _socket } = one as unknown as {
    _socket: { bytesRead: number; bytesWritten: number } | null;
  };
  const now = _socket ? _socket.bytesRead + _socket.bytesWritten : 0;
  movedBytes.set(one, Math.max(now, movedBytes.get(one) ?? 0));
  return movedBytes.get(one) ?? 0;
}

/** What is shown of this page's own; others of the same user come and go. */
const own = (transfers: TransferManager): ITransfer[] =>
  transfers.transfers.filter(({ here }) => here);
const stateOf = (transfers: TransferManager): ITransfer => own(transfers)[0]!;
const called = (transfers: TransferManager, path: string): ITransfer =>
  transfers.transfers.find(one => one.path === path)!;

beforeAll(async () => {
  server = await RealServer.start();
});

afterAll(async () => {
  await server?.stop();
});

beforeEach(() => {
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});

afterEach(() => {
  open.forEach(one => one.dispose());
  open = [];
  jest.restoreAllMocks();
});

describe('An upload to a real server', () => {
  it('arrives whole, under a free name, with its time', async () => {
    const { transfers, connections } = await page();
    const data = randomBytes(5_000_000);
    const first = await transfers.upload([itemOf('up.bin', data)], '');
    expect(first).toEqual({ paths: ['up.bin'], failures: [] });
    const second = await transfers.upload(
      [itemOf('up.bin', randomBytes(10))],
      ''
    );
    expect(second.paths).not.toEqual(['up.bin']);
    expect(sha256(readFileSync(onServer('up.bin')))).toBe(sha256(data));
    expect(statSync(onServer('up.bin')).mtimeMs).toBe(1.7e12);
    expect(readFileSync(onServer(second.paths[0]!)).length).toBe(10);
    expect(connections.getConnectionStatus('file-stream').state).toBe('idle');
  });

  it('may be empty', async () => {
    const { transfers } = await page();
    await transfers.upload([itemOf('empty.bin', new Uint8Array(0))], '');
    expect(readFileSync(onServer('empty.bin')).length).toBe(0);
  });

  it('goes on after breaks', async () => {
    const { transfers } = await page();
    const data = randomBytes(24_000_000);
    const stop = cutEvery(6_000_000);
    await transfers.upload([itemOf('broken.bin', data)], '');
    expect(stop()).toBeGreaterThan(0);
    expect(sha256(readFileSync(onServer('broken.bin')))).toBe(sha256(data));
  });

  it('stops while it is paused, here or by another page', async () => {
    const [{ transfers }, other] = [await page(), await page()];
    const data = randomBytes(60_000_000);
    const end = transfers.upload([itemOf('paused.bin', data)], '');
    await eventually('it runs', () => stateOf(transfers).written > 0);
    const { id } = stateOf(transfers);
    await transfers.pause(id);
    const { written } = stateOf(transfers);
    expect(stateOf(transfers).state).toBe('paused');
    await eventually(
      'the other page shows it',
      () => called(other.transfers, 'paused.bin')?.state === 'paused'
    );
    const seen = called(other.transfers, 'paused.bin');
    expect([seen.here, seen.path]).toEqual([false, 'paused.bin']);
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(stateOf(transfers).written).toBe(written);
    await other.transfers.resume(seen.id);
    await eventually('it goes on', () => stateOf(transfers).written > written);
    await other.transfers.pause(seen.id);
    await eventually(
      'it is paused again',
      () => stateOf(transfers).state === 'paused'
    );
    await transfers.resume(id);
    expect((await end).paths).toEqual(['paused.bin']);
    expect(sha256(readFileSync(onServer('paused.bin')))).toBe(sha256(data));
  });

  it('that another page cancels ends here too', async () => {
    const [{ transfers }, other] = [await page(), await page()];
    // So much that it cannot be over before the other page has seen it.
    const data = Buffer.alloc(300_000_000);
    const end = transfers.upload([itemOf('cancelled.bin', data)], '');
    const remote = () => called(other.transfers, 'cancelled.bin');
    await eventually('the other page shows it', () => remote() !== undefined);
    await other.transfers.cancel(remote().id);
    expect((await end).paths).toEqual([]);
    expect(stateOf(transfers).state).toBe('cancelled');
    expect(existsSync(onServer('cancelled.bin'))).toBe(false);
  });
});

describe('A tree', () => {
  const tree = (count: number, top: string) =>
    Array.from({ length: count }, (_, n) =>
      itemOf(`${top}/d${n % 7}/f${n}.txt`, randomBytes((n * 37) % 3000))
    );
  const check = async (items: readonly IUploadItem[]) => {
    for (const { path, file } of items) {
      const content = readFileSync(onServer(path));
      expect(content.length).toBe(file!.size);
    }
  };

  it('arrives in one operation, with empty directories and large files', async () => {
    const { transfers } = await page();
    const large = randomBytes(3_000_000);
    const items = [
      ...tree(1500, 'folder'),
      itemOf('folder/deep/er/large.bin', large),
      { path: 'folder/nothing', file: null }
    ];
    const { paths, failures } = await transfers.upload(items, '');
    expect([failures, paths.length]).toEqual([[], 1501]);
    await check(items.slice(0, 1500));
    expect(sha256(readFileSync(onServer('folder/deep/er/large.bin')))).toBe(
      sha256(large)
    );
    expect(statSync(onServer('folder/nothing')).isDirectory()).toBe(true);
    expect(own(transfers).map(({ kind }) => kind)).toEqual(['tree', 'file']);
    expect(stateOf(transfers)).toMatchObject({ state: 'done', settled: 1504 });
  });

  it('goes on after breaks', async () => {
    const { transfers } = await page();
    const items = Array.from({ length: 300 }, (_, n) =>
      itemOf(`broken/f${n}`, randomBytes(40_000 + n))
    );
    const stop = cutEvery(2_000_000);
    const { failures } = await transfers.upload(items, '');
    expect([failures, stop() > 0]).toEqual([[], true]);
    await check(items);
  });

  it('follows what was decided for each name, and says what failed', async () => {
    const { transfers } = await page();
    mkdirSync(onServer('taken'));
    for (const name of ['a', 'b', 'c', 'd']) {
      writeFileSync(onServer('taken', name), 'old');
    }
    const items = ['a', 'b', 'c', 'd', 'e'].map(name =>
      itemOf(`taken/${name}`, Buffer.from('new'))
    );
    const conflicts = await transfers.conflicts(items, '');
    expect(conflicts.map(({ path }) => path)).toEqual(
      ['a', 'b', 'c', 'd'].map(name => `taken/${name}`)
    );
    const { etag } = conflicts[0]!;
    writeFileSync(onServer('taken', 'b'), 'changed meanwhile');
    const { paths, failures } = await transfers.upload(items, '', {
      decided: new Map([
        ['taken/a', { ifExists: 'overwrite', etag }],
        ['taken/b', { ifExists: 'overwrite', etag: conflicts[1]!.etag }],
        ['taken/c', { ifExists: 'skip' }]
      ])
    });
    const text = (name: string) =>
      readFileSync(onServer('taken', name), 'utf-8');
    expect(['a', 'b', 'c', 'd', 'e'].map(text)).toEqual([
      ...['new', 'changed meanwhile', 'old', 'old', 'new']
    ]);
    expect(failures.map(({ path }) => path)).toEqual(['taken/b']);
    expect(paths.length).toBe(3);
    expect(paths).not.toContain('taken/d');
    const renamed = paths.find(path => path.includes('d'.concat('-')))!;
    expect(readFileSync(onServer(renamed), 'utf-8')).toBe('new');
  });
});

describe('A download from a real server', () => {
  const picking = (target: FakeTarget | 'cancelled' | null) => {
    const urls: string[] = [];
    const downloads: IDownloadPage = {
      pick: async () => (target instanceof FakeTarget ? target.handle : target),
      fetch: url => urls.push(url)
    };
    return { downloads, urls };
  };

  it('is written to the chosen file, over breaks, and is verified', async () => {
    const data = randomBytes(40_000_000);
    writeFileSync(onServer('down.bin'), data);
    const target = new FakeTarget();
    const { transfers } = await page(picking(target).downloads);
    const stop = cutEvery(9_000_000);
    await transfers.download('down.bin');
    expect(stop()).toBeGreaterThan(0);
    expect(sha256(target.content!)).toBe(sha256(data));
    expect(stateOf(transfers)).toMatchObject({
      ...{ state: 'done', written: data.length, direction: 'download' }
    });
  });

  it('can be paused', async () => {
    const data = randomBytes(60_000_000);
    writeFileSync(onServer('down2.bin'), data);
    const target = new FakeTarget();
    const { transfers } = await page(picking(target).downloads);
    const end = transfers.download('down2.bin');
    await eventually('it runs', () => stateOf(transfers)?.written > 0);
    await transfers.pause(stateOf(transfers).id);
    const { written } = target;
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(target.written - written).toBeLessThan(20_000_000);
    expect(target.content).toBeNull();
    await transfers.resume(stateOf(transfers).id);
    await end;
    expect(sha256(target.content!)).toBe(sha256(data));
  });

  it('whose place nobody chooses does not begin', async () => {
    writeFileSync(onServer('down3.bin'), 'x');
    const { transfers } = await page(picking('cancelled').downloads);
    await transfers.download('down3.bin');
    expect(own(transfers)).toEqual([]);
  });

  it('whose file cannot be written says so, and leaves nothing', async () => {
    writeFileSync(onServer('down4.bin'), 'x');
    const target = new FakeTarget();
    target.failure = new DOMException('No space.', 'QuotaExceededError');
    const { transfers } = await page(picking(target).downloads);
    await expect(transfers.download('down4.bin')).rejects.toThrow(/No space/);
    expect([target.content, stateOf(transfers).state]).toEqual([
      null,
      'failed'
    ]);
  });
});
