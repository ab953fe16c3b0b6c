import { Contents } from '@jupyterlab/services';

import { entryOf, FakeListings } from '../../testing/fakeListings';
import { topicOf, WatchedDirectory } from '../directory';

let manager: FakeListings;
let directory: WatchedDirectory;
let changes: number;

const settled = () => new Promise(resolve => setTimeout(resolve));
const names = (model: Contents.IModel) =>
  (model.content as Contents.IModel[]).map(({ name }) => name).sort();

beforeEach(() => {
  manager = new FakeListings();
  manager.directories.set(
    'a',
    ['1', '2', '3'].map(n => entryOf(`a/${n}`))
  );
  changes = 0;
  directory = new WatchedDirectory(manager, 'a', () => (changes += 1));
});

const listings = () => manager.asked.filter(one => one.startsWith('list'));

describe('The topic of a directory', () => {
  it.each([
    ['', 'files/%2F'],
    ['a', 'files/%2Fa'],
    ['a/b c', 'files/%2Fa%2Fb%20c']
  ])('%p is %s', (path, topic) => {
    expect(topicOf(path)).toBe(topic);
  });
});

describe('A watched directory', () => {
  it('is listed once, and then kept', async () => {
    manager.live('a');
    const first = await directory.get();
    expect(names(first)).toEqual(['1', '2', '3']);
    expect([first.path, first.type, first.format]).toEqual([
      'a',
      'directory',
      'json'
    ]);
    expect(await directory.get()).toEqual(first);
    expect(manager.asked).toEqual(['stat a', 'list a']);
  });

  it('is listed each time while it is not watched', async () => {
    await directory.get();
    await directory.get();
    expect(listings().length).toBe(2);
  });

  it('is listed once for all who ask meanwhile', async () => {
    manager.live('a');
    const all = await Promise.all([directory.get(), directory.get()]);
    expect(all.map(names)).toEqual([
      ['1', '2', '3'],
      ['1', '2', '3']
    ]);
    expect(listings().length).toBe(1);
  });

  it('takes the changes that it is told of', async () => {
    manager.live('a');
    await directory.get();
    const entries = [entryOf('a/2', { size: 99 }), entryOf('a/4')];
    manager.change('a', { entries, removed: ['1'] });
    expect(changes).toBe(1);
    const model = await directory.get();
    expect(names(model)).toEqual(['2', '3', '4']);
    const sizes = (model.content as Contents.IModel[]).map(one => one.size);
    expect(sizes.sort()).toEqual([3, 3, 99]);
    expect(listings().length).toBe(1);
  });

  it('takes the changes that come while it is listed', async () => {
    let open: () => void = () => undefined;
    manager.gate = new Promise(resolve => (open = resolve));
    manager.live('a');
    const asked = directory.get();
    await settled();
    manager.change('a', { entries: [entryOf('a/4')], removed: ['1'] });
    open();
    expect(names(await asked)).toEqual(['2', '3', '4']);
  });

  it.each([{ reset: true }, { gone: true }])(
    'is listed anew after %p',
    async change => {
      manager.live('a');
      await directory.get();
      manager.directories.set('a', [entryOf('a/new')]);
      manager.change('a', change);
      expect(changes).toBe(1);
      expect(names(await directory.get())).toEqual(['new']);
    }
  );

  it('gives nobody a listing that began before the last change', async () => {
    let open: () => void = () => undefined;
    manager.gate = new Promise(resolve => (open = resolve));
    manager.live('a');
    const before = directory.get();
    await settled();
    manager.directories.set('a', [entryOf('a/new')]);
    directory.invalidate();
    const after = directory.get();
    open();
    expect(names(await after)).toEqual(['new']);
    await before;
    expect(names(await directory.get())).toEqual(['new']);
    expect(listings().length).toBe(2);
  });

  it('is listed once more where it was listed before its watch had begun', async () => {
    await directory.get();
    manager.directories.set('a', [entryOf('a/new')]);
    manager.live('a');
    await settled();
    expect([changes, directory.isFresh, listings().length]).toEqual([
      1,
      true,
      2
    ]);
    expect(names(await directory.get())).toEqual(['new']);
    expect(listings().length).toBe(2);
  });

  it('that is large is asked whether its names are the same', async () => {
    const many = Array.from({ length: 1001 }, (_, n) => entryOf(`a/${n}`));
    manager.directories.set('a', many);
    await directory.get();
    manager.live('a');
    await settled();
    expect(manager.asked).toEqual(['stat a', 'list a', 'page a']);
    expect([changes, directory.isFresh]).toEqual([0, true]);
  });

  it('that is large is listed anew where they are not', async () => {
    const many = Array.from({ length: 1001 }, (_, n) => entryOf(`a/${n}`));
    manager.directories.set('a', many);
    await directory.get();
    manager.directories.set('a', [entryOf('a/new')]);
    manager.live('a');
    await settled();
    expect([changes, directory.isFresh]).toEqual([1, false]);
    expect(names(await directory.get())).toEqual(['new']);
  });

  it('counts no longer after the connection was lost, and again when it is watched', async () => {
    manager.live('a');
    await directory.get();
    directory.disconnected();
    expect(directory.isFresh).toBe(false);
    manager.live('a');
    await settled();
    expect(directory.isFresh).toBe(false);
    await directory.get();
    expect([directory.isFresh, listings().length]).toEqual([true, 2]);
  });

  it('keeps nothing where the server refuses to watch', async () => {
    manager.live('a');
    await directory.get();
    manager.followers.get(topicOf('a'))?.onError?.(new Error('no'));
    expect(directory.isFresh).toBe(false);
  });

  it('keeps nothing where hidden files are shown: nobody tells of them', async () => {
    manager.directories.set('a', [entryOf('a/.hidden')]);
    manager.live('a');
    await directory.get();
    await directory.get();
    expect(listings().length).toBe(2);
  });

  it('takes what JupyterLab has changed itself', async () => {
    manager.live('a');
    await directory.get();
    const now = { ...entryOf('a/9'), content: 'x', format: 'text' };
    directory.update({ path: 'a/1' }, now as unknown as Contents.IModel);
    directory.update({ path: 'a/2' }, null);
    const model = await directory.get();
    expect(names(model)).toEqual(['3', '9']);
    const nine = (model.content as Contents.IModel[]).find(
      one => one.name === '9'
    );
    expect([nine?.content, nine?.format, nine?.size]).toEqual([null, null, 3]);
    expect(listings().length).toBe(1);
    directory.update(null, { path: 'a/10' });
    await directory.get();
    expect(listings().length).toBe(2);
  });

  it('knows what is no directory', async () => {
    manager.directories.set('a', [
      entryOf('a/f'),
      entryOf('a/d', { type: 'directory' })
    ]);
    expect(directory.hasFile('f')).toBe(false);
    manager.live('a');
    await directory.get();
    expect(['f', 'd', 'none'].map(name => directory.hasFile(name))).toEqual([
      true,
      false,
      false
    ]);
  });

  it('that is not there fails, and watches no longer when it is disposed', async () => {
    manager.directories.delete('a');
    await expect(directory.get()).rejects.toThrow('a is not there.');
    directory.dispose();
    expect([directory.isDisposed, manager.followers.size]).toEqual([true, 0]);
  });
});
