import { Contents } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import { entryOf, FakeListings } from '../../testing/fakeListings';
import { Listings } from '../listings';

/** A contents manager whose every answer says that it is the stock one's. */
class FakeContents {
  readonly fileChanged: Signal<FakeContents, Contents.IChangedArgs> =
    new Signal(this);
  readonly asked: string[] = [];

  get(path: string): Promise<Contents.IModel> {
    this.asked.push(path);
    return Promise.resolve({ name: 'stock' } as Contents.IModel);
  }

  driveName(path: string): string {
    return /^(RTC|GitHub):/.exec(path)?.[1] ?? '';
  }

  localPath(path: string): string {
    return path.replace(/^(RTC|GitHub):/, '').replace(/^\//, '');
  }
}

const CONTENT = { content: true };

let manager: FakeListings;
let fake: FakeContents;
let contents: Contents.IManager;
let listings: Listings;
let refreshed: string[];

beforeEach(() => {
  manager = new FakeListings();
  manager.directories.set('', [entryOf('f'), entryOf('g')]);
  manager.directories.set('d', [entryOf('d/1'), entryOf('d/2')]);
  fake = new FakeContents();
  contents = fake as unknown as Contents.IManager;
  refreshed = [];
  listings = new Listings(manager, contents, path => refreshed.push(path));
});

async function names(path: string): Promise<string[]> {
  const model = await contents.get(path, CONTENT);
  return (model.content as Contents.IModel[]).map(({ name }) => name).sort();
}

describe('Listings', () => {
  it('come from the hub, as the contents manager gives them', async () => {
    const model = await contents.get('d', CONTENT);
    expect(model).toMatchObject({ path: 'd', serverPath: 'd', name: 'd' });
    expect(await names('d')).toEqual(['1', '2']);
    expect(await names('/')).toEqual(['f', 'g']);
    expect(fake.asked).toEqual([]);
  });

  it('are answered from what is kept, and shown anew when that changes', async () => {
    await names('d');
    manager.live('d');
    await names('d');
    const before = manager.asked.length;
    manager.change('d', { entries: [entryOf('d/3')] });
    expect(refreshed).toEqual(['d']);
    expect(await names('d')).toEqual(['1', '2', '3']);
    expect(manager.asked.length).toBe(before);
  });

  it('have the name of a drive where they are asked for with it', async () => {
    const model = await contents.get('RTC:d', CONTENT);
    expect([model.path, model.content[0].path]).toEqual(['RTC:d', 'RTC:d/1']);
    expect((model as { serverPath?: string }).serverPath).toBe('d');
  });

  it.each<[string, Contents.IFetchOptions | undefined]>([
    ['GitHub:d', CONTENT],
    ['d', undefined],
    ['d', { content: false }],
    ['d', { type: 'directory', content: false }],
    ['d', { content: true, type: 'file' }],
    ['d', { content: true, format: 'text' }],
    ['d', { content: true, contentProviderId: 'rtc' }],
    ['d', { content: true, hash: true }],
    ['gone', CONTENT]
  ])('of %p with %p go the stock way', async (path, options) => {
    expect((await contents.get(path, options)).name).toBe('stock');
    expect(fake.asked).toEqual([path]);
  });

  it('go the stock way for what is known to be a file', async () => {
    await names('');
    await contents.get('f', CONTENT);
    expect(fake.asked).toEqual(['f']);
    expect(manager.asked).not.toContain('list f');
  });

  it('go the stock way while the connection is away, and are true when it is back', async () => {
    await names('d');
    manager.live('d');
    manager.connected(false);
    expect((await contents.get('d', CONTENT)).name).toBe('stock');
    manager.directories.set('d', [entryOf('d/new')]);
    manager.connected(true);
    expect(await names('d')).toEqual(['new']);
  });

  it('watch no more than a few directories: those asked for last', async () => {
    for (let n = 0; n < 10; n += 1) {
      manager.directories.set(`x${n}`, []);
      await contents.get(`x${n}`, CONTENT);
      await contents.get('x0', CONTENT);
    }
    const topics = [...manager.followers.keys()];
    expect(topics.length).toBe(6);
    expect(topics).toContain('files/%2Fx0');
    expect(topics).toContain('files/%2Fx9');
  });

  it('take what JupyterLab changes itself', async () => {
    await names('d');
    manager.live('d');
    await names('d');
    await names('');
    manager.live('');
    const tell = (
      type: Contents.IChangedArgs['type'],
      oldValue: string | null,
      newValue: string | null
    ) =>
      fake.fileChanged.emit({
        type,
        oldValue: oldValue === null ? null : { path: oldValue },
        newValue:
          newValue === null
            ? null
            : (entryOf(newValue) as unknown as Contents.IModel)
      });
    tell('new', null, 'd/3');
    tell('delete', 'd/1', null);
    tell('rename', 'd/2', 'd/two');
    expect(await names('d')).toEqual(['3', 'two']);
    tell('rename', 'd/3', 'h');
    tell('save', null, 'GitHub:d/other');
    expect(await names('d')).toEqual(['two']);
    expect(await names('')).toEqual(['f', 'g', 'h']);
  });

  it('are asked for again where somebody says that they may be wrong', async () => {
    await names('d');
    manager.live('d');
    manager.directories.set('d', [entryOf('d/new')]);
    listings.invalidate('d');
    listings.invalidate('unknown');
    expect(await names('d')).toEqual(['new']);
  });

  it('are the stock ones again when they are disposed', async () => {
    await names('d');
    listings.dispose();
    listings.dispose();
    expect((await contents.get('d', CONTENT)).name).toBe('stock');
    expect([listings.isDisposed, manager.followers.size]).toEqual([true, 0]);
  });
});
